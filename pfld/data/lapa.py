"""LaPa and JD-landmark: a reader of text files with 106 points, brought to the 68 of iBUG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pfld.data.annotation_files import Names, files_ending, read_lines
from pfld.data.face_annotation import FaceAnnotation, Problems, apart, checked
from pfld.landmarks import IBUG_68, JD_POINTS, JD_TO_IBUG, WFLW_98

_COUNTS = (IBUG_68.num_landmarks, WFLW_98.num_landmarks, JD_POINTS)
_LANDMARKS = ("landmarks", "landmark")  # LaPa's folder, JD-landmark's
_IMAGES = ("images", "picture")


def find_lapa(folder: Path) -> Path | None:
    """The folder ``landmarks`` (or ``landmark``) with text files in a split's folder, or None."""
    names = Names()
    for name in _LANDMARKS:
        found = names.find(folder, name)
        if found is not None and files_ending(found, ".txt"):
            return found
    return None


def read_lapa(landmarks: Path) -> list[FaceAnnotation]:
    """The faces of a folder of text files: a line with the number of points, then a line ``x y`` for each.

    106 points are brought to the 68 of iBUG (:data:`pfld.landmarks.JD_TO_IBUG`); 68 and 98 are taken as
    they are. Points are in pixels from the picture's corner and are not shifted. ``a.txt`` and
    ``a.jpg.txt`` belong to the picture ``a`` in the folder ``images`` (or ``picture``) beside.

    Args:
        landmarks: What :func:`find_lapa` returns.

    Raises:
        ValueError: For a faulty file, naming file and line.

    Source: Liu et al. 2020, A New Dataset and Boundary-Attention Semantic Segmentation for Face Parsing;
    Liu et al. 2019, Grand Challenge of 106-Point Facial Landmark Localization.
    """
    names = Names()
    beside = [names.find(landmarks.parent, name) for name in _IMAGES]
    images = next((found for found in beside if found), landmarks.parent / _IMAGES[0])
    problems = Problems()
    faces = []
    for path in files_ending(landmarks, ".txt"):
        try:
            faces.append(_read_file(path, images, names))
        except ValueError as error:
            problems.add(error)
    problems.raise_any()
    return faces


def _read_file(path: Path, images: Path, names: Names) -> FaceAnnotation:
    lines = [(number, line.split()) for number, line in enumerate(read_lines(path), start=1)]
    lines = [(number, fields) for number, fields in lines if fields]
    first = lines[0][1] if lines else []
    if len(first) != 1 or first[0] not in map(str, _COUNTS):
        raise ValueError(
            f"{path}:{lines[0][0] if lines else 1}: the first line is the number of points, "
            f"{', '.join(map(str, _COUNTS))}; got {' '.join(first)[:40]!r}"
        )
    count = int(first[0])
    points = []
    for number, fields in lines[1:]:
        source = f"{path}:{number}"
        try:
            x, y = map(float, fields)
        except ValueError:
            raise ValueError(
                f"{source}: a line has two numbers, got {' '.join(fields)[:40]!r}"
            ) from None
        points.append(checked([x, y], source))
    if len(points) != count:
        raise ValueError(f"{path}:{lines[-1][0]}: {count} points are announced, got {len(points)}")
    landmarks_px = apart(np.stack(points), f"{path}:1")
    if count == JD_POINTS:
        landmarks_px = landmarks_px[list(JD_TO_IBUG)]
    picture = names.picture(images, path.stem) or images / f"{path.stem}.jpg"
    return FaceAnnotation.of_points(picture, landmarks_px, f"{path}:1")
