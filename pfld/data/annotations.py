"""Readers of annotated faces: WFLW's lists (98 points) and 300-W's .pts files (68 points)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pfld.landmarks import IBUG_68, WFLW_98, LandmarkScheme

ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")

FARTHEST = 100_000  # pixels from a picture's corner; no picture is that wide

_LISTS = "WFLW_annotations/list_98pt_rect_attr_train_test"
_HELD_BACK = ("test", "val", "valid", "validation")  # folders that are not trained on
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True)
class FaceAnnotation:
    """One face in one picture.

    Attributes:
        landmarks_px: ``(L, 2)`` float32, in pixels of the picture.
        box_xyxy: ``(4,)`` float32, the data set's own face box in pixels.
        attributes: ``(6,)`` uint8 of 0 or 1, in the order of :data:`ATTRIBUTES`.
        source: Place of the annotation, as ``file:line``.
    """

    image_path: Path
    landmarks_px: NDArray[np.float32]
    box_xyxy: NDArray[np.float32]
    attributes: NDArray[np.uint8]
    source: str

    @property
    def scheme(self) -> LandmarkScheme:
        """The landmark scheme, by the number of points."""
        return WFLW_98 if len(self.landmarks_px) == WFLW_98.num_landmarks else IBUG_68

    def require_in(self, image: NDArray[np.uint8]) -> None:
        """Raises ValueError unless some of the face lies in the picture ``(H, W, 3)``."""
        height, width = image.shape[:2]
        low, high = self.landmarks_px.min(axis=0), self.landmarks_px.max(axis=0)
        if (high <= 0).any() or (low >= (width, height)).any():
            raise ValueError(
                f"{self.source}: the face lies outside its picture of {width} x {height} pixels, "
                f"{self.image_path}"
            )


def read_faces(folder: str | Path, split: str) -> list[FaceAnnotation]:
    """The annotated faces of one split, from whichever layout the folder has.

    WFLW's layout is recognised by ``WFLW_annotations``. Otherwise ``.pts`` files are read from the
    subfolder named like the split. If there is none and the split is "train", they are read from the
    folder itself, except from its subfolders ``test``, ``val``, ``valid`` and ``validation``.

    Raises:
        FileNotFoundError: When the folder holds neither, saying what was looked for.
        ValueError: For a faulty annotation, naming file and line.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder at {folder}")
    if (folder / "WFLW_annotations").is_dir():
        return read_wflw(folder, split)
    if (folder / split).is_dir():
        return read_pts_folder(folder / split)
    if split == "train" and next(folder.rglob("*.pts"), None):
        return read_pts_folder(folder, leave_out=_HELD_BACK)
    raise FileNotFoundError(
        f"{folder} has no split {split!r}: neither {_LISTS}/list_98pt_rect_attr_{split}.txt nor "
        f"a folder {split} with .pts files"
    )


def read_wflw(folder: str | Path, split: str) -> list[FaceAnnotation]:
    """The faces on WFLW's list of a split, "train" or "test".

    A line has 207 fields: 98 points, a box, 6 attributes and the picture's path under ``WFLW_images``.

    Raises:
        FileNotFoundError: When the list is missing, naming the lists there are.
        ValueError: For a faulty line, naming file and line.

    Source: Wu et al. 2018, Look at Boundary; the readme of its annotations.
    """
    folder = Path(folder)
    list_path = folder / _LISTS / f"list_98pt_rect_attr_{split}.txt"
    if not list_path.is_file():
        there = sorted(path.name for path in list_path.parent.glob("*.txt"))
        raise FileNotFoundError(f"no list at {list_path}; there is {', '.join(there) or 'none'}")
    faces = []
    with list_path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                source = f"{list_path}:{number}"
                faces.append(_parse_wflw_line(line, folder / "WFLW_images", source))
    if not faces:
        raise ValueError(f"{list_path} lists no faces")
    return faces


def _parse_wflw_line(line: str, images: Path, source: str) -> FaceAnnotation:
    # The path comes last and may hold spaces.
    fields = line.split(maxsplit=206)
    if len(fields) != 207:
        raise ValueError(f"{source}: a line has 207 fields (196 + 4 + 6 + path), got {len(fields)}")
    try:
        values = [float(field) for field in fields[:206]]
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    numbers = _checked(values, source)
    attributes = numbers[200:]
    if not np.isin(attributes, (0, 1)).all():
        raise ValueError(f"{source}: the 6 attributes must be 0 or 1, got {fields[200:206]}")
    landmarks_px = _apart(numbers[:196].reshape(98, 2), source)
    name = PurePosixPath(fields[206].strip())
    if name.is_absolute() or ".." in name.parts:
        raise ValueError(f"{source}: the picture {str(name)!r} lies outside {images}")
    flags = attributes.astype(np.uint8)
    return FaceAnnotation(images / name, landmarks_px, numbers[196:200], flags, source)


def read_pts_folder(folder: str | Path, leave_out: Collection[str] = ()) -> list[FaceAnnotation]:
    """The faces of all ``.pts`` files under a folder, each beside its picture of the same name.

    The files count pixels from 1, which is converted; attributes are all 0; the box is that of the points.

    Args:
        leave_out: Names of subfolders that are skipped.

    Raises:
        FileNotFoundError: When there is no ``.pts`` file, or one has no picture beside it.
        ValueError: For a faulty file, naming file and line.

    Source: Sagonas et al. 2013, 300 Faces in-the-Wild, its file format.
    """
    folder = Path(folder)
    faces = [
        _read_pts(path)
        for path in sorted(folder.rglob("*.pts"))
        if path.relative_to(folder).parts[0] not in leave_out
    ]
    if not faces:
        raise FileNotFoundError(f"no .pts files under {folder}")
    return faces


def _read_pts(path: Path) -> FaceAnnotation:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    points = []
    inside = False
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if stripped in ("{", "}"):
            inside = stripped == "{"
        elif inside and stripped:
            try:
                x, y = (float(field) for field in stripped.split())
            except ValueError as error:
                raise ValueError(
                    f"{path}:{number}: a line has two numbers, got {line!r}"
                ) from error
            points.append((x, y))
    if len(points) != IBUG_68.num_landmarks:
        raise ValueError(f"{path}: 68 points in braces are needed, got {len(points)}")
    # The first pixel's centre is (1, 1) there and (0.5, 0.5) here.
    landmarks_px = _apart(_checked(points, str(path)) - np.float32(0.5), str(path))
    box_xyxy = np.concatenate([landmarks_px.min(axis=0), landmarks_px.max(axis=0)])
    pictures = (path.with_suffix(suffix) for suffix in _IMAGE_SUFFIXES)
    picture = next((picture for picture in pictures if picture.is_file()), path.with_suffix(".jpg"))
    return FaceAnnotation(picture, landmarks_px, box_xyxy, np.zeros(6, np.uint8), f"{path}:1")


def _checked(
    numbers: Sequence[float] | Sequence[tuple[float, float]], source: str
) -> NDArray[np.float32]:
    values = np.array(numbers, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{source}: coordinates must be finite")
    if np.abs(values).max(initial=0) > FARTHEST:
        raise ValueError(f"{source}: coordinates must be within {FARTHEST:,} pixels")
    return values.astype(np.float32)


def _apart(landmarks_px: NDArray[np.float32], source: str) -> NDArray[np.float32]:
    if not (np.ptp(landmarks_px, axis=0) > 0).any():
        raise ValueError(f"{source}: all points are in one place")
    return landmarks_px
