"""``python -m pfld export``: weights as an ONNX file that says what it is and was compared."""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pfld.files import write_whole
from pfld.weight_metadata import WeightMetadata

if TYPE_CHECKING:
    import onnx
    from torch import nn

CHECKED_BATCHES = (1, 3, 8)  # none is the traced one


def export_onnx(
    network: nn.Module, path: str | Path, metadata: WeightMetadata, *, tolerance_px: float = 1e-3
) -> float:
    """Writes ``network``, re-parameterized, as one ONNX file; returns its largest error in crop pixels.

    Input ``crops`` ``(N, 3, S, S)`` float32 as ``metadata.preprocessing`` makes them, output
    ``landmarks`` ``(N, L, 2)`` as fractions of the crop, for any N. The file carries ``metadata``, with
    its form "reparameterized". It is compared with ``network`` on random crops and other batch sizes
    before it is written.

    Raises:
        ValueError: When the file would differ from ``network`` by more than ``tolerance_px``, or the
            metadata names another landmark count or input size than the network's.
    """
    from pfld.reparam import reparameterize

    size = metadata.preprocessing.input_size
    if (network.num_landmarks, network.input_size) != (metadata.num_landmarks, size):
        raise ValueError(
            f"metadata says {metadata.num_landmarks} landmarks on crops of {size} pixels, the network has "
            f"{network.num_landmarks} on {network.input_size}"
        )
    # Fused from a copy in float32 on the CPU, whatever the network trains in.
    original = _detached_copy(network)
    model = _traced(reparameterize(original), size)
    _label(model, replace(metadata, form="reparameterized"))
    data = model.SerializeToString()
    error_px = size * _largest_difference(original, data, metadata)
    if not error_px <= tolerance_px:
        raise ValueError(
            f"the ONNX graph differs from the network by {error_px:.2g} pixels of the crop, "
            f"{tolerance_px:.2g} are tolerated; nothing was written to {path}"
        )
    write_whole(path, data)
    return error_px


def _detached_copy(network: nn.Module) -> nn.Module:
    import copy

    import torch

    model = copy.deepcopy(network).eval().requires_grad_(False).to("cpu", torch.float32)
    return model.to(memory_format=torch.contiguous_format)


def _traced(fused: nn.Module, size: int) -> onnx.ModelProto:
    """The graph, checked, without batch norms and without notes about where it was traced."""
    import onnx
    import torch

    class PointPairs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = fused

        def forward(self, crops: torch.Tensor) -> torch.Tensor:
            return self.network(crops).unflatten(1, (-1, 2))

    with _quiet_exporter():
        program = torch.onnx.export(
            PointPairs().eval(),
            (torch.zeros(2, 3, size, size),),
            dynamo=True,
            input_names=["crops"],
            output_names=["landmarks"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    model = program.model_proto
    graph = model.graph
    # The exporter writes Python stack traces, with this machine's paths, into every node.
    for item in (
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    onnx.checker.check_model(model, full_check=True)
    assert not any(node.op_type == "BatchNormalization" for node in graph.node)
    return model


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Drops the exporter's notes on deprecations of its own and on missing torchvision; not errors."""
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


def _label(model: onnx.ModelProto, metadata: WeightMetadata) -> None:
    import onnx

    from pfld import __name__ as producer

    model.producer_name = producer
    model.doc_string = f"{metadata.num_landmarks} facial landmarks ({metadata.landmark_scheme})"
    onnx.helper.set_model_props(model, metadata.to_strings())


def _largest_difference(network: nn.Module, data: bytes, metadata: WeightMetadata) -> float:
    """Largest difference in crop fractions on random pictures, not the ones traced with."""
    import numpy as np
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    size = metadata.preprocessing.input_size
    differences = []
    for count in CHECKED_BATCHES:
        pictures = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        crops = metadata.preprocessing(pictures)
        with torch.inference_mode():
            expected = network(torch.from_numpy(crops)).numpy().reshape(count, -1, 2)
        (actual,) = session.run(["landmarks"], {"crops": crops})
        if actual.shape != expected.shape:
            raise ValueError(f"the ONNX graph returns {actual.shape} instead of {expected.shape}")
        differences.append(np.abs(actual - expected).max())
    return float(np.max(differences))


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the ``export`` command."""
    parser = commands.add_parser("export", help="write weights as an ONNX file")
    parser.add_argument(
        "--weights", metavar="FILE", type=Path, required=True, help="file to export"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="folder to write into"
    )
    parser.add_argument(
        "--channel-order",
        choices=("rgb", "bgr"),
        help="what a published checkpoint was trained on (default bgr); other files say so",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from pfld.weights import load_weights

    network, metadata = load_weights(arguments.weights, channel_order=arguments.channel_order)
    target = arguments.out / f"{arguments.weights.stem}.onnx"
    error_px = export_onnx(network, target, metadata)
    print(f"wrote {target}")
    print(f"size {target.stat().st_size / 2**20:.2f} MiB")
    print(f"largest difference from PyTorch {error_px:.2g} pixels of the crop")
    return 0
