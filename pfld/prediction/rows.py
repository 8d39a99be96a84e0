"""Faces as lines of JSON (JSON Lines), and rows of CSV and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pfld.runtime.face import Face

if TYPE_CHECKING:
    import pyarrow

_ABOUT = ("source", "frame", "time_s", "face_id")
_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
_POSE = ("yaw", "pitch", "roll")
_OPENINGS = ("eye_opening_left", "eye_opening_right", "mouth_opening")
_PARQUET_TYPES = {"source": "string", "frame": "int64", "time_s": "float64", "face_id": "int64"}


def json_line(
    source: str,
    faces: list[Face],
    size_hw: tuple[int, int],
    *,
    frame: int | None = None,
    time_s: float | None = None,
) -> str:
    """One picture, or one frame of a video, as a line of JSON, without the newline.

    Args:
        frame, time_s: Index from 0 and seconds, for videos.
    """
    values: dict[str, Any] = {"source": source, "width": size_hw[1], "height": size_hw[0]}
    if frame is not None and time_s is not None:
        values |= {"frame": frame, "time_s": round(time_s, 4)}
    values["faces"] = [face.to_dict() for face in faces]
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def csv_header(num_landmarks: int) -> list[str]:
    """Names of the CSV columns."""
    points = [f"{axis}_{index}" for index in range(num_landmarks) for axis in "xy"]
    unsure = [f"uncertainty_{index}" for index in range(num_landmarks)]
    return [*_ABOUT, *_BOX, "score", "quality", *_POSE, *_OPENINGS, *points, *unsure]


def csv_rows(line: str) -> Iterator[list[Any]]:
    """A row for each face in a line of :func:`json_line`; None where a column does not apply.

    Faces in pictures are numbered from 1, those in videos by the number that stays with them.
    """
    picture = json.loads(line)
    for index, face in enumerate(picture["faces"], 1):
        about = [picture["source"], picture.get("frame"), picture.get("time_s")]
        pose = face["pose"] or {}
        numbers = [*face["box"], face["score"], face["quality"], *map(pose.get, _POSE)]
        openings = [*face.get("eye_opening", (None, None)), face.get("mouth_opening")]
        points = [value for point in face["landmarks"] for value in point]
        unsure = face.get("point_uncertainty", [None] * len(face["landmarks"]))
        yield [*about, face.get("id", index), *numbers, *openings, *points, *unsure]


def parquet_schema(num_landmarks: int) -> pyarrow.Schema:
    """The columns of CSV with their types; float32 for measured ones.

    Raises:
        ModuleNotFoundError: Without PyArrow.
    """
    import pyarrow

    names = csv_header(num_landmarks)
    return pyarrow.schema([(name, _PARQUET_TYPES.get(name, "float32")) for name in names])


def parquet_table(rows: Sequence[Sequence[Any]], schema: pyarrow.Schema) -> pyarrow.Table:
    """Rows as a table; without rows an empty one.

    Raises:
        ModuleNotFoundError: Without PyArrow.
    """
    import pyarrow

    columns = zip(*rows) if rows else [()] * len(schema)
    arrays = [pyarrow.array(column, kind) for column, kind in zip(columns, schema.types)]
    return pyarrow.table(arrays, schema=schema)
