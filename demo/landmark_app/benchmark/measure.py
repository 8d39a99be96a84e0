"""Benchmark of every network in every mode on this machine: latency, size, memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from landmark_app.benchmark.memory import measure_memory
from landmark_app.models import Choice, Models
from pfld.benchmark.backends import BackendSpeed, measure_backends

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
        problems: For each choice that could not be measured, the choice and why.
    """

    total: int
    current: Choice | None = None
    speeds: dict[Choice, BackendSpeed] = field(default_factory=dict)
    memory_mib: dict[Choice, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Number of choices that were measured or could not be."""
        return len(self.speeds) + len(self.problems)


def on_benchmark(models: Models) -> Iterator[BenchmarkReport]:
    """Measures one choice after another; yields the report before each and at the end.

    Closing the iterator stops the benchmark.
    """
    choices = models.choices()
    report = BenchmarkReport(len(choices))
    for choice in choices:
        report.current = choice
        yield report
        try:
            (speed,) = measure_backends([choice.network], [choice.mode], rounds=_ROUNDS)
        except (ValueError, ImportError, OSError) as error:
            report.problems.append(f"{choice}: {error}")
            continue
        report.speeds[choice] = speed
        memory_mib = measure_memory(choice.network, choice.mode)
        if memory_mib is not None:
            report.memory_mib[choice] = memory_mib
    report.current = None
    yield report
