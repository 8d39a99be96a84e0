"""Tables in Markdown files, rewritten between ``<!-- name -->`` and ``<!-- end -->``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pfld.files import write_whole


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(fraction: float, digits: int = 2) -> str:
    return f"{100 * fraction:.{digits}f}"


def rewrite(path: Path, bodies: Mapping[str, str]) -> None:
    """Puts each body between its marks.

    Raises:
        ValueError: Unless every name is marked once.
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
