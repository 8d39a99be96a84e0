"""``pfld export``: writes weights as ONNX files, in float32 and int8."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pfld.commands.arguments import Subcommands, add_channel_order
from pfld.export.onnx import export_onnx
from pfld.files import visible
from pfld.weights.metadata import WeightMetadata

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def add_parser(commands: Subcommands) -> None:
    """Adds the ``export`` command."""
    parser = commands.add_parser("export", help="write weights as an ONNX file")
    parser.add_argument(
        "--weights", metavar="FILE", type=Path, required=True, help="file to export"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="folder to write into"
    )
    add_channel_order(parser)
    parser.add_argument(
        "--self-contained",
        action="store_true",
        help="also write a file that takes uint8 RGB crops and returns pixels (default no)",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="also write a file in int8, fitted to the faces of --calibration (default no)",
    )
    parser.add_argument(
        "--calibration",
        metavar="DIR",
        type=Path,
        help="data set whose training faces --int8 is fitted to, as evaluate --data takes it (default none)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from pfld.weights import load_weights

    if arguments.int8 != (arguments.calibration is not None):
        raise ValueError("--int8 and --calibration DIR need each other; pass both or neither")
    network, metadata = load_weights(arguments.weights, channel_order=arguments.channel_order)
    crops = _calibration(arguments.calibration, metadata) if arguments.int8 else None
    target = arguments.out / f"{arguments.weights.stem}.onnx"
    pixels = target.with_stem(f"{target.stem}-uint8") if arguments.self_contained else None
    error_px = export_onnx(network, target, metadata, self_contained=pixels)
    for written in filter(None, (target, pixels)):
        print(f"wrote {visible(str(written))}, {written.stat().st_size / 2**20:.2f} MiB")
    print(f"largest difference from PyTorch {error_px:.2g} pixels of the crop")
    if crops is not None:
        _export_int8(target, crops)
    return 0


def _calibration(folder: Path, metadata: WeightMetadata) -> NDArray[np.uint8]:
    from pfld.export.calibration import calibration_crops
    from pfld.export.quantize import CALIBRATION_FACES

    return calibration_crops(folder, metadata.preprocessing, count=CALIBRATION_FACES)


def _export_int8(source: Path, crops: NDArray[np.uint8]) -> None:
    from pfld.export.quantize import quantize_onnx

    target = source.with_stem(f"{source.stem}-int8")
    difference = quantize_onnx(source, target, crops)
    print(f"wrote {visible(str(target))}, {target.stat().st_size / 2**20:.2f} MiB")
    print(
        f"int8 differs from float by {difference.mean_px:.2g} pixels of the crop in the mean, at most "
        f"{difference.largest_px:.2g}, on {difference.faces} held-out faces"
    )
