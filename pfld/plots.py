"""Figures of results, drawn without a display."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pfld.metrics import FAILURE_THRESHOLD

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pfld.evaluation import Evaluation

PLOT_SUFFIXES = (".png", ".svg", ".pdf")
# By kind of jitter: the amount that moves nothing, the factor it is drawn with, and what it then is.
UNITS = {
    "scale": (1, 100, "scale, %"),
    "shift": (0, 100, "shift, % of the side"),
    "rotation": (0, 1, "rotation, degrees"),
    "roll": (0, 1, "roll of the picture, degrees"),
}


def plot_evaluation(evaluation: Evaluation, path: str | Path) -> bytes:
    """The picture file for ``path``: the cumulative error distribution, and robustness if measured.

    Raises:
        ValueError: For a suffix other than those of :data:`PLOT_SUFFIXES`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    suffix = require_plot_suffix(path)
    panels = 2 if evaluation.robustness else 1
    figure = Figure(figsize=(5.5 * panels, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _draw_distribution(axes[0], evaluation)
    if evaluation.robustness:
        _draw_robustness(axes[1], evaluation)
    buffer = BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=150)
    return buffer.getvalue()


def require_plot_suffix(path: str | Path) -> str:
    """The suffix of a picture file, or ValueError."""
    suffix = Path(path).suffix.lower()
    if suffix not in PLOT_SUFFIXES:
        raise ValueError(f"a plot ends in {', '.join(PLOT_SUFFIXES)}, got {path}")
    return suffix


def _draw_distribution(axes: Axes, evaluation: Evaluation) -> None:
    report, errors = evaluation.report, np.sort(evaluation.errors)
    axes.step(
        100 * np.concatenate([[0], errors]),
        100 * np.arange(len(errors) + 1) / len(errors),
        where="post",
        label=f"{evaluation.metadata.architecture}: NME {report.nme:.2%}, AUC {report.auc:.3f}",
    )
    axes.set(
        title=f"{report.count} faces, {evaluation.split}, {evaluation.protocol} crops",
        xlabel="NME, % of the distance between outer eye corners",
        ylabel="faces below, %",
        xlim=(0, 100 * FAILURE_THRESHOLD),
        ylim=(0, 100),
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")


def _draw_robustness(axes: Axes, evaluation: Evaluation) -> None:
    """One curve for each kind of jitter, all from the crop as it is, which stands at 0."""
    for kind, curve in evaluation.robustness.items():
        found = [(point.amount, point.nme) for point in curve if point.nme is not None]
        amounts, errors = np.array(found).T
        start, factor, label = UNITS[kind]
        axes.plot(factor * (amounts - start), 100 * errors, marker="o", label=label)
    axes.set(title="Crops beside the face", xlabel="off by", ylabel="NME, %", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
