"""Table of networks in README.md, rewritten: ``python tools/results/readme_table.py``.

Sizes are counted from the weight files, milliseconds come from docs/speed.json, errors and
their intervals from docs/accuracy.json. So run it after ``pfld benchmark --json
docs/speed.json`` and ``tools/results/weights_card.py``. Text outside the ``<!-- networks -->`` marks stays.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from markdown_tables import INTERVAL, interval, percent, rewrite, table
from pfld.benchmark.backends import size_of
from pfld.weights.files import read_metadata
from pfld.weights.metadata import FORMS
from pfld.weights.shipped import shipped_networks

ROOT = Path(__file__).parents[2]
FORM = "ONNX"  # of the network whose error is shown
BACKENDS = ("onnx", "onnx-int8")  # whose milliseconds are shown
UNKNOWN = "–"
LICENCE = "research use"  # as the data all of them were trained on
HEAD = (
    "network",
    "parameters, training → run time",
    "multiplications, training → run time",
    "ms, ONNX",
    "ms, ONNX int8",
    "error, %",
    INTERVAL,
    "licence of the weights",
)


def size_cells(name: str) -> list[str]:
    """Millions of parameters and of multiplications; both forms where they differ."""
    metadata = read_metadata(ROOT / "weights" / f"{name}.safetensors")
    cells = []
    for numbers, digits in zip(
        zip(*(size_of(replace(metadata, form=form)) for form in FORMS)), (2, 0)
    ):
        texts = dict.fromkeys(f"{number / 1e6:.{digits}f}" for number in numbers)
        cells.append(" → ".join(texts) + " M")
    return cells


def speed_cells(name: str) -> list[str]:
    """Median milliseconds for one face on one thread, where they were measured."""
    rows = json.loads((ROOT / "docs" / "speed.json").read_text())["backends"]
    found = {
        row["backend"]: f"{row['p50_ms']:.1f}"
        for row in rows
        if row["network"] == name and row["threads"] == 1
    }
    return [found.get(backend, UNKNOWN) for backend in BACKENDS]


def networks() -> str:
    """The table, the network with the smallest error first."""
    errors = json.loads((ROOT / "docs" / "accuracy.json").read_text())
    rows = [
        [
            f"`{name}`",
            *size_cells(name),
            *speed_cells(name),
            percent(errors[name][FORM]),
            interval(errors[name][INTERVAL]),
            LICENCE,
        ]
        for name in sorted(shipped_networks(), key=lambda name: errors[name][FORM])
    ]
    text = table(HEAD, rows)
    if any(UNKNOWN in row for row in rows):
        text += f"\n\n{UNKNOWN}: not measured on that machine yet."
    return text


def main(argv: list[str] | None = None) -> int:
    """Rewrites the table; returns the exit status."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(argv)
    rewrite(ROOT / "README.md", {"networks": networks()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
