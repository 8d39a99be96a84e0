"""Calibration for int8: crops of real faces, and activation ranges of a network on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pfld.data.annotations import read_faces
from pfld.export.onnx_file import BATCH_SIZE
from pfld.geometry import FaceCrop
from pfld.media.pictures import read_image
from pfld.preprocess import Preprocessing
from pfld.runtime.onnx_session import open_session

if TYPE_CHECKING:
    import onnx

QUANTIZED_TYPES = ("Conv", "Relu", "Concat", "Add")  # of nodes whose outputs become int8


def calibration_crops(
    folder: str | Path, preprocessing: Preprocessing, *, count: int
) -> NDArray[np.uint8]:
    """RGB crops ``(N, S, S, 3)`` uint8 of a data set's training faces, evenly spaced.

    Args:
        folder: A data set as :func:`pfld.data.annotations.read_faces` takes it.
        count: How many; all faces if there are fewer.

    Raises:
        FileNotFoundError: When there are no such annotations, or a picture is missing.
        ValueError: For a faulty annotation or picture.
    """
    faces = read_faces(folder, "train")
    crops = []
    for index in np.linspace(0, len(faces) - 1, min(count, len(faces))).astype(int):
        face = faces[index]
        crop = FaceCrop.around(face.landmarks_px, scale=preprocessing.crop_scale)
        crops.append(crop.extract(read_image(face.image_path), preprocessing.input_size))
    return np.stack(crops)


@dataclass(frozen=True)
class Extremes:
    """Range of a tensor: lowest and highest value by picture and channel, both ``(N, C)``."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def divided(self, by: NDArray[np.float32]) -> Extremes:
        """The range after dividing the channels by ``by`` ``(C,)``, all positive."""
        return Extremes(self.low / by, self.high / by)

    def channel_reach(self, quantile: float) -> NDArray[np.float32]:
        """The magnitude of each channel ``(C,)`` that this fraction of the pictures stays within."""
        return np.quantile(np.maximum(-self.low, self.high), quantile, axis=0)

    def range(self, quantile: float) -> tuple[float, float]:
        """Lower and upper bound, around zero; this fraction of the pictures stays within each of them."""
        low = np.quantile(self.low.min(axis=1), 1 - quantile)
        high = np.quantile(self.high.max(axis=1), quantile)
        return min(float(low), 0.0), max(float(high), 0.0)


def measure_extremes(
    model: onnx.ModelProto, crops: NDArray[np.uint8], preprocessing: Preprocessing
) -> dict[str, Extremes]:
    """The extremes of every map ``(N, C, H, W)`` in a graph, its input among them.

    Args:
        model: As :func:`pfld.export.onnx.export_onnx` makes it, from ``crops`` to ``landmarks``.
        crops: RGB ``(N, S, S, 3)``, at least one.
    """
    import onnx

    observed = onnx.ModelProto()
    observed.CopyFrom(model)
    maps = {info.name for info in model.graph.value_info if _rank(info) == 4}
    names = [
        node.output[0]
        for node in model.graph.node
        if node.op_type in QUANTIZED_TYPES and node.output[0] in maps
    ]
    del observed.graph.output[:]
    observed.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    session = open_session(observed.SerializeToString())
    low: dict[str, list[NDArray[np.float32]]] = {name: [] for name in ("crops", *names)}
    high: dict[str, list[NDArray[np.float32]]] = {name: [] for name in low}
    for start in range(0, len(crops), BATCH_SIZE):
        batch = preprocessing(crops[start : start + BATCH_SIZE])
        values_by_map = [batch, *session.run(names, {"crops": batch})]
        for name, values in zip(low, values_by_map):
            low[name].append(values.min(axis=(2, 3)))
            high[name].append(values.max(axis=(2, 3)))
    return {name: Extremes(np.concatenate(low[name]), np.concatenate(high[name])) for name in low}


def _rank(info: onnx.ValueInfoProto) -> int:
    return len(info.type.tensor_type.shape.dim)
