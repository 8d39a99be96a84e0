"""Numerical deviation of landmarks with precision, memory layout and number of threads."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pfld.runtime.backends import load_backend, torch_threads
from pfld.weights.shipped import shipped_networks

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pfld.preprocess import Preprocessing

CROPS = 64  # drawn faces to compare on


@dataclass(frozen=True)
class Deviation:
    """One way to compute a network, against its train-time form in float32 on one thread.

    Attributes:
        mean_px: Mean distance between corresponding points, in pixels of the crop.
        max_px: The largest.
    """

    network: str
    path: str
    mean_px: float
    max_px: float


def measure_deviations(network: str, crops_rgb: NDArray[np.uint8]) -> list[Deviation]:
    """Deviations of every way this package computes shipped weights, on the same crops.

    Args:
        network: Name of shipped weights, such as "ghostone".
        crops_rgb: ``(N, S, S, 3)`` uint8, S being the network's input size.

    Raises:
        FileNotFoundError: When there are no such weights.
        ValueError: For crops that do not fit.
    """
    import torch

    from pfld.networks.reparameterize import reparameterize
    from pfld.weights import load_weights
    from pfld.weights.shipped import find_weights

    model, metadata = load_weights(find_weights(network, "train-time"))
    model.eval().requires_grad_(False)
    preprocessing = metadata.preprocessing
    pixels = torch.from_numpy(preprocessing(crops_rgb))
    with torch.inference_mode(), torch_threads(1):
        expected = _points(model(pixels))
        found = list(_torch_paths(model, pixels, "train-time"))
        found += _torch_paths(reparameterize(model), pixels, "re-parameterized")
    for backend, name in (("onnx", "ONNX"), ("onnx-int8", "ONNX int8")):
        if network in shipped_networks(backend):
            for threads in (1, 2):
                runner = load_backend(network, backend, threads=threads)
                found.append((f"{name}, {_threads(threads)}", runner.predict(crops_rgb)))
    return [_deviation(network, path, points, expected, preprocessing) for path, points in found]


def _torch_paths(
    model: nn.Module, pixels: torch.Tensor, form: str
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    import torch

    last = pixels.contiguous(memory_format=torch.channels_last)
    model_last = copy.deepcopy(model)
    model_last.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack memory_format
    if form != "train-time":
        yield f"{form}, float32", _points(model(pixels))
    yield f"{form}, channels_last", _points(model_last(last))
    with torch_threads(2):
        yield f"{form}, {_threads(2)}", _points(model(pixels))
    for dtype in (torch.float16, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        yield f"{form}, {name}", _points(copy.deepcopy(model).to(dtype)(pixels.to(dtype)))
        with torch.autocast("cpu", dtype=dtype):
            yield f"{form}, autocast to {name}", _points(model(pixels))


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _points(output: torch.Tensor) -> NDArray[np.float32]:
    return output.float().unflatten(1, (-1, 2)).numpy()


def _deviation(
    network: str,
    path: str,
    points: NDArray[np.float32],
    expected: NDArray[np.float32],
    preprocessing: Preprocessing,
) -> Deviation:
    moved_px = np.linalg.norm(points - expected, axis=2) * preprocessing.input_size
    return Deviation(network, path, float(moved_px.mean()), float(moved_px.max()))


def deviation_crops(preprocessing: Preprocessing, data: Path | None) -> NDArray[np.uint8]:
    """Crops ``(N, S, S, 3)`` uint8 RGB to compare on: training faces of a data set, or drawn faces.

    Args:
        data: Folder of the data set; None for drawn faces.

    Raises:
        FileNotFoundError, ValueError: As :func:`pfld.export.calibration.calibration_crops`.
    """
    if data is not None:
        from pfld.export.calibration import calibration_crops

        return calibration_crops(data, preprocessing, count=CROPS)
    from pfld.synthetic.faces import synthetic_faces

    return synthetic_faces(CROPS, size=preprocessing.input_size).crops
