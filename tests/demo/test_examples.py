"""Examples of the page: all there, credited, small, and found by number alone."""

import re
from types import SimpleNamespace

import cv2
import gradio as gr
import numpy as np
import pytest

import make_examples
from landmark_app.files.examples import FOLDER, PHOTOS, VIDEOS
from landmark_app.tabs.examples import examples, examples_html
from pfld.media.pictures import read_picture
from pfld.media.video import VideoReader
from support.paths import PORTRAIT


def test_every_example_is_offered_and_credited():
    files = {path.name for path in FOLDER.iterdir()} - {"README.md"}
    assert files == {example.file for example in (*PHOTOS, *VIDEOS)}
    credited = re.findall(r"^\| `(\S+)`", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert set(credited) == files and len(credited) == len(files)


def test_examples_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2e6
    for example in VIDEOS:
        assert example.path.stat().st_size < 1e6
        with VideoReader(example.path) as video:
            assert 4 <= video.num_frames / video.rate <= 6
    assert all(len(example.thumbnail()) < 12_000 for example in (*PHOTOS, *VIDEOS))


def test_each_has_a_caption_and_words_for_those_who_do_not_see_it():
    html = examples_html(PHOTOS)
    assert html.count("<button") == html.count('alt="') == len(PHOTOS)
    assert all(f"<span>{example.caption}</span>" in html for example in PHOTOS)
    assert len({example.caption for example in PHOTOS}) == len(PHOTOS)


@pytest.fixture
def choose(tmp_path):
    """The function that a click calls; takes a number."""
    with gr.Blocks() as page:
        examples(PHOTOS, gr.Image(type="filepath"), tmp_path)
    (event,) = page.fns.values()
    return lambda index: event.fn(SimpleNamespace(index=index))


def test_a_click_chooses_a_file_in_the_folder_of_uploads(choose, tmp_path):
    for index, example in enumerate(PHOTOS):
        path = choose(index)
        assert path.startswith(str(tmp_path)) and path.endswith(example.file)


@pytest.mark.parametrize("index", [-1, len(PHOTOS), "../../etc/passwd", None, 0.0, [0], True])
def test_a_click_names_no_other_file(choose, index):
    with pytest.raises(ValueError, match="no such example"):
        choose(index)


def test_what_is_made_is_what_its_caption_says():
    portrait = read_picture(PORTRAIT)
    dark = make_examples.low_light(portrait)
    assert dark.mean() < 0.25 * portrait.mean() and dark.dtype == np.uint8
    shaken = make_examples.shaken(portrait)
    sharpness = [cv2.Laplacian(image, cv2.CV_64F).var() for image in (portrait, shaken)]
    assert sharpness[1] < 0.2 * sharpness[0] and shaken.shape == portrait.shape
    hopper = read_picture(FOLDER / "hopper.jpg")
    assert (make_examples.covered(hopper) != hopper).any(axis=2).mean() > 0.1
    assert make_examples.several_faces(hopper, portrait).shape == (600, 1182, 3)
    frames = list(make_examples.moving_camera(portrait, hopper))
    assert len(frames) == make_examples.RATE * make_examples.SECONDS
    assert all(frame.shape == (360, 480, 3) for frame in frames)
    assert np.abs(frames[0].astype(int) - frames[len(frames) // 2]).mean() > 20
