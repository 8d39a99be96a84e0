"""Quantization of most of a network to int8, for ONNX Runtime on CPUs.

Weights get a scale per channel, maps one scale each, from their ranges on real faces. Inputs of a
concatenation share one scale, so it needs no requantization, as sums of convolutions would. The stem and
the head stay in float: see :mod:`pfld.export.float_layers`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pfld.export.calibration import QUANTIZED_TYPES, Extremes, measure_extremes
from pfld.export.channel_padding import INT8_BLOCK, pad_channels
from pfld.export.concatenations import join_concatenations
from pfld.export.equalization import equalize
from pfld.export.float_layers import STEM, float_nodes
from pfld.export.onnx_file import labelled, landmarks_px
from pfld.files import write_whole
from pfld.preprocess import Preprocessing
from pfld.runtime.onnx_session import import_onnxruntime
from pfld.weights.metadata import NORMALISED, WeightMetadata

if TYPE_CHECKING:
    import onnx

CALIBRATION_FACES = 640
LEAST_FACES = 40  # fewer give unreliable ranges
HELD_OUT_EVERY = 5  # one in so many faces is held out to compare on
COVERED = 0.99  # part of the faces whose values a scale covers, at either end


@dataclass(frozen=True)
class Difference:
    """Distance of points from those of the float file, in pixels of the crop."""

    mean_px: float
    largest_px: float
    faces: int


def quantize_onnx(
    source: str | Path,
    target: str | Path,
    crops: NDArray[np.uint8],
    *,
    float_layers: Collection[str] = STEM,
    tolerance_px: float = 0.5,
) -> Difference:
    """Writes an int8 version of a float file; returns their difference on held-out crops.

    Input, output and metadata are those of ``source``, except for the precision "int8" and the metrics:
    those measured in float get the prefix ``float32_``, and the difference is added.

    Args:
        source: A file :func:`pfld.export.onnx.export_onnx` wrote, not self-contained.
        crops: RGB ``(N, S, S, 3)`` of real faces; one in five is held out to compare on.
        float_layers: Names of layers to keep in float, beside those around the head.
        tolerance_px: The mean difference, in pixels of the crop, beyond which nothing is written.

    Raises:
        ValueError: For another file, a layer it does not have, fewer than 40 crops, or too large a
            difference.
    """
    import onnx

    model = onnx.load(source)
    try:
        metadata = WeightMetadata.from_strings({p.key: p.value for p in model.metadata_props})
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    if (metadata.precision, metadata.interface) != ("float32", NORMALISED):
        raise ValueError(
            f"{source} is {metadata.precision} with {metadata.interface}; quantize the file in float32 "
            f"with {NORMALISED}"
        )
    if not any(node.op_type == "GlobalAveragePool" for node in model.graph.node):
        raise ValueError(f"{source} was exported by an older pfld; export it again")
    if len(crops) < LEAST_FACES:
        raise ValueError(f"calibration needs at least {LEAST_FACES} faces, got {len(crops)}")
    held_out = np.arange(len(crops)) % HELD_OUT_EVERY == 0
    about = replace(metadata, precision="int8")
    in_float = landmarks_px(labelled(model, metadata), metadata, crops)
    joined = pad_channels(join_concatenations(model), block=INT8_BLOCK)
    quantized = _quantized(joined, crops[~held_out], metadata.preprocessing, float_layers)
    # Rounded weights shift the points of all faces alike, which an offset corrects.
    in_int8 = landmarks_px(labelled(quantized, about), about, crops[~held_out])
    shift_px = (in_int8 - in_float[~held_out]).mean(axis=0)
    _move_points_(quantized, -shift_px / metadata.preprocessing.input_size)
    in_int8 = landmarks_px(labelled(quantized, about), about, crops[held_out])
    distances_px = np.linalg.norm(in_int8 - in_float[held_out], axis=2)
    difference = Difference(
        float(distances_px.mean()), float(distances_px.max()), int(held_out.sum())
    )
    if not difference.mean_px <= tolerance_px:
        raise ValueError(
            f"in int8 the points of {source} move by {difference.mean_px:.2g} pixels of the crop in the "
            f"mean, {tolerance_px:.2g} are tolerated; nothing was written to {target}. Calibrate on "
            "faces like those the network was trained on"
        )
    metrics = {f"float32_{name}": value for name, value in metadata.metrics.items()}
    metrics["difference_from_float32_px"] = difference.mean_px
    metrics["largest_difference_from_float32_px"] = difference.largest_px
    write_whole(target, labelled(quantized, replace(about, metrics=metrics)))
    return difference


def _quantized(
    model: onnx.ModelProto,
    crops: NDArray[np.uint8],
    preprocessing: Preprocessing,
    float_layers: Collection[str],
) -> onnx.ModelProto:
    """The int8 graph. Weights have 7 bits: a CPU without VNNI adds two 8-bit products in 16 bits."""
    import onnx

    import_onnxruntime()
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    extremes = measure_extremes(model, crops, preprocessing)
    reach = {name: extreme.channel_reach(COVERED) for name, extreme in extremes.items()}
    equal, divisors = equalize(model, reach)
    ranges = _ranges(
        equal, {name: extreme.divided(divisors[name]) for name, extreme in extremes.items()}
    )
    # Says that batch norms are folded and shapes inferred; else the quantizer advises to do that.
    onnx.helper.set_model_props(equal, {"onnx.quant.pre_process": "onnxruntime.quant"})
    kept, made_in_float = float_nodes(equal, float_layers)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_static(
            equal,
            path,
            _OneBatch(preprocessing(crops[:1])),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED_TYPES),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={"TensorQuantOverrides": ranges},
        )
        quantized = onnx.load(path)
    inputs = {node.name: node.input[0] for node in equal.graph.node}
    for node in quantized.graph.node:
        # Averages read maps in float if these are available in float.
        if node.op_type == "GlobalAveragePool" and inputs[node.name] in made_in_float:
            node.input[0] = inputs[node.name]
    return quantized


class _OneBatch:
    """A reader for the quantizer's own calibration, all of whose results are overridden."""

    def __init__(self, batch: NDArray[np.float32]) -> None:
        self._batches = iter([{"crops": batch}])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)


def _ranges(
    model: onnx.ModelProto, extremes: Mapping[str, Extremes]
) -> dict[str, list[dict[str, np.float32]]]:
    """The range of each tensor's scale; a concatenation and its inputs share one range."""
    ranges = {name: extreme.range(COVERED) for name, extreme in extremes.items()}
    for node in model.graph.node:
        if node.op_type == "Relu":
            ranges[node.input[0]] = ranges[node.output[0]]
    for node in model.graph.node:
        joined = (*node.input, node.output[0])
        if node.op_type == "Concat" and ranges.keys() >= set(joined):
            lows, highs = zip(*(ranges[name] for name in joined))
            ranges |= {name: (min(lows), max(highs)) for name in joined}
    return {
        name: [{"rmin": np.float32(low), "rmax": np.float32(high)}]
        for name, (low, high) in ranges.items()
    }


def _move_points_(model: onnx.ModelProto, offset: NDArray[np.float32]) -> None:
    """Adds ``offset`` ``(L, 2)``, in fractions of the crop, to the landmarks."""
    from onnx import helper, numpy_helper

    (last,) = (node for node in model.graph.node if "landmarks" in node.output)
    last.output[list(last.output).index("landmarks")] = "landmarks_unmoved"
    model.graph.initializer.append(numpy_helper.from_array(offset.astype(np.float32), "offset"))
    model.graph.node.append(
        helper.make_node("Add", ["landmarks_unmoved", "offset"], ["landmarks"], "offset_points")
    )
