"""Face tracking in camera frames for the app: plain values in and out, without Gradio."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landmark_app.camera.frames import face_to_json, shifts_to_json
from landmark_app.camera.visitor import Visitor
from landmark_app.comparison import compare
from landmark_app.models import Choice, Models

MOST_FACES = 8


def on_frame(
    models: Models,
    visitor: Visitor,
    image_rgb: NDArray[np.uint8] | None,
    time_s: float,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """The faces in a visitor's next frame, as JSON values.

    Args:
        image_rgb: ``(H, W, 3)`` uint8; None and frames of a few pixels have no faces.
        time_s: When the frame was taken, in seconds from any start.
        settings: "network", "mode", "smoothing" and "max_faces".

    Returns:
        "faces", the milliseconds "network_ms" and "server_ms", and "jitter", a fraction of the face's
        size; or only "late", if a later frame was processed before.

    Raises:
        ValueError: For settings or a time out of range, or a network that cannot be loaded.
    """
    choice = Choice(str(settings.get("network")), str(settings.get("mode")))
    smoothing = bool(settings.get("smoothing", True))
    max_faces, time_s = _limits(settings, time_s)
    with visitor.lock, models.turns:
        start = time.perf_counter()
        if visitor.is_past(time_s):
            return {"late": True}
        faces = visitor.follow(
            models, choice, image_rgb, time_s, max_faces=max_faces, smoothing=smoothing
        )
        return {
            "faces": [face_to_json(face) for face in faces],
            "network_ms": 0.0 if image_rgb is None else _ms(visitor.network_s),
            "server_ms": _ms(time.perf_counter() - start),
            "jitter": round(visitor.jitter, 6),
        }


def on_pair_frame(
    models: Models,
    visitor: Visitor,
    image_rgb: NDArray[np.uint8] | None,
    time_s: float,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """The faces in a visitor's next frame from two networks, on the same crops and not smoothed.

    Args:
        image_rgb, time_s: As for :func:`on_frame`.
        settings: "first" and "second", each a choice as text, and "max_faces".

    Returns:
        "panes" with two lists of faces; "shifts" as of
        :func:`landmark_app.camera.frames.shifts_to_json`; "network_ms" with two latencies,
        "server_ms", and the distances "largest_px" and "mean_px"; or only "late", if a later frame was
        processed before. Which network runs first changes from frame to frame.

    Raises:
        ValueError: As :func:`on_frame`.
    """
    first, second = (Choice.parse(settings.get(name, "")) for name in ("first", "second"))
    finder = models.preferred(first.network)
    max_faces, time_s = _limits(settings, time_s)
    with visitor.lock, models.turns:
        start = time.perf_counter()
        if visitor.is_past(time_s):
            return {"late": True}
        faces = visitor.follow(
            models, finder, image_rgb, time_s, max_faces=max_faces, smoothing=False
        )
        landmarker = models.landmarker(first)
        crops = [landmarker.crop_around(face.landmarks) for face in faces]
        backends = models.backend(first), models.backend(second)
        image = np.zeros((1, 1, 3), np.uint8) if image_rgb is None else image_rgb
        visitor.second_first = not visitor.second_first
        result = compare(image, crops, *backends, second_first=visitor.second_first)
        return {
            "panes": [
                [face_to_json(replace(f, landmarks=p)) for f, p in zip(faces, points)]
                for points in (result.first, result.second)
            ],
            "shifts": shifts_to_json(result.first, result.second),
            "network_ms": [_ms(result.first_s), _ms(result.second_s)],
            "server_ms": _ms(time.perf_counter() - start),
            "largest_px": result.largest_px,
            "mean_px": result.mean_px,
        }


def _limits(settings: Mapping[str, Any], time_s: float) -> tuple[int, float]:
    """The number of faces and the time, checked."""
    try:
        max_faces, time_s = int(settings.get("max_faces", 1)), float(time_s)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"the number of faces and the time are numbers: {error}") from error
    if not 1 <= max_faces <= MOST_FACES or not math.isfinite(time_s):
        raise ValueError(f"1 to {MOST_FACES} faces can be followed, got {max_faces} at {time_s} s")
    return max_faces, time_s


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
