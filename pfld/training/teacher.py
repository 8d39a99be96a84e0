"""Distillation: another network's points on the same augmented faces."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from pfld.landmarks import LandmarkScheme
from pfld.predictor import load_predictor
from pfld.preprocess import Preprocessing
from pfld.weights import load_weights


class Teacher:
    """Answers with landmarks for pixels, whatever size, channel order and scaling it was made for.

    Args:
        path: A weight file of this package, a published checkpoint, or an ONNX file.
        scheme: The student's landmark scheme.

    Raises:
        FileNotFoundError, ValueError: For a file that cannot be used, or another scheme.
    """

    def __init__(self, path: str | Path, scheme: LandmarkScheme, device: torch.device) -> None:
        if Path(path).suffix == ".onnx":
            self._predict, metadata = load_predictor(path)
            self._network = None
        else:
            network, metadata = load_weights(path)
            self._network = network.to(device).requires_grad_(False)
        if metadata.landmark_scheme != scheme.name:
            raise ValueError(
                f"the teacher {path} knows {metadata.landmark_scheme}, the data has {scheme.name}"
            )
        self._preprocessing: Preprocessing = metadata.preprocessing

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Landmarks ``(B, L, 2)`` in fractions for pixels ``(B, 3, S, S)``, RGB in 0..1."""
        wanted = self._preprocessing
        if images.shape[3] != wanted.input_size:
            images = F.interpolate(
                images, (wanted.input_size,) * 2, mode="bilinear", antialias=True
            )
        if self._network is None:
            crops = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)
            return torch.from_numpy(self._predict(crops.cpu().numpy())).to(images.device)
        if wanted.channel_order == "bgr":
            images = images.flip(1)
        mean, std = (images.new_tensor(v).view(3, 1, 1) for v in (wanted.mean, wanted.std))
        images = (images - mean) / std
        return self._network(images).unflatten(1, (-1, 2))
