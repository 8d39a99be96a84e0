"""Training data of a run: the face set, batches on the device, label weights, mean shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pfld.data.augment import AugmentationDraw, augment, no_augmentation
from pfld.data.face_set import FaceSet, load_face_set, stored_size
from pfld.preprocess import Preprocessing
from pfld.synthetic.faces import synthetic_faces
from pfld.training.config import TrainingConfig

SYNTHETIC = "synthetic"

_ON_DEVICE_SHARE = 0.5  # of an accelerator's free memory that the faces may take


def training_faces(
    config: TrainingConfig,
    report: Callable[[str], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FaceSet:
    """The faces a run trains and validates on.

    Raises:
        FileNotFoundError, ValueError: As :func:`pfld.data.face_set.load_face_set`.
    """
    size = stored_size(config.input_size)
    if config.data == SYNTHETIC:
        faces = synthetic_faces(config.synthetic_faces, size=size, seed=config.seed)
        names = tuple(f"synthetic-{index:05d}" for index in range(len(faces.crops)))
        spread = np.zeros(len(names), np.float32)
        return FaceSet(faces.crops, faces.landmarks, faces.attributes, spread, names, SYNTHETIC)
    return load_face_set(
        config.data,
        "train",
        size=size,
        cache=config.cache or None,
        missing_allowed=config.allow_missing,
        report=report,
        progress=progress,
    )


class FaceBatches:
    """Batches from a face set, on a device; the whole set is kept there if memory allows."""

    def __init__(self, faces: FaceSet, preprocessing: Preprocessing, device: torch.device) -> None:
        self.scheme = faces.scheme
        self.preprocessing = preprocessing
        self.device = device
        self._crops: NDArray[np.uint8] | Tensor = faces.crops
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if faces.crops.nbytes < _ON_DEVICE_SHARE * free:
                self._crops = torch.tensor(faces.crops, device=device)
        self._landmarks = torch.from_numpy(faces.landmarks).to(device)
        self._attributes = torch.from_numpy(faces.attributes).to(device)
        self._mean = torch.tensor(preprocessing.mean, device=device).view(3, 1, 1)
        self._std = torch.tensor(preprocessing.std, device=device).view(3, 1, 1)

    def batch(
        self, indices: NDArray[np.int64], draw: AugmentationDraw | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels ``(B, 3, S, S)`` RGB in 0..1, landmarks ``(B, L, 2)`` in fractions, attributes ``(B, 6)``.

        Args:
            indices: ``(B,)`` in the face set.
            draw: Augmentation of each face; None for upright crops as in evaluation.
        """
        rows = torch.from_numpy(indices).to(self.device)
        if isinstance(self._crops, Tensor):
            crops = self._crops[rows]
        else:
            crops = torch.from_numpy(self._crops[indices]).to(self.device)
        draw = no_augmentation(len(indices)) if draw is None else draw
        images, landmarks = augment(
            crops,
            self._landmarks[rows],
            draw.to(self.device),
            size=self.preprocessing.input_size,
            crop_scale=self.preprocessing.crop_scale,
            scheme=self.scheme,
        )
        return images, landmarks, self._attributes[rows]

    def normalized(self, images: Tensor) -> Tensor:
        """Network input from pixels in 0..1."""
        return (images - self._mean) / self._std


def label_weights(faces: FaceSet, indices: NDArray[np.int64], trust: float) -> Tensor:
    """Weight of each face ``(N,)``: ``1 / (1 + (spread / trust)^2)``, scaled to mean 1 over ``indices``.

    Unknown spread counts as 0. With a ``trust`` of 0, all weights are 1.
    """
    if not trust:
        return torch.ones(len(faces))
    spread = torch.from_numpy(np.nan_to_num(faces.label_spread))
    weights = 1 / (1 + (spread / trust).square())
    return weights / weights[torch.from_numpy(indices)].mean()


def mean_shape(faces: FaceSet, indices: NDArray[np.int64], crop_scale: float) -> Tensor:
    """Average landmarks ``(L, 2)`` of upright crops, in fractions."""
    points = faces.landmarks[indices].astype(np.float64)
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    side = (high - low).max(axis=2, keepdims=True) * crop_scale
    fractions = (points - (low + high) / 2) / side + 0.5
    return torch.from_numpy(fractions.mean(axis=0)).float()


def find_data(root: Path) -> str | None:
    """The folder of a data set in the places where ``train.py`` looks for one, or None."""
    for folder in (Path("data/WFLW"), root / "data" / "WFLW"):
        if (folder / "WFLW_annotations").is_dir():
            return str(folder)
    return None
