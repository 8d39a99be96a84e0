"""Tables of docs/speed.md, rewritten from docs/speed.json: ``python tools/results/speed_tables.py``.

``pfld benchmark --json docs/speed.json`` measures what they show. Text outside the marks stays.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from markdown_tables import rewrite, table

DOCS = Path(__file__).parents[2] / "docs"
BACKENDS = {
    "train-time": "train-time",
    "reparameterized": "re-parameterized",
    "onnx": "ONNX",
    "onnx-int8": "ONNX int8",
}


def networks_table(rows: list[dict[str, Any]]) -> str:
    """Median milliseconds of each network on one thread, a column for each backend."""
    found = {(row["network"], row["backend"]): row["p50_ms"] for row in rows if row["threads"] == 1}
    lines = []
    for network in dict.fromkeys(network for network, _ in found):
        times = (found.get((network, backend)) for backend in BACKENDS)
        lines.append([f"`{network}`", *("" if ms is None else f"{ms:.2f}" for ms in times)])
    return table(["ms for one face", *BACKENDS.values()], lines)


def video_table(rows: list[dict[str, Any]]) -> str:
    """Milliseconds and frames a second of each tracker, the fastest first."""
    lines = [
        [
            row["name"],
            f"{row['p50_ms']:.2f}",
            f"{row['mean_ms']:.2f}",
            f"{1e3 / row['mean_ms']:.0f}",
        ]
        for row in sorted(rows, key=lambda row: row["mean_ms"])
    ]
    return table(["one face followed", "median, ms", "mean, ms", "frames/s"], lines)


def main(argv: list[str] | None = None) -> int:
    """Rewrites the tables; returns the exit status."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(argv)
    speeds = json.loads((DOCS / "speed.json").read_text())
    tables = {"networks": networks_table(speeds["backends"]), "video": video_table(speeds["video"])}
    rewrite(DOCS / "speed.md", tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
