"""What the page calls: plain values in and out, without Gradio."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from comparison import Comparison, compare
from models import QUICKEST_FIRST, Choice, Models
from numpy.typing import NDArray
from visitor import Visitor

from pfld.draw import draw_faces, head_axes
from pfld.runtime.face import Face
from pfld.runtime.pictures import read_picture

MOST_FRAME_BYTES = 4_000_000
MOST_FRAME_SIDE = 1920  # pixels
MOST_FACES = 8
_PHOTO_REPEATS = 7  # computations per network; the median counts

NO_FACE = "No face found. Faces should be lit from the front and at least about 30 pixels wide."


@dataclass(frozen=True)
class Drawing:
    """What is drawn on pictures, as :func:`pfld.draw.draw_faces` takes it."""

    points: bool = True
    contours: bool = True
    boxes: bool = False
    axes: bool = False
    indices: bool = False
    labels: bool = False

    @classmethod
    def of(cls, names: Sequence[str] | None) -> Drawing:
        """From the names of what is wanted; others are ignored."""
        return cls(**{name: name in (names or ()) for name in cls.__dataclass_fields__})

    def __call__(self, image_rgb: NDArray[np.uint8], faces: Sequence[Face]) -> NDArray[np.uint8]:
        """A copy of the picture ``(H, W, 3)`` with the faces drawn on it."""
        return draw_faces(image_rgb, faces, **{name: getattr(self, name) for name in vars(self)})


@dataclass(frozen=True)
class Photo:
    """A still with its faces.

    Attributes:
        image_rgb: ``(H, W, 3)`` uint8, nothing drawn on it.
        faces: Largest first.
        seconds: For finding them and their landmarks.
    """

    image_rgb: NDArray[np.uint8]
    faces: list[Face]
    seconds: float

    def to_dict(self, choice: Choice) -> dict[str, Any]:
        """As ``predict --json`` has it, with what found them."""
        height, width = self.image_rgb.shape[:2]
        return {
            "network": choice.network,
            "mode": choice.mode,
            "width": width,
            "height": height,
            "faces": [face.to_dict() for face in self.faces],
        }


@dataclass(frozen=True)
class PhotoPair:
    """A still looked at by two networks."""

    image_rgb: NDArray[np.uint8]
    first: list[Face]
    second: list[Face]
    comparison: Comparison = field(repr=False)


def decode_frame(data: bytes) -> NDArray[np.uint8]:
    """A camera's frame ``(H, W, 3)`` uint8 RGB from a JPEG file's bytes.

    Raises:
        ValueError: For no JPEG file, or one that is too large.
    """
    from PIL import Image

    if len(data) > MOST_FRAME_BYTES:
        raise ValueError(f"a frame has at most {MOST_FRAME_BYTES} bytes, got {len(data)}")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as header:
            size = header.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError("the camera's frame is no JPEG picture") from error
    if max(size) > MOST_FRAME_SIDE:
        raise ValueError(f"a frame is at most {MOST_FRAME_SIDE} pixels wide and high, got {size}")
    image_bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image_bgr is None:
        raise ValueError("the camera's frame is a damaged JPEG picture")
    return cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)


def on_frame(
    models: Models,
    visitor: Visitor,
    image_rgb: NDArray[np.uint8] | None,
    time_s: float,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """The faces in a visitor's next frame, as JSON takes it.

    Args:
        image_rgb: ``(H, W, 3)`` uint8; None and frames of a few pixels have no faces.
        time_s: When it was taken, in seconds from anywhere.
        settings: "network", "mode", "smoothing" and "max_faces".

    Returns:
        "faces", the milliseconds "network_ms" and "server_ms", and "jitter", a fraction of the face's
        size; or, for a frame that comes after a later one, only "late".

    Raises:
        ValueError: For settings or a time that make no sense.
    """
    start = time.perf_counter()
    choice, max_faces, time_s = _live_settings(settings, time_s)
    with visitor.lock:
        if 0 <= visitor.time_s - time_s < 1:
            return {"late": True}
        faces = []
        if image_rgb is not None:
            smoothing = bool(settings.get("smoothing", True))
            faces = visitor.follow(
                models, choice, image_rgb, time_s, max_faces=max_faces, smoothing=smoothing
            )
        return {
            "faces": [face_to_json(face) for face in faces],
            "network_ms": 0.0 if image_rgb is None else _ms(visitor.network_s),
            "server_ms": _ms(time.perf_counter() - start),
            "jitter": round(visitor.jitter, 6),
        }


def on_pair_frame(
    models: Models,
    visitor: Visitor,
    image_rgb: NDArray[np.uint8] | None,
    time_s: float,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """A visitor's next frame through two networks, on the same crops and not smoothed.

    Args:
        image_rgb, time_s: As :func:`on_frame` takes them.
        settings: "first" and "second", each a choice as text, and "max_faces".

    Returns:
        "panes" with two lists of faces, "network_ms" with two latencies, "server_ms", "largest_px" and
        "mean_px"; or, for a frame that comes after a later one, only "late".

    Raises:
        ValueError: For settings or a time that make no sense.
    """
    start = time.perf_counter()
    first, second = (Choice.parse(settings.get(name, "")) for name in ("first", "second"))
    modes = models.modes(first.network)
    quickest = next((mode for mode in QUICKEST_FIRST if mode in modes), first.mode)
    finder = {"network": first.network, "mode": quickest}
    finder, max_faces, time_s = _live_settings({**settings, **finder}, time_s)
    with visitor.lock:
        if 0 <= visitor.time_s - time_s < 1:
            return {"late": True}
        faces = []
        if image_rgb is not None:
            faces = visitor.follow(
                models, finder, image_rgb, time_s, max_faces=max_faces, smoothing=False
            )
        landmarker = models.landmarker(first)
        crops = [landmarker.crop_around(face.landmarks) for face in faces]
        backends = models.backend(first), models.backend(second)
        image = np.zeros((1, 1, 3), np.uint8) if image_rgb is None else image_rgb
        result = compare(image, crops, *backends)
        return {
            "panes": [
                [face_to_json(replace(f, landmarks=p)) for f, p in zip(faces, points)]
                for points in (result.first, result.second)
            ],
            "network_ms": [_ms(result.first_s), _ms(result.second_s)],
            "server_ms": _ms(time.perf_counter() - start),
            "largest_px": result.largest_px,
            "mean_px": result.mean_px,
        }


def on_photo(models: Models, path: str, choice: Choice) -> Photo:
    """Every face in a picture file.

    Raises:
        ValueError, FileNotFoundError: For no picture or choice that can be used; the message is for
            whoever chose it.
    """
    image = _read_upload(path)
    landmarker = models.landmarker(choice)
    start = time.perf_counter()
    faces = landmarker(image)
    return Photo(image, faces, time.perf_counter() - start)


def on_pair_photo(models: Models, path: str, first: Choice, second: Choice) -> PhotoPair:
    """Every face in a picture file, seen by two networks on the same crops.

    Raises:
        ValueError, FileNotFoundError: As :func:`on_photo` has it.
    """
    image = _read_upload(path)
    backends = models.backend(first), models.backend(second)
    landmarker = models.landmarker(first)
    faces = landmarker(image)
    crops = [landmarker.crop_around(face.landmarks) for face in faces]
    result = compare(image, crops, *backends, repeats=_PHOTO_REPEATS)
    sides = [
        [replace(face, landmarks=points) for face, points in zip(faces, side)]
        for side in (result.first, result.second)
    ]
    return PhotoPair(image, *sides, result)


def face_to_json(face: Face) -> dict[str, Any]:
    """What a page needs to draw a face: numbers rounded to a tenth of a pixel."""
    axes = head_axes(face)
    yaw, pitch, roll = (None, None, None) if axes is None else face.pose
    return {
        "points": np.round(face.landmarks.astype(np.float64), 1).ravel().tolist(),
        "box": np.round(face.box.astype(np.float64), 1).tolist(),
        "id": face.identity,
        "quality": round(float(face.quality), 3),
        "axes": None if axes is None else np.round(axes, 1).reshape(3, 4).tolist(),
        "pose": None if axes is None else [round(angle, 1) for angle in (yaw, pitch, roll)],
    }


def _live_settings(settings: Mapping[str, Any], time_s: float) -> tuple[Choice, int, float]:
    choice = Choice(str(settings.get("network")), str(settings.get("mode")))
    try:
        max_faces, time_s = int(settings.get("max_faces", 1)), float(time_s)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the number of faces and the time are numbers: {error}") from error
    if not 1 <= max_faces <= MOST_FACES or not math.isfinite(time_s):
        raise ValueError(f"1 to {MOST_FACES} faces can be followed, got {max_faces} at {time_s} s")
    return choice, max_faces, time_s


def _read_upload(path: str) -> NDArray[np.uint8]:
    """The picture in an uploaded file; error messages leave out where it is kept."""
    try:
        return read_picture(path)
    except (ValueError, OSError) as error:
        reason = str(error).replace(str(path), "this file")
        raise ValueError(f"{reason}. Choose a JPEG, PNG or WebP picture.") from error


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
