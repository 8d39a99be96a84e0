"""Drawing of what re-parameterization does: branches that are added into one convolution."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_CONVOLUTIONS = 6
_ROW = 30


def fold_picture() -> str:
    """SVGs of branches that fold into one convolution; in a row or, on phones, in a column."""
    names = [f"3 × 3 conv {index + 1}" for index in range(_CONVOLUTIONS)] + ["1 × 1 conv", ""]
    height = _ROW * len(names) + 40
    middle = 20 + _ROW * len(names) / 2
    branches = []
    for index, name in enumerate(names):
        y = 20 + _ROW * (index + 0.5)
        branches.append(
            f'<path class="pf-wire" d="M56 {middle}C80 {middle} 70 {y} 96 {y}'
            f'H300C330 {y} 320 {middle} 338 {middle}"/>'
        )
        if name:
            branches.append(_block(98, y, 104, name, "pf-block-conv"))
        branches.append(_block(216, y, 82, "batch norm", "pf-block-bn"))
    before = (
        *branches,
        f'<circle class="pf-sum" cx="350" cy="{middle}" r="13"/>',
        _text(350, middle + 5, "+"),
        _text(30, middle + 4, "input"),
        f'<path class="pf-wire" d="M364 {middle}H392"/>',
        _text(200, height - 4, "training: eight branches", "pf-strong"),
    )
    arrow = (
        '<path class="pf-arrow" d="M8 44H80m-14 -11l14 11l-14 11"/>',
        _text(44, 24, "fold", "pf-strong"),
    )
    after = (
        _text(24, 40, "input"),
        '<path class="pf-wire" d="M48 36H226"/>',
        _block(70, 36, 132, "3 × 3 conv + bias", "pf-block-conv"),
        _text(136, 74, "afterwards: one", "pf-strong"),
    )
    return (
        '<div class="pf-fold">'
        + _svg(
            400,
            height,
            before,
            "Six 3 by 3 convolutions, a 1 by 1 convolution and a plain connection, each with a batch norm, "
            "are added up",
        )
        + _svg(90, 80, arrow, "fold into")
        + _svg(240, 80, after, "one 3 by 3 convolution with a bias")
        + "</div>"
    )


def _svg(width: int, height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" style="width: {width}px" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle" class="{kind}">{escape(text)}</text>'


def _block(x: float, y: float, width: float, name: str, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x}" y="{y - 11}" width="{width}" height="22" rx="6"/>'
        f'<text x="{x + width / 2}" y="{y + 4}" text-anchor="middle">{escape(name)}</text>'
    )
