"""HTML tables of results, and messages to the visitor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from landmark_app.benchmark.measure import BenchmarkReport
from landmark_app.comparison import Comparison
from landmark_app.model_facts import ModelFacts
from pfld.runtime.face import Face

# Rows of a comparison: names that readout.js uses, and titles.
FACT_ROWS = {"parameters": "Parameters", "macs": "Multiplications", "file": "Weight file"}
LATENCY_ROWS = {
    "latency": "Network, median",
    "p95": "Network, p95",
    "fps": "Frames/s, network alone",
}
PAIR_ROWS = {
    "speedup": "Speed-up",
    "largest": "Largest difference",
    "mean": "Mean difference",
}


def notice(text: str, kind: str = "info") -> str:
    """A message to the visitor; ``kind`` is "info" or "error"."""
    return f'<p class="pf-note pf-{kind}" role="status">{escape(text)}</p>'


def face_table(faces: Sequence[Face], *, most: int = 24) -> str:
    """A row for each face in the given order, for the first ``most`` of them."""
    heads = ("Face", "Sure", "Quality", "Yaw", "Pitch", "Roll", "Eyes open", "Mouth open")
    rows = []
    for number, face in enumerate(faces[:most], 1):
        try:
            angles = [f"{angle:.0f}°" for angle in face.pose]
        except ValueError:  # points in one place or on one line have no pose
            angles = ["–"] * 3
        shares = [f"{100 * value:.0f} %" for value in (face.score, face.quality)]
        try:
            left, right = face.eye_opening
            openings = [f"{left:.2f} / {right:.2f}", f"{face.mouth_opening:.2f}"]
        except ValueError:  # the scheme has no points on the eyelids
            openings = ["–"] * 2
        cells = [str(number), *shares, *angles, *openings]
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    more = len(faces) - most
    foot = f"<p>{more} more faces are in the files.</p>" if more > 0 else ""
    head = "".join(f'<th scope="col">{title}</th>' for title in heads)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<div class="pf-scroll"><table class="pf-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{foot}"
    )


def pair_table(
    titles: tuple[str, str], values: Mapping[str, tuple[str, str] | str] | None = None
) -> str:
    """Two networks side by side; cells without a value are filled in by readout.js.

    Args:
        titles: Names of the two networks.
        values: Two texts for each of FACT_ROWS and LATENCY_ROWS, one for each of PAIR_ROWS.
    """
    values = values or {}
    lines = []
    for name, title in (FACT_ROWS | LATENCY_ROWS).items():
        cells = "".join(
            f'<td data-cell="{name}-{side}">{escape(text)}</td>'
            for side, text in enumerate(values.get(name, ("–", "–")))
        )
        lines.append(f'<tr><th scope="row">{title}</th>{cells}</tr>')
    for name, title in PAIR_ROWS.items():
        text = escape(str(values.get(name, "–")))
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


def pair_values(
    facts: tuple[ModelFacts, ModelFacts], result: Comparison
) -> dict[str, tuple[str, str] | str]:
    """Texts for :func:`pair_table` from a comparison on a photo."""
    own = [fact_texts(fact) for fact in facts]
    measured = len(result.first) > 0

    def both(text: Callable[[float], str]) -> tuple[str, str]:
        return (text(result.first_s), text(result.second_s)) if measured else ("–", "–")

    return {
        **{name: (own[0][name], own[1][name]) for name in FACT_ROWS},
        "latency": both(lambda seconds: f"{1000 * seconds:.1f} ms"),
        "p95": ("–", "–"),
        "fps": both(lambda seconds: f"{1 / seconds:.0f}"),
        "speedup": f"{result.speed_up:.1f} ×" if measured else "–",
        "largest": pixels(result.largest_px),
        "mean": pixels(result.mean_px),
    }


def fact_texts(facts: ModelFacts) -> dict[str, str]:
    """Texts for a network's size, by the names of FACT_ROWS."""
    return {
        "parameters": f"{facts.parameters / 1e6:.2f} million",
        "macs": f"{facts.macs / 1e6:.0f} million",
        "file": f"{facts.file_bytes / 1e6:.1f} MB",
    }


def pixels(value: float | None) -> str:
    """Text for a distance in pixels; small ones in scientific notation, "–" for None."""
    if value is None:
        return "–"
    return f"{value:.2f} px" if value >= 0.01 or value == 0 else f"{value:.0e} px"


def benchmark_table(report: BenchmarkReport) -> str:
    """One row per network and mode."""
    heads = (
        "",
        "p50",
        "p95",
        "Faces/s",
        "Parameters",
        "Multiplications",
        "File",
        "Memory",
        "Off by",
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in heads)
    rows = []
    for choice, speed in report.speeds.items():
        memory = report.memory_mib.get(choice)
        cells = (
            f"{speed.p50_ms:.2f} ms",
            f"{speed.p95_ms:.2f} ms",
            f"{speed.faces_per_second:.0f}",
            _millions(speed.parameters, 2),
            _millions(speed.macs, 0),
            f"{speed.file_mib:.1f} MiB",
            "–" if memory is None else f"{memory:.0f} MiB",
            pixels(speed.difference_px),
        )
        own = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row">{escape(str(choice))}</th>{own}</tr>')
    return (
        f'<div class="pf-scroll"><table class="pf-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div><p class='pf-small'>Faces/s in batches of 8. "
        "“Off by”: largest distance from the train-time network's points on random crops, in pixels of a "
        "112-pixel crop.</p>"
    )


def _millions(count: int | None, digits: int) -> str:
    return "–" if count is None else f"{count / 1e6:.{digits}f} M"
