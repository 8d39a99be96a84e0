"""All tables and figures of the shipped weights: ``python tools/results/update.py --data DIR --cache DIR``.

Run it after files in weights/ were added or changed. It evaluates all of them, which takes a quarter of
an hour, and rewrites the tables in weights/README.md, docs/accuracy.md, docs/speed.md and README.md, the
figures in docs, and the facts that the browser's scripts read. The app's tables, plot and model cards
read the same files. ``--speed`` measures the latency of all networks first, which needs a machine that
does nothing else.
"""

from __future__ import annotations

import argparse
import sys

import browser_facts
import figures
import readme_table
import speed_tables
import weights_card
from pfld.__main__ import main as pfld


def main(argv: list[str] | None = None) -> int:
    """Makes everything anew; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="data set with WFLW's test list")
    parser.add_argument("--cache", required=True, help="folder for decoded crops")
    parser.add_argument("--speed", action="store_true", help="measure latencies as well")
    arguments = parser.parse_args(argv)
    steps = [
        lambda: weights_card.main(["--data", arguments.data, "--cache", arguments.cache]),
        lambda: readme_table.main([]),
        lambda: speed_tables.main([]),
        lambda: browser_facts.main([]),
        lambda: figures.main(["training", "front"]),
    ]
    if arguments.speed:
        speed = str(figures.DOCS / "speed.json")
        steps.insert(0, lambda: pfld(["benchmark", "--json", speed]))
    return next((status for step in steps if (status := step())), 0)


if __name__ == "__main__":
    sys.exit(main())
