"""A video before faces are looked for: its first frame, and what the file says of itself."""

from __future__ import annotations

import os
from dataclasses import dataclass

import cv2

from landmark_app.files.video import open_video

_LONGEST_SIDE = 560  # pixels
_QUALITY = 80  # of WebP


@dataclass(frozen=True)
class Preview:
    """The first frame of a video, and words about the file.

    Attributes:
        webp: The frame, at most 560 pixels wide and high, as a WebP file.
        words: Size in pixels, length, frames/s, format and codec.
    """

    webp: bytes
    words: str


def preview(path: str | os.PathLike[str]) -> Preview:
    """What can be told of a video by its first frame.

    Raises:
        ValueError: For a file that is no video; the message, which is shown to the visitor, does not tell
            its path.
    """
    with open_video(path) as reader:
        _, image = next(iter(reader))
    height, width = image.shape[:2]
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    webp = cv2.imencode(".webp", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), options)[1].tobytes()
    length = f"{reader.num_frames / reader.rate:.1f} s, " if reader.num_frames else ""
    words = f"{width} × {height} pixels, {length}{reader.rate:.3g} frames/s. {reader.about}"
    return Preview(webp, words)
