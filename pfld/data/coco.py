"""COCO keypoints: a reader of faces in COCO's JSON, also of COCO-WholeBody's ``face_kpts``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfld.data.annotation_files import Names, parts_inside, read_text
from pfld.data.face_annotation import FaceAnnotation, Problems, apart, checked
from pfld.landmarks import IBUG_68, JD_POINTS, JD_TO_IBUG, WFLW_98

_COUNTS = (IBUG_68.num_landmarks, WFLW_98.num_landmarks, JD_POINTS)
_SPACE = re.compile(r"[ \t\r\n]*")
_OF_POINTS = re.compile("keypoints|wholebody|face|landmark", re.IGNORECASE)


def find_coco(folder: Path, split: str) -> Path | None:
    """The JSON of a split: ``<split>.json``, or a file with the split's name in ``annotations``.

    Of several in ``annotations``, one whose name speaks of keypoints, faces or landmarks is meant.

    Raises:
        ValueError: When several may be meant.
    """
    names = Names()
    found = names.find(folder, f"{split}.json")
    if found is not None and found.is_file():
        return found
    # Not "latest" for "test", nor "valid" for "val"; digits may follow, as in "train2017".
    word = re.compile(rf"(?<![^\W\d_]){re.escape(split)}(?![^\W\d_])", re.IGNORECASE)
    paths = (names.find(folder, "annotations") or folder / "annotations").glob("*")
    there = sorted(p for p in paths if p.suffix.lower() == ".json" and word.search(p.stem))
    there = [path for path in there if not path.name.startswith(".")]
    if len(there) > 1:
        there = [path for path in there if _OF_POINTS.search(path.stem)] or there
    if len(there) > 1:
        listed = ", ".join(path.name for path in there)
        raise ValueError(f"{there[0].parent} has several files for {split}: {listed}; leave one")
    return there[0] if there else None


def read_coco(
    path: Path, folder: Path, split: str, *, report: Callable[[str], None]
) -> list[FaceAnnotation]:
    """The faces of a JSON file in COCO's keypoint format, one or several a picture.

    An annotation has ``image_id``, ``keypoints`` (``x, y, v`` of each point) and maybe ``bbox``; in
    COCO-WholeBody ``face_kpts``, ``face_box`` and ``face_valid``. 68 and 98 points are taken as they are,
    106 are brought to 68. Points are in pixels from the picture's corner and are not shifted. Faces are
    left out that have points with ``v`` 0, which are unknown, or none, or stand for a crowd.

    Args:
        path: The JSON. Each ``file_name`` is looked for in its folder, in the data set's, in one named
            like the split (``train``, ``train2017``), and in a folder ``images`` of each.
        folder: The data set's folder.
        report: Called with one line about faces that are left out.

    Raises:
        ValueError: For a faulty file, naming file and line; when no face has all its points.

    Source: Lin et al. 2014, Microsoft COCO, its data format; Jin et al. 2020, Whole-Body Human Pose
    Estimation in the Wild.
    """
    lists = _lists(path)
    problems = Problems()
    files = _file_names(lists["images"], path, problems)
    pictures = _Pictures(path, folder, split)
    faces: list[FaceAnnotation] = []
    unknown: list[str] = []
    total = 0
    for line, annotation in lists["annotations"]:
        source = f"{path}:{line}{_of_id(annotation)}"
        try:
            labels = _labels(annotation, source)
            if labels is None:
                continue
            total += 1
            if (labels.seen <= 0).any() or not len(labels.seen):
                unknown.append(source)
                continue
            picture = files.get(_identifier(annotation, "image_id", source))
            if picture is None:
                raise ValueError(f"{source}: no image has the id {annotation['image_id']!r}")
            points = apart(checked(labels.points, source), source)
            if len(points) == JD_POINTS:
                points = points[list(JD_TO_IBUG)]
            image_path = pictures.find(picture)
            faces.append(FaceAnnotation.of_points(image_path, points, source, labels.box_xyxy))
        except ValueError as error:
            problems.add(error)
    problems.raise_any()
    if not faces:
        raise ValueError(f"{path}:1: none of {total} faces has all its points (v above 0)")
    if unknown:
        report(
            f"{unknown[0]}: {len(unknown)} of {total} faces have unknown points (v is 0) and are left "
            "out, this one first"
        )
    return faces


@dataclass(frozen=True)
class _Labels:
    """Points ``(L, 2)`` in pixels, their ``v`` ``(L,)``, and the box ``(4,)`` if there is one."""

    points: NDArray[np.float64]
    seen: NDArray[np.float64]
    box_xyxy: NDArray[np.float32] | None


def _labels(annotation: Any, source: str) -> _Labels | None:
    """What an annotation says of a face; None if it is of something else."""
    if not isinstance(annotation, dict):
        raise ValueError(f"{source}: an annotation is an object in braces, got {annotation!r:.40}")
    name, box_name = "keypoints", "bbox"
    if "face_kpts" in annotation:
        if not annotation.get("face_valid", True):
            return None
        name, box_name = "face_kpts", "face_box"
    given = annotation.get(name) or []
    if not given or annotation.get("iscrowd"):
        return _Labels(np.empty((0, 2)), np.empty(0), None)
    numbers = _numbers(given, name, source)
    count, rest = divmod(len(numbers), 3)
    if rest or count not in _COUNTS:
        raise ValueError(
            f"{source}: {name} has {len(numbers)} numbers; x, y, v of "
            f"{', '.join(map(str, _COUNTS))} points are needed"
        )
    table = numbers.reshape(-1, 3)
    if not np.isfinite(table[:, 2]).all():
        raise ValueError(f"{source}: v must be a number for each point of {name}")
    box = annotation.get(box_name)
    return _Labels(table[:, :2], table[:, 2], _box(box, box_name, source) if box else None)


def _box(given: Any, name: str, source: str) -> NDArray[np.float32] | None:
    box = checked(_numbers(given, name, source), f"{source}: {name}")
    if len(box) != 4:
        raise ValueError(f"{source}: {name} is x, y, width and height, got {len(box)} numbers")
    if (box[2:] <= 0).any():
        return None
    return np.concatenate([box[:2], box[:2] + box[2:]])


def _numbers(given: Any, name: str, source: str) -> NDArray[np.float64]:
    try:
        return np.array(given, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{source}: {name} must be a list of numbers") from None


def _of_id(annotation: Any) -> str:
    """The annotation's id for messages, as all of a file may be one line."""
    identifier = annotation.get("id") if isinstance(annotation, dict) else None
    return f": annotation {identifier}" if isinstance(identifier, int) else ""


def _identifier(entry: dict[str, Any], name: str, source: str) -> float | str:
    identifier = entry.get(name)
    if not isinstance(identifier, (int, float, str)):
        raise ValueError(f"{source}: {name} is missing or neither a number nor a text")
    return identifier


def _file_names(
    images: list[tuple[int, Any]], path: Path, problems: Problems
) -> dict[float | str, tuple[str, ...]]:
    """The parts of each picture's path, by the picture's id."""
    files: dict[float | str, tuple[str, ...]] = {}
    for line, image in images:
        source = f"{path}:{line}"
        try:
            if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
                raise ValueError(f"{source}: an image is an object with id and file_name")
            parts = parts_inside(image["file_name"], source, path.parent)
            if files.setdefault(_identifier(image, "id", source), parts) != parts:
                raise ValueError(f"{source}: another image has the id {image['id']!r} as well")
        except ValueError as error:
            problems.add(error)
    return files


class _Pictures:
    """The folders that pictures are looked for in."""

    def __init__(self, path: Path, folder: Path, split: str) -> None:
        word = re.compile(re.escape(split) + r"[\d_-]*", re.IGNORECASE)
        self._names = Names()
        bases = []
        for base in (path.parent, folder):
            images = self._names.find(base, "images") or base / "images"
            bases += [base, images]
            for parent in (base, images):
                if parent.is_dir():
                    bases += sorted(
                        sub for sub in parent.iterdir() if word.fullmatch(sub.name) and sub.is_dir()
                    )
        bases += [base / "images" for base in bases]
        self._bases = [base for base in dict.fromkeys(bases) if base.is_dir()]

    def find(self, parts: tuple[str, ...]) -> Path:
        """A picture; where it should be, if there is none."""
        found = (self._names.find(base, *parts) for base in self._bases)
        return next((path for path in found if path), self._bases[0].joinpath(*parts))


def _lists(path: Path) -> dict[str, list[tuple[int, Any]]]:
    """The entries of the lists ``images`` and ``annotations``, each with its line."""
    text = read_text(path)
    try:
        lists = _entries(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: this is not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{path}:1: this is not JSON that can be read: {error}") from None
    missing = [name for name, entries in lists.items() if entries is None]
    if missing:
        raise ValueError(f"{path}:1: COCO's JSON has a list {' and one '.join(missing)}")
    answer: dict[str, list[tuple[int, Any]]] = {}
    for name, entries in lists.items():
        line, last, answer[name] = 1, 0, []
        for start, entry in entries or []:
            line += text.count("\n", last, start)
            last = start
            answer[name].append((line, entry))
    return answer


def _entries(text: str) -> dict[str, list[tuple[int, Any]] | None]:
    """As :func:`_lists`, with places in the text; None for a list that is not there.

    The outer levels are read here, as the parser of the standard library keeps no places.
    """
    read = json.JSONDecoder().raw_decode
    lists: dict[str, list[tuple[int, Any]] | None] = {"images": None, "annotations": None}

    def after_space(at: int) -> int:
        match = _SPACE.match(text, at)
        return match.end() if match else at

    def after(sign: str, at: int) -> int:
        if text[at : at + 1] != sign:
            raise json.JSONDecodeError(f"Expecting {sign!r}", text, at)
        return after_space(at + 1)

    at = after("{", after_space(0))
    while text[at : at + 1] != "}":
        key, at = read(text, at)
        at = after(":", after_space(at))
        if key in ("images", "annotations") and text[at : at + 1] == "[":
            entries: list[tuple[int, Any]] = []
            at = after("[", at)
            while text[at : at + 1] != "]":
                entry, end = read(text, at)
                entries.append((at, entry))
                at = after_space(end)
                if text[at : at + 1] != "]":
                    at = after(",", at)
            lists[key] = entries
            at = after("]", at)
        else:
            _, at = read(text, at)
            at = after_space(at)
        if text[at : at + 1] != "}":
            at = after(",", at)
    return lists
