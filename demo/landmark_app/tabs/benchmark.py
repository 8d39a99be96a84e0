"""The Benchmark tab: error against latency, and all networks and modes measured on this machine."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from landmark_app.benchmark.measure import BenchmarkReport, on_benchmark, save_benchmark
from landmark_app.benchmark.stored import (
    STORED_ON,
    NetworkError,
    PublishedNetwork,
    network_errors,
    published_networks,
    stored_speeds,
)
from landmark_app.look.charts import bar_chart, progress_bar
from landmark_app.look.marks import PUBLISHED, Mark
from landmark_app.look.scatter import error_latency_chart
from landmark_app.look.tables import benchmark_table, notice
from landmark_app.models import Choice, Models
from landmark_app.tabs.controls import downloads, run_on_click, titled_choices
from pfld.benchmark.backends import BackendSpeed

# Marks the network that is chosen in Live, also when that changes. camera/settings.js has the store.
_MARK_SCRIPT = """
const mark = (name) => { if (name) document.body.dataset.network = name; };
if (window.pfldStore) {
  mark(window.pfldStore.get("network"));
  window.pfldStore.watch("network", mark);
}
"""


def benchmark_tab(models: Models, folder: Path) -> None:
    """Builds the tab."""
    titles = titled_choices(models)
    errors, stored, published = network_errors(models), stored_speeds(), published_networks()
    invitation = (
        f"Measures {len(titles)} combinations of network and mode, one after the other, with one thread "
        "each. It takes a few seconds for each; stop the camera first, or it takes its share."
    )

    def measure() -> Iterator[tuple[Any, ...]]:
        for report in on_benchmark(models, list(titles)):
            saved = save_benchmark(report, titles, folder) if report.speeds else [None] * 2
            files = downloads(saved)
            chart = show(report.speeds)
            yield (
                _if_cancelled(report),
                _status(report, titles),
                chart,
                _results(report, titles),
                *files,
            )

    def show(measured: Mapping[Choice, BackendSpeed]) -> str:
        marks = error_marks(titles, errors, stored, measured, published)
        return error_latency_chart(marks, models.default_network, f"another machine, {STORED_ON}")

    with gr.Row():
        start = gr.Button(
            "Measure speeds",
            variant="primary",
            scale=0,
            min_width=240,
            elem_id="benchmark-start",
        )
        cancel = gr.Button(
            "Cancel", scale=0, min_width=100, interactive=False, elem_id="benchmark-cancel"
        )
    status = gr.HTML(notice(invitation), elem_id="benchmark-status", apply_default_css=False)
    chart = gr.HTML(
        show({}), js_on_load=_MARK_SCRIPT, elem_id="benchmark-errors", apply_default_css=False
    )
    results = gr.HTML(elem_id="benchmark-results", apply_default_css=False)
    with gr.Row(elem_classes="pf-downloads"):
        table = gr.DownloadButton("Download CSV", interactive=False, elem_id="benchmark-csv")
        data = gr.DownloadButton("Download JSON", interactive=False, elem_id="benchmark-json")
    outputs = [status, chart, results, table, data]
    run_on_click(start, cancel, measure, None, outputs, concurrency_limit=1)


def error_marks(
    titles: Mapping[Choice, str],
    errors: Mapping[str, NetworkError],
    stored: Mapping[Choice, BackendSpeed],
    measured: Mapping[Choice, BackendSpeed],
    published: Mapping[str, PublishedNetwork] | None = None,
) -> list[Mark]:
    """What the chart shows: choices with an error, and a latency of this machine or else a stored one.

    Args:
        titles: Of the choices, such as "ghostone · ONNX".
        published: By the network of the same architecture, whose latency in ONNX they are shown with.
    """
    marks = []
    for choice, title in titles.items():
        error = errors.get(choice.network)
        if error is None or choice.mode not in error.nme:
            continue
        speed = measured.get(choice) or stored.get(choice)
        if speed is None:
            continue
        interval = error.interval and (100 * error.interval[0], 100 * error.interval[1])
        marks.append(
            Mark(
                choice.network,
                choice.mode,
                title.partition(" · ")[2],
                speed.p50_ms,
                100 * error.nme[choice.mode],
                interval,
                choice in measured,
            )
        )
    for network, other in (published or {}).items():
        choice = Choice(network, "onnx")
        speed = measured.get(choice) or stored.get(choice)
        if speed is not None:
            mark = Mark(
                f"{other.name}, published",
                PUBLISHED,
                "ONNX",
                speed.p50_ms,
                100 * other.nme,
                None,
                choice in measured,
            )
            marks.append(mark)
    return marks


def _if_cancelled(report: BenchmarkReport) -> str:
    measured = len(report.speeds)
    if not measured:
        return "Cancelled. Nothing was measured yet."
    return f"Cancelled. {measured} of {report.total} measured; the results stay below."


def _status(report: BenchmarkReport, titles: Mapping[Choice, str]) -> str:
    if report.current:
        left = ""
        if report.done:
            seconds = report.seconds / report.done * (report.total - report.done)
            left = f", about {seconds:.0f} s left"
        return progress_bar(
            f"Measuring {titles[report.current]} ({report.done + 1} of {report.total}{left})",
            report.done,
            report.total,
        )
    problems = "".join(notice(problem, "error") for problem in report.problems)
    machine = f"{platform.processor() or platform.machine()}, {platform.system()}"
    return problems + notice(f"Measured on this machine: {machine}, one thread per network.")


def _results(report: BenchmarkReport, titles: Mapping[Choice, str]) -> str:
    speeds = report.speeds
    if not speeds:
        return ""
    return (
        '<div class="pf-charts">'
        + bar_chart(
            "Latency",
            {titles[c]: s.p50_ms for c, s in speeds.items()},
            unit="ms per face, median",
        )
        + bar_chart(
            "Memory",
            {titles[c]: mib * 2**20 / 1e6 for c, mib in report.memory_mib.items()},
            unit="MB, of a process that does nothing else",
            digits=0,
        )
        + "</div>"
        + benchmark_table(report, titles)
    )
