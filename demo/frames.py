"""Frames of a camera as they come from a page, and faces as they go back."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pfld.draw import head_axes
from pfld.runtime.face import Face

MOST_FRAME_BYTES = 4_000_000
MOST_FRAME_SIDE = 1920  # pixels


def decode_frame(data: bytes) -> NDArray[np.uint8]:
    """A camera's frame ``(H, W, 3)`` uint8 RGB from a JPEG file's bytes.

    Raises:
        ValueError: For no JPEG file, or one that is too large.
    """
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
