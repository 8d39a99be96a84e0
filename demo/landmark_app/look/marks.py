"""Errors and latencies as the chart of both has them: one mark for each network and form, key, and table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from landmark_app.look.tables import table
from landmark_app.models import MODE_TITLES

PUBLISHED = "published"  # in place of a mode: weights that others have published
SYMBOLS = {
    "train-time": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    "reparameterized": "M-4.5 -4.5h9v9h-9z",
    "onnx": "M0 -6.5L6.5 0L0 6.5L-6.5 0z",
    "onnx-int8": "M0 -6L6 5H-6z",
    "openvino": "M0 6L6 -5H-6z",
    PUBLISHED: "M-4.5 -4.5L4.5 4.5M-4.5 4.5L4.5 -4.5",
}
_TITLES = MODE_TITLES | {
    "reparameterized": "Re-parameterized, PyTorch",
    PUBLISHED: "Published weights, as ONNX",
}
_CHOSEN = '<span class="pf-chosen-word"> (chosen in Live)</span>'
_HEADS = {
    "Network": "",
    "Form": "Train-time runs every branch; the others run them folded into one convolution.",
    "Error": "Mean distance from the true points in per cent of the distance of the outer eye corners, on a "
    "test list of 184 hard faces. Re-parameterized, a network has the error of its train-time form: it finds "
    "the same points.",
    "95 % interval": "With so few faces a mean is uncertain; the true one is within it in 95 of 100 cases.",
    "Latency": "Median time for one face, on one thread. That of published weights is the latency of this "
    "project's network of the same architecture.",
    "Measured": "By the benchmark on this machine, or earlier on another one.",
}


@dataclass(frozen=True)
class Mark:
    """A network in one of its modes.

    Attributes:
        mode: Or PUBLISHED.
        title: Of the mode.
        latency_ms: Median for one face.
        error: On the test list, in per cent.
        interval: Its 95 % interval, in per cent, if it is known.
        is_here: Whether the latency was measured on this machine.
    """

    network: str
    mode: str
    title: str
    latency_ms: float
    error: float
    interval: tuple[float, float] | None
    is_here: bool

    @property
    def words(self) -> str:
        """All of it in one line."""
        where = "" if self.is_here else ", measured elsewhere"
        interval = f" (95 % interval {self._interval_text})" if self.interval else ""
        return (
            f"{self.network}, {self.title}: {self.latency_ms:.2f} ms{where}, "
            f"error {self.error:.2f} %{interval}"
        )

    def row(self, elsewhere: str) -> str:
        """Cells of a table, as HTML."""
        cells = (
            self.title,
            f"{self.error:.2f} %",
            self._interval_text or "–",
            f"{self.latency_ms:.2f} ms",
            "on this machine" if self.is_here else f"on {elsewhere}",
        )
        network = escape(self.network)
        name = f'<span class="pf-track" data-network="{network}">{network}{_CHOSEN}</span>'
        own = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        return f'<th scope="row">{name}</th>{own}'

    @property
    def _interval_text(self) -> str:
        return "{:.2f} to {:.2f} %".format(*self.interval) if self.interval else ""


def key(marks: Sequence[Mark], elsewhere: str) -> str:
    """What the symbols mean, and where latencies were measured."""
    present = {mark.mode for mark in marks}
    items = "".join(
        f'<span><svg viewBox="-8 -8 16 16" aria-hidden="true"><path class="pf-symbol" '
        f'd="{SYMBOLS[mode]}"/></svg>{escape(title)}</span>'
        for mode, title in _TITLES.items()
        if mode in present
    )
    some = {mark.is_here for mark in marks}
    if some == {True, False}:
        words = f"Filled: measured on this machine. Hollow: measured earlier on {elsewhere}."
    elif some == {True}:
        words = "Latencies are of this machine."
    else:
        words = f"Latencies were measured on {elsewhere}; measure this machine to see its own."
    if PUBLISHED in present:
        words += (
            " Crosses: errors of others' published weights on the same faces, at the latency of this "
            "project's network of the same architecture."
        )
    return f'<p class="pf-key">{items}</p><p class="pf-small">{escape(words)}</p>'


def mark_table(marks: Sequence[Mark], elsewhere: str) -> str:
    """A row for each mark."""
    rows = [mark.row(elsewhere) for mark in marks]
    return table(_HEADS, rows, "Error and latency of every network and form")
