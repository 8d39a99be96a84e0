"""Charts and progress bars in the page's colours, for dark and light mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 34
_MOST_POINTS = 600  # of a line; more would be closer than a pixel


def line_chart(
    title: str, series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, unit: str = ""
) -> str:
    """An SVG line chart over time; empty text without values.

    Args:
        series: Times in seconds and values, by name.
        unit: Of the values.
    """
    lines = {name: pair for name, pair in series.items() if len(pair[0])}
    if not lines:
        return ""
    low_s = min(min(times) for times, _ in lines.values())
    high_s = max(max(times) for times, _ in lines.values())
    top = _round_up(max(max(values) for _, values in lines.values()))
    span_s = max(high_s - low_s, 1e-6)

    def place(times: NDArray[np.float64], values: NDArray[np.float64]) -> str:
        x = _LEFT + (times - low_s) / span_s * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - np.clip(values / top, 0, 1) * (_HEIGHT - _TOP - _BOTTOM)
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y))

    parts = []
    for share in (0, 0.5, 1):
        y = _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)
        parts.append(
            f'<line class="pf-grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
        )
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{share * top:g}</text>')
    for share in (0, 0.5, 1):
        x = _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
        anchor = ("start", "middle", "end")[int(share * 2)]
        label = f"{low_s + share * span_s:.1f} s"
        parts.append(f'<text x="{x}" y="{_HEIGHT - 12}" text-anchor="{anchor}">{label}</text>')
    for index, (times, values) in enumerate(lines.values()):
        step = -(-len(times) // _MOST_POINTS)
        points = place(np.asarray(times, float)[::step], np.asarray(values, float)[::step])
        parts.append(f'<polyline class="pf-line pf-color-{index}" points="{points}"/>')
    keys = "".join(
        f'<span><i class="pf-color-{index}"></i>{escape(name)}</span>'
        for index, name in enumerate(lines)
    )
    of_unit = f" <small>{escape(unit)}</small>" if unit else ""
    return (
        f'<figure class="pf-chart"><figcaption>{escape(title)}{of_unit}</figcaption>'
        f'<p class="pf-key">{keys}</p><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg></figure>'
    )


def bar_chart(title: str, bars: Mapping[str, float], *, unit: str, digits: int = 1) -> str:
    """A bar and its value for each name, as HTML; empty text without any.

    Names that start alike, up to a " · ", stand together.
    """
    if not bars:
        return ""
    top = max(max(bars.values()), 1e-12)
    rows, group = [], ""
    for name, value in bars.items():
        start = name.partition(" · ")[0]
        kind = ' class="pf-apart"' if group and start != group else ""
        group = start
        rows.append(
            f"<p{kind}><span>{escape(name)}</span>"
            f'<i style="width:{100 * value / top:.1f}%"></i><b>{value:.{digits}f}</b></p>'
        )
    return (
        f'<figure class="pf-chart pf-bars"><figcaption>{escape(title)} <small>{escape(unit)}</small>'
        f"</figcaption>{''.join(rows)}</figure>"
    )


def progress_bar(text: str, done: int, total: int | None) -> str:
    """A progress bar with text; without ``total`` it only shows that work goes on."""
    share = f' value="{done}" max="{total}"' if total else ""
    return (
        f'<div class="pf-progress" role="status"><progress{share} aria-label="{escape(text)}">'
        f"</progress><span>{escape(text)}</span></div>"
    )


def _round_up(value: float) -> float:
    """The next of 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999))
