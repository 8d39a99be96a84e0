"""What two networks found in a photo: kept, to be drawn again in other ways."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landmark_app.files.found import read_shown, scaled, write_shown
from landmark_app.files.photo import PhotoPair
from landmark_app.files.results import filled_folder
from landmark_app.models import Choice
from pfld.draw import Drawing
from pfld.geometry import size_hw_of
from pfld.runtime.face import Face


@dataclass(frozen=True)
class FoundPair:
    """The faces of a photo, as two networks place their landmarks.

    Attributes:
        path: The uploaded file.
        choices: Both networks and modes.
        sides: The faces of each, in pixels of the file's picture.
        width: Of that picture.
        shown: JPEG file of the picture in the size that the page shows, nothing drawn on it.
    """

    path: str
    choices: tuple[Choice, Choice]
    sides: tuple[list[Face], list[Face]]
    width: int
    shown: Path

    def is_of(self, path: str, choices: tuple[Choice, Choice]) -> bool:
        """Whether this was found in that file by those choices, and its own file is still there."""
        return (self.path, self.choices) == (path, choices) and self.shown.is_file()

    def drawn(self, drawing: Drawing) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The picture with each side's faces, in the size that the page shows, ``(H, W, 3)``.

        Raises:
            ValueError: When the file is gone; the message is shown to the visitor.
        """
        image = read_shown(self.shown)
        scale = image.shape[1] / self.width
        first, second = (drawing(image, scaled(faces, scale)) for faces in self.sides)
        return first, second


def keep_pair(
    pair: PhotoPair, path: str, choices: tuple[Choice, Choice], folder: Path
) -> FoundPair:
    """Writes the photo, as the page shows it, into a new folder.

    Raises:
        OSError: When it cannot be written; then no folder is left.
    """
    with filled_folder(folder) as own:
        shown = write_shown(pair.image_rgb, own)
    width = size_hw_of(pair.image_rgb)[1]
    return FoundPair(path, choices, (pair.first, pair.second), width, shown)
