"""Video and Benchmark: what their buttons do, files to download, and which modes are offered."""

import csv
import json
from dataclasses import replace

import gradio as gr
import pytest

from landmark_app.benchmark.measure import BenchmarkReport, save_benchmark
from landmark_app.look.snippets import photo_snippet
from landmark_app.models import Choice
from landmark_app.tabs.benchmark import _if_cancelled
from landmark_app.tabs.controls import cancelled, mode_choices, titled_choices, watched
from pfld.benchmark.backends import BackendSpeed
from support.fake_models import FakeBackend, fake_models

ONNX = Choice("face", "onnx")


def is_usable(button):
    return button.interactive


def test_cancel_is_usable_only_while_a_task_runs():
    steps = list(watched(iter([("lost", "a"), ("lost more", "b")]), 1))
    assert [step[0] for step in steps[:2]] == ["a", "b"]
    assert [step[-1] for step in steps] == ["lost", "lost more", ""]
    start, cancel = steps[-1][1:3]
    assert is_usable(start) and not is_usable(cancel)


def test_after_a_failure_a_task_can_start_anew():
    def fail():
        yield "lost", "a"
        raise KeyError("broken")

    steps = watched(fail(), 1)
    next(steps)
    _, start, cancel, if_cancelled = next(steps)
    assert is_usable(start) and not is_usable(cancel) and not if_cancelled
    with pytest.raises(KeyError, match="broken"):
        next(steps)


def test_a_closed_task_is_closed_inside():
    ended = []

    def task():
        try:
            yield "lost", "a"
        finally:
            ended.append(True)

    steps = watched(task(), 1)
    next(steps)
    steps.close()
    assert ended == [True]


def test_cancelling_what_has_ended_changes_nothing():
    skip = gr.skip()
    assert all(value == skip for value in cancelled(""))
    status, start, cancel, if_cancelled = cancelled("Nothing was kept.")
    assert "Nothing was kept." in status and not if_cancelled
    assert is_usable(start) and not is_usable(cancel)


def test_a_cancelled_benchmark_tells_how_much_was_measured():
    report = BenchmarkReport(14)
    assert _if_cancelled(report) == "Cancelled. Nothing was measured yet."
    report.speeds = {ONNX: None}
    assert _if_cancelled(report).startswith("Cancelled. 1 of 14 measured")


def test_networks_without_branches_have_one_form_in_pytorch(monkeypatch, tmp_path):
    def load(network, mode):
        backend = FakeBackend(mode)
        backend.metadata = replace(backend.metadata, network="pfld")
        return backend

    models = fake_models(monkeypatch, tmp_path, load=load)
    assert mode_choices(models, "face") == [("PyTorch", "reparameterized"), ("ONNX", "onnx")]
    assert list(titled_choices(models).values()) == ["face · PyTorch", "face · ONNX"]


def test_networks_with_branches_have_both_forms(models):
    assert [title for title, _ in mode_choices(models, "face")] == [
        "Train-time", "Re-parameterized", "ONNX",
    ]  # fmt: skip


def test_benchmark_files_hold_what_was_measured(tmp_path):
    report = BenchmarkReport(1, memory_mib={ONNX: 50.0})
    report.speeds[ONNX] = BackendSpeed("face", "onnx", 1, 2.0, 3.0, 400.0, 10, 20, 1.5, None)
    table, data = save_benchmark(report, {ONNX: "face · ONNX"}, tmp_path)
    (row,) = csv.DictReader(table.open())
    assert row["title"] == "face · ONNX" and row["p50_ms"] == "2.0" and row["memory_mib"] == "50.0"
    (result,) = json.loads(data.read_text())["results"]
    assert result["backend"] == "onnx" and result["difference_px"] is None


def test_a_snippet_runs_what_is_chosen():
    text = photo_snippet(Choice("ghost<one", "onnx-int8"))
    assert "ghost&lt;one" in text and "onnx-int8" in text and "min_score=0.5" in text
