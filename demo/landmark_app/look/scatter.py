"""SVG chart of errors against latencies, with a line for each network, and the same as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from statistics import fmean

from landmark_app.look.marks import PUBLISHED, SYMBOLS, Mark, key, mark_table

_WIDTH, _HEIGHT = 880, 390
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 215, 16, 48  # names of networks are right of the plot
_LABEL_GAP = 17  # between the lines of two names
_TICKS = (1, 2, 5)  # times powers of ten


@dataclass(frozen=True)
class _Scales:
    """Where latencies, on a logarithmic scale, and errors are in the drawing."""

    fastest_ms: float
    slowest_ms: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, marks: Sequence[Mark]) -> _Scales:
        bounds = [bound for mark in marks for bound in (mark.interval or (mark.error, mark.error))]
        times = [mark.latency_ms for mark in marks]
        return cls(
            min(times) / 1.25,
            max(times) * 1.25,
            math.floor(2 * min(bounds)) / 2,
            math.ceil(2 * max(bounds) + 0.1) / 2,
        )

    def x(self, latency_ms: float) -> float:
        share = math.log(latency_ms / self.fastest_ms) / math.log(self.slowest_ms / self.fastest_ms)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, error: float) -> float:
        share = (error - self.lowest) / (self.highest - self.lowest)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def error_latency_chart(marks: Sequence[Mark], default_network: str, elsewhere: str) -> str:
    """The chart and its table as HTML; empty text without marks.

    Args:
        marks: One network after the other, the slowest form first.
        default_network: The one that is marked as long as the visitor has chosen none in Live.
        elsewhere: The machine of the latencies that were not measured here.
    """
    if not marks:
        return ""
    scales = _Scales.of(marks)
    tracks = [list(group) for _, group in groupby(marks, key=lambda mark: mark.network)]
    labels = _spread([scales.y(track[0].error) for track in tracks])
    body = "".join(
        (*_axes(scales), *(_track(*drawn, scales) for drawn in zip(tracks, labels, strict=True)))
    )
    label = f"Error against latency of {len(tracks)} networks. The table below the chart has all figures."
    return (
        f"<style>{_chosen_rule([track[0].network for track in tracks], default_network)}</style>"
        '<figure class="pf-chart pf-scatter"><figcaption>Error against latency '
        "<small>Further left is faster, further down is more accurate</small></figcaption>"
        "<p>A line joins the forms of one network. Re-parameterizing moves it to the left and changes "
        "neither points nor error. Thin vertical lines are 95 % intervals.</p>"
        f"{key(marks, elsewhere)}"
        f'<div class="pf-scroll" tabindex="0" role="region" aria-label="Error against latency">'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f"<title>{label}</title>{body}</svg></div></figure>"
        '<details class="pf-more"><summary>The chart as a table</summary>'
        f"{mark_table(marks, elsewhere)}</details>"
    )


def _chosen_rule(networks: Sequence[str], default_network: str) -> str:
    """A style rule that shows the network named by ``data-network`` of the page's body."""
    chosen = [
        f"body[data-network={_quoted(name)}] .pf-track[data-network={_quoted(name)}]"
        for name in networks
    ]
    chosen.append(f"body:not([data-network]) .pf-track[data-network={_quoted(default_network)}]")
    return f"{','.join(chosen)}{{--pf-track:var(--pf-chosen);--pf-shown:inline;--pf-weight:700;--pf-width:3}}"


def _quoted(name: str) -> str:
    """A name as a CSS string that cannot end its style element."""
    return '"' + "".join(c if c.isalnum() or c in "-_" else f"\\{ord(c):x} " for c in name) + '"'


def _spread(places: Sequence[float]) -> list[float]:
    """Places of names: as near to those given as they can be and still be read, in the same order."""
    order = sorted(range(len(places)), key=places.__getitem__)
    groups: list[list[float]] = []  # of names that touch; each group stands around its middle
    for rank, index in enumerate(order):
        groups.append([places[index] - rank * _LABEL_GAP])
        while len(groups) > 1 and fmean(groups[-2]) > fmean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    firsts = [fmean(group) for group in groups for _ in group]
    spread = list(places)
    for rank, (index, first) in enumerate(zip(order, firsts)):
        spread[index] = first + rank * _LABEL_GAP
    return spread


def _axes(scales: _Scales) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for step in range(round(2 * scales.lowest), round(2 * scales.highest) + 1):
        y = scales.y(step / 2)
        parts.append(f'<line class="pf-grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if step % 2 == 0:
            parts.append(
                f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{step // 2} %</text>'
            )
    powers = range(-3, 6)
    for tick in (factor * 10.0**power for power in powers for factor in _TICKS):
        if scales.fastest_ms <= tick <= scales.slowest_ms:
            x = scales.x(tick)
            parts.append(
                f'<line class="pf-grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}"/>'
                f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>'
            )
    middle = (_LEFT + right) / 2
    title = "milliseconds for one face, one thread"
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{title}</text>')
    return parts


def _track(track: Sequence[Mark], label_y: float, scales: _Scales) -> str:
    """The forms of one network, the line between them, and its name on the right."""
    points = [(scales.x(mark.latency_ms), scales.y(mark.error)) for mark in track]
    slowest = max(points)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in sorted(points))
    right = _WIDTH - _RIGHT
    parts = [
        f'<polyline class="pf-name-line" points="{slowest[0]:.1f},{slowest[1]:.1f} '
        f'{right},{label_y:.1f} {right + 6},{label_y:.1f}"/>',
        f'<polyline class="pf-line" points="{line}"/>',
        f'<text x="{right + 10}" y="{label_y + 4:.1f}">{escape(track[0].network)}</text>',
        *_interval(track, scales),
        *_gain(track, scales),
    ]
    for mark, (x, y) in zip(track, points):
        kind = (
            " pf-published" if mark.mode == PUBLISHED else "" if mark.is_here else " pf-elsewhere"
        )
        parts.append(
            f'<path class="pf-symbol{kind}" transform="translate({x:.1f} {y:.1f})" '
            f'd="{SYMBOLS[mark.mode]}"><title>{escape(mark.words)}</title></path>'
        )
    return f'<g class="pf-track" data-network="{escape(track[0].network)}">{"".join(parts)}</g>'


def _interval(track: Sequence[Mark], scales: _Scales) -> list[str]:
    """The 95 % interval, at the fastest form."""
    fastest = min(track, key=lambda mark: mark.latency_ms)
    if fastest.interval is None:
        return []
    x = scales.x(fastest.latency_ms)
    high, low = (scales.y(bound) for bound in fastest.interval)
    return [
        f'<path class="pf-interval" d="M{x - 4:.1f} {low:.1f}h8m-4 0V{high:.1f}m-4 0h8"/>',
    ]


def _gain(track: Sequence[Mark], scales: _Scales) -> list[str]:
    """How much faster PyTorch is with the folded network, over the line; seen at the chosen network."""
    forms = {mark.mode: mark for mark in track}
    if not {"train-time", "reparameterized"} <= set(forms):
        return []
    slow, fast = forms["train-time"], forms["reparameterized"]
    if slow.is_here != fast.is_here:  # of two machines
        return []
    x = (scales.x(slow.latency_ms) + scales.x(fast.latency_ms)) / 2
    text = f"folded: {factor(slow.latency_ms / fast.latency_ms)} faster, same error"
    y = scales.y(slow.error) - 8
    return [f'<text class="pf-gain" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{text}</text>']


def factor(value: float) -> str:
    """Text for a ratio, with a multiplication sign."""
    return f"{value:.{1 if value < 9.95 else 0}f}×"
