"""Errors against latencies in the Benchmark tab: where the figures come from, and how they are shown."""

import json
import re
from dataclasses import replace

import pytest

from landmark_app.benchmark import stored
from landmark_app.benchmark.stored import (
    PublishedNetwork,
    network_errors,
    published_networks,
    stored_speeds,
)
from landmark_app.look.marks import PUBLISHED, Mark
from landmark_app.look.scatter import error_latency_chart
from landmark_app.models import Choice, Models
from landmark_app.tabs.benchmark import error_marks
from landmark_app.tabs.controls import titled_choices
from pfld.benchmark.backends import BackendSpeed
from pfld.weights.shipped import find_weights
from support.fake_models import FakeBackend, fake_models

SLOW = Mark("one", "train-time", "Train-time", 70.0, 5.26, (4.91, 5.67), False)
FAST = Mark("one", "reparameterized", "Re-parameterized", 7.0, 5.26, (4.91, 5.67), False)
OTHER = Mark("two", "onnx", "ONNX", 2.0, 7.1, None, True)
ELSEWHERE = "another machine"


def chart(*marks, default="one"):
    return error_latency_chart(marks, default, ELSEWHERE)


def speed(mode, p50_ms):
    return BackendSpeed("face", mode, 1, p50_ms, 3.0, 400.0, 10, 20, 1.5, None)


@pytest.fixture
def docs(tmp_path, monkeypatch):
    """A folder in place of docs/, with an error of the network "face"."""
    folder = tmp_path / "docs"
    folder.mkdir()
    forms = {
        "train-time": 0.0612,
        "ONNX": 0.0613,
        "ONNX int8": 0.0631,
        "95 % interval": [0.05, 0.07],
    }
    (folder / "accuracy.json").write_text(json.dumps({"face": forms}))
    monkeypatch.setattr(stored, "DOCS", folder)
    return folder


def models_with(monkeypatch, tmp_path, metrics):
    def load(network, mode):
        backend = FakeBackend(mode)
        backend.metadata = replace(backend.metadata, metrics=metrics)
        return backend

    return fake_models(monkeypatch, tmp_path, load=load)


def test_errors_of_stored_weights_are_those_of_the_docs(docs, monkeypatch, tmp_path):
    error = network_errors(models_with(monkeypatch, tmp_path, {"test_nme": 0.06120000001}))["face"]
    assert error.interval == (0.05, 0.07)
    assert error.nme["onnx"] == 0.0613 and error.nme["onnx-int8"] == 0.0631
    assert error.nme["reparameterized"] == error.nme["train-time"] == 0.0612


def test_weights_trained_anew_have_their_own_error(docs, monkeypatch, tmp_path):
    error = network_errors(models_with(monkeypatch, tmp_path, {"test_nme": 0.06}))["face"]
    assert error.interval is None
    assert error.nme["onnx"] == 0.06 and "onnx-int8" not in error.nme


def test_networks_without_an_error_have_none(docs, monkeypatch, tmp_path):
    assert network_errors(models_with(monkeypatch, tmp_path, {})) == {}


def test_without_docs_nothing_is_stored(monkeypatch, tmp_path):
    monkeypatch.setattr(stored, "DOCS", tmp_path / "none")
    assert stored_speeds() == {}


def test_a_latency_of_this_machine_goes_before_a_stored_one(docs, monkeypatch, tmp_path):
    models = models_with(monkeypatch, tmp_path, {"test_nme": 0.0612})
    titles, errors = titled_choices(models), network_errors(models)
    onnx, folded = Choice("face", "onnx"), Choice("face", "reparameterized")
    known = {onnx: speed("onnx", 2.0), folded: speed("reparameterized", 9.0)}
    marks = error_marks(titles, errors, known, {onnx: speed("onnx", 1.0)})
    found = {mark.mode: (mark.latency_ms, mark.is_here, mark.title) for mark in marks}
    assert found == {
        "onnx": (1.0, True, "ONNX"), "reparameterized": (9.0, False, "Re-parameterized"),
    }  # fmt: skip
    assert marks[0].interval == pytest.approx((5, 7))


@pytest.mark.parametrize(("size", "is_known"), [(1_040_000, True), (500_000, False)], ids=str)
def test_stored_latencies_are_for_weights_of_the_same_size(docs, models, size, is_known):
    row = speed("onnx", 2.0).__dict__ | {"file_mib": 1.0}
    (docs / "speed.json").write_text(json.dumps({"backends": [row, row | {"threads": 2}]}))
    find_weights("face", "onnx").write_bytes(b"x" * size)
    assert (Choice("face", "onnx") in stored_speeds()) == is_known


def test_every_shipped_network_and_form_is_in_the_chart():
    models = Models("ghostone")
    titles = titled_choices(models)
    marks = error_marks(titles, network_errors(models), stored_speeds(), {})
    shown = {(mark.network, mark.mode) for mark in marks if mark.mode != "onnx-int8"}
    assert shown == {(c.network, c.mode) for c in titles if c.mode not in ("openvino", "onnx-int8")}
    assert not any(mark.is_here for mark in marks)


def test_published_weights_are_shown_at_the_latency_of_the_same_architecture():
    titles, published = (
        {},
        {"one": PublishedNetwork("One", 0.0562), "none": PublishedNetwork("", 1)},
    )
    onnx = Choice("one", "onnx")
    stored = {onnx: speed("onnx", 2.0), Choice("one", "onnx-int8"): speed("onnx-int8", 1.0)}
    (mark,) = error_marks(titles, {}, stored, {}, published)
    assert (mark.network, mark.mode, mark.latency_ms) == ("One, published", PUBLISHED, 2.0)
    assert mark.error == pytest.approx(5.62) and not mark.is_here
    (mark,) = error_marks(titles, {}, stored, {onnx: speed("onnx", 3.0)}, published)
    assert mark.latency_ms == 3.0 and mark.is_here


def test_published_weights_are_marked_as_such():
    mark = replace(OTHER, network="One, published", mode=PUBLISHED)
    text = chart(SLOW, FAST, mark)
    assert "pf-published" in text and "Published weights, as ONNX" in text
    assert "same architecture" in text.split("<figure")[1].split("<svg")[-2]
    assert "pf-published" not in chart(SLOW, FAST) and "Crosses" not in chart(SLOW, FAST)


def test_the_stored_file_of_published_weights_names_its_source_and_shipped_networks():
    values = json.loads((stored.DOCS / "published.json").read_text())
    assert "PFLD_GhostOne" in values["source"]
    assert set(published_networks()) == set(values["networks"])
    assert all(find_weights(name, "onnx").is_file() for name in published_networks())
    assert all(0.01 < network.nme < 0.2 for network in published_networks().values())


def test_no_marks_make_no_chart():
    assert chart() == ""


def test_symbols_lie_where_their_figures_are():
    text = chart(SLOW, FAST, OTHER)
    places = {
        title.split(",")[1].split(":")[0].strip(): (float(x), float(y))
        for x, y, title in re.findall(
            r"translate\(([\d.]+) ([\d.]+)\)\" d=\"[^\"]+\"><title>([^<]+)", text
        )
    }
    (slow_x, slow_y), (fast_x, fast_y), (other_x, other_y) = places.values()
    assert slow_x > fast_x > other_x and slow_y == fast_y > other_y
    assert "one, Train-time: 70.00 ms, measured elsewhere, error 5.26 % (95 % interval" in text


def test_the_gain_of_folding_is_told_for_one_machine_only():
    assert "folded: 10× faster, same error" in chart(SLOW, FAST)
    assert "folded:" not in chart(SLOW, replace(FAST, is_here=True))


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ([SLOW, FAST], "were measured on another machine"),
        ([OTHER], "are of this machine"),
        ([SLOW, OTHER], "Hollow: measured earlier on another machine"),
    ],
    ids=["stored", "measured", "both"],
)
def test_the_key_says_where_latencies_are_from(marks, words):
    assert words in chart(*marks)


def test_names_cannot_leave_their_place():
    name = '</style>"<b>'
    text = chart(replace(OTHER, network=name), default=name)
    assert "<b>" not in text and text.count("</style>") == 1


def test_names_of_like_networks_do_not_lie_on_each_other():
    marks = [replace(OTHER, network=f"n{index}", error=7 + index / 100) for index in range(4)]
    places = [float(y) for y in re.findall(r'y="([\d.]+)">n\d<', chart(*marks))]
    assert min(b - a for a, b in zip(sorted(places), sorted(places)[1:])) >= 15


def test_all_figures_are_in_a_table():
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", chart(SLOW, FAST, OTHER))
    assert len(rows) == 3
    assert "4.91 to 5.67 %" in rows[0] and "70.00 ms" in rows[0] and "on another machine" in rows[0]
    assert "–" in rows[2] and "on this machine" in rows[2]
