"""Markdown tables, and rewriting them in files between ``<!-- name -->`` and ``<!-- end -->``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pfld.files import write_whole

INTERVAL = "95 % interval"  # column, and key in docs/accuracy.json


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(fraction: float, digits: int = 2) -> str:
    """A fraction as text, in per cent without the sign."""
    return f"{100 * fraction:.{digits}f}"


def interval(bounds: tuple[float, float]) -> str:
    """An interval of errors as text, in per cent."""
    return " to ".join(map(percent, bounds))


def rewrite(path: Path, bodies: Mapping[str, str]) -> None:
    """Replaces the text between the marks of each name in a file.

    Raises:
        ValueError: Unless every name is marked exactly once; the file is then unchanged.
    """
    text = path.read_text()
    for name, body in bodies.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text, count = re.subn(
            pattern, lambda m, body=body: f"{m[1]}{body}\n{m[2]}", text, flags=re.DOTALL
        )
        if count != 1:
            raise ValueError(f"{path} has {count} places marked {name}, not one")
    write_whole(path, text)
