"""What was found in a photo: kept, drawn again in other ways, and saved with all pixels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from landmark_app.files.photo import Photo, fit, read_upload
from landmark_app.files.results import filled_folder
from landmark_app.models import Choice
from pfld.draw import Drawing, draw_faces
from pfld.files import write_whole
from pfld.geometry import size_hw_of
from pfld.prediction.rows import csv_header, csv_rows, json_line
from pfld.runtime.face import Face

_SHOWN_QUALITY = 95  # of the JPEG file that pictures are drawn on again


@dataclass(frozen=True)
class Found:
    """What was found in a photo, kept to be drawn again in other ways.

    Attributes:
        path: The uploaded file.
        choice: The network and mode.
        faces: Largest first, in pixels of the file's picture.
        size_hw: Of that picture.
        seconds: Time for finding the faces and their landmarks.
        shown: JPEG file of the picture in the size that the page shows, nothing drawn on it.
        data, table: The faces as JSON and CSV files.
    """

    path: str
    choice: Choice
    faces: list[Face]
    size_hw: tuple[int, int]
    seconds: float
    shown: Path
    data: Path
    table: Path

    def is_of(self, path: str, choice: Choice) -> bool:
        """Whether this was found in that file by that choice, and its own files are still there."""
        files = (self.shown, self.data, self.table)
        return (self.path, self.choice) == (path, choice) and all(map(Path.is_file, files))

    def drawn(self, drawing: Drawing) -> NDArray[np.uint8]:
        """The picture with its faces, in the size that the page shows, ``(H, W, 3)``.

        Raises:
            ValueError: When the file is gone; the message is shown to the visitor.
        """
        image = read_shown(self.shown)
        faces = scaled(self.faces, image.shape[1] / self.size_hw[1])
        return numbered(image, faces, drawing, copy=False)


def keep_found(photo: Photo, path: str, choice: Choice, folder: Path) -> Found:
    """Writes what was found in a photo into a new folder: the picture as shown, the faces as JSON and CSV.

    Raises:
        OSError: When they cannot be written; then no folder is left.
    """
    with filled_folder(folder) as own:
        data, table = own / "landmarks.json", own / "landmarks.csv"
        shown = write_shown(photo.image_rgb, own)
        write_whole(data, json.dumps(photo.to_dict(choice), indent=2) + "\n")
        write_whole(table, _csv(photo))
    size_hw = size_hw_of(photo.image_rgb)
    return Found(path, choice, photo.faces, size_hw, photo.seconds, shown, data, table)


def save_picture(found: Found, drawing: Drawing, folder: Path) -> Path:
    """Writes the annotated picture with all its pixels as a PNG file into a new folder; its path.

    Raises:
        ValueError: As :func:`read_upload`.
        OSError: When it cannot be written; then no folder is left.
    """
    image = numbered(read_upload(found.path), found.faces, drawing, copy=False)
    with filled_folder(folder) as own:
        png = own / "landmarks.png"
        # Quick rather than small: level 9 takes ten times as long for a tenth less.
        write_whole(png, _encoded(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1]))
    return png


def numbered(
    image_rgb: NDArray[np.uint8], faces: Sequence[Face], drawing: Drawing, *, copy: bool = True
) -> NDArray[np.uint8]:
    """The picture with its faces; where there are several, each has its number, from 1 on.

    Args:
        copy: False to draw on the picture itself.
    """
    faces = [replace(face, identity=number) for number, face in enumerate(faces, 1)]
    labels: bool | list[str] = drawing.labels
    if not labels and len(faces) > 1:
        labels = [f"#{face.identity}" for face in faces]
    return draw_faces(image_rgb, faces, **(asdict(drawing) | {"labels": labels}), copy=copy)


def write_shown(image_rgb: NDArray[np.uint8], folder: Path) -> Path:
    """Writes a picture in the size that the page shows into a folder, to be drawn on again; the file."""
    shown = folder / "shown.jpg"
    options = [cv2.IMWRITE_JPEG_QUALITY, _SHOWN_QUALITY]
    write_whole(shown, _encoded(".jpg", fit(image_rgb), options))
    return shown


def read_shown(shown: Path) -> NDArray[np.uint8]:
    """The picture of :func:`write_shown`, ``(H, W, 3)``.

    Raises:
        ValueError: When the file is gone; the message is shown to the visitor.
    """
    image_bgr = cv2.imread(str(shown))
    if image_bgr is None:
        raise ValueError("This photo is not kept any more. Choose it again.")
    return cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)


def scaled(faces: Sequence[Face], scale: float) -> list[Face]:
    """Faces in a picture ``scale`` times as large."""
    factor = np.float32(scale)
    return [
        replace(
            face,
            landmarks=face.landmarks * factor,
            point_uncertainty=None if (of := face.point_uncertainty) is None else of * factor,
        )
        for face in faces
    ]


def _encoded(suffix: str, image_rgb: NDArray[np.uint8], options: list[int]) -> bytes:
    return cv2.imencode(suffix, cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def _csv(photo: Photo) -> str:
    """A row for each face, as ``pfld predict`` writes them."""
    count = len(photo.faces[0].landmarks) if photo.faces else 0
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(csv_header(count))
    writer.writerows(csv_rows(json_line("photo", photo.faces, size_hw_of(photo.image_rgb))))
    return text.getvalue()
