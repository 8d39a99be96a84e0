"""Pictures from files, as RGB."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """The picture ``(H, W, 3)`` uint8 RGB, its pixels as stored: annotations count on them, so an
    orientation noted in the file is not applied.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is not a picture OpenCV can decode.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no picture at {path}")
    # Read here rather than by cv2.imread, which cannot open every path on every system.
    encoded = np.fromfile(path, dtype=np.uint8)
    try:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image_bgr = cv2.imdecode(encoded, flags) if len(encoded) else None
    except cv2.error:
        image_bgr = None
    if image_bgr is None:
        raise ValueError(f"{path} is not a picture that can be decoded ({len(encoded)} bytes)")
    return cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
