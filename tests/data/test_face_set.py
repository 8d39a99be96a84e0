"""Annotation readers, the cache of crops, the split."""

import json
import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose

from pfld.data.annotations import read_faces, read_pts_folder, read_wflw
from pfld.data.face_set import load_face_set, split_by_picture, stored_size
from pfld.media.pictures import read_image
from pfld.synthetic.faces import synthetic_faces
from support.paths import ROOT


def list_of(folder):
    return folder / "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt"


def edit_line(folder, number, edit):
    path = list_of(folder)
    lines = path.read_text().splitlines()
    lines[number - 1] = edit(lines[number - 1])
    path.write_text("\n".join(lines) + "\n")


def test_wflw_lines_are_read_as_written(wflw):
    drawn = synthetic_faces(6, size=160)
    faces = read_wflw(wflw, "train")
    assert len(faces) == 6
    assert_allclose(faces[2].landmarks_px, drawn.landmarks[2] * 160, atol=1e-3)
    assert_allclose(faces[2].attributes, drawn.attributes[2])
    assert_allclose(read_image(faces[2].image_path), drawn.crops[2])
    assert faces[2].source.endswith("train.txt:3")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda line: " ".join(line.split()[1:]), "207 fields"),
        (lambda line: line.replace(line.split()[7], "x7", 1), "x7"),
        (lambda line: line.replace(line.split()[7], "nan", 1), "finite"),
        (lambda line: " ".join([*line.split()[:200], "2", *line.split()[201:]]), "0 or 1"),
        (lambda line: line.replace(line.split()[7], "1e39", 1), "within 100,000 pixels"),
        (lambda line: line.replace(line.split()[7], "-100001", 1), "within 100,000 pixels"),
        (lambda line: " ".join([*line.split()[:196], "inf", *line.split()[197:]]), "finite"),
        (lambda line: " ".join([*line.split()[:206], "../../secret.png"]), "outside"),
        (lambda line: " ".join(["5"] * 196 + line.split()[196:]), "one place"),
    ],
    ids=[
        "short",
        "not a number",
        "nan",
        "attribute",
        "float32 has no such number",
        "far",
        "box",
        "outside",
        "one place",
    ],
)
def test_faulty_lines_are_named(wflw, edit, message):
    edit_line(wflw, 4, edit)
    with pytest.raises(ValueError, match=message) as error:
        read_faces(wflw, "train")
    assert "train.txt:4" in str(error.value)


def test_missing_list_names_those_there_are(wflw):
    with pytest.raises(FileNotFoundError, match="list_98pt_rect_attr_train.txt"):
        read_faces(wflw, "test")


def test_folder_of_another_layout_says_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=".pts"):
        read_faces(tmp_path, "train")


def write_pts(folder, name, points, *, picture=True):
    rows = "\n".join(f"{x} {y}" for x, y in points)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.pts").write_text(f"version: 1\nn_points: {len(points)}\n{{\n{rows}\n}}\n")
    if picture:
        cv2.imwrite(str(folder / f"{name}.png"), np.zeros((50, 50, 3), np.uint8))


def test_pts_points_count_from_one(tmp_path):
    points = np.random.default_rng(0).uniform(1, 50, (68, 2))
    write_pts(tmp_path / "ibug", "a", points)
    (face,) = read_pts_folder(tmp_path)
    assert_allclose(face.landmarks_px, points - 0.5, atol=1e-4)
    assert face.image_path.name == "a.png" and face.scheme.name == "ibug-68"


def test_pts_with_another_count_are_refused(tmp_path):
    write_pts(tmp_path, "a", np.ones((5, 2)))
    with pytest.raises(ValueError, match="68 points"):
        read_pts_folder(tmp_path)


def test_pts_folders_train_too(tmp_path):
    for name in ("a", "b"):
        write_pts(tmp_path, name, np.random.default_rng(1).uniform(5, 45, (68, 2)))
    assert load_face_set(tmp_path, "train", size=160).landmarks.shape == (2, 68, 2)


def test_crops_hold_the_face_with_room_to_move(wflw):
    faces = load_face_set(wflw, "train", size=160)
    assert faces.crops.shape == (6, 160, 160, 3) and faces.crops.dtype == np.uint8
    extent = np.ptp(faces.landmarks, axis=1).max(axis=1)
    assert_allclose(extent, 1 / 1.75, atol=0.01)
    # Pictures that are such crops already are taken over pixel by pixel.
    assert_allclose(faces.crops, synthetic_faces(6, size=160).crops)


def test_second_load_reads_the_cache_and_not_the_pictures(wflw, monkeypatch):
    first = load_face_set(wflw, "train", size=160)
    monkeypatch.setattr("pfld.data.face_set.read_image", lambda path: pytest.fail("decoded again"))
    second = load_face_set(wflw, "train", size=160)
    assert_allclose(second.crops, first.crops)
    assert second.pictures == first.pictures


def test_cache_follows_the_annotations(wflw, tmp_path):
    cache = tmp_path / "cache"
    load_face_set(wflw, "train", size=160, cache=cache)
    edit_line(wflw, 1, lambda line: "1.5 " + line.split(maxsplit=1)[1])
    load_face_set(wflw, "train", size=160, cache=cache)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("name", ["crops.npy", "faces.npz", "about.json"])
def test_damaged_cache_is_built_again(wflw, tmp_path, name):
    cache = tmp_path / "cache"
    before = load_face_set(wflw, "train", size=160, cache=cache).crops.copy()
    (entry,) = cache.iterdir()
    (entry / name).write_bytes((entry / name).read_bytes()[:100])
    assert_allclose(load_face_set(wflw, "train", size=160, cache=cache).crops, before)


def test_faces_of_unreadable_pictures_are_counted_and_left_out(wflw, capsys):
    read_wflw(wflw, "train")[1].image_path.write_bytes(b"not a picture")
    read_wflw(wflw, "train")[4].image_path.unlink()
    faces = load_face_set(wflw, "train", size=160, missing_allowed=0.5)
    assert len(faces) == 4
    assert_allclose(faces.crops, synthetic_faces(6, size=160).crops[[0, 2, 3, 5]])
    assert "2 of 6 faces" in capsys.readouterr().out


def test_faces_outside_their_pictures_are_counted_and_left_out(wflw, capsys):
    path = read_wflw(wflw, "train")[3].image_path
    path.write_bytes(cv2.imencode(".png", np.zeros((20, 20, 3), np.uint8))[1].tobytes())
    assert len(load_face_set(wflw, "train", size=160, missing_allowed=0.5)) == 5
    said = capsys.readouterr().out
    assert "1 of 6 faces" in said and "train.txt:4: the face lies outside its picture" in said


def test_a_bad_face_costs_no_other_face_of_its_picture(wflw, capsys):
    lists = next(wflw.glob("WFLW_annotations/*/*_train.txt"))
    lines = lists.read_text().splitlines()
    good = lines[0].split()
    far = " ".join([str(float(value) + 5000) for value in good[:196]] + good[196:])
    # Good, bad and good again in one picture, with another picture between.
    lists.write_text("\n".join([lines[0], lines[1], far, lines[0]]) + "\n")
    faces = load_face_set(wflw, "train", size=160, missing_allowed=0.5)
    drawn = synthetic_faces(6, size=160).crops
    assert_allclose(faces.crops, drawn[[0, 1, 0]])
    assert "1 of 4 faces cannot be used" in capsys.readouterr().out


def test_processes_cut_out_what_one_process_does(wflw, tmp_path, monkeypatch):
    read_wflw(wflw, "train")[4].image_path.unlink()
    options = {"size": 160, "missing_allowed": 0.5}
    alone = load_face_set(wflw, "train", cache=tmp_path / "alone", **options)
    monkeypatch.setattr("pfld.data.face_set._WORTH_PROCESSES", 1)
    together = load_face_set(wflw, "train", cache=tmp_path / "together", **options)
    assert_allclose(together.crops, alone.crops)
    assert_allclose(together.landmarks, alone.landmarks)
    assert together.pictures == alone.pictures and len(together) == 5


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_processes_end_with_the_one_that_is_killed(wflw, tmp_path, number):
    script = tmp_path / "program.py"
    script.write_text(f"""
import multiprocessing, time
from pathlib import Path
from pfld.data import face_set
from pfld.data.annotations import read_wflw
if __name__ == "__main__":
    face_set._WORTH_PROCESSES = 1
    cuts = face_set._cut_out_all(read_wflw(Path({str(wflw)!r}), "train"), 160)
    next(cuts)
    print(*[process.pid for process in multiprocessing.active_children()], flush=True)
    time.sleep(60)
""")
    command = [sys.executable, script]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as reading:
        processes = [psutil.Process(int(pid)) for pid in reading.stdout.readline().split()]
        reading.send_signal(number)
    assert processes
    assert not psutil.wait_procs(processes, timeout=20)[1]


def test_a_picture_no_file_can_have_the_name_of_is_missing(wflw, capsys):
    edit_line(wflw, 2, lambda line: " ".join([*line.split()[:206], "a\0.png"]))
    edit_line(wflw, 3, lambda line: " ".join([*line.split()[:206], "a" * 300]))
    assert len(load_face_set(wflw, "train", size=160, missing_allowed=0.5)) == 4
    assert "2 of 6 faces" in capsys.readouterr().out


@pytest.mark.parametrize(
    "table",
    [
        b"image,spread\na.png,1\n",
        b"image,source_picture\na.png\n",
        b"image,source_picture\n" + b"a" * 200_000,
        b"image,source_picture\n\xff\xfe\n",
    ],
    ids=["no column", "short", "long", "no text"],
)
def test_a_faulty_table_of_source_pictures_is_named(wflw, table):
    (wflw / "label_spread.csv").write_bytes(table)
    with pytest.raises(ValueError, match=r"label_spread\.csv:\d: "):
        load_face_set(wflw, "train", size=160)


def test_too_many_unreadable_pictures_stop(wflw, tmp_path):
    read_wflw(wflw, "train")[1].image_path.write_bytes(b"")
    with pytest.raises(ValueError, match="--allow-missing"):
        load_face_set(wflw, "train", size=160, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_split_keeps_a_pictures_faces_together():
    pictures = [f"picture-{index // 3}" for index in range(600)]
    train, held_out = split_by_picture(pictures, 0.2)
    assert sorted([*train, *held_out]) == list(range(600))
    assert not {pictures[i] for i in train} & {pictures[i] for i in held_out}
    assert 80 < len(held_out) < 160


def test_split_of_a_picture_does_not_depend_on_the_others():
    pictures = [f"picture-{index}" for index in range(300)]
    held_out = {pictures[i] for i in split_by_picture(pictures, 0.2)[1]}
    assert {pictures[i] for i in split_by_picture(pictures[:150], 0.2)[1]} == held_out & set(
        pictures[:150]
    )


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_split_with_an_empty_side_is_refused(fraction):
    with pytest.raises(ValueError, match="split"):
        split_by_picture(["a", "b"], fraction)


def test_stored_crops_show_faces_about_as_large_as_the_network_sees_them():
    assert stored_size(112) == 160
    assert stored_size(160) == 240


def test_source_pictures_of_a_table_hold_faces_together(wflw):
    names = [face.image_path.relative_to(wflw / "WFLW_images") for face in read_wflw(wflw, "train")]
    rows = [f"{name},0.01,0,group-{index // 2}" for index, name in enumerate(names)]
    (wflw / "label_spread.csv").write_text(
        "image,spread,human_labels,source_picture\n" + "\n".join(rows)
    )
    faces = load_face_set(wflw, "train", size=160)
    assert faces.pictures == tuple(f"group-{index // 2}" for index in range(6))
    np.testing.assert_allclose(faces.label_spread, 0.01)


def test_spread_of_labels_is_unknown_without_a_table(wflw):
    assert np.isnan(load_face_set(wflw, "train", size=160).label_spread).all()


def test_no_partial_cache_stays_behind(wflw, tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dumps", fail)
    with pytest.raises(KeyboardInterrupt):
        load_face_set(wflw, "train", size=160, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("held_back", ["test", "val", "validation"])
def test_pts_folders_of_other_splits_are_not_trained_on(tmp_path, held_back):
    points = np.random.default_rng(1).uniform(5, 45, (68, 2))
    for folder, name in ((".", "a"), ("more", "b"), (held_back, "c")):
        (tmp_path / folder).mkdir(exist_ok=True)
        write_pts(tmp_path / folder, name, points)
    assert [face.image_path.stem for face in read_faces(tmp_path, "train")] == ["a", "b"]
    assert [face.image_path.stem for face in read_faces(tmp_path, held_back)] == ["c"]
