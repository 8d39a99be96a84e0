"""HTML of Side by side: the factor, ways to look at two results, and the table; pair.js has their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from landmark_app.comparison import Comparison
from landmark_app.model_facts import ModelFacts, weights_mb
from landmark_app.models import Choice

WAYS = {"two": "Two pictures", "slider": "Slider", "zoom": "Differences"}
FACT_ROWS = {"parameters": "Parameters", "macs": "Multiplications", "file": "Size of the weights"}
LATENCY_ROWS = {
    "latency": "Network, median",
    "p95": "Network, p95",
    "fps": "Frames/s, network alone",
}
_SAME_PX = 0.01  # nobody sees smaller differences
PAIR_ROWS = {"largest": "Largest difference of points", "mean": "Mean difference of points"}

Texts = Mapping[str, tuple[str, str] | str]


def headline(texts: Texts | None = None) -> str:
    """The factor in large type, and how far points are apart."""
    texts = texts or {}
    return (
        '<p class="pf-factor" role="status" aria-live="polite">'
        f'<b data-cell="speedup">{texts.get("speedup", "Which is faster, and by how much?")}</b>'
        f'<span data-cell="apart">{texts.get("apart", "")}</span></p>'
    )


def ways_html() -> str:
    """Radio buttons for how the two results are looked at."""
    radios = "".join(
        f'<label><input type="radio" name="pf-way" value="{name}"{" checked" * (name == "two")}>'
        f"<span>{title}</span></label>"
        for name, title in WAYS.items()
    )
    return f'<fieldset class="pf-ways"><legend>View</legend>{radios}</fieldset>'


SLIDER = (
    '<label class="pf-field" hidden>Where the two meet '
    '<input type="range" class="pf-slider" min="0" max="100" value="50"></label>'
)


def pair_table(titles: tuple[str, str], texts: Texts | None = None) -> str:
    """Two networks side by side; cells without a text are filled in by pair.js.

    Args:
        titles: Names of the two networks.
        texts: Two for each of FACT_ROWS and LATENCY_ROWS, one for each of PAIR_ROWS.
    """
    texts = texts or {}
    lines = []
    for name, title in (FACT_ROWS | LATENCY_ROWS).items():
        cells = "".join(
            f'<td data-cell="{name}-{side}">{escape(text)}</td>'
            for side, text in enumerate(texts.get(name, ("–", "–")))
        )
        kind = ' class="pf-timed"' if name in LATENCY_ROWS else ""
        lines.append(f'<tr{kind}><th scope="row">{title}</th>{cells}</tr>')
    for name, title in PAIR_ROWS.items():
        text = escape(str(texts.get(name, "–")))
        lines.append(
            f'<tr><th scope="row">{title}</th><td colspan="2" data-cell="{name}">{text}</td></tr>'
        )
    heads = "".join(
        f'<th scope="col" data-cell="name-{side}">{escape(title)}</th>'
        for side, title in enumerate(titles)
    )
    return (
        '<div class="pf-scroll"><table class="pf-table pf-pairs"><thead><tr><td></td>'
        f"{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def fact_texts(facts: ModelFacts, choice: Choice) -> dict[str, str]:
    """Texts for a network's size, by the names of FACT_ROWS."""
    note = ", once folded" if choice.mode == "reparameterized" else ""
    return {
        "parameters": f"{facts.parameters / 1e6:.2f}\u00a0million",
        "macs": f"{facts.macs / 1e6:.0f}\u00a0million",
        "file": f"{weights_mb(choice.mode, facts.parameters, facts.file_bytes):.1f} MB{note}",
    }


def photo_texts(
    choices: tuple[Choice, Choice], facts: tuple[ModelFacts, ModelFacts], result: Comparison
) -> dict[str, tuple[str, str] | str]:
    """Texts for :func:`headline` and :func:`pair_table` from a comparison on a photo."""
    own = [fact_texts(fact, choice) for fact, choice in zip(facts, choices)]
    sizes: dict[str, tuple[str, str] | str] = {
        name: (own[0][name], own[1][name]) for name in FACT_ROWS
    }
    if not len(result.first):
        return {**sizes, "speedup": "No face to compare on"}
    is_same = result.largest_px is not None and result.largest_px < _SAME_PX
    same = ", same points" if is_same else ""
    left, right = _latency_texts(result.first_runs_s), _latency_texts(result.second_runs_s)
    return {
        **sizes,
        **{name: (left[name], right[name]) for name in LATENCY_ROWS},
        "speedup": factor_text(result.speed_up) + same,
        "largest": pixels_text(result.largest_px),
        "mean": pixels_text(result.mean_px),
        "apart": f"{len(result.first_runs_s)} runs of each on the largest face, in turns.",
    }


def _latency_texts(runs_s: Sequence[float]) -> dict[str, str]:
    low, median, high, p95 = 1000 * np.percentile(runs_s, (25, 50, 75, 95))
    return {
        "latency": f"{median:.1f} ms (half of the runs {low:.1f} to {high:.1f})",
        "p95": f"{p95:.1f} ms",
        "fps": f"{1000 / median:.0f}",
    }


def factor_text(speed_up: float) -> str:
    """How the right network compares: faster, slower, or as fast within 5 %."""
    if 1 / 1.05 < speed_up < 1.05:
        return "Equally fast"
    factor, word = (speed_up, "faster") if speed_up > 1 else (1 / speed_up, "slower")
    return f"Right is {factor:.{1 if factor < 9.95 else 0}f}× {word}"


def pixels_text(value: float | None) -> str:
    """A distance in pixels of the picture as people read it; "–" for None."""
    if value is None:
        return "–"
    if value == 0:
        return "none"
    return "less than 0.001 px" if value < 0.001 else f"{value:.{3 if value < 0.1 else 2}f} px"
