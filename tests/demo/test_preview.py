"""The preview of a chosen video: first frame, words about the file, and what is said of other files."""

import cv2
import numpy as np
import pytest

from landmark_app.files.preview import preview
from landmark_app.tabs.video import preview_html
from support.clips import LEFT, RIGHT, clip


def test_the_first_frame_is_shown_with_what_the_file_says(tmp_path):
    found = preview(clip(tmp_path / "a.mp4"))
    image = cv2.imdecode(np.frombuffer(found.webp, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert image.shape == (48, 64, 3)
    for side, color in ((slice(4, 28), LEFT), (slice(36, 60), RIGHT)):
        assert np.abs(image[24:, side].mean(axis=(0, 1)) - color).max() < 20
    assert found.words.startswith("64 × 48 pixels, ") and " s, 25 frames/s. " in found.words
    assert "H.264" in found.words


def test_large_frames_are_shown_smaller(tmp_path):
    frames = [np.full((600, 1200, 3), 90, np.uint8)] * 2
    found = preview(clip(tmp_path / "a.mp4", frames))
    image = cv2.imdecode(np.frombuffer(found.webp, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (280, 560, 3) and found.words.startswith("1200 × 600 pixels")


def test_of_a_file_that_is_no_video_the_reason_is_said_without_its_path(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("no video")
    with pytest.raises(ValueError, match="This file.* Choose another video") as told:
        preview(path)
    assert str(tmp_path) not in str(told.value)
    html = preview_html(str(path), tmp_path)
    assert "pf-error" in html and "<img" not in html and str(tmp_path) not in html


def test_the_page_gets_a_picture_of_uploads_only(tmp_path):
    folder = tmp_path / "files"
    (folder / "abc").mkdir(parents=True)
    assert preview_html(None, folder) == ""
    own = clip(folder / "abc" / "a.mp4")
    assert '<img src="data:image/webp;base64,' in preview_html(str(own), folder)
    other = clip(tmp_path / "b.mp4")
    assert "This file is not here" in preview_html(str(other), folder)
