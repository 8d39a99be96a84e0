"""What the app's page calls, without the page: frames, photos, videos, and all that is wrong with them."""

import base64
import copy
import json
import math
import os
import re
import tempfile
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from landmark_app.benchmark.measure import on_benchmark
from landmark_app.camera import fold_facts
from landmark_app.camera.admission import Admission
from landmark_app.camera.answer import answer as answer_frame
from landmark_app.camera.answer import read_settings
from landmark_app.camera.fold_facts import FoldFacts, form_sizes, has_branches, on_example
from landmark_app.camera.follow import on_frame, on_pair_frame
from landmark_app.camera.frames import MOST_FRAME_LENGTH, decode_frame, face_to_json
from landmark_app.camera.live_view import face_mesh
from landmark_app.camera.pair_html import (
    factor_text,
    headline,
    pair_table,
    photo_texts,
    pixels_text,
)
from landmark_app.camera.visitor import Visitor
from landmark_app.files.photo import on_pair_photo, on_photo
from landmark_app.files.results import new_folder
from landmark_app.files.video import VideoOptions, on_video
from landmark_app.look.charts import bar_chart, line_chart
from landmark_app.look.tables import benchmark_table, degrees, face_table, notice, pixels
from landmark_app.model_facts import ModelFacts
from landmark_app.models import Choice, Models
from landmark_app.server.home import Home
from landmark_app.tabs.video import summary
from pfld.draw import Drawing
from pfld.landmarks import WFLW_TO_IBUG
from pfld.media.video import VideoWriter
from pfld.runtime.face import Face
from pfld.tracking.jitter import JitterMeter
from pfld.weights import shipped
from support.bad_weights import safetensors
from support.clips import clip
from support.damage import cut
from support.fake_models import SHAPE, FakeBackend, compute, fake_models
from support.motion_jpeg import motion_jpeg
from support.paths import PORTRAIT

ONNX = Choice("face", "onnx")
SETTINGS = {"network": "face", "mode": "onnx", "smoothing": True, "max_faces": 2}
PAIR = {"first": "face · train-time", "second": "face · reparameterized", "max_faces": 1}


def data_url(image_rgb, suffix=".jpg"):
    data = cv2.imencode(suffix, image_rgb[..., ::-1])[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


# Frames


def test_a_frame_is_decoded_as_rgb():
    image = np.full((40, 60, 3), (200, 120, 30), np.uint8)
    assert_allclose(decode_frame(data_url(image)), image, atol=4)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "no JPEG"),
        ("hello", "no JPEG"),
        ("data:image/jpeg;base64,!!!!", "no JPEG"),
        ("data:image/jpeg;base64,aGVsbG8=", "no JPEG"),
        (data_url(np.zeros((4, 4, 3), np.uint8), ".png"), "no JPEG"),
        (data_url(np.zeros((20, 2000, 3), np.uint8)), "at most 1920 pixels"),
        ("x" * (MOST_FRAME_LENGTH + 1), "at most 2000000 letters"),
    ],
    ids=["empty", "text", "not base64", "no picture", "png", "wide", "long"],
)
def test_what_is_no_frame_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        decode_frame(text)


def test_a_face_is_found_and_followed(models, portrait):
    visitor = Visitor()
    answers = [on_frame(models, visitor, portrait, i / 30, SETTINGS) for i in range(3)]
    for answer in answers:
        (face,) = answer["faces"]
        assert len(face["points"]) == 196 and face["id"] == 1
        x, y = np.reshape(face["points"], (98, 2)).mean(axis=0)
        assert 180 < x < 270 and 70 < y < 190  # where the portrait's face is
        assert len(face["axes"]) == 3 and len(face["pose"]) == 3
        assert answer["network_ms"] <= answer["server_ms"]
    json.dumps(answers)


@pytest.mark.parametrize(
    "image",
    [None, np.zeros((1, 1, 3), np.uint8), np.zeros((480, 640, 3), np.uint8)],
    ids=["none", "one pixel", "black"],
)
def test_frames_without_a_face_are_ordinary(models, image):
    answer = on_frame(models, Visitor(), image, 0.0, SETTINGS)
    assert answer["faces"] == [] and answer["jitter"] == 0
    pair = on_pair_frame(models, Visitor(), image, 0.0, PAIR)
    assert pair["panes"] == [[], []] and pair["largest_px"] is None


def test_a_frame_that_comes_after_a_later_one_is_passed_over(models, portrait):
    visitor = Visitor()
    on_frame(models, visitor, portrait, 1.0, SETTINGS)
    assert on_frame(models, visitor, portrait, 0.97, SETTINGS) == {"late": True}
    assert on_frame(models, visitor, portrait, 1.03, SETTINGS)["faces"]


def test_a_clock_that_was_set_back_starts_afresh(models, portrait):
    visitor = Visitor()
    on_frame(models, visitor, portrait, 100.0, SETTINGS)
    assert on_frame(models, visitor, portrait, 5.0, SETTINGS)["faces"]


@pytest.mark.parametrize(
    "change, time_s, reason",
    [
        ({"network": "other"}, 0, "no weights for other · onnx; there are face"),
        ({"mode": "onnx-int8"}, 0, "no weights"),
        ({"mode": None}, 0, "no weights"),
        ({"max_faces": 0}, 0, "1 to 8 faces"),
        ({"max_faces": 99}, 0, "1 to 8 faces"),
        ({"max_faces": "many"}, 0, "numbers"),
        ({"max_faces": math.inf}, 0, "numbers"),
        ({"max_faces": {}}, 0, "numbers"),
        ({}, 10**400, "numbers"),
        ({}, float("nan"), "1 to 8 faces can be followed, got 2 at nan"),
        ({}, "late", "numbers"),
        ({}, None, "numbers"),
    ],
)
def test_settings_that_make_no_sense_are_refused(models, portrait, change, time_s, reason):
    with pytest.raises(ValueError, match=reason):
        on_frame(models, Visitor(), portrait, time_s, SETTINGS | change)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"network"', "[" * 100_000, "{}" * 2, None, b"{}", {"network": "face"}],
    ids=["empty", "cut", "list", "null", "text", "deep", "two", "none", "bytes", "object"],
)
def test_settings_are_a_json_object(text):
    with pytest.raises(ValueError, match="settings are a JSON object"):
        read_settings(text)


def test_settings_are_read(models, portrait):
    settings = read_settings('{"network": "face", "mode": "onnx", "max_faces": 1}')
    assert len(on_frame(models, Visitor(), portrait, 0.0, settings)["faces"]) == 1


def test_visitors_do_not_see_each_other(models, portrait):
    one, other = Visitor(), Visitor()
    empty = np.zeros_like(portrait)
    for index in range(4):
        seen = on_frame(models, one, portrait, index / 30, SETTINGS)
        unseen = on_frame(models, other, empty, index / 30, SETTINGS)
        assert len(seen["faces"]) == 1 and unseen["faces"] == []
    moved = np.roll(portrait, 60, axis=1)
    first = on_frame(models, other, moved, 4 / 30, SETTINGS)["faces"][0]
    alone = on_frame(models, Visitor(), moved, 4 / 30, SETTINGS)["faces"][0]
    assert first["points"] == alone["points"]


def test_copies_of_visitors_start_anew(models, portrait):
    visitor = Visitor()
    on_frame(models, visitor, portrait, 5.0, SETTINGS)
    fresh = copy.deepcopy(visitor)
    assert fresh.time_s == -np.inf and fresh.lock is not visitor.lock


def test_smoothing_may_change_from_frame_to_frame(models, portrait):
    visitor = Visitor()
    for index in range(6):
        answer = on_frame(
            models, visitor, portrait, index / 30, SETTINGS | {"smoothing": index > 2}
        )
        assert answer["faces"][0]["id"] == 1


def test_flicker_of_steady_motion_is_none_however_frames_come():
    meter, uneven = JitterMeter(frames=62), JitterMeter(frames=62)
    for index in range(20):
        meter.add(SHAPE * 100 + 3 * index, index / 30)
    for index in (0, 1, 3, 4, 7, 8, 9, 11):
        uneven.add(SHAPE * 100 + 3 * index, index / 30)
    assert meter.value < 1e-6 and uneven.value < 1e-6


def test_flicker_shows_noise_and_is_forgotten():
    rng, meter = np.random.default_rng(0), JitterMeter(frames=62)
    for index in range(40):
        meter.add(SHAPE * 100 + rng.normal(0, 1, SHAPE.shape), index / 30)
    assert meter.value > 0.01
    meter.reset()
    assert meter.value == 0


def test_a_pair_is_compared_before_smoothing(monkeypatch, tmp_path, portrait):
    shifts = {"train-time": 0.0, "reparameterized": 0.05, "onnx": 0.0}
    models = fake_models(
        monkeypatch, tmp_path, load=lambda _, mode: FakeBackend(mode, shift=shifts[mode])
    )
    answer = on_pair_frame(models, Visitor(), portrait, 0.0, PAIR)
    (left,), (right,) = answer["panes"]
    moved = np.subtract(right["points"], left["points"]).reshape(98, 2)
    assert_allclose(np.linalg.norm(moved, axis=1), answer["largest_px"], atol=0.2)
    assert answer["largest_px"] == pytest.approx(answer["mean_px"], rel=1e-3) and moved[0, 0] > 2
    assert len(answer["network_ms"]) == 2
    json.dumps(answer)


def test_two_networks_take_turns_in_being_first(models, portrait):
    visitor, order = Visitor(), []
    visitor.follow = lambda *_, **__: models.landmarker(ONNX)(portrait)
    choices = Choice.parse(PAIR["first"]), Choice.parse(PAIR["second"])
    for backend, name in zip(map(models.backend, choices), "ab"):
        run = backend._run
        backend._run = lambda batch, run=run, name=name: order.append(name) or run(batch)
    for time_s in (0.0, 0.1):
        on_pair_frame(models, visitor, portrait, time_s, PAIR)
    assert "".join(order) in ("abba", "baab")


def test_what_folding_changes(models):
    sizes = form_sizes(models.metadata("face"))
    assert sizes["parameters"][0] > 3 * sizes["parameters"][1]
    assert sizes["macs"][0] > 3 * sizes["macs"][1]
    assert has_branches(models, "face")


def test_both_forms_are_measured_on_the_example(monkeypatch, tmp_path):
    pauses = {"train-time": 0.01}

    class Slow(FakeBackend):
        def _run(self, batch):
            compute(pauses.get(self.name, 0))
            return super()._run(batch)

    models = fake_models(monkeypatch, tmp_path, load=lambda _, mode: Slow(mode))
    found = on_example(models, ONNX)
    assert found["ms"][0] > 10 > found["ms"][1] > 0
    assert (found["largest_px"], found["mean_px"]) == (0, 0)
    (left,), (right,) = found["faces"]
    assert left == right and len(left["points"]) == 196
    json.dumps(found)


def test_a_form_that_has_none_beside_it_is_shown_alone(models):
    found = on_example(models, Choice("face", "train-time"))
    ((face,),) = found.pop("faces")
    assert len(face["points"]) == 196
    assert found == {"ms": None, "largest_px": None, "mean_px": None, "shifts": None}


def test_any_two_can_be_compared_on_the_example(models):
    found = on_example(models, Choice("face", "train-time"), beside=ONNX)
    assert [len(faces) for faces in found["faces"]] == [1, 1] and min(found["ms"]) > 0
    assert found["shifts"] == [[0.0] * 196]


def test_facts_are_found_once_and_latencies_anew_after_some_minutes(models, monkeypatch):
    made, now = [], [1000.0]
    monkeypatch.setattr(
        fold_facts, "on_example", lambda *args: made.append(args[1:]) or {"number": len(made)}
    )
    monkeypatch.setattr(fold_facts.time, "monotonic", lambda: now[0])
    facts = FoldFacts(models)
    assert [facts.example("face · onnx")["number"] for _ in range(2)] == [1, 1]
    assert facts.example("face · onnx", beside="face · train-time")["number"] == 2
    now[0] += 301
    assert facts.example("face · onnx")["number"] == 3
    assert made == [(ONNX, None), (ONNX, Choice("face", "train-time")), (ONNX, None)]
    assert facts.sizes("face") is facts.sizes("face")


def test_known_facts_do_not_wait_for_what_others_measure(models, monkeypatch):
    facts = FoldFacts(models)
    known = facts.example("face · onnx")
    monkeypatch.setattr(
        fold_facts, "on_example", lambda *args: {"again": facts.example("face · onnx")}
    )
    assert facts.example("face · onnx", beside="face · onnx")["again"] is known


@pytest.mark.parametrize("choice", ["face", "face · none", "none · onnx"])
def test_of_facts_that_cannot_be_found_the_page_gets_the_reason(models, choice):
    facts = FoldFacts(models)
    assert facts.example(choice)["error"]
    assert facts.example("face · onnx", beside=choice)["error"]


def test_that_all_places_are_taken_is_told_apart_from_other_errors():
    places = Admission(1)
    places.enter("one")
    body = SimpleNamespace(
        data={"session_hash": "other", "settings": "{}", "frame": "", "time_s": 0}
    )
    told = answer_frame(None, None, places, body, lambda *_: {})
    assert told["full"] and "Photo" in told["error"]
    body.data["session_hash"] = "one"
    assert "full" not in answer_frame(None, None, places, body, lambda *_: {})


def test_the_mesh_joins_every_point():
    edges = face_mesh()
    assert {point for edge in edges for point in edge} == set(range(98))
    assert len(edges) <= 3 * 98 - 6 and all(start < end for start, end in edges)  # a plane graph


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "none"),
        (4e-5, "less than 0.001 px"),
        (0.0149, "0.015 px"),
        (4.336, "4.34 px"),
    ],
)
def test_distances_are_told_in_words(value, text):
    assert pixels_text(value) == text


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (8.24, "Right is 8.2× faster"),
        (17.6, "Right is 18× faster"),
        (0.4, "Right is 2.5× slower"),
        (1.02, "Equally fast"),
    ],
)
def test_factors_say_which_way(factor, text):
    assert factor_text(factor) == text


def test_a_face_with_points_in_one_place_has_no_axes():
    from pfld.runtime.face import Face

    flat = face_to_json(Face(np.zeros((98, 2), np.float32), 1.0, 1.0))
    assert flat["axes"] is None and flat["pose"] is None


# Photos


def test_a_photo_has_its_face(models):
    photo = on_photo(models, str(PORTRAIT), ONNX)
    assert len(photo.faces) == 1 and photo.image_rgb.shape == (512, 512, 3)
    values = photo.to_dict(ONNX)
    assert values["width"] == 512 and len(values["faces"][0]["landmarks"]) == 98
    assert "<td>1</td>" in face_table(photo.faces) and face_table([]) == ""


def test_a_photo_of_48_megapixels_is_looked_at(models, tmp_path, portrait):
    large = np.zeros((6000, 8000, 3), np.uint8)
    large[1000:4072, 2000:5072] = cv2.resize(portrait, (3072, 3072))
    cv2.imwrite(str(tmp_path / "large.jpg"), large[..., ::-1])
    (face,) = on_photo(models, str(tmp_path / "large.jpg"), ONNX).faces
    x, y = face.landmarks.mean(axis=0)
    assert 2000 + 6 * 180 < x < 2000 + 6 * 270 and 1000 + 6 * 70 < y < 1000 + 6 * 190


def test_a_photo_of_one_pixel_has_no_face(models, tmp_path):
    cv2.imwrite(str(tmp_path / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    assert on_photo(models, str(tmp_path / "dot.png"), ONNX).faces == []
    pair = on_pair_photo(models, str(tmp_path / "dot.png"), ONNX, ONNX)
    assert pair.first == pair.second == [] and pair.comparison.largest_px is None


def test_a_text_file_is_no_photo_and_its_folder_is_not_told(models, tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture")
    with pytest.raises(ValueError, match="This file is not a picture.*Choose a JPEG") as caught:
        on_photo(models, str(path), ONNX)
    assert str(tmp_path) not in str(caught.value)


def test_a_photo_through_two_networks(models):
    pair = on_pair_photo(models, str(PORTRAIT), ONNX, Choice("face", "train-time"))
    assert len(pair.first) == len(pair.second) == 1
    assert pair.comparison.largest_px == 0
    assert len(pair.comparison.first_runs_s) == len(pair.comparison.second_runs_s) >= 20
    size = ModelFacts(2_750_000, 450_000_000, 11_600_000)
    choices = ONNX, Choice("face", "reparameterized")
    texts = photo_texts(choices, (size, size), pair.comparison)
    assert "half of the runs" in texts["latency"][0] and texts["largest"] == "none"
    assert texts["file"] == ("11.6 MB", "11.0 MB, once folded")
    assert "21 runs of each" in headline(texts) and texts["speedup"].endswith(", same points")


# Videos


def video(path, portrait, count=24, rate=12.0):
    with VideoWriter(path, portrait.shape[:2], rate) as writer:
        for index in range(count):
            writer.write(np.roll(portrait, 2 * index, axis=1))
    return path


def test_a_video_comes_back_with_its_faces(models, tmp_path, portrait):
    path = video(tmp_path / "a.mp4", portrait)
    out = tmp_path / "out"
    out.mkdir()
    report = list(on_video(models, str(path), ONNX, out, VideoOptions()))[-1]
    assert len(report.times_s) == len(report.latencies_ms) == 24 and not report.problem
    assert all(report.faces)
    rows = report.table.read_text().splitlines()
    assert len(rows) == 25 and rows[0].startswith("source,frame,time_s,face_id")
    copied = cv2.VideoCapture(str(report.video))
    assert int(copied.get(cv2.CAP_PROP_FRAME_COUNT)) == 24
    times, faces = report.main_face()
    assert len(times) == 24 and {face.identity for face in faces} == {1}


def test_of_a_video_with_a_broken_tail_the_rest_is_used(models, tmp_path, portrait):
    frames = (np.roll(portrait, index, axis=1)[..., ::-1].copy() for index in range(24))
    path = cut(motion_jpeg(tmp_path / "cut.avi", frames, 12), 0.5)
    report = list(on_video(models, str(path), ONNX, tmp_path, VideoOptions()))[-1]
    assert 5 < len(report.times_s) < 20
    assert "damaged" in report.problem and "of 24 frames" in report.problem
    assert report.video.is_file() and report.table.is_file()


@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        (
            "a.avi",
            {"codec": "mpeg4", "sound": "adpcm_yamaha"},
            "The copy has no sound: .*adpcm_yamaha",
        ),
        ("a.mp4", {"sound": "aac"}, None),
        ("a.mp4", {}, None),
    ],
    ids=["not read", "read", "silent"],
)
def test_of_a_copy_that_lacks_the_sound_the_page_says_so(models, tmp_path, name, how, words):
    path = clip(tmp_path / name, **how)
    report = list(on_video(models, str(path), ONNX, tmp_path, VideoOptions()))[-1]
    assert bool(re.search(words or "no sound", summary(report))) == bool(words)


@pytest.mark.parametrize("content", [b"", b"not a video" * 100], ids=["empty", "text"])
def test_what_is_no_video_is_refused(models, tmp_path, content):
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match="This file is not a video.*Choose another video"
    ) as caught:
        next(on_video(models, str(path), ONNX, tmp_path, VideoOptions()))
    assert str(tmp_path) not in str(caught.value)


def test_a_video_that_is_too_long_is_refused(models, tmp_path, portrait):
    path = video(tmp_path / "a.mp4", portrait)
    with pytest.raises(ValueError, match="lasts 2 s; 1 s are the most"):
        next(on_video(models, str(path), ONNX, tmp_path, VideoOptions(max_s=1)))


def test_a_video_that_is_cancelled_leaves_nothing_behind(models, tmp_path, portrait, monkeypatch):
    monkeypatch.setattr("landmark_app.files.video._TELL_EVERY_S", 0.0)
    path = video(tmp_path / "a.mp4", portrait)
    out = tmp_path / "out"
    out.mkdir()
    run = on_video(models, str(path), ONNX, out, VideoOptions())
    next(run)
    assert list(out.iterdir())
    run.close()
    assert not list(out.iterdir())


# Models, places, benchmark


def test_what_is_shipped_is_offered(models):
    assert models.networks == ("face",)
    assert models.modes("face") == ("train-time", "reparameterized", "onnx")
    assert models.default == ONNX
    assert [choice.mode for choice in models.default_pair] == ["train-time", "reparameterized"]


def test_int8_is_offered_where_there_are_weights(monkeypatch, tmp_path):
    models = fake_models(monkeypatch, tmp_path, ("face.onnx", "face-int8.onnx", "other.onnx"))
    assert models.modes("face") == ("onnx", "onnx-int8")
    assert models.networks == ("face", "other")
    assert [choice.mode for choice in models.default_pair] == ["onnx", "onnx-int8"]


@pytest.mark.parametrize("files", [(), ("other.onnx",)], ids=["none", "another"])
def test_missing_weights_are_told(monkeypatch, tmp_path, files):
    with pytest.raises(FileNotFoundError, match="weights"):
        fake_models(monkeypatch, tmp_path, files)


def test_a_model_is_loaded_once_and_a_broken_one_passed_over(monkeypatch, tmp_path):
    loaded = []

    def load(network, mode):
        loaded.append(mode)
        if mode == "train-time":
            raise ValueError("damaged")
        return FakeBackend(mode)

    models = fake_models(monkeypatch, tmp_path, load=load)
    assert [choice.mode for choice, _ in models.load()] == ["onnx", "reparameterized"]
    assert list(models.load()) == []
    assert sorted(loaded) == ["onnx", "reparameterized", "train-time"]
    with pytest.raises(ValueError, match="face · train-time cannot be used: damaged"):
        models.backend(Choice("face", "train-time"))


def test_choices_are_read_as_they_are_written():
    assert Choice.parse(str(ONNX)) == ONNX
    with pytest.raises(ValueError, match="reads like"):
        Choice.parse("ghostone")


def test_places_are_limited_and_become_free():
    places = Admission(2)
    places.enter("a", 0.0)
    places.enter("b", 1.0)
    with pytest.raises(ValueError, match="2 cameras are on"):
        places.enter("c", 2.0)
    places.enter("a", 3.0)
    places.enter("c", 6.5)
    with pytest.raises(ValueError, match="room for one"):
        Admission(0)


def test_a_benchmark_tells_of_every_choice_and_what_failed(monkeypatch, tmp_path):
    safetensors(tmp_path / "face.safetensors")
    (tmp_path / "face.onnx").write_bytes(b"damaged")
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    # Another process would not see this folder of weights.
    monkeypatch.setattr("landmark_app.benchmark.measure.measure_memory", lambda *choice: 7.0)
    modes = ("train-time", "reparameterized")
    choices = [Choice("face", mode) for mode in modes]
    reports = on_benchmark(Models("face"))
    first = next(reports)
    assert (first.done, first.total, first.current) == (0, 3, choices[0])
    *_, last = reports
    assert last.current is None and last.done == 3 and list(last.speeds) == choices
    for choice, speed in last.speeds.items():
        assert (speed.network, speed.backend) == (choice.network, choice.mode)
        assert 0 < speed.p50_ms <= speed.p95_ms and speed.difference_px < 1e-2
    assert last.memory_mib == dict.fromkeys(choices, 7.0)
    (problem,) = last.problems
    assert problem.startswith("face · onnx: ") and "face.onnx is damaged" in problem
    table = benchmark_table(last, {choice: str(choice) for choice in choices})
    assert table.count("<td>7 MB</td>") == 2
    folded = last.speeds[choices[1]].parameters
    assert f"<td>{4 * folded / 1e6:.1f} MB</td>" in table  # not of the file it is made from
    assert last.apart_px[choices[0]] is None and last.apart_px[choices[1]] < 1e-2
    assert all(f'<th scope="row">{choice}</th>' in table for choice in choices)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    home = Home(kept_s=60, most_bytes=1e9)
    yield home
    home.end()


def test_results_are_removed_when_they_are_old(home):
    old, young = new_folder(home.files), new_folder(home.files)
    (old / "a.png").write_bytes(b"")
    os.utime(old / "a.png", (0, 0))
    os.utime(old, (0, 0))
    home.tidy()
    assert sorted(home.files.iterdir()) == [young]


# What is shown


def test_no_angle_is_minus_zero_and_no_distance_in_scientific_notation():
    assert [degrees(angle) for angle in (-0.3, 0.3, -11.2)] == ["0°", "0°", "−11°"]
    assert [pixels(d) for d in (None, 0.0, 4e-5, 0.004, 1.5)] == [
        "–", "none", "< 0.001 px", "0.004 px", "1.50 px",
    ]  # fmt: skip


def test_text_of_visitors_is_shown_as_text():
    assert "&lt;b&gt;" in notice("<b>")
    assert "<script>" not in pair_table(("<script>", "b"))
    assert "&lt;" in bar_chart("t", {"<": 1.0}, unit="ms")


def test_charts_hold_their_lines_and_may_be_empty():
    chart = line_chart("t", {"a": ([0, 1, 2], [1, 5, 2]), "none": ([], [])})
    assert chart.count("<polyline") == 1
    assert line_chart("t", {"none": ([], [])}) == "" and bar_chart("t", {}, unit="") == ""
    assert line_chart("t", {"flat": ([3.0], [0.0])}).count("<polyline") == 1


def test_lines_are_drawn_at_the_values_their_axis_shows():
    chart = line_chart("t", {"a": ([0, 1, 2], [1, 5, 2])})
    grid_y = [float(y) for y in re.findall(r'class="pf-grid"[^>]* y1="([\d.]+)"', chart)]
    shown = [float(text) for text in re.findall(r'"end">([\d.]+)</text>', chart)]
    assert shown == [0, 2.5, 5]
    (points,) = re.findall(r'points="([^"]+)"', chart)
    x, y = np.array([point.split(",") for point in points.split()], float).T
    assert_allclose(np.interp(-y, -np.array(grid_y), shown), [1, 5, 2], atol=0.01)
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.11)
    assert re.findall(r">([\d.]+ s)</text>", chart) == ["0.0 s", "1.0 s", "2.0 s"]


def test_bars_are_as_long_as_their_values_are_large():
    chart = bar_chart("t", {"a": 1.0, "b": 4.0}, unit="ms")
    short, long = (float(width) for width in re.findall(r"width:([\d.]+)%", chart))
    assert long == pytest.approx(4 * short, abs=0.3)
    assert ">1.0</b>" in chart and ">4.0</b>" in chart and "ms" in chart


def test_drawing_takes_known_names_only():
    assert Drawing.of(["boxes", "nonsense"]) == Drawing(points=False, contours=False, boxes=True)
    assert Drawing.of(None) == Drawing(points=False, contours=False)


def test_a_result_that_vanishes_while_old_ones_are_removed_is_no_error(home, monkeypatch):
    old = new_folder(home.files)
    os.utime(old, (0, 0))
    monkeypatch.setattr(home, "_entries", lambda: iter([home.files / "result-gone", old]))
    home.tidy()
    assert not old.exists()


def test_faces_of_68_points_have_a_row_without_openings():
    face = Face(100 * SHAPE[list(WFLW_TO_IBUG)], 0.9, 0.8)
    table = face_table([face])
    assert "<td>–</td>" in table and "<td>90 %</td>" in table
