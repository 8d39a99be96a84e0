"""HTML tables of results, and messages to the visitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from landmark_app.benchmark.measure import BenchmarkReport
from landmark_app.model_facts import weights_mb
from landmark_app.models import Choice
from pfld.benchmark.backends import BackendSpeed
from pfld.runtime.face import Face

_MIB = 2**20
_FACE_HEADS = {
    "Face": "As numbered in the picture with “Face and quality”; largest first.",
    "Sure": "How sure the detector is that this is a face.",
    "Quality": "How likely the points' error is under 10 % of the distance of the outer eye corners.",
    "Yaw": "Head turned to a side.",
    "Pitch": "Head raised or lowered.",
    "Roll": "Head tilted.",
    "Eyes open": "Lid distance over eye width: about 0.3 open, 0.1 closed. Left in the picture first.",
    "Mouth open": "Distance of the inner lips over the mouth's width; 0 for a closed mouth.",
}
_BENCHMARK_HEADS = {
    "Network and mode": "Train-time runs every branch, Re-parameterized runs them folded into one.",
    "p50": "Median time for one face: half of the calls took longer.",
    "p95": "95 of 100 calls took no longer.",
    "Faces/s": "In batches of 8.",
    "Parameters": "Numbers that the network has learnt.",
    "Multiplications": "For one face.",
    "Weights": "Their size; of a re-parameterized network, once it is folded.",
    "Memory": "Largest amount of a process that only runs this network.",
    "Off by": "Largest distance from the train-time network's points on the face of the first example.",
}


def notice(text: str, kind: str = "info") -> str:
    """A message to the visitor; ``kind`` is "info" or "error"."""
    return f'<p class="pf-note pf-{kind}" role="status">{escape(text)}</p>'


def face_table(faces: Sequence[Face], *, most: int = 24) -> str:
    """A row for each face in the given order, for the first ``most`` of them; empty text without faces."""
    if not faces:
        return ""
    rows = []
    for number, face in enumerate(faces[:most], 1):
        try:
            angles = [degrees(angle) for angle in face.pose]
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
    return table(_FACE_HEADS, rows, "Faces") + foot


def table(heads: Mapping[str, str], rows: Sequence[str], label: str, kind: str = "") -> str:
    """An HTML table that scrolls sideways where it is too wide, with a line below that explains its columns.

    Args:
        heads: Titles of columns, and what they mean; HTML is escaped.
        rows: HTML of the cells of each row.
        label: Name of the table for screen readers.
        kind: Further CSS classes.
    """
    head = "".join(
        f'<th scope="col" title="{escape(words)}">{escape(title)}</th>'
        for title, words in heads.items()
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    words = "".join(
        f"<dt>{escape(title)}</dt><dd>{escape(words)}</dd>"
        for title, words in heads.items()
        if words
    )
    help_ = f'<details class="pf-help"><summary>What the columns mean</summary><dl>{words}</dl></details>'
    return (
        f'<div class="pf-scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<table class="pf-table {kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{help_ if words else ''}"
    )


def degrees(angle: float) -> str:
    """Text for an angle, rounded, with a true minus sign."""
    return f"{round(angle)}°".replace("-", "−")


def pixels(value: float | None) -> str:
    """Text for a distance in pixels; "–" for None."""
    if value is None:
        return "–"
    if value == 0:
        return "none"
    return (
        f"{value:.2f} px"
        if value >= 0.01
        else f"{value:.3f} px"
        if value >= 0.001
        else "< 0.001 px"
    )


def benchmark_table(report: BenchmarkReport, titles: Mapping[Choice, str]) -> str:
    """One row per choice, with its title."""
    rows = []
    for choice, speed in report.speeds.items():
        memory = report.memory_mib.get(choice)
        cells = (
            f"{speed.p50_ms:.2f} ms",
            f"{speed.p95_ms:.2f} ms",
            f"{speed.faces_per_second:.0f}",
            _millions(speed.parameters, 2),
            _millions(speed.macs, 0),
            _weights(choice.mode, speed),
            "–" if memory is None else f"{memory * _MIB / 1e6:.0f} MB",
            pixels(report.apart_px.get(choice)),
        )
        own = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<th scope="row">{escape(titles[choice])}</th>{own}')
    return table(_BENCHMARK_HEADS, rows, "Measured speeds and sizes")


def _weights(mode: str, speed: BackendSpeed) -> str:
    size = round(speed.file_mib * _MIB)
    return f"{weights_mb(mode, speed.parameters or size // 4, size):.1f} MB"


def _millions(count: int | None, digits: int) -> str:
    return "–" if count is None else f"{count / 1e6:.{digits}f} M"
