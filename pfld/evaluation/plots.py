"""Plots of an evaluation: cumulative error distribution and robustness curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pfld.evaluation.evaluate import Evaluation
from pfld.evaluation.metrics import FAILURE_THRESHOLD
from pfld.plots import figure_bytes, new_figure, require_plot_suffix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# By kind of variant: the amount that changes nothing, the factor to the plot's unit, the label.
UNITS = {
    "scale": (1, 100, "scale, %"),
    "shift": (0, 100, "shift, % of the side"),
    "rotation": (0, 1, "rotation, degrees"),
    "roll": (0, 1, "roll of the picture, degrees"),
}


def plot_evaluation(evaluation: Evaluation, path: str | Path) -> bytes:
    """The picture file for ``path``: the cumulative error distribution, and robustness if measured.

    Raises:
        ValueError: For a suffix other than those of :data:`pfld.plots.PLOT_SUFFIXES`.
    """
    suffix = require_plot_suffix(path)
    panels = 2 if evaluation.robustness else 1
    figure = new_figure(5.5 * panels, 4.2)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _draw_distribution(axes[0], evaluation)
    if evaluation.robustness:
        _draw_robustness(axes[1], evaluation)
    return figure_bytes(figure, suffix)


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
    """One curve for each kind of variant; the unchanged crop is at 0."""
    for kind, curve in evaluation.robustness.items():
        found = [(point.amount, point.nme) for point in curve if point.nme is not None]
        amounts, errors = np.array(found).T
        start, factor, label = UNITS[kind]
        axes.plot(factor * (amounts - start), 100 * errors, marker="o", label=label)
    axes.set(title="Crops beside the face", xlabel="off by", ylabel="NME, %", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
