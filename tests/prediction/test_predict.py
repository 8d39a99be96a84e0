"""The predict command: what is looked at, what is written, and what is left when it ends half-way.

A landmarker that knows the answer stands in for the network where the network does not matter.
"""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from pfld.__main__ import main
from pfld.media.video import VideoReader
from pfld.prediction.options import PredictionOptions
from pfld.prediction.rows import csv_header
from pfld.prediction.run import predict
from pfld.prediction.sources import find_sources
from pfld.runtime.face import Face
from support.clips import clip
from support.full_disk import full_disk
from support.motion_jpeg import motion_jpeg
from support.paths import PORTRAIT, ROOT
from support.prediction import (
    SHAPE,
    SIZE_HW,
    KnowingLandmarker,
    Notes,
    damaged_video,
    files_in,
    leftovers,
    photo,
    results,
    run,
    table,
    video,
)


def test_folders_are_mirrored_with_their_pictures_and_videos(tmp_path):
    for name in ("a.jpg", "b/a.jpg", "b/c/a.JPG", "b/c/a.png"):
        photo(tmp_path / "in" / name)
    photo(tmp_path / "in/d.webp")
    video(tmp_path / "in/b/e.mp4")
    (tmp_path / "in/notes.txt").write_text("not looked at")
    photo(tmp_path / "in/.hidden/a.jpg")
    photo(tmp_path / "in/._a.jpg")
    summary = run(tmp_path / "in", tmp_path / "out")
    assert files_in(tmp_path / "out") == [
        "a.jpg",
        "b/a.jpg",
        "b/c/a.JPG",
        "b/c/a.png",
        "b/e.mp4",
        "d.webp.png",
    ]
    assert (summary.pictures, summary.videos, summary.frames) == (5, 1, 10)
    assert summary.with_faces == 15 and not summary.problems and not leftovers(tmp_path / "out")


def test_copies_are_drawn_on_and_originals_are_not(tmp_path):
    path = photo(tmp_path / "a.png")
    before = path.read_bytes()
    run(path, tmp_path / "out")
    drawn = np.asarray(Image.open(tmp_path / "out/a.png")).astype(int)
    assert drawn.shape == (*SIZE_HW, 3) and (np.abs(drawn - 100) > 30).any()
    assert path.read_bytes() == before


@pytest.mark.parametrize("option", ["boxes", "axes", "indices", "labels"])
def test_more_is_drawn_on_request(tmp_path, option):
    path = photo(tmp_path / "a.png")
    run(path, tmp_path / "plain")
    run(path, tmp_path / "more", **{option: True})
    plain, more = (np.asarray(Image.open(tmp_path / name / "a.png")) for name in ("plain", "more"))
    assert (plain != more).any()


def test_json_has_a_line_for_each_picture(tmp_path):
    photo(tmp_path / "in/a.jpg")
    photo(tmp_path / "in/b.jpg", brightness=0)
    run(tmp_path / "in", tmp_path / "out", json=True)
    with_face, without = results(tmp_path / "out")
    expected = KnowingLandmarker()(np.full((2, 2, 3), 100))[0].to_dict()
    assert with_face == {
        "source": str(tmp_path / "in/a.jpg"),
        "width": 128,
        "height": 96,
        "faces": [expected],
    }
    assert without["faces"] == []


def test_json_has_a_line_for_each_frame(tmp_path):
    run(video(tmp_path / "a.mp4", rate=12.5), tmp_path / "out", json=True)
    lines = results(tmp_path / "out")
    assert [line["frame"] for line in lines] == list(range(10))
    assert_allclose([line["time_s"] for line in lines], np.arange(10) / 12.5, atol=1e-4)
    assert {face["id"] for line in lines for face in line["faces"]} == {1}
    assert all(len(line["faces"]) == 1 for line in lines)


def test_csv_says_the_same_as_json(tmp_path):
    photo(tmp_path / "in/a.jpg")
    photo(tmp_path / "in/b.jpg", brightness=0)
    video(tmp_path / "in/c.mp4")
    run(tmp_path / "in", tmp_path / "out", json=True, csv=True)
    rows = table(tmp_path / "out")
    lines = [line for line in results(tmp_path / "out") if line["faces"]]
    assert len(rows) == len(lines) == 11
    assert list(rows[0]) == csv_header(98) and len(rows[0]) == 16 + 3 * 98
    for row, line in zip(rows, lines):
        (face,) = line["faces"]
        assert row["source"] == line["source"] and row["face_id"] == "1"
        assert row["frame"] == str(line.get("frame", "")) and row["time_s"] == str(
            line.get("time_s", "")
        )
        assert [float(row[f"box_{name}"]) for name in ("x0", "y0", "x1", "y1")] == face["box"]
        assert {name: float(row[name]) for name in face["pose"]} == face["pose"]
        assert float(row["eye_opening_right"]) == face["eye_opening"][1]
        assert [float(row["x_97"]), float(row["y_97"])] == face["landmarks"][97]


@pytest.mark.parametrize("group", [3, 2000])
def test_parquet_says_the_same_as_csv(tmp_path, monkeypatch, group):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("pfld.prediction.folder._ROW_GROUP", group)
    photo(tmp_path / "in/a.jpg")
    photo(tmp_path / "in/b.jpg", brightness=0)
    video(tmp_path / "in/c.mp4")
    run(tmp_path / "in", tmp_path / "out", FlatAtTimes(), csv=True, parquet=True)
    file = parquet.ParquetFile(tmp_path / "out/faces.parquet")
    assert file.num_row_groups == -(-11 // group)
    found = file.read()
    types = {field.name: str(field.type) for field in found.schema}
    assert list(types) == csv_header(98)
    assert [types.pop(name) for name in ("source", "frame", "time_s", "face_id")] == [
        "string",
        "int64",
        "double",
        "int64",
    ]
    assert set(types.values()) == {"float"}
    rows, expected = found.to_pylist(), table(tmp_path / "out")
    assert len(rows) == len(expected) == 11 and rows[0]["frame"] is None
    for row, texts in zip(rows, expected):
        assert row.pop("source") == texts.pop("source")
        assert {name for name, value in row.items() if value is None} == {
            name for name, text in texts.items() if not text
        }
        numbers = [value for value in row.values() if value is not None]
        assert_allclose(numbers, [float(text) for text in texts.values() if text], rtol=1e-6)


def test_parquet_of_no_faces_has_its_columns(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = photo(tmp_path / "a.jpg", brightness=0)
    run(path, tmp_path / "out", pictures=False, parquet=True)
    found = parquet.read_table(tmp_path / "out/faces.parquet")
    assert found.num_rows == 0 and found.column_names == csv_header(98)
    run(path, tmp_path / "out", overwrite=True, pictures=False, json=True)
    assert files_in(tmp_path / "out") == ["faces.jsonl"]


def test_smoothing_can_be_left_out(tmp_path):
    path = video(tmp_path / "a.mp4")
    brightness = [float(frame.mean()) for _, frame in VideoReader(path)]
    run(path, tmp_path / "out", json=True, smoothing=False)
    xs = [line["faces"][0]["box"][0] for line in results(tmp_path / "out")]
    assert_allclose(xs, SHAPE[:, 0].min() + np.array(brightness) / 50, atol=0.006)
    run(path, tmp_path / "smooth", json=True)
    assert results(tmp_path / "smooth") != results(tmp_path / "out")


def test_videos_keep_rate_size_and_length(tmp_path):
    run(video(tmp_path / "a.mp4", rate=29.97), tmp_path / "out")
    with VideoReader(tmp_path / "out/a.mp4") as reader:
        assert reader.rate == pytest.approx(29.97, rel=1e-4) and reader.size_hw == SIZE_HW
        images = [image.astype(int) for _, image in reader]
    assert len(images) == 10
    assert all((np.abs(image - image[0, 0]) > 30).any() for image in images)


def test_bad_files_are_reported_and_left_out(tmp_path):
    folder = tmp_path / "in"
    photo(folder / "good.jpg")
    (folder / "text.jpg").write_text("not a picture")
    (folder / "zero.png").touch()
    cut = photo(folder / "cut.png")
    cut.write_bytes(cut.read_bytes()[:-30])
    (folder / "text.mp4").write_text("not a video")
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "empty").mkdir()
    notes = Notes()
    paths = [folder, tmp_path / "missing.jpg", tmp_path / "empty", tmp_path / "*.gif"]
    paths = [str(path) for path in paths]
    options = PredictionOptions(json=True)
    summary = predict(paths, tmp_path / "out", KnowingLandmarker(), options, progress=notes)
    assert [line.removeprefix(f"skipped: {tmp_path}/") for line in summary.problems] == [
        "missing.jpg: no such file or folder",
        "empty: no pictures or videos in it",
        "*.gif: no picture or video of such a name",
        f"in/cut.png: not a picture that can be read: PNG, damaged or of a rare kind "
        f"({cut.stat().st_size} bytes); save it anew as JPEG or PNG",
        f"in/gone.jpg: no picture at {folder}/gone.jpg",
        "in/text.jpg: not a picture that can be read (13 bytes)",
        "in/text.mp4: not a video that can be read (11 bytes)",
        "in/zero.png: not a picture that can be read (0 bytes)",
    ]
    assert notes.lines == summary.problems and notes.plan == (6, 0) and notes.ends == 6
    assert files_in(tmp_path / "out") == ["faces.jsonl", "good.jpg"]
    assert [line["source"] for line in results(tmp_path / "out")] == [f"{folder}/good.jpg"]


def test_a_folder_that_cannot_be_entered_is_reported(tmp_path, monkeypatch):
    photo(tmp_path / "in/a.jpg")
    photo(tmp_path / "in/locked/b.jpg")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    sources, problems = find_sources([str(tmp_path / "in")], tmp_path / "out")
    assert [source.location.name for source in sources] == ["a.jpg"]
    assert problems == [f"{tmp_path}/in/locked: Permission denied"]


def test_whatever_a_picture_fails_with_only_it_is_left_out(tmp_path, monkeypatch):
    photo(tmp_path / "a.jpg")
    photo(tmp_path / "b.jpg")
    landmarker = KnowingLandmarker()
    for error in (cv2.error("too\nlarge"), MemoryError(), ValueError("no")):
        errors = [error]

        def fail_once(image, errors=errors):
            if errors:
                raise errors.pop()
            return KnowingLandmarker()(image)

        fail_once.backend = landmarker.backend
        out = tmp_path / type(error).__name__
        summary = run([tmp_path / "a.jpg", tmp_path / "b.jpg"], out, fail_once, json=True)
        assert files_in(out) == ["b.jpg", "faces.jsonl"] and len(results(out)) == 1
        assert len(summary.problems) == 1 and "\n" not in summary.problems[0]


def test_patterns_are_expanded_and_overlaps_taken_once(tmp_path):
    for name in ("a.jpg", "sub/b.jpg", "sub/deep/c.png"):
        photo(tmp_path / "in" / name)
    (tmp_path / "in/notes.txt").touch()
    paths = [tmp_path / "in/**/*.jpg", tmp_path / "in/sub", tmp_path / "in/sub/../a.jpg"]
    sources, problems = find_sources([str(path) for path in paths], tmp_path / "out")
    assert [str(source.target) for source in sources] == ["a.jpg", "sub/b.jpg", "sub/deep/c.png"]
    assert not problems
    sources, _ = find_sources([str(tmp_path / "in/*")], tmp_path / "out")
    assert [str(source.target) for source in sources] == ["a.jpg", "sub/b.jpg", "sub/deep/c.png"]


def test_a_name_with_brackets_is_a_name_if_there_is_such_a_file(tmp_path):
    path = photo(tmp_path / "a[1].jpg")
    sources, _ = find_sources([str(path)], tmp_path / "out")
    assert [source.location for source in sources] == [path]


def test_equal_names_from_several_folders_do_not_collide(tmp_path):
    paths = [photo(tmp_path / name) for name in ("2023/a.jpg", "2024/a.jpg")]
    run(paths, tmp_path / "out")
    assert files_in(tmp_path / "out") == ["2023/a.jpg", "2024/a.jpg"]
    run(paths[0], tmp_path / "again")
    run(paths[1], tmp_path / "again")
    assert files_in(tmp_path / "again") == ["a-2.jpg", "a.jpg"]


def test_names_that_a_disk_takes_for_the_same_do_not_collide(tmp_path, monkeypatch):
    """As on macOS and Windows: upper and lower case, and letters composed in another way."""
    names = ("A.jpg", "a.JPG", "gr\u00fcn.png", "gru\u0308n.png")
    try:
        for name in names:
            photo(tmp_path / "in" / name)
        assert len(list((tmp_path / "in").iterdir())) == len(names)
    except (AssertionError, OSError):
        pytest.skip("this file system has them for the same")
    run(tmp_path / "in", tmp_path / "apart")
    assert files_in(tmp_path / "apart") == sorted(names)
    (tmp_path / "out/.predict").mkdir(parents=True)
    (tmp_path / "out/.predict/RECORD.SQLITE").touch()
    run(tmp_path / "in", tmp_path / "out")
    assert files_in(tmp_path / "out") == ["A.jpg", "a-2.JPG", "gru\u0308n.png", "gr\u00fcn-2.png"]


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("CON.jpg", "_CON.jpg"),
        ("nul.tar.jpg", "_nul.tar.jpg"),
        ("com1.bmp", "_com1.bmp.png"),
        ("console.jpg", "console.jpg"),
        ("12:30?.jpg", "12_30_.jpg"),
        ("back\\slash.jpg", "back_slash.jpg"),
        ("aux/holiday. ./a.jpg", "_aux/holiday_/a.jpg"),
        ("a.jpg.", "a.jpg..png"),
    ],
)
def test_copies_have_names_that_windows_takes(tmp_path, monkeypatch, name, target):
    photo(tmp_path / "in/z.jpg")
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((tmp_path / "in/z.jpg").read_bytes())
    for on_windows in (False, True):
        monkeypatch.setattr("pfld.prediction.sources._ON_WINDOWS", on_windows)
        paths = [str(path), str(tmp_path / "in/z.jpg")]
        (source, _), _ = find_sources(paths, tmp_path / "out")
        added = ".png" if path.suffix != ".jpg" else ""
        assert str(source.target) == (target if on_windows else name + added)


@pytest.mark.skipif(sys.platform == "win32", reason="names of Windows count characters")
@pytest.mark.parametrize("letter", ["w", "ü", "\udce9"], ids=["ascii", "umlaut", "no text"])
def test_copies_of_files_with_very_long_names_have_shorter_ones(tmp_path, letter):
    folder = tmp_path / "in"
    folder.mkdir()
    for end in "ab":
        photo(folder / "x.webp").rename(
            folder / f"{letter * (248 // len(os.fsencode(letter)))}{end}.webp"
        )
    summary = run(folder, tmp_path / "out")
    assert not summary.problems and summary.pictures == 2
    names = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert len(names) == 2 and all(200 < len(os.fsencode(name)) <= 255 for name in names)


def test_names_of_sources_on_several_drives_are_kept_apart(tmp_path, monkeypatch):
    def no_common_path(_):
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr(os.path, "commonpath", no_common_path)
    run([photo(tmp_path / name) for name in ("c/a.jpg", "d/a.jpg")], tmp_path / "out")
    assert files_in(tmp_path / "out") == ["a-2.jpg", "a.jpg"]


def test_results_are_never_looked_at_themselves(tmp_path):
    photo(tmp_path / "a.jpg")
    out = tmp_path / "out"
    run(tmp_path, out)
    summary = run(tmp_path, out)
    assert files_in(out) == ["a.jpg"] and summary.done_before == 1
    for path in (out, out / "a.jpg"):
        with pytest.raises(ValueError, match="lies in the folder of results"):
            run(path, out)
    with pytest.raises(ValueError, match="lies in the folder of results"):
        run(tmp_path, tmp_path)


def test_names_that_are_no_text_are_kept_apart(tmp_path):
    folder = os.fsencode(tmp_path / "in")
    os.mkdir(folder)
    picture = photo(tmp_path / "a.png").read_bytes()
    names = [b"\xff.png", b"\xfe.png", "grün.png".encode()]
    try:
        for name in names:
            with open(os.path.join(folder, name), "wb") as file:
                file.write(picture)
    except OSError:
        pytest.skip("this file system takes text only")
    run(tmp_path / "in", tmp_path / "out", json=True, csv=True)
    assert set(names) <= set(os.listdir(os.fsencode(tmp_path / "out")))
    assert [Path(line["source"]).name for line in results(tmp_path / "out")] == [
        "grün.png",
        "\ufffd.png",
        "\ufffd.png",
    ]
    assert len(table(tmp_path / "out")) == 3


def test_what_is_done_is_not_done_again(tmp_path):
    photo(tmp_path / "in/a.jpg")
    video(tmp_path / "in/b.mp4")
    run(tmp_path / "in", tmp_path / "out", json=True)
    before = (tmp_path / "out/faces.jsonl").read_text()
    photo(tmp_path / "in/c.jpg")
    landmarker = KnowingLandmarker()
    summary = run(tmp_path / "in", tmp_path / "out", landmarker, json=True)
    assert (summary.done_before, summary.pictures, landmarker.calls) == (2, 1, 1)
    assert (tmp_path / "out/faces.jsonl").read_text().startswith(before)
    assert len(results(tmp_path / "out")) == 12


def test_changed_files_and_lost_copies_are_done_again(tmp_path):
    for name in "abc":
        photo(tmp_path / f"in/{name}.png")
    run(tmp_path / "in", tmp_path / "out", json=True)
    photo(tmp_path / "in/a.png", brightness=0)
    os.utime(tmp_path / "in/a.png", (1, 1))
    (tmp_path / "out/b.png").unlink()
    summary = run(tmp_path / "in", tmp_path / "out", json=True)
    assert (summary.pictures, summary.done_before) == (2, 1)
    assert [len(line["faces"]) for line in results(tmp_path / "out")] == [0, 1, 1]


def test_a_file_that_has_gone_bad_leaves_no_old_rows(tmp_path):
    path = photo(tmp_path / "a.png")
    run(path, tmp_path / "out", json=True)
    path.write_text("text")
    assert run(path, tmp_path / "out", json=True).problems
    assert results(tmp_path / "out") == []


def test_rows_can_be_asked_for_afterwards(tmp_path):
    path = photo(tmp_path / "a.png")
    run(path, tmp_path / "out")
    landmarker = KnowingLandmarker()
    run(path, tmp_path / "out", landmarker, csv=True)
    assert landmarker.calls == 0 and len(table(tmp_path / "out")) == 1


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"min_score": 0.6}, "begun with --min-score 0.5, now it is 0.6"),
        ({"weights": "other"}, "begun with --weights some, now it is other"),
        ({"smoothing": False}, "begun with --no-smoothing off, now it is on"),
        ({"indices": True}, "begun with --indices off, now it is on"),
        ({"max_faces": 3}, "begun with --max-faces unset, now it is 3"),
    ],
    ids=["score", "weights", "smoothing", "drawing", "faces"],
)
def test_a_folder_is_not_made_with_two_settings(tmp_path, changed, message):
    path, out = photo(tmp_path / "a.jpg"), tmp_path / "out"
    settings = {"weights": "some", "json": True}
    run(path, out, **settings)
    before = (out / "faces.jsonl").read_text()
    with pytest.raises(ValueError, match=message):
        run(path, out, **settings | changed)
    assert (out / "faces.jsonl").read_text() == before
    summary = run(path, out, overwrite=True, **settings | changed)
    assert summary.pictures == 1 and summary.done_before == 0


def test_overwriting_removes_what_an_earlier_run_made_and_nothing_else(tmp_path):
    photo(tmp_path / "in/a.jpg")
    gone = photo(tmp_path / "in/b/b.jpg")
    run(tmp_path / "in", tmp_path / "out", json=True)
    (tmp_path / "out/mine.txt").touch()
    gone.unlink()
    run(tmp_path / "in", tmp_path / "out", overwrite=True)
    assert files_in(tmp_path / "out") == ["a.jpg", "mine.txt"]


@pytest.mark.parametrize("name", ["a.jpg", "faces.jsonl", "faces.csv", "faces.parquet"])
def test_files_of_others_are_not_written_over(tmp_path, name):
    asked = {"json": True, "csv": True, "parquet": name.endswith("parquet")}
    if asked["parquet"]:
        pytest.importorskip("pyarrow")
    photo(tmp_path / "in/a.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    for _ in range(2):
        with pytest.raises(ValueError, match=f"{name} is in the way"):
            run(tmp_path / "in", tmp_path / "out", **asked)
    assert (tmp_path / "out" / name).read_text() == "mine"
    run(tmp_path / "in", tmp_path / "out", **asked, overwrite=True)
    made = ["a.jpg", "faces.csv", "faces.jsonl", "faces.parquet"]
    assert files_in(tmp_path / "out") == made[: 3 + asked["parquet"]]


def test_a_video_that_ends_early_counts_and_is_reported_each_time(tmp_path):
    path = damaged_video(tmp_path / "a.avi")
    for done_before in (0, 1):
        summary = run(path, tmp_path / "out", json=True)
        assert summary.done_before == done_before
        (problem,) = summary.problems
        assert problem.startswith(f"damaged: {path}: only ") and "of 40 frames" in problem
    with VideoReader(tmp_path / "out/a.avi.mp4") as reader:
        assert reader.num_frames == len(results(tmp_path / "out")) < 30


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_sound_that_is_not_read_is_left_out_and_reported_each_time(tmp_path, workers):
    paths = [clip(tmp_path / f"{name}.avi", codec="mpeg4", sound="adpcm_yamaha") for name in "ab"]
    reason = "its sound is left out, as ADPCM Yamaha (adpcm_yamaha) is not read here"
    for done_before in (0, 2):
        summary = run(paths, tmp_path / "out", json=True, workers=workers)
        assert (summary.done_before, len(results(tmp_path / "out"))) == (done_before, 24)
        assert sorted(summary.problems) == [f"incomplete: {path}: {reason}" for path in paths]
    with av.open(str(tmp_path / "out/a.avi.mp4")) as copy:
        assert [stream.type for stream in copy.streams] == ["video"]
    assert not run(paths, tmp_path / "other", json=True, pictures=False).problems


def test_an_interrupted_run_goes_on(tmp_path):
    for name in "abcd":
        photo(tmp_path / f"in/{name}.jpg")
    out = tmp_path / "out"
    summary = run(tmp_path / "in", out, KnowingLandmarker(interrupt_after=2), json=True)
    assert (summary.pictures, summary.left) == (2, 2)
    assert files_in(out) == ["a.jpg", "b.jpg", "faces.jsonl"] and len(results(out)) == 2
    landmarker = KnowingLandmarker()
    summary = run(tmp_path / "in", out, landmarker, json=True)
    assert (summary.pictures, summary.done_before, landmarker.calls) == (2, 2, 2)
    assert len(results(out)) == 4 and not leftovers(out)


def test_an_interrupted_video_is_not_half_there(tmp_path):
    path, out = video(tmp_path / "a.mp4"), tmp_path / "out"
    summary = run(path, out, KnowingLandmarker(interrupt_after=5), json=True)
    assert summary.left == 1 and results(out) == [] and not leftovers(out)
    assert files_in(out) == ["faces.jsonl"]
    run(path, out, json=True)
    assert len(results(out)) == 10 and files_in(out) == ["a.mp4", "faces.jsonl"]


@pytest.mark.parametrize("when", ["in a picture", "in a video", "before the record"])
def test_a_killed_run_goes_on(tmp_path, when):
    for name in "abc":
        photo(tmp_path / f"in/{name}.jpg")
    video(tmp_path / "in/d.mp4")
    calls = {"in a picture": 2, "in a video": 8}.get(when, 99)
    program = f"""
import os, sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from pathlib import Path
from pfld.prediction.record import RecordDatabase
from support.prediction import KnowingLandmarker, run
def count(landmarker):
    landmarker.calls += 1
    if landmarker.calls > {calls}:
        os.kill(os.getpid(), 9)
def execute(database, statement, *values, original=RecordDatabase.execute):
    if {when!r} == "before the record" and statement.startswith("UPDATE") and values[-1] == 2:
        os.kill(os.getpid(), 9)
    return original(database, statement, *values)
KnowingLandmarker._count = count
RecordDatabase.execute = execute
run({str(tmp_path / "in")!r}, Path({str(tmp_path / "out")!r}), json=True)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == -9, ended.stderr
    out, done = tmp_path / "out", {"in a video": 3, "in a picture": 2}.get(when, 1)
    assert "faces.jsonl" not in files_in(out)
    for name in files_in(out):
        Image.open(out / name).load()
    summary = run(tmp_path / "in", out, json=True)
    assert (summary.done_before, summary.pictures, summary.videos) == (done, 3 - done, 1)
    run(tmp_path / "in", tmp_path / "straight", json=True)
    assert results(out) == results(tmp_path / "straight") and not leftovers(out)
    assert files_in(out) == files_in(tmp_path / "straight")


def test_two_runs_do_not_share_a_folder(tmp_path):
    photo(tmp_path / "a.jpg")
    out = tmp_path / "out"
    run(tmp_path / "a.jpg", out)
    holder = sqlite3.connect(out / ".predict/record.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="another run is writing into"):
            run(tmp_path / "a.jpg", out, overwrite=overwrite)
    holder.close()
    assert run(tmp_path / "a.jpg", out).done_before == 1


def test_a_damaged_record_is_said_so_and_overwritten_on_request(tmp_path):
    path, out = photo(tmp_path / "a.jpg"), tmp_path / "out"
    run(path, out)
    (out / ".predict/record.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ValueError, match="is damaged; --overwrite"):
        run(path, out)
    assert run(path, out, overwrite=True).pictures == 1


def test_a_folder_of_results_that_cannot_be_used_ends_the_run(tmp_path):
    path = photo(tmp_path / "a.jpg")
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file/out"):
        with pytest.raises(OSError):
            run(path, out)


def test_results_that_cannot_be_written_are_reported_and_the_rest_is_done(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    photo(folder / "a.jpg")
    photo(folder / "b/a.jpg")
    video(folder / "b/b.mp4")
    photo(folder / "d.jpg")
    out.mkdir()
    (out / "b").touch()
    for done_before in (0, 2):
        summary = run(folder, out, json=True)
        assert (summary.pictures + summary.done_before, summary.done_before) == (2, done_before)
        in_the_way = "its results cannot be written: File exists"
        assert summary.problems == [
            f"skipped: {folder}/b/a.jpg: {in_the_way}",
            f"skipped: {folder}/b/b.mp4: {in_the_way}",
        ]
        assert files_in(out) == ["a.jpg", "b", "d.jpg", "faces.jsonl"] and not leftovers(out)
        assert len(results(out)) == 2
    run(folder, out, json=True, overwrite=True)
    assert files_in(out) == ["a.jpg", "b", "d.jpg", "faces.jsonl"]
    (out / "b").unlink()
    summary = run(folder, out, json=True)
    assert (summary.pictures, summary.videos, summary.problems) == (1, 1, [])


@pytest.mark.parametrize("kind", ["json", "csv", "parquet"])
def test_a_disk_too_full_for_all_faces_ends_the_run_which_can_go_on(tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    path, out = video(tmp_path / "a.mp4", count=40), tmp_path / "out"
    run(path, out, pictures=False)
    (name,) = run(path, tmp_path / "whole", pictures=False, **{kind: True}).files
    with full_disk(name.stat().st_size // 2), pytest.raises(OSError, match=f"out/{name.name}"):
        run(path, out, pictures=False, **{kind: True})
    assert files_in(out) == [] and not leftovers(out)
    assert run(path, out, pictures=False, **{kind: True}).done_before == 1


def noise(path, size_hw):
    pixels = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("name", ["b.png", "b.avi"])
def test_copies_too_large_for_a_disk_are_reported_and_the_rest_is_done(tmp_path, name):
    photo(tmp_path / "in/a.jpg")
    if name == "b.png":
        noise(tmp_path / "in/b.png", (600, 400))
    else:
        frames = (
            noise_frame
            for noise_frame in np.random.default_rng(0).integers(
                0, 256, (60, *SIZE_HW, 3), dtype=np.uint8
            )
        )
        motion_jpeg(tmp_path / "in/b.avi", frames)
    photo(tmp_path / "in/c.jpg")
    with full_disk(200_000):
        summary = run(tmp_path / "in", tmp_path / "out", json=True)
    (problem,) = summary.problems
    assert (
        problem == f"skipped: {tmp_path}/in/{name}: its results cannot be written: File too large"
    )
    assert files_in(tmp_path / "out") == ["a.jpg", "c.jpg", "faces.jsonl"]
    assert not leftovers(tmp_path / "out")


def test_a_disk_too_full_to_record_anything_ends_the_run(tmp_path):
    path = video(tmp_path / "a.mp4", count=60)
    run(path, tmp_path / "first")  # imports, which may write
    with full_disk(80_000), pytest.raises(OSError, match="cannot write into .*out: "):
        run([path, photo(tmp_path / "b.jpg")], tmp_path / "out", pictures=False, json=True)
    assert files_in(tmp_path / "out") == []
    summary = run([path, tmp_path / "b.jpg"], tmp_path / "out", pictures=False, json=True)
    assert (summary.videos, summary.pictures, summary.problems) == (1, 1, [])


class Camera:
    """In place of cv2.VideoCapture: grey frames, ten a second by the clock it keeps."""

    def __init__(self):
        self.frame, self.now_s = 0, 0.0

    def isOpened(self):
        return True

    def read(self):
        self.frame += 1
        self.now_s += 0.1
        return True, np.full((*SIZE_HW, 3), 100, np.uint8)

    def get(self, name):
        return 60.0 if name == cv2.CAP_PROP_FPS else 0.0

    def set(self, *_):
        return False

    def release(self):
        pass


def test_a_camera_is_recorded_until_ctrl_c(tmp_path, monkeypatch):
    camera = Camera()
    monkeypatch.setattr("pfld.media.camera.time.monotonic", lambda: camera.now_s)
    monkeypatch.setattr(cv2, "VideoCapture", lambda number, api: camera)
    photo(tmp_path / "a.jpg")
    out = tmp_path / "out"
    landmarker = KnowingLandmarker(interrupt_after=21)
    summary = run(["1", tmp_path / "a.jpg"], out, landmarker, json=True)
    assert (summary.videos, summary.left) == (1, 1)
    name = next(name for name in files_in(out) if name.startswith("camera-1-"))
    lines = results(out)
    assert len(lines) == summary.frames == 20
    assert {line["source"] for line in lines} == {Path(name).stem}
    with VideoReader(out / name) as reader:
        assert_allclose([t for t, _ in reader], [line["time_s"] for line in lines], atol=1e-3)


@pytest.mark.parametrize("kind", [str, Path, np.str_])
def test_paths_are_text_or_paths_and_one_text_is_one_path(tmp_path, kind):
    path = photo(tmp_path / "a.jpg")
    sources = [find_sources(given, tmp_path / "out")[0] for given in ([kind(path)], str(path))]
    assert [source.location for (source,) in sources] == [path, path]
    _, problems = find_sources([kind(tmp_path / "none.jpg")], tmp_path / "out")
    assert problems == [f"{tmp_path}/none.jpg: no such file or folder"]


@pytest.mark.parametrize("address", ["https://example.com/a.jpg?b=1", "rtsp://camera/1"])
def test_addresses_are_named_and_not_taken_for_patterns(tmp_path, address):
    sources, (problem,) = find_sources([address], tmp_path)
    assert not sources
    assert problem == f"{address}: addresses are not opened; download the file first"


@pytest.mark.parametrize("text, number", [("-", 0), ("0", 0), ("12", 12)])
def test_cameras_have_numbers(tmp_path, text, number):
    (source,), _ = find_sources([text], tmp_path)
    assert (source.kind, source.location) == ("camera", number)


def test_a_folder_may_have_a_number_for_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "0/a.jpg")
    (source,), _ = find_sources(["0"], tmp_path / "out")
    assert source.kind == "picture"


# The command, with the shipped weights.


def command(*arguments):
    return main(["predict", *map(str, arguments)])


def test_the_command_finds_the_face_of_a_portrait(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/portrait.jpg").write_bytes(PORTRAIT.read_bytes())
    (tmp_path / "in/text.jpg").write_text("text")
    arguments = [tmp_path / "in", "--out", tmp_path / "out", "--json", "--csv", "--no-pictures"]
    assert command(*arguments) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "1 picture done, 1 with faces"
    assert err == f"skipped: {tmp_path}/in/text.jpg: not a picture that can be read (4 bytes)\n"
    ((face,),) = [line["faces"] for line in results(tmp_path / "out")]
    assert_allclose(face["box"], [182, 87, 276, 178], atol=9)
    assert abs(face["pose"]["roll"]) < 12 and face["score"] > 0.8
    assert files_in(tmp_path / "out") == ["faces.csv", "faces.jsonl"]
    (tmp_path / "in/text.jpg").unlink()
    assert command(*arguments) == 0
    again = capsys.readouterr().out.splitlines()
    assert again[:2] == ["nothing new done", "skipped 1 already done"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "--out"),
        (["--out", "out", "--threads", "0"], "at least 1"),
        (["--out", "out", "--max-faces", "none"], "invalid"),
        (["--out", "out", "--min-score", "1.5"], "between 0 and 1"),
        (["--out", "out", "--backend", "abacus"], "invalid choice"),
        (["--out", "out", "--network", "a", "--weights", "b"], "not allowed with"),
    ],
    ids=["no folder", "threads", "faces", "score", "backend", "two weights"],
)
def test_bad_arguments_have_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        command(PORTRAIT, *arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--no-pictures"], "give --json, --csv or --parquet"),
        (["--weights", "missing.onnx"], "no weight file at missing.onnx"),
        (["--network", "missing"], "no missing weights"),
        (["--weights", "weights.onnx"], "weights.onnx"),
    ],
    ids=["nothing to write", "no weights", "no network", "damaged weights"],
)
def test_what_cannot_be_done_is_one_line_and_status_2(
    tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.onnx").write_text("text")
    assert command(PORTRAIT, "--out", "out", *arguments) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith("error: ") and err.count("\n") == 1 and message in err
    assert not (tmp_path / "out").exists()


def test_parquet_without_pyarrow_is_one_line_before_any_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    assert command("missing.jpg", "--out", tmp_path / "out", "--parquet") == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith("error: ") and err.count("\n") == 1
    assert err.endswith("pip install 'pfld[parquet]'\n") and not (tmp_path / "out").exists()


def test_ctrl_c_is_one_line_and_status_130(tmp_path, monkeypatch, capsys):
    for name in "ab":
        photo(tmp_path / f"{name}.jpg")
    landmarker = KnowingLandmarker(interrupt_after=1)
    monkeypatch.setattr(
        "pfld.runtime.landmarker.FaceLandmarker.from_pretrained", lambda *_, **__: landmarker
    )
    assert command(tmp_path / "a.jpg", tmp_path / "b.jpg", "--out", tmp_path / "out") == 130
    out, err = capsys.readouterr()
    assert not out and err == "interrupted, 1 left; the same command goes on\n"


@pytest.mark.parametrize("moment", ["import", "video"])
def test_a_signal_ends_the_process_cleanly(tmp_path, moment):
    """During the import of ONNX Runtime, and in the middle of a video."""
    video(tmp_path / "a.mp4", count=3000, rate=30)
    wait = "'onnxruntime' in sys.modules" if moment == "import" else "partial()"
    program = f"""
import os, signal, sys, threading, time
from pathlib import Path
from pfld.__main__ import main
folder = Path({str(tmp_path)!r})
def partial():
    return any(path.stat().st_size for path in folder.glob("out/.predict/partial.mp4"))
def interrupt():
    while not ({wait}):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
sys.exit(main(["predict", str(folder / "a.mp4"), "--out", str(folder / "out")]))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (130, ""), ended.stderr
    assert ended.stderr.startswith("interrupted") and ended.stderr.count("\n") == 1
    assert files_in(tmp_path / "out") == [] and not leftovers(tmp_path / "out")


def test_no_torch_is_imported_with_onnx(tmp_path):
    program = (
        "import sys; from pfld.__main__ import main;"
        f"status = main(['predict', {str(PORTRAIT)!r}, '--out', {str(tmp_path / 'out')!r}]);"
        "print('torch' in sys.modules, status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False 0", done.stderr
    assert done.stderr == ""


class FlatAtTimes(KnowingLandmarker):
    """Finds points in one place, which show no pose, in its third look."""

    def __call__(self, image):
        (face,) = super().__call__(image)
        return [Face(self._flat(face.landmarks), 0.9, 0.8)]

    def locate(self, image, crops, *, rate=True):
        points, *rest = super().locate(image, crops, rate=rate)
        return (self._flat(points) if self.calls == 9 else points, *rest)

    def _flat(self, points):
        points = points.copy()
        points[..., [*range(51, 60), 60, 64, 68, 72], :] = points[..., 51:52, :]
        return points


def test_a_face_without_a_pose_costs_nothing_else(tmp_path):
    (tmp_path / "in").mkdir()
    photo(tmp_path / "in" / "a.jpg")
    summary = run(tmp_path / "in", tmp_path / "photo", FlatAtTimes(), json=True, csv=True)
    assert summary.pictures == 1 and not summary.problems
    (line,) = results(tmp_path / "photo")
    assert line["faces"][0]["pose"] is None
    assert [table(tmp_path / "photo")[0][name] for name in ("yaw", "pitch", "roll")] == [""] * 3
    film = video(tmp_path / "v.mp4")
    summary = run(film, tmp_path / "film", FlatAtTimes(), json=True, smoothing=False)
    assert summary.videos == 1 and not summary.problems
    poses = [face["pose"] for line in results(tmp_path / "film") for face in line["faces"]]
    assert poses.count(None) == 1 < len(poses)
