"""Cameras through OpenCV. Real ones are not tested: a capture that plays pictures stands in."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from pfld.media.camera import CameraReader


class Capture:
    """In place of cv2.VideoCapture: so many frames, whose blue is their number."""

    def __init__(self, count, rate=25.0):
        self.left, self.rate = count, rate

    def isOpened(self):
        return True

    def read(self):
        self.left -= 1
        found = self.left >= 0
        return found, np.full((6, 8, 3), (self.left, 0, 200), np.uint8) if found else None

    def get(self, name):
        assert name == cv2.CAP_PROP_FPS
        return self.rate

    def release(self):
        self.left = 0


@pytest.fixture
def camera(monkeypatch):
    def plug(count, rate=25.0):
        monkeypatch.setattr(cv2, "VideoCapture", lambda number, api: Capture(count, rate))
        return CameraReader(3)

    return plug


def test_frames_are_rgb_and_timed_by_the_clock(camera, monkeypatch):
    clock = iter(np.arange(20) / 8)
    monkeypatch.setattr("pfld.media.camera.time.monotonic", lambda: next(clock))
    with camera(4) as reader:
        times_s, images = zip(*reader)
    assert_allclose(times_s, np.arange(1, 5) / 8)
    assert [image[0, 0].tolist() for image in images] == [[200, 0, left] for left in (3, 2, 1, 0)]
    assert (reader.num_frames, reader.num_read, reader.num_missing) == (None, 4, 0)
    assert reader.size_hw == (6, 8)


@pytest.mark.parametrize(("said", "rate"), [(30.0, 30.0), (0.0, 25.0), (-1.0, 25.0), (1e6, 25.0)])
def test_a_rate_that_makes_no_sense_is_a_usual_one(camera, said, rate):
    assert camera(1, said).rate == rate


def test_a_camera_without_a_frame_is_refused(camera):
    with pytest.raises(ValueError, match="camera 3 has no frame"):
        camera(0)


def test_no_camera_is_said_so(capfd):
    with pytest.raises(ValueError, match="there is no camera 97"):
        CameraReader(97)
    assert capfd.readouterr() == ("", "")
