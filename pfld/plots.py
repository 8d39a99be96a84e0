"""Matplotlib figures as files, drawn without a display."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOT_SUFFIXES = (".png", ".svg", ".pdf")


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure of that size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def figure_bytes(figure: Figure, suffix: str = ".png", *, dpi: int = 150) -> bytes:
    """The figure as the content of a picture file that ends in ``suffix``."""
    buffer = BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=dpi)
    return buffer.getvalue()


def require_plot_suffix(path: str | Path) -> str:
    """The suffix of a picture file, in lower case.

    Raises:
        ValueError: For a suffix other than those of :data:`PLOT_SUFFIXES`.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in PLOT_SUFFIXES:
        raise ValueError(f"a plot ends in {', '.join(PLOT_SUFFIXES)}, got {path}")
    return suffix
