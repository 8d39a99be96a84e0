"""``pfld benchmark``: speed on this machine, of networks and backends or of training."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pfld.benchmark.backends import BackendSpeed, measure_backends
from pfld.benchmark.numerics import deviation_crops, measure_deviations
from pfld.benchmark.report import (
    format_backends,
    format_deviations,
    format_training,
    format_video,
    plot_speeds,
)
from pfld.benchmark.training import VARIANTS, compare_training, measure_training
from pfld.benchmark.video import VideoSpeed, measure_video
from pfld.commands.arguments import Subcommands, add_json, positive
from pfld.files import write_whole
from pfld.plots import require_plot_suffix
from pfld.runtime.backends import load_backend
from pfld.weights.shipped import BACKENDS, PORTRAIT, shipped_networks

SHIPPED_BACKENDS = tuple(name for name in BACKENDS if name != "openvino")


def add_parser(commands: Subcommands) -> None:
    """Adds the ``benchmark`` command."""
    parser = commands.add_parser("benchmark", help="measure speed and memory on this machine")
    _add_networks(parser)
    parser.add_argument(
        "--backends",
        nargs="+",
        choices=BACKENDS,
        metavar="NAME",
        default=SHIPPED_BACKENDS,
        help=f"of {', '.join(BACKENDS)} (default: all but openvino)",
    )
    parser.add_argument(
        "--threads",
        nargs="+",
        type=positive,
        default=[1],
        metavar="N",
        help="threads of a network; several numbers are measured in turn (default 1)",
    )
    parser.add_argument("--rounds", type=positive, default=5, help="turns each (default 5)")
    parser.add_argument(
        "--frames",
        type=int,
        default=300,
        help="of the face tracking benchmark, with MediaPipe's Face Mesh where that is "
        "installed (default 300, 0 for none)",
    )
    add_json(parser)
    parser.add_argument(
        "--plot", metavar="FILE", help="draw bars there, .png, .svg or .pdf (default none)"
    )
    parser.set_defaults(run=_run)
    kinds = parser.add_subparsers(metavar="training|numerics", help="measure that instead")
    _add_training(kinds)
    _add_numerics(kinds)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.plot:
        require_plot_suffix(arguments.plot)
    networks = arguments.networks or shipped_networks()
    backends = measure_backends(
        networks, arguments.backends, threads=arguments.threads, rounds=arguments.rounds
    )
    video = _measure_video(backends, arguments.frames) if arguments.frames > 0 else []
    results = {"backends": [asdict(s) for s in backends], "video": [asdict(s) for s in video]}
    if arguments.plot:
        write_whole(arguments.plot, plot_speeds(backends, video, arguments.plot))
    text = format_backends(backends)
    _report(f"{text}\n\n{format_video(video)}" if video else text, results, arguments.json)
    return 0


def _report(text: str, results: object, target: str | None) -> None:
    """Prints results as text and writes them as JSON; for ``-`` prints the JSON alone."""
    data = json.dumps(results, indent=2)
    print(data if target == "-" else text)
    if target and target != "-":
        write_whole(target, data + "\n")


def _add_networks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--networks", nargs="+", metavar="NAME", help="shipped networks (default: all of them)"
    )


def _measure_video(speeds: list[BackendSpeed], frames: int) -> list[VideoSpeed]:
    """Measures each network on the ONNX backends, or on the others where there are none."""
    from pfld.media.pictures import read_picture

    measured = dict.fromkeys((speed.network, speed.backend) for speed in speeds)
    fast = [pair for pair in measured if pair[1].startswith("onnx")] or list(measured)
    return measure_video(read_picture(PORTRAIT), fast, frames=frames)


def _add_training(kinds: Subcommands) -> None:
    """Adds ``training`` to the kinds of benchmark."""
    training = kinds.add_parser("training", help="training steps: folded, plain, single branch")
    training.add_argument("--batch-size", type=positive, default=32, help="faces (default 32)")
    training.add_argument("--steps", type=positive, default=6, help="timed steps (default 6)")
    training.add_argument("--rounds", type=positive, default=3, help="turns each (default 3)")
    training.add_argument(
        "--variant",
        choices=VARIANTS,
        help="measure one, in this process (default all, each in its own)",
    )
    add_json(training)
    training.set_defaults(run=_run_training)


def _run_training(arguments: argparse.Namespace) -> int:
    sizes = {"batch_size": arguments.batch_size, "steps": arguments.steps}
    if arguments.variant:
        results = [measure_training(arguments.variant, **sizes)]
    else:
        results = compare_training(**sizes, rounds=arguments.rounds)
    _report(format_training(results), [asdict(result) for result in results], arguments.json)
    return 0


def _add_numerics(kinds: Subcommands) -> None:
    """Adds ``numerics`` to the kinds of benchmark."""
    numerics = kinds.add_parser("numerics", help="points in other precisions, layouts and threads")
    _add_networks(numerics)
    numerics.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="data set whose training faces to compare on (default: drawn faces)",
    )
    add_json(numerics)
    numerics.set_defaults(run=_run_numerics)


def _run_numerics(arguments: argparse.Namespace) -> int:
    deviations = []
    for network in arguments.networks or shipped_networks("train-time"):
        preprocessing = load_backend(network).metadata.preprocessing
        deviations += measure_deviations(network, deviation_crops(preprocessing, arguments.data))
    _report(format_deviations(deviations), [asdict(d) for d in deviations], arguments.json)
    return 0
