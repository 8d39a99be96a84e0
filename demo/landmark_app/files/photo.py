"""Photos: faces in a picture file found, compared between two networks; without Gradio."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from landmark_app.comparison import Comparison, compare
from landmark_app.models import Choice, Models
from pfld.media.isolated import read_picture_isolated
from pfld.runtime.face import Face

_REPEATS = 21  # timed calls of each network; the latency is their median
_LONGEST_SHOWN = 1600  # pixels of a picture's longer side on the page; saved files have all pixels

NO_FACE = "No face found. Faces should be lit from the front and at least about 30 pixels wide."


@dataclass(frozen=True)
class Photo:
    """A picture with its faces.

    Attributes:
        image_rgb: ``(H, W, 3)`` uint8, nothing drawn on it.
        faces: Largest first.
        seconds: Time for finding the faces and their landmarks.
    """

    image_rgb: NDArray[np.uint8]
    faces: list[Face]
    seconds: float

    def to_dict(self, choice: Choice) -> dict[str, Any]:
        """JSON values as a line of ``pfld predict --json``, with the network and mode."""
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
    """A picture with its faces, as two networks place their landmarks."""

    image_rgb: NDArray[np.uint8]
    first: list[Face]
    second: list[Face]
    comparison: Comparison = field(repr=False)


def on_photo(models: Models, path: str, choice: Choice) -> Photo:
    """Every face in a picture file.

    Raises:
        ValueError: As :func:`read_upload` and :func:`find_faces`.
    """
    return find_faces(models, read_upload(path), choice)


def find_faces(models: Models, image_rgb: NDArray[np.uint8], choice: Choice) -> Photo:
    """Every face in a picture ``(H, W, 3)`` uint8.

    Raises:
        ValueError: For a choice that cannot be loaded; the message is shown to the visitor.
    """
    landmarker = models.landmarker(choice)
    start = time.perf_counter()
    faces = landmarker(image_rgb)
    return Photo(image_rgb, faces, time.perf_counter() - start)


def on_pair_photo(models: Models, path: str, first: Choice, second: Choice) -> PhotoPair:
    """Every face in a picture file, from two networks on the same crops.

    Raises:
        ValueError: As :func:`on_photo`.
    """
    image = read_upload(path)
    backends = models.backend(first), models.backend(second)
    landmarker = models.landmarker(first)
    faces = landmarker(image)
    crops = [landmarker.crop_around(face.landmarks) for face in faces]
    result = compare(image, crops, *backends, repeats=_REPEATS)
    left, right = (
        [replace(face, landmarks=points) for face, points in zip(faces, side)]
        for side in (result.first, result.second)
    )
    return PhotoPair(image, left, right, result)


def fit(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture, scaled down if it is larger than the page shows it."""
    height, width = image_rgb.shape[:2]
    scale = _LONGEST_SHOWN / max(height, width)
    if scale >= 1:
        return image_rgb
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return cv2.resize(image_rgb, size, interpolation=cv2.INTER_AREA)


def read_upload(path: str) -> NDArray[np.uint8]:
    """The picture in an uploaded file, ``(H, W, 3)`` uint8.

    Raises:
        ValueError: For a file that is no picture; the message, which is shown to the visitor, does not tell
            its path.
    """
    try:
        return read_picture_isolated(path)
    except (ValueError, OSError) as error:
        reason = str(error).replace(str(path), "This file")
        raise ValueError(f"{reason}. Choose a JPEG, PNG or WebP picture.") from error
