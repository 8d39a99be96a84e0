"""Contact sheets: PNG files of tiled faces with their landmarks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pfld.data.augment import draw_augmentation
from pfld.files import write_whole
from pfld.networks.reparameterize import reparameterize
from pfld.training.schedule import FaceOrder

if TYPE_CHECKING:
    from pfld.training.trainer import Trainer

_TILE = 168  # pixels
_COLUMNS = 8
_LABEL_RGB = (0, 255, 0)
_PREDICTION_RGB = (255, 40, 40)


def contact_sheet(
    images: Tensor, landmarks: Tensor, predicted: Tensor | None = None
) -> NDArray[np.uint8]:
    """Tiles of faces, labels green and predictions red; ``(H, W, 3)`` RGB.

    Args:
        images: ``(B, 3, S, S)`` RGB in 0..1.
        landmarks, predicted: ``(B, L, 2)`` as fractions of the crop.
    """
    pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    tiles = []
    for index, picture in enumerate(pixels):
        tile = cv2.resize(picture, (_TILE, _TILE), interpolation=cv2.INTER_LINEAR)
        _dot_(tile, landmarks[index], _LABEL_RGB)
        if predicted is not None:
            _dot_(tile, predicted[index], _PREDICTION_RGB)
        tiles.append(tile)
    while len(tiles) % _COLUMNS:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.hstack(tiles[i : i + _COLUMNS]) for i in range(0, len(tiles), _COLUMNS)]
    return np.vstack(rows)


def png_bytes(image_rgb: NDArray[np.uint8]) -> bytes:
    """A PNG file of the picture."""
    return cv2.imencode(".png", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))[1].tobytes()


def _dot_(tile: NDArray[np.uint8], points: Tensor, color_rgb: tuple[int, int, int]) -> None:
    for x, y in points.detach().float().cpu().numpy() * _TILE * 16:
        cv2.circle(tile, (round(float(x)), round(float(y))), 14, color_rgb, -1, cv2.LINE_AA, 4)


def save_augmented_faces(trainer: Trainer, path: Path, *, count: int = 64) -> None:
    """Writes the first faces as they are trained on, with augmentation at its final strength."""
    draw = draw_augmentation(
        count,
        torch.Generator().manual_seed(trainer.config.seed),
        trainer.augmentation,
        strength=trainer.config.augmentation,
    )
    order = FaceOrder(len(trainer.training), count, trainer.config.seed)
    images, landmarks, _ = trainer.faces.batch(trainer.training[order.batch(0)], draw)
    write_whole(path, png_bytes(contact_sheet(images, landmarks)))


@torch.inference_mode()
def save_validation_faces(trainer: Trainer, path: Path, *, count: int = 32) -> None:
    """Writes some held-out faces with their labels and the network's predictions."""
    chosen = trainer.validation[:: max(1, len(trainer.validation) // count)][:count]
    images, landmarks, _ = trainer.faces.batch(chosen)
    network = reparameterize(trainer.averaged_network).eval()
    predicted = network(trainer.faces.normalized(images)).view_as(landmarks)
    write_whole(path, png_bytes(contact_sheet(images, landmarks, predicted)))
