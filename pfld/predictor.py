"""From a weight file of any kind to a function from crops to points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pfld.preprocess import Preprocessing
from pfld.runtime.backends import Prediction, in_batches, load_own_backend
from pfld.weight_metadata import WeightMetadata

if TYPE_CHECKING:
    from torch import nn

# RGB crops (N, S, S, 3) uint8 to points (N, L, 2) float32 in fractions of the crop.
Predictor = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def load_predictor(
    path: str | Path, *, channel_order: str | None = None
) -> tuple[Predictor, WeightMetadata]:
    """What the weights compute, in their own form, and what is known about them.

    Args:
        path: Weights of this package, an ONNX file of this package, or a published checkpoint.
        channel_order: As :func:`pfld.weights.load_weights` takes it.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: For a file that is damaged, not understood, or not what the arguments say.
    """
    backend = load_own_backend(path, channel_order=channel_order)
    return backend.predict, backend.metadata


def predict_landmarks(
    network: nn.Module, crops: NDArray[np.uint8], preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Landmarks ``(N, L, 2)`` in fractions of the crop, as ``network`` finds them in eval mode.

    The network's mode is put back afterwards, module by module.

    Args:
        crops: RGB ``(N, S, S, 3)``.

    Raises:
        ValueError: For crops of another shape or dtype.
    """
    import torch

    parameter = next(network.parameters())
    training = [module for module in network.modules() if module.training]
    network.eval()

    def located(pixels: NDArray[np.uint8]) -> Prediction:
        batch = torch.from_numpy(preprocessing(pixels)).to(parameter.device, parameter.dtype)
        return Prediction.of(network(batch).float().unflatten(1, (-1, 2)).cpu().numpy())

    try:
        with torch.inference_mode():
            return in_batches(located, crops).landmarks
    finally:
        for module in training:
            module.training = True
