"""Side by side's photo: what is computed anew, what is only drawn, and what is said of what fails."""

import cv2
import gradio as gr
import numpy as np
import pytest

from landmark_app.files import photo as photos
from landmark_app.models import Choice
from landmark_app.tabs import pair_photo
from landmark_app.tabs.pair_photo import compared
from support.fake_models import FakeBackend, fake_models
from support.paths import PORTRAIT

CHOICES = "face · train-time", "face · onnx"
NAMES = {"face · train-time": "face · Train-time", "face · onnx": "face · ONNX"}
TOGETHER, LEFT, RIGHT, APART, STATUS, FACTOR, TABLE, FOUND = range(8)  # places of outputs


@pytest.fixture
def models(monkeypatch, tmp_path):
    """Networks whose points are 0.01 of a crop apart."""
    folder = tmp_path / "models"
    folder.mkdir()

    def load(network, mode):
        return FakeBackend(mode, folder / "face.onnx", shift=0.01 * (mode == "onnx"))

    return fake_models(monkeypatch, folder, load=load)


@pytest.fixture
def comparisons(monkeypatch):
    """Grows with each photo that is computed."""
    made, compute = [], pair_photo.on_pair_photo

    def counted(*args):
        made.append(args)
        return compute(*args)

    monkeypatch.setattr(pair_photo, "on_pair_photo", counted)
    return made


def test_both_networks_are_shown_with_what_differs(models, tmp_path, upload):
    out = compared(models, tmp_path, NAMES, upload, CHOICES, ["points"])
    assert (out[TOGETHER][0] != out[TOGETHER][1]).any()
    assert (out[LEFT].label, out[RIGHT].label) == ("face · Train-time", "face · ONNX")
    assert "1 face" in out[STATUS] and "px" in out[TABLE] and "runs of each" in out[FACTOR]
    assert out[APART].label.startswith("Arrows")


def test_what_is_drawn_changes_without_computing_anew(models, tmp_path, upload, comparisons):
    first = compared(models, tmp_path, NAMES, upload, CHOICES, ["points"])
    again = compared(models, tmp_path, NAMES, upload, CHOICES, ["boxes"], first[FOUND])
    assert len(comparisons) == 1 and again[FOUND] is first[FOUND]
    assert all((a != b).any() for a, b in zip(first[TOGETHER], again[TOGETHER]))
    assert all(value == gr.skip() for value in again[APART:FOUND])  # figures stay those of one run


@pytest.mark.parametrize("change", ["networks", "photo", "file"])
def test_all_is_computed_again_when_something_else_changes(
    models, tmp_path, upload, comparisons, change
):
    found = compared(models, tmp_path, NAMES, upload, CHOICES, [])[FOUND]
    choices = CHOICES[::-1] if change == "networks" else CHOICES
    if change == "photo":
        upload = str(tmp_path / "b.jpg")
        (tmp_path / "b.jpg").write_bytes(PORTRAIT.read_bytes())
    if change == "file":
        found.shown.unlink()
    last = compared(models, tmp_path, NAMES, upload, choices, [], found)
    assert len(comparisons) == 2 and last[FOUND].path == upload
    assert last[FOUND].choices == tuple(map(Choice.parse, choices))


def test_large_photos_are_drawn_on_in_the_size_that_is_shown(models, tmp_path, upload, monkeypatch):
    whole = compared(models, tmp_path, NAMES, upload, CHOICES, ["points"])[TOGETHER]
    plain = compared(models, tmp_path, NAMES, upload, CHOICES, [])[TOGETHER]
    monkeypatch.setattr(photos, "_LONGEST_SHOWN", 256)
    small = compared(models, tmp_path, NAMES, upload, CHOICES, ["points"])[TOGETHER]
    empty = compared(models, tmp_path, NAMES, upload, CHOICES, [])[TOGETHER]
    assert small[0].shape == (256, 256, 3)
    middles = [
        np.argwhere(cv2.absdiff(drawn, bare).max(axis=2) > 40).mean(axis=0)
        for drawn, bare in ((small[0], empty[0]), (whole[0], plain[0]))
    ]
    assert np.abs(2 * middles[0] - middles[1]).max() < 3


@pytest.mark.parametrize(
    ("path", "choices", "words"),
    [
        (None, CHOICES, "Choose a photo"),
        ("/etc/passwd", CHOICES, "This file is not here"),
        ("{upload}", ("face · none", "face · onnx"), "none"),
        ("{upload}", ("face", "face · onnx"), "a choice reads like"),
    ],
    ids=["none", "another", "mode", "text"],
)
def test_what_cannot_be_compared_is_said(models, tmp_path, upload, path, choices, words):
    path = path and path.format(upload=upload)
    before = sorted(tmp_path.rglob("*"))
    out = compared(models, tmp_path, NAMES, path, choices, [])
    assert words in out[STATUS] and out[TOGETHER : APART + 1] == (None,) * 4 and out[FOUND] is None
    assert sorted(tmp_path.rglob("*")) == before


def test_a_photo_without_a_face_is_shown_without_figures(models, tmp_path):
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((90, 120, 3), 90, np.uint8))
    out = compared(models, tmp_path, NAMES, str(path), CHOICES, ["points"])
    assert "No face found" in out[STATUS] and out[TOGETHER][0].shape == (90, 120, 3)
    assert "No face to compare on" in out[FACTOR]


def test_a_full_disk_leaves_nothing(models, tmp_path, upload, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("landmark_app.files.found.write_whole", full)
    before = sorted(tmp_path.rglob("*"))
    out = compared(models, tmp_path, NAMES, upload, CHOICES, [])
    assert "No space left" in out[STATUS] and sorted(tmp_path.rglob("*")) == before
