"""The Photo tab: steps, files to download, drawing again, and pictures of full size."""

import csv
import json
from dataclasses import replace

import cv2
import gradio as gr
import numpy as np
import pytest
from numpy.testing import assert_allclose

from landmark_app import models as models_of_the_app
from landmark_app.files import photo as photos
from landmark_app.files.found import keep_found, numbered, save_picture
from landmark_app.files.photo import on_photo
from landmark_app.models import Choice
from landmark_app.tabs.choosing import chosen_as
from landmark_app.tabs.photo import cancelled_photo, photo_steps, png_steps
from pfld.draw import Drawing
from support.paths import PORTRAIT

ONNX, TRAINED = Choice("face", "onnx"), Choice("face", "train-time")
PNG, JSON, CSV, CANCEL, FOUND = 3, 4, 5, 6, 7  # places of outputs


def is_usable(button):
    return button.interactive


@pytest.fixture
def found(models, tmp_path, upload):
    return keep_found(on_photo(models, upload, ONNX), upload, ONNX, tmp_path)


@pytest.fixture
def searches(monkeypatch):
    """Grows with each picture that faces are looked for in."""
    made, look = [], models_of_the_app.search_isolated

    def counted(image):
        made.append(image)
        return look(image)

    monkeypatch.setattr(models_of_the_app, "search_isolated", counted)
    return made


def test_photos_come_with_json_and_table(found):
    (row,) = csv.DictReader(found.table.open())
    (face,) = json.loads(found.data.read_text())["faces"]
    assert float(row["x_0"]) == face["landmarks"][0][0] and row["face_id"] == "1"


def test_a_photo_without_a_face_has_an_empty_table(models, tmp_path, upload):
    photo = replace(on_photo(models, upload, ONNX), faces=[])
    table = keep_found(photo, upload, ONNX, tmp_path).table
    assert len(table.read_text().splitlines()) == 1


def test_a_photo_goes_through_steps_and_can_be_cancelled_until_the_last(models, tmp_path, upload):
    steps = list(photo_steps(models, tmp_path, upload, ONNX, ["points"]))
    assert is_usable(steps[0][CANCEL]) and not is_usable(steps[-1][CANCEL])
    assert "Reading" in steps[0][1] and "1 face in 512 × 512" in steps[-1][1]
    assert all(is_usable(button) for button in steps[-1][PNG:CANCEL])


@pytest.mark.parametrize("path", [None, "/etc/passwd"], ids=["none", "another"])
def test_without_a_photo_nothing_can_be_downloaded(models, tmp_path, path):
    *_, last = photo_steps(models, tmp_path, path, ONNX, [])
    assert last[0] is None and not any(is_usable(button) for button in last[PNG:FOUND])
    assert last[FOUND] is None


def test_what_is_drawn_changes_without_a_new_search(models, tmp_path, upload, searches):
    *_, first = photo_steps(models, tmp_path, upload, ONNX, ["points"])
    assert len(searches) == 1
    (again,) = photo_steps(models, tmp_path, upload, ONNX, ["boxes"], first[FOUND])
    assert len(searches) == 1 and again[FOUND] is first[FOUND]
    assert (again[0] != first[0]).any() and again[1:3] == first[1:3]


@pytest.mark.parametrize("change", ["network", "photo", "files"])
def test_faces_are_looked_for_again_when_something_else_changes(
    models, tmp_path, upload, searches, found, change
):
    searches.clear()
    choice = TRAINED if change == "network" else ONNX
    if change == "photo":
        upload = str(tmp_path / "b.jpg")
        (tmp_path / "b.jpg").write_bytes(PORTRAIT.read_bytes())
    if change == "files":
        found.shown.unlink()
    *_, last = photo_steps(models, tmp_path, upload, choice, [], found)
    assert len(searches) == 1 and last[FOUND].choice == choice and last[FOUND].path == upload


def test_large_photos_are_shown_small_and_saved_whole(models, tmp_path, monkeypatch, upload):
    monkeypatch.setattr(photos, "_LONGEST_SHOWN", 256)
    found = keep_found(on_photo(models, upload, ONNX), upload, ONNX, tmp_path)
    drawing, nothing = Drawing.of(["points"]), Drawing.of([])
    small, plain = found.drawn(drawing), found.drawn(nothing)
    assert small.shape == (256, 256, 3)
    png = cv2.imread(str(save_picture(found, drawing, tmp_path)))
    assert png.shape == (512, 512, 3)
    before = cv2.imread(str(PORTRAIT))
    middles = [
        np.argwhere(np.abs(drawn.astype(int) - empty).max(axis=2) > 40).mean(axis=0)
        for drawn, empty in ((small, plain), (png, before))
    ]
    assert_allclose(2 * middles[0], middles[1], atol=3)  # at the same place


def test_a_picture_of_full_size_is_written_when_it_is_asked_for(tmp_path, found):
    assert not list(tmp_path.rglob("*.png"))
    first, last = png_steps(tmp_path, found, ["points"])
    assert "full size" in first[0] and is_usable(first[3]) and not is_usable(first[1])
    assert last[2].value["path"].endswith(".png") and is_usable(last[2])
    assert "1 face" in last[0] and is_usable(last[1]) and not is_usable(last[3])


def test_without_its_upload_no_picture_is_written(tmp_path, found, upload):
    (tmp_path / "a.jpg").unlink()
    *_, last = png_steps(tmp_path, found, [])
    assert "Choose it again" in last[0] and is_usable(last[1]) and not is_usable(last[3])
    assert not list(tmp_path.rglob("*.png"))
    (only,) = png_steps(tmp_path, None, [])
    assert "Choose a photo first" in only[0]


def test_cancelling_the_writing_keeps_what_was_found(found):
    skip = cancelled_photo(found)[0]
    assert cancelled_photo(found)[FOUND] == skip
    nothing = cancelled_photo(None)
    assert nothing[0] is None and nothing[FOUND] is None and not is_usable(nothing[PNG])


def test_several_faces_have_their_numbers(portrait, found):
    nothing = Drawing.of([])
    assert (numbered(portrait, found.faces, nothing) == portrait).all()
    assert (numbered(portrait, found.faces * 2, nothing) != portrait).any()


@pytest.mark.parametrize(
    ("wanted", "mode"),
    [("train-time", "train-time"), ("browser", "onnx"), (None, "onnx"), ([], "onnx")],
)
def test_a_mode_that_is_not_offered_gives_way_to_the_preferred_one(models, wanted, mode):
    network, modes, choice = chosen_as(models, "face", wanted)
    assert network.value == "face" and modes.value == mode and choice == Choice("face", mode)


@pytest.mark.parametrize("network", ["other", None, 1, "../face"])
def test_what_is_no_network_changes_nothing(models, network):
    assert chosen_as(models, network, "onnx") == (gr.skip(),) * 3
