"""Readers of annotated faces: WFLW's lists, 300-W's .pts files; COCO's JSON and LaPa's files as well."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from pfld.data.annotation_files import Names, files_ending, parts_inside, read_lines
from pfld.data.coco import find_coco, read_coco
from pfld.data.face_annotation import (
    ATTRIBUTES,
    FARTHEST,
    FaceAnnotation,
    Problems,
    apart,
    checked,
)
from pfld.data.lapa import find_lapa, read_lapa
from pfld.landmarks import IBUG_68

__all__ = [
    "ATTRIBUTES",
    "FARTHEST",
    "FaceAnnotation",
    "read_faces",
    "read_pts_folder",
    "read_wflw",
]

_LISTS = "WFLW_annotations/list_98pt_rect_attr_train_test"
_HELD_BACK = ("test", "val", "valid", "validation")  # folders that are not trained on


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def read_faces(
    folder: str | Path, split: str, *, report: Callable[[str], None] = _say
) -> list[FaceAnnotation]:
    """The annotated faces of one split, from whichever layout the folder has.

    These are looked for in turn; capitals in names do not matter:

    - WFLW's layout, recognised by ``WFLW_annotations``;
    - ``.pts`` files of 68 points in the subfolder named like the split;
    - text files of 106 points in its subfolder ``landmarks``, as LaPa has them;
    - COCO's JSON: ``<split>.json``, or ``annotations/*.json`` with the split's name in it;
    - for the split "train", ``.pts`` files in the folder itself, except in its subfolders ``test``,
      ``val``, ``valid`` and ``validation``.

    Pictures that an annotation names are not checked here: the path may be of no file.

    Args:
        report: Called with one line about faces that are left out, as some of their points are unknown.

    Raises:
        FileNotFoundError: When the folder holds none of these, saying what was looked for.
        ValueError: For faulty annotations, naming file and line; of several the first three.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder at {folder}")
    faces = _read_layout(folder, split, report)
    for face in faces:
        if face.scheme != faces[0].scheme:
            raise ValueError(
                f"{face.source}: {len(face.landmarks_px)} points, where {faces[0].source} has "
                f"{len(faces[0].landmarks_px)}; all faces need the same"
            )
    return faces


def _read_layout(folder: Path, split: str, report: Callable[[str], None]) -> list[FaceAnnotation]:
    if (folder / "WFLW_annotations").is_dir():
        return read_wflw(folder, split)
    inside = Names().find(folder, split) or folder / split
    if files_ending(inside, ".pts", deep=True):
        return read_pts_folder(inside)
    landmarks = find_lapa(inside)
    if landmarks is not None:
        return read_lapa(landmarks)
    json_path = find_coco(folder, split)
    if json_path is not None:
        return read_coco(json_path, folder, split, report=report)
    if split == "train" and files_ending(folder, ".pts", deep=True):
        return read_pts_folder(folder, leave_out=_HELD_BACK)
    raise FileNotFoundError(
        f"{folder} has no split {split!r}: neither {_LISTS}/list_98pt_rect_attr_{split}.txt, nor "
        f"{split}.json or annotations/*{split}*.json, nor a folder {split} with .pts files or with "
        "landmarks/*.txt"
    )


def read_wflw(folder: str | Path, split: str) -> list[FaceAnnotation]:
    """The faces on WFLW's list of a split, "train" or "test".

    A line has 207 fields: 98 points, a box, 6 attributes and the picture's path under ``WFLW_images``.

    Raises:
        FileNotFoundError: When the list is missing, naming the lists there are.
        ValueError: For faulty lines, naming file and line.

    Source: Wu et al. 2018, Look at Boundary; the readme of its annotations.
    """
    folder = Path(folder)
    names = Names()
    name = f"list_98pt_rect_attr_{split}.txt"
    list_path = names.find(folder, *_LISTS.split("/"), name)
    if list_path is None or not list_path.is_file():
        list_path = folder / _LISTS / name
        there = sorted(path.name for path in list_path.parent.glob("*.txt"))
        raise FileNotFoundError(f"no list at {list_path}; there is {', '.join(there) or 'none'}")
    images = names.find(folder, "WFLW_images") or folder / "WFLW_images"
    problems = Problems()
    faces = []
    for number, line in enumerate(read_lines(list_path), start=1):
        if line.strip():
            try:
                faces.append(_parse_wflw_line(line, images, f"{list_path}:{number}", names))
            except ValueError as error:
                problems.add(error)
    problems.raise_any()
    if not faces:
        raise ValueError(f"{list_path} lists no faces")
    return faces


def _parse_wflw_line(line: str, images: Path, source: str, names: Names) -> FaceAnnotation:
    # The path comes last and may hold spaces.
    fields = line.split(maxsplit=206)
    if len(fields) != 207:
        raise ValueError(f"{source}: a line has 207 fields (196 + 4 + 6 + path), got {len(fields)}")
    try:
        values = [float(field) for field in fields[:206]]
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    numbers = checked(values, source)
    attributes = numbers[200:]
    if not np.isin(attributes, (0, 1)).all():
        raise ValueError(f"{source}: the 6 attributes must be 0 or 1, got {fields[200:206]}")
    landmarks_px = apart(numbers[:196].reshape(98, 2), source)
    parts = parts_inside(fields[206].strip(), source, images)
    picture = names.find(images, *parts) or images.joinpath(*parts)
    flags = attributes.astype(np.uint8)
    return FaceAnnotation(picture, landmarks_px, numbers[196:200], flags, source)


def read_pts_folder(folder: str | Path, leave_out: Collection[str] = ()) -> list[FaceAnnotation]:
    """The faces of all ``.pts`` files under a folder, each beside its picture of the same name.

    The files count pixels from 1, which is converted; attributes are all 0; the box is that of the points.

    Args:
        leave_out: Names of subfolders that are skipped, in small letters.

    Raises:
        FileNotFoundError: When there is no ``.pts`` file.
        ValueError: For faulty files, naming file and line.

    Source: Sagonas et al. 2013, 300 Faces in-the-Wild, its file format.
    """
    folder = Path(folder)
    names = Names()
    problems = Problems()
    faces = []
    for path in files_ending(folder, ".pts", deep=True):
        if path.relative_to(folder).parts[0].lower() not in leave_out:
            try:
                faces.append(_read_pts(path, names))
            except ValueError as error:
                problems.add(error)
    problems.raise_any()
    if not faces:
        raise FileNotFoundError(f"no .pts files under {folder}")
    return faces


def _read_pts(path: Path, names: Names) -> FaceAnnotation:
    points = []
    inside = False
    last = 1
    # Other bytes than UTF-8 may stand outside the braces only.
    for number, line in enumerate(read_lines(path, errors="replace"), start=1):
        stripped = line.strip()
        if stripped:
            last = number
        if stripped in ("{", "}"):
            inside = stripped == "{"
        elif inside and stripped:
            source = f"{path}:{number}"
            try:
                x, y = (float(field) for field in stripped.split())
            except ValueError as error:
                raise ValueError(f"{source}: a line has two numbers, got {line!r}") from error
            points.append(checked([x, y], source))
    if len(points) != IBUG_68.num_landmarks:
        raise ValueError(f"{path}:{last}: 68 points in braces are needed, got {len(points)}")
    # The first pixel's centre is (1, 1) there and (0.5, 0.5) here.
    landmarks_px = apart(np.stack(points) - np.float32(0.5), f"{path}:1")
    picture = names.picture(path.parent, path.stem) or path.with_suffix(".jpg")
    return FaceAnnotation.of_points(picture, landmarks_px, f"{path}:1")
