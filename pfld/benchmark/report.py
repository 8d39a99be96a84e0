"""Results of benchmarks as tables and plots."""

from __future__ import annotations

import platform
from pathlib import Path

from pfld.benchmark.backends import BackendSpeed
from pfld.benchmark.numerics import Deviation
from pfld.benchmark.training import VARIANTS, TrainingSpeed
from pfld.benchmark.video import VideoSpeed
from pfld.plots import figure_bytes, new_figure, require_plot_suffix


def format_backends(speeds: list[BackendSpeed]) -> str:
    """A table with a line for each network and backend."""
    lines = [
        f"{'network':24}{'backend':17}{'threads':>7}{'p50 ms':>9}{'p95 ms':>9}{'faces/s':>9}"
        f"{'parameters':>12}{'M MACs':>8}{'MiB':>7}{'off by px':>11}"
    ]
    for speed in speeds:
        parameters = "" if speed.parameters is None else f"{speed.parameters:,}"
        macs = "" if speed.macs is None else f"{speed.macs / 1e6:.1f}"
        off = "" if speed.difference_px is None else f"{speed.difference_px:.1e}"
        lines.append(
            f"{speed.network:24}{speed.backend:17}{speed.threads:7}{speed.p50_ms:9.2f}"
            f"{speed.p95_ms:9.2f}{speed.faces_per_second:9.0f}{parameters:>12}"
            f"{macs:>8}{speed.file_mib:7.2f}{off:>11}"
        )
    return "\n".join(lines)


def format_video(speeds: list[VideoSpeed]) -> str:
    """A table with a line for each face tracker."""
    lines = [
        f"{'video, 640 x 480, one face':36}{'p50 ms':>9}{'p95 ms':>9}{'mean ms':>9}{'found':>7}"
    ]
    lines += [
        f"{speed.name:36}{speed.p50_ms:9.2f}{speed.p95_ms:9.2f}{speed.mean_ms:9.2f}{speed.found:7.0%}"
        for speed in speeds
    ]
    return "\n".join(lines)


def plot_speeds(backends: list[BackendSpeed], video: list[VideoSpeed], path: str | Path) -> bytes:
    """Bars of latency, as the picture file for ``path``.

    Raises:
        ValueError: For a suffix other than those of :data:`pfld.plots.PLOT_SUFFIXES`.
    """
    suffix = require_plot_suffix(path)
    panels = [(f"One face, network alone ({platform.machine()})", _backend_bars(backends))]
    if video:
        panels.append(("Video frame, 640 x 480, one face", [(v.name, v.p50_ms) for v in video]))
    heights = [len(bars) + 2 for _, bars in panels]
    figure = new_figure(7.5, 0.32 * sum(heights) + 0.6)
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for axes, (title, bars) in zip(grid[:, 0], panels):
        names, values = zip(*bars)
        drawn = axes.barh(names, values, color="#4c86c6")
        axes.bar_label(drawn, fmt="%.2f ms", padding=3)
        axes.set(title=title, xlabel="median milliseconds", xlim=(0, 1.18 * max(values)))
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    return figure_bytes(figure, suffix)


def _backend_bars(speeds: list[BackendSpeed]) -> list[tuple[str, float]]:
    plural = {1: "1 thread"}
    return [
        (f"{s.network}, {s.backend}, {plural.get(s.threads, f'{s.threads} threads')}", s.p50_ms)
        for s in speeds
    ]


def format_training(results: list[TrainingSpeed]) -> str:
    """A table with a line for each result, compared with the plain branches if those were measured."""
    reference = next((r for r in results if r.variant == "branches"), None)
    lines = [f"{'':34}{'images/s':>10}{'speed':>8}{'peak MiB':>10}{'memory':>8}"]
    for result in results:
        speed = memory = ""
        if reference:
            speed = f"{result.images_per_second / reference.images_per_second:.2f} x"
        if reference and result.peak_memory_mib and reference.peak_memory_mib:
            memory = f"{result.peak_memory_mib / reference.peak_memory_mib:.0%}"
        peak = "" if result.peak_memory_mib is None else f"{result.peak_memory_mib:.0f}"
        lines.append(
            f"{VARIANTS[result.variant]:34}{result.images_per_second:10.1f}{speed:>8}{peak:>10}{memory:>8}"
        )
    return "\n".join(lines)


def format_deviations(deviations: list[Deviation]) -> str:
    """A table with a line for each deviation."""
    lines = [f"{'network':16}{'computed as':46}{'mean px':>10}{'max px':>10}"]
    lines += [f"{d.network:16}{d.path:46}{d.mean_px:10.1e}{d.max_px:10.1e}" for d in deviations]
    return "\n".join(lines)
