"""Reading of videos and cameras frame by frame as RGB, and writing of videos."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from pfld.media.containers import is_video_container

MOST_PIXELS = 50_000_000  # of a frame; 8K has 33 million
MOST_FRAMES_PER_SECOND = 999.0  # files that do not know their rate say 1000 and more
_USUAL_RATE = 25.0  # frames per second, if the rate is unknown
_TIMED_FRAMES = 30  # whose times are used to measure an unknown rate
_ENDS_EARLY = 0.01  # of the frames, at least two: so many may be missing in a complete video

# Codecs by suffix; the first that OpenCV has an encoder for is used. Browsers play H.264 and VP8, but
# not MPEG-4; VP8 takes ten times as long to write.
_CODECS = {".mp4": ("avc1", "mp4v"), ".webm": ("VP80",)}


class VideoReader:
    """An open video file or camera. Iterating gives its frames once, as ``(time_s, image_rgb)``.

    Times are in seconds, and each is later than the one before: a file's own time stamps if it has any,
    else the frame's index over ``rate``; for a camera the time since it was opened. Frames are
    ``(H, W, 3)`` uint8, upright as the file's orientation says.

    Attributes:
        rate: Frames per second.
        num_frames: Number of frames by the container, which may be wrong; None if unknown.
        num_read: Number of frames read so far.
        size_hw: Height and width of the first frame in pixels.

    Args:
        source: A file, or a camera's number.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is not a video, has frames of more than 50 megapixels, there is no such
            camera, or not one frame can be read.
    """

    def __init__(self, source: str | os.PathLike[str] | int) -> None:
        self._is_camera = isinstance(source, int)
        self._capture = _opened(source)
        found, first = self._capture.read()
        if not found:
            self._capture.release()
            where = f"camera {source}" if isinstance(source, int) else os.fspath(source)
            raise ValueError(f"{where} has no frame that can be read")
        self._first = first
        self._start_s = time.monotonic()
        self._last_s = -math.inf
        self.num_read = 0
        self.size_hw: tuple[int, int] = first.shape[:2]
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        known = 0 < rate <= MOST_FRAMES_PER_SECOND
        self.rate = (
            rate if known else _USUAL_RATE if isinstance(source, int) else _measured_rate(source)
        )
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        counted = known and not self._is_camera and 1 <= count < 1e9
        self.num_frames = int(count) if counted else None

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        frame_bgr, self._first = self._first, None
        while frame_bgr is not None:
            self._last_s = self._time_s()
            self.num_read += 1
            yield self._last_s, cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB)
            frame_bgr = self._capture.read()[1]

    @property
    def num_missing(self) -> int:
        """After the last frame: how many of ``num_frames`` are missing; 0 if that was only inexact."""
        if self.num_frames is None:
            return 0
        missing = self.num_frames - self.num_read
        # ``num_frames`` may be computed from the duration; then only missing time counts.
        missing_s = self.num_frames / self.rate - (self._last_s + 1 / self.rate)
        tolerated = max(2.0, _ENDS_EARLY * self.num_frames)
        return missing if min(missing, missing_s * self.rate) > tolerated else 0

    def close(self) -> None:
        """Closes the file or camera."""
        self._capture.release()

    def _time_s(self) -> float:
        """Time of the frame read last, in seconds."""
        if self._is_camera:
            time_s = time.monotonic() - self._start_s
        else:
            time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self.num_read == 0:
            return time_s if 0 <= time_s < math.inf else 0.0
        return time_s if self._last_s < time_s < math.inf else self._last_s + 1 / self.rate


class VideoWriter:
    """Writes a video file without sound. As a context manager it closes and checks the file.

    Codecs need even sides, so an odd last row or column is left out.

    Args:
        path: Ends in .mp4, or in .webm for what every browser plays.
        size_hw: Of all frames; others are stretched to it.
        rate: Frames per second.

    Raises:
        ValueError: For another suffix, frames or a rate that no codec takes.
        OSError: From :meth:`close`, when not all frames are in the file.
    """

    def __init__(self, path: str | os.PathLike[str], size_hw: tuple[int, int], rate: float) -> None:
        self._path = os.fspath(path)
        self._size_wh = size_hw[1], size_hw[0]
        self._even_hw = size_hw[0] // 2 * 2, size_hw[1] // 2 * 2
        self.num_written = 0
        self._writer = _writer(self._path, self._even_hw, rate)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self._writer.release()

    def write(self, image_rgb: NDArray[np.uint8]) -> None:
        """Adds a frame ``(H, W, 3)`` uint8."""
        if image_rgb.shape[1::-1] != self._size_wh:
            image_rgb = cv2.resize(image_rgb, self._size_wh, interpolation=cv2.INTER_AREA)
        height, width = self._even_hw
        self._writer.write(cv2.cvtColor(image_rgb[:height, :width], cv2.COLOR_RGB2BGR))
        self.num_written += 1

    def close(self) -> None:
        """Finishes the file and checks the number of its frames.

        Raises:
            OSError: If not all frames are in the file.
        """
        self._writer.release()
        # OpenCV does not report frames that it could not write.
        written = _capture(self._path)
        count = int(written.get(cv2.CAP_PROP_FRAME_COUNT))
        written.release()
        if count < self.num_written:
            raise OSError(
                f"{max(count, 0)} of {self.num_written} frames are in {self._path}; is the disk full?"
            )


def _opened(source: str | os.PathLike[str] | int) -> cv2.VideoCapture:
    if isinstance(source, int):
        camera = _capture(source)
        if not camera.isOpened():
            raise ValueError(f"there is no camera {source}, or another program uses it")
        return camera
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"no video at {path}")
    capture = _capture(os.fspath(path)) if is_video_container(path) else None
    if capture is None or not capture.isOpened():
        size = path.stat().st_size
        raise ValueError(f"{path} is not a video that can be read ({size} bytes)")
    width, height = (
        capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    if width * height > MOST_PIXELS:
        capture.release()
        raise ValueError(
            f"{path} has frames of {width:.0f} x {height:.0f} pixels; {MOST_PIXELS // 10**6} "
            "megapixels are the most"
        )
    return capture


def _capture(source: str | int) -> cv2.VideoCapture:
    _hush()
    # Other backends may read a name with a % as a sequence of pictures.
    capture = cv2.VideoCapture(source, cv2.CAP_ANY if isinstance(source, int) else cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # the default depends on the release
    return capture


def _writer(path: str, size_hw: tuple[int, int], rate: float) -> cv2.VideoWriter:
    _hush()
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in _CODECS:
        raise ValueError(f"a video's name ends in {' or '.join(_CODECS)}, got {path}")
    if min(size_hw) > 0 and rate > 0:
        for codec in _CODECS[suffix]:
            # MPEG-4 divides a second into at most 65535 parts, which is too few for some odd rates.
            for tried in (rate, max(round(rate), 1)):
                fourcc = cv2.VideoWriter.fourcc(*codec)
                writer = cv2.VideoWriter(path, fourcc, float(tried), size_hw[::-1])
                if writer.isOpened():
                    return writer
    height, width = size_hw
    raise ValueError(f"no video of {width} x {height} pixels, {rate:g} a second, can be written")


def _hush() -> None:
    """Silences OpenCV and FFmpeg on standard error; their errors are raised or tolerated here."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read once, with the first video
    cv2.setLogLevel(0)


def _measured_rate(path: str | os.PathLike[str]) -> float:
    """Frames per second by the time stamps of a file's first frames."""
    capture = _capture(os.fspath(path))
    times_s: list[float] = []
    while len(times_s) < _TIMED_FRAMES and capture.grab():
        times_s.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    capture.release()
    steps_s = [step for step in np.diff(times_s).tolist() if step > 1 / MOST_FRAMES_PER_SECOND]
    return 1 / median(steps_s) if steps_s else _USUAL_RATE
