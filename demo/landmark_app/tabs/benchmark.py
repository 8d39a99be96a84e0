"""The Benchmark tab: measures all networks and modes on this machine."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import gradio as gr

from landmark_app.benchmark.measure import BenchmarkReport, on_benchmark
from landmark_app.look.charts import bar_chart, progress_bar
from landmark_app.look.tables import benchmark_table, notice
from landmark_app.models import Models
from landmark_app.tabs.controls import run_on_click


def benchmark_tab(models: Models) -> None:
    """Builds the tab."""
    count = len(models.choices())
    invitation = (
        f"Measures {count} combinations of network and mode, one after the other, with one thread each. "
        "It takes a few seconds for each; stop the camera first, or it takes its share."
    )

    def measure() -> Iterator[tuple[str, str]]:
        for report in on_benchmark(models):
            yield _status(report), _results(report)

    with gr.Row():
        start = gr.Button(
            "Measure this machine",
            variant="primary",
            scale=0,
            min_width=240,
            elem_id="benchmark-start",
        )
        cancel = gr.Button("Cancel", scale=0, min_width=120, elem_id="benchmark-cancel")
    status = gr.HTML(notice(invitation), elem_id="benchmark-status")
    results = gr.HTML(elem_id="benchmark-results")
    run_on_click(
        start,
        cancel,
        measure,
        None,
        [status, results],
        cancelled="Cancelled. What was measured stays.",
        concurrency_limit=1,
    )


def _status(report: BenchmarkReport) -> str:
    if report.current:
        return progress_bar(
            f"Measuring {report.current} ({report.done + 1} of {report.total})",
            report.done,
            report.total,
        )
    problems = "".join(notice(problem, "error") for problem in report.problems)
    machine = f"{platform.processor() or platform.machine()}, {platform.system()}"
    return problems + notice(f"Measured on this machine: {machine}, one thread per network.")


def _results(report: BenchmarkReport) -> str:
    speeds = report.speeds
    if not speeds:
        return ""
    return (
        bar_chart(
            "Latency", {str(c): s.p50_ms for c, s in speeds.items()}, unit="ms per face, median"
        )
        + bar_chart(
            "Parameters",
            {str(c): s.parameters / 1e6 for c, s in speeds.items() if s.parameters},
            unit="million",
            digits=2,
        )
        + bar_chart(
            "Memory",
            {str(c): mib for c, mib in report.memory_mib.items()},
            unit="MiB, of a process that does nothing else",
            digits=0,
        )
        + benchmark_table(report)
    )
