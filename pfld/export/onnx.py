"""ONNX export of a network: re-parameterized, and compared with the original before it is written."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pfld.export.channel_padding import pad_channels
from pfld.export.concatenations import split_concatenations
from pfld.export.onnx_file import labelled, landmarks_px
from pfld.export.pixel_input import take_pixels
from pfld.files import write_whole
from pfld.runtime.onnx_session import output_names
from pfld.weights.metadata import NORMALISED, PIXELS, WeightMetadata

if TYPE_CHECKING:
    import onnx
    from torch import nn

    from pfld.networks import LandmarkNetwork

CHECKED_BATCHES = (1, 3, 8)  # faces; none is the traced batch size


def export_onnx(
    network: LandmarkNetwork,
    path: str | Path,
    metadata: WeightMetadata,
    *,
    self_contained: str | Path | None = None,
    tolerance_px: float = 1e-3,
) -> float:
    """Writes ``network``, re-parameterized, as an ONNX file; returns its largest error in crop pixels.

    Input ``crops`` ``(N, 3, S, S)`` float32 as ``metadata.preprocessing`` makes them, output
    ``landmarks`` ``(N, L, 2)`` as fractions of the crop, for any N; under a heatmap head ``uncertainty``
    ``(N, L)`` in the same unit as well. The file carries ``metadata``, with its form "reparameterized".
    It is compared with ``network`` on random crops and other batch sizes before it is written.

    Args:
        self_contained: Where to write, as well, a file with ``metadata.preprocessing`` inside: input
            ``crops_rgb`` ``(N, S, S, 3)`` uint8, output ``landmarks_px`` ``(N, L, 2)`` in pixels of the
            crop, ``uncertainty_px`` likewise. Its metadata says so, and it is compared in the same way.

    Raises:
        ValueError: When a file would differ from ``network`` by more than ``tolerance_px``, or the
            metadata names another landmark count or input size than the network's. Nothing is written.
    """
    from pfld.networks.reparameterize import reparameterize

    size = metadata.preprocessing.input_size
    if network.head.knows_uncertainty != metadata.knows_uncertainty:
        raise ValueError(
            f"metadata says a {metadata.head} head, the network has {network.head.name}"
        )
    if (network.num_landmarks, network.input_size) != (metadata.num_landmarks, size):
        raise ValueError(
            f"metadata says {metadata.num_landmarks} landmarks on crops of {size} pixels, the network has "
            f"{network.num_landmarks} on {network.input_size}"
        )
    # Fused from a copy in float32 on the CPU, whatever the network trains in.
    original = _detached_copy(network)
    model = pad_channels(_with_pooling(_traced(reparameterize(original), size)))
    model = split_concatenations(model)
    normalised = replace(metadata, form="reparameterized", interface=NORMALISED)
    files = {Path(path): (model, normalised)}
    if self_contained is not None:
        direct = take_pixels(model, metadata.preprocessing)
        files[Path(self_contained)] = (direct, replace(normalised, interface=PIXELS))
    errors_px, contents = [], {}
    for target, (graph, about) in files.items():
        contents[target] = labelled(graph, about)
        errors_px.append(_largest_error_px(original, contents[target], about))
        if not errors_px[-1] <= tolerance_px:
            raise ValueError(
                f"the ONNX graph differs from the network by {errors_px[-1]:.2g} pixels of the crop, "
                f"{tolerance_px:.2g} are tolerated; nothing was written to {target}"
            )
    for target, data in contents.items():
        write_whole(target, data)
    return max(errors_px)


def _detached_copy(network: LandmarkNetwork) -> LandmarkNetwork:
    import copy

    import torch

    model = copy.deepcopy(network).eval().requires_grad_(False).to("cpu", torch.float32)
    return model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stubs lack memory_format


def _traced(fused: LandmarkNetwork, size: int) -> onnx.ModelProto:
    """The graph, checked, without batch norms."""
    import onnx
    import torch

    class PointPairs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = fused

        def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
            landmarks, uncertainty = self.network.forward_with_uncertainty(crops)
            outputs = landmarks.unflatten(1, (-1, 2)), uncertainty
            return tuple(output for output in outputs if output is not None)

    with _quiet_exporter():
        program = torch.onnx.export(
            PointPairs().eval(),
            (torch.zeros(2, 3, size, size),),
            dynamo=True,
            input_names=["crops"],
            output_names=output_names(knows_uncertainty=fused.head.knows_uncertainty),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None  # it is None only without dynamo
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
    return model


def _with_pooling(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replaces the head's means by global pooling, joined before they are flattened.

    ONNX Runtime pools maps in its blocked layout, but leaves that for a mean.
    """
    import onnx
    from onnx import helper

    pooled = onnx.ModelProto()
    pooled.CopyFrom(model)
    nodes = []
    means = {node.output[0] for node in model.graph.node if node.op_type == "ReduceMean"}
    for node in model.graph.node:
        name, given, made = node.name, node.input, node.output[0]
        if made in means:
            nodes.append(helper.make_node("GlobalAveragePool", given[:1], [made], name))
        elif means.issuperset(given):
            maps = f"{made}_maps"
            nodes.append(helper.make_node("Concat", given, [maps], name, axis=1))
            nodes.append(helper.make_node("Flatten", [maps], [made], f"{name}_flat", axis=1))
        else:
            nodes.append(node)
    del pooled.graph.node[:]
    pooled.graph.node.extend(nodes)
    return pooled


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hides the exporter's notes on its own deprecations and on missing torchvision, but no errors."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def _largest_error_px(network: nn.Module, data: bytes, metadata: WeightMetadata) -> float:
    """Largest difference on random pictures, not the ones traced with."""
    import torch

    rng = np.random.default_rng(0)
    size = metadata.preprocessing.input_size
    errors_px = []
    for count in CHECKED_BATCHES:
        crops = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        with torch.inference_mode():
            fractions = network(torch.from_numpy(metadata.preprocessing(crops))).numpy()
        expected = size * fractions.reshape(count, -1, 2)
        actual = landmarks_px(data, metadata, crops)
        if actual.shape != expected.shape:
            raise ValueError(f"the ONNX graph returns {actual.shape} instead of {expected.shape}")
        errors_px.append(np.abs(actual - expected).max())
    return float(np.max(errors_px))
