"""Knowledge distillation: a teacher network's landmarks for the same augmented faces."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from pfld.landmarks import LandmarkScheme
from pfld.networks import LandmarkNetwork
from pfld.preprocess import Preprocessing
from pfld.runtime.backends import Backend, load_own_backend
from pfld.weights import load_weights


class Teacher:
    """Predicts landmarks for pixels, adapted to the teacher's size, channel order and scaling.

    Args:
        path: A weight file of this package, a published checkpoint, or an ONNX file.
        scheme: The student's landmark scheme.

    Raises:
        FileNotFoundError, ValueError: For a file that cannot be used, or another scheme.
    """

    def __init__(self, path: str | Path, scheme: LandmarkScheme, device: torch.device) -> None:
        self._network: Backend | LandmarkNetwork
        if Path(path).suffix == ".onnx":
            backend = load_own_backend(path)
            self._network, metadata = backend, backend.metadata
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
        if wanted.channel_order == "bgr":
            images = images.flip(1)
        mean, std = (images.new_tensor(v).view(3, 1, 1) for v in (wanted.mean, wanted.std))
        images = (images - mean) / std
        if isinstance(self._network, Backend):
            return torch.from_numpy(self._network(images.cpu().numpy())).to(images.device)
        return self._network(images).unflatten(1, (-1, 2))
