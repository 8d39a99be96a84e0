"""Cameras: frames as RGB, through OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from pfld.media.opencv_log import SILENT, set_log_level

MOST_FRAMES_PER_SECOND = 999.0  # a camera that says more does not know its rate
_USUAL_RATE = 25.0  # frames per second, if the rate is unknown


class CameraReader:
    """An open camera. Iterating gives its frames as ``(time_s, image_rgb)``, until it is closed or gone.

    Times are in seconds since it was opened; frames are ``(H, W, 3)`` uint8.

    Attributes:
        rate: Frames per second.
        num_frames: None: nobody knows.
        num_read: Number of frames read so far.
        num_missing: Always 0.
        size_hw: Height and width of the first frame in pixels.

    Args:
        number: The camera's number, from 0.

    Raises:
        ValueError: When there is no such camera, or not one frame can be read.
    """

    num_frames: int | None = None
    num_missing = 0

    def __init__(self, number: int) -> None:
        set_log_level(SILENT)  # errors are raised here
        self._capture = cv2.VideoCapture(number, cv2.CAP_ANY)
        if not self._capture.isOpened():
            raise ValueError(f"there is no camera {number}, or another program uses it")
        found, self._first = self._capture.read()
        if not found:
            self._capture.release()
            raise ValueError(f"camera {number} has no frame that can be read")
        self._start_s = time.monotonic()
        self.num_read = 0
        self.size_hw: tuple[int, int] = self._first.shape[:2]
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate <= MOST_FRAMES_PER_SECOND else _USUAL_RATE

    def __enter__(self) -> CameraReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        frame_bgr, self._first = self._first, None
        while frame_bgr is not None:
            self.num_read += 1
            yield time.monotonic() - self._start_s, cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB)
            frame_bgr = self._capture.read()[1]

    def close(self) -> None:
        """Closes the camera."""
        self._capture.release()
