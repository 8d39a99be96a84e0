"""Example pictures and video of the page, with what each one shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2

from pfld.media.pictures import read_picture
from pfld.media.video import VideoReader

FOLDER = Path(__file__).parents[2] / "examples"  # sources and rights are in its README.md
_THUMBNAIL = 144  # pixels of its shorter side
_QUALITY = 80  # of WebP


@dataclass(frozen=True)
class Example:
    """A file in FOLDER.

    Attributes:
        file: Its name.
        caption: What it shows that makes faces hard to find, or not.
        words: What can be seen on it, for those who do not see it.
    """

    file: str
    caption: str
    words: str

    @property
    def path(self) -> Path:
        """Where the file is."""
        return FOLDER / self.file

    def thumbnail(self) -> bytes:
        """A small WebP picture; of a video, its first frame."""
        if self.path.suffix == ".mp4":
            with VideoReader(self.path) as video:
                _, image = next(iter(video))
        else:
            image = read_picture(self.path)
        scale = _THUMBNAIL / min(image.shape[:2])
        size = round(image.shape[1] * scale), round(image.shape[0] * scale)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        options = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
        return cv2.imencode(".webp", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), options)[1].tobytes()


PHOTOS = (
    Example("astronaut.jpg", "One face", "An astronaut in an orange suit looks at the camera."),
    Example("hopper.jpg", "Glasses and cap", "A woman in uniform with glasses and a peaked cap."),
    Example(
        "several.jpg", "Several faces", "Two portraits pasted beside each other in several sizes."
    ),
    Example("photographer.jpg", "From the side", "A man looks into a camera, seen from the side."),
    Example("cut.jpg", "Cut by the border", "The left border goes through a woman's face."),
    Example(
        "covered.jpg", "Something in front", "A sheet of paper covers a woman's mouth and chin."
    ),
    Example("dark.jpg", "Low light", "The astronaut in a dark, noisy picture."),
    Example("shaken.jpg", "Blurred", "The astronaut in a picture blurred by motion."),
)
VIDEOS = (
    Example(
        "moving.mp4",
        "Moving camera, two faces",
        "A camera moves over two portraits, turns and zooms; 5 seconds.",
    ),
)
