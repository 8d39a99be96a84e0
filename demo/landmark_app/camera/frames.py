"""Camera frames as JPEG data URLs, decoded and encoded; faces as JSON for the page."""

from __future__ import annotations

import base64
import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pfld.draw import head_axes, sureness_of
from pfld.runtime.face import Face

MOST_FRAME_LENGTH = 2_000_000  # characters of a data URL
MOST_FRAME_SIDE = 1920  # pixels
MOST_SCANS = 32  # of a JPEG; cameras need 1, progressive pictures about 10
_SCAN = b"\xff\xda"


def decode_frame(data_url: str) -> NDArray[np.uint8]:
    """A frame ``(H, W, 3)`` uint8 RGB from a data URL: "data:image/jpeg;base64," and a JPEG file.

    Raises:
        ValueError: For anything but a JPEG file, or one that is too large.
    """
    data = require_small(data_url)
    image_bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image_bgr is None:
        raise ValueError("the camera's frame is a damaged JPEG picture")
    return cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)


def require_small(data_url: str) -> bytes:
    """The file in a data URL of a frame, checked by its header to be quick to decode.

    A small JPEG may have thousands of scans, each of which takes as long as the whole picture.

    Raises:
        ValueError: For anything but a JPEG file, or too many letters, pixels or scans.
    """
    if len(data_url) > MOST_FRAME_LENGTH:
        raise ValueError(f"a frame has at most {MOST_FRAME_LENGTH} letters, got {len(data_url)}")
    try:
        data = base64.b64decode(data_url.partition(",")[2], validate=True)
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as header:
            size = header.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError("the camera's frame is no JPEG picture") from error
    if max(size) > MOST_FRAME_SIDE:
        raise ValueError(f"a frame is at most {MOST_FRAME_SIDE} pixels wide and high, got {size}")
    if data.count(_SCAN) > MOST_SCANS:
        raise ValueError(f"a frame has at most {MOST_SCANS} scans, got {data.count(_SCAN)}")
    return data


def face_to_json(face: Face) -> dict[str, Any]:
    """A face as JSON values for overlay.js; coordinates are rounded to a tenth of a pixel."""
    axes, sureness = head_axes(face), sureness_of(face)
    return {
        "points": np.round(face.landmarks.astype(np.float64), 1).ravel().tolist(),
        "box": np.round(face.box.astype(np.float64), 1).tolist(),
        "id": face.identity,
        "quality": round(float(face.quality), 3),
        "sureness": None if sureness is None else np.round(sureness, 2).tolist(),
        "axes": None if axes is None else np.round(axes, 1).reshape(3, 4).tolist(),
        "pose": None if axes is None else [round(angle, 1) for angle in face.pose],
    }


def shifts_to_json(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> list[list[float]] | None:
    """The second points ``(F, L, 2)`` less the first for each face, x0, y0, x1, ... in pixels.

    None for networks with different points.
    """
    if first.shape != second.shape:
        return None
    moved = second.astype(np.float64) - first
    return [np.round(face, 4).ravel().tolist() for face in moved]
