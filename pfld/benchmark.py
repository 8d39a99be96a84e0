"""``python -m pfld benchmark``: speed on this machine, of networks and backends or of training."""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

from pfld import benchmark_numerics, benchmark_training
from pfld.benchmark_runtime import BackendSpeed, measure_backends
from pfld.benchmark_video import VideoSpeed, measure_video
from pfld.commands.arguments import Subcommands, positive
from pfld.files import write_whole
from pfld.plots import require_plot_suffix
from pfld.runtime.backends import BACKENDS, DEFAULT_WEIGHTS, shipped_networks

PORTRAIT = Path(__file__).parents[1] / "demo" / "examples" / "astronaut.jpg"
SHIPPED_BACKENDS = tuple(name for name in BACKENDS if name != "openvino")


def format_backends(speeds: list[BackendSpeed]) -> str:
    """A line for each backend."""
    lines = [
        f"{'network':18}{'backend':17}{'threads':>7}{'p50 ms':>9}{'p95 ms':>9}{'faces/s':>9}"
        f"{'parameters':>12}{'M MACs':>8}{'MiB':>7}{'off by px':>11}"
    ]
    for speed in speeds:
        off = "" if speed.difference_px is None else f"{speed.difference_px:.1e}"
        lines.append(
            f"{speed.network:18}{speed.backend:17}{speed.threads:7}{speed.p50_ms:9.2f}"
            f"{speed.p95_ms:9.2f}{speed.faces_per_second:9.0f}{speed.parameters:12,}"
            f"{speed.macs / 1e6:8.1f}{speed.file_mib:7.2f}{off:>11}"
        )
    return "\n".join(lines)


def format_video(speeds: list[VideoSpeed]) -> str:
    """A line for each way to follow a face."""
    lines = [
        f"{'video, 640 x 480, one face':32}{'p50 ms':>9}{'p95 ms':>9}{'mean ms':>9}{'found':>7}"
    ]
    lines += [
        f"{speed.name:32}{speed.p50_ms:9.2f}{speed.p95_ms:9.2f}{speed.mean_ms:9.2f}{speed.found:7.0%}"
        for speed in speeds
    ]
    return "\n".join(lines)


def plot_speeds(backends: list[BackendSpeed], video: list[VideoSpeed], path: str | Path) -> bytes:
    """Bars of latency, as the picture file for ``path``.

    Raises:
        ValueError: For a suffix that is no picture's.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    suffix = require_plot_suffix(path)
    panels = [(f"One face, network alone ({platform.machine()})", _backend_bars(backends))]
    if video:
        panels.append(("Video frame, 640 x 480, one face", [(v.name, v.p50_ms) for v in video]))
    heights = [len(bars) + 2 for _, bars in panels]
    figure = Figure(figsize=(7.5, 0.32 * sum(heights) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for axes, (title, bars) in zip(grid[:, 0], panels):
        names, values = zip(*bars)
        drawn = axes.barh(names, values, color="#4c86c6")
        axes.bar_label(drawn, fmt="%.2f ms", padding=3)
        axes.set(title=title, xlabel="median milliseconds", xlim=(0, 1.18 * max(values)))
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    buffer = BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=150)
    return buffer.getvalue()


def _backend_bars(speeds: list[BackendSpeed]) -> list[tuple[str, float]]:
    plural = {1: "1 thread"}
    return [
        (f"{s.network}, {s.backend}, {plural.get(s.threads, f'{s.threads} threads')}", s.p50_ms)
        for s in speeds
    ]


def add_parser(commands: Subcommands) -> None:
    """Adds the ``benchmark`` command."""
    parser = commands.add_parser("benchmark", help="measure speed and memory on this machine")
    parser.add_argument(
        "--networks", nargs="+", metavar="NAME", help="shipped networks (default: all of them)"
    )
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
        help="of a network, each number in turn (default 1)",
    )
    parser.add_argument("--rounds", type=positive, default=5, help="turns each (default 5)")
    parser.add_argument(
        "--frames",
        type=int,
        default=300,
        help="of the video that faces are followed through, beside MediaPipe's Face Mesh "
        "(default 300, 0 for none)",
    )
    parser.add_argument(
        "--json", metavar="FILE", help="write results there, - for stdout alone (default none)"
    )
    parser.add_argument(
        "--plot", metavar="FILE", help="draw bars there, .png, .svg or .pdf (default none)"
    )
    parser.set_defaults(run=_run)
    kinds = parser.add_subparsers(metavar="training|numerics", help="measure that instead")
    benchmark_training.add_parser(kinds)
    benchmark_numerics.add_parser(kinds)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.plot:
        require_plot_suffix(arguments.plot)
    networks = arguments.networks or shipped_networks()
    backends = measure_backends(
        networks, arguments.backends, threads=arguments.threads, rounds=arguments.rounds
    )
    video = _measure_video(backends, arguments.frames) if arguments.frames > 0 else []
    results = {"backends": [asdict(s) for s in backends], "video": [asdict(s) for s in video]}
    text = json.dumps(results, indent=2)
    if arguments.plot:
        write_whole(arguments.plot, plot_speeds(backends, video, arguments.plot))
    if arguments.json == "-":
        print(text)
        return 0
    print(format_backends(backends))
    if video:
        print("\n" + format_video(video))
    if arguments.json:
        write_whole(arguments.json, text + "\n")
    return 0


def _measure_video(speeds: list[BackendSpeed], frames: int) -> list[VideoSpeed]:
    """The default network, or else the first one measured, behind each of the ONNX backends measured."""
    from pfld.runtime.pictures import read_picture

    networks = [speed.network for speed in speeds]
    network = DEFAULT_WEIGHTS if DEFAULT_WEIGHTS in networks else networks[0]
    names = dict.fromkeys(s.backend for s in speeds if s.network == network)
    fast = [name for name in names if name.startswith("onnx")] or list(names)
    return measure_video(read_picture(PORTRAIT), fast, network=network, frames=frames)
