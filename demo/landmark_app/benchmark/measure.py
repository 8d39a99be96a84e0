"""Benchmark of every network in every mode on this machine: latency, size, memory."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from landmark_app.benchmark.memory import measure_memory
from landmark_app.camera.fold_facts import on_example
from landmark_app.files.results import new_folder
from landmark_app.models import Choice, Models
from pfld.benchmark.backends import BackendSpeed, measure_backends
from pfld.files import write_whole

_ROUNDS = 3


@dataclass
class BenchmarkReport:
    """Progress and results of a benchmark.

    Attributes:
        total: Number of choices to measure.
        current: The choice that is measured next; None at the end.
        speeds: Results of the choices that are done.
        memory_mib: Peak resident memory of a process that only runs the choice; left out where it could
            not be measured.
        apart_px: Largest distance from the train-time network's points on an example photo; None for the
            train-time network.
        problems: For each choice that could not be measured, the choice and why.
        seconds: Time since the start.
    """

    total: int
    current: Choice | None = None
    speeds: dict[Choice, BackendSpeed] = field(default_factory=dict)
    memory_mib: dict[Choice, float] = field(default_factory=dict)
    apart_px: dict[Choice, float | None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Number of choices that were measured or could not be."""
        return len(self.speeds) + len(self.problems)


def on_benchmark(
    models: Models, choices: Sequence[Choice] | None = None
) -> Iterator[BenchmarkReport]:
    """Measures one choice after another, all by default; yields the report before each and at the end.

    Closing the iterator stops the benchmark.
    """
    choices = models.choices() if choices is None else choices
    report = BenchmarkReport(len(choices))
    start = time.perf_counter()
    for choice in choices:
        report.current, report.seconds = choice, time.perf_counter() - start
        yield report
        try:
            (speed,) = measure_backends([choice.network], [choice.mode], rounds=_ROUNDS)
            report.apart_px[choice] = on_example(models, choice)["largest_px"]
        except (ValueError, ImportError, OSError) as error:
            report.problems.append(f"{choice}: {error}")
            continue
        report.speeds[choice] = speed
        memory_mib = measure_memory(choice.network, choice.mode)
        if memory_mib is not None:
            report.memory_mib[choice] = memory_mib
    report.current, report.seconds = None, time.perf_counter() - start
    yield report


def save_benchmark(
    report: BenchmarkReport, titles: Mapping[Choice, str], folder: Path
) -> tuple[Path, Path]:
    """Writes the results as CSV and as JSON into a new folder; their paths.

    Args:
        titles: Of the choices; they are the first column.
        folder: The new one is made in it.
    """
    rows: list[dict[str, Any]] = [
        {
            "title": titles[choice],
            **asdict(speed),
            "memory_mib": report.memory_mib.get(choice),
            "example_px": report.apart_px.get(choice),
        }
        for choice, speed in report.speeds.items()
    ]
    own = new_folder(folder)
    table, data = own / "benchmark.csv", own / "benchmark.json"
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["title"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(table, text.getvalue())
    values = {"results": rows, "problems": report.problems}
    write_whole(data, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    return table, data
