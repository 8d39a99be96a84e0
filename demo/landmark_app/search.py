"""Faces in photos, looked for by a process of a low priority, so that it takes no turns of camera frames."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfld.media.isolated import look_isolated
from pfld.runtime.detector import DetectedFace, FaceDetector
from pfld.runtime.landmarker import DOUBTFUL_SCORE


def search_isolated(image_rgb: NDArray[np.uint8]) -> list[DetectedFace]:
    """The faces in a photo ``(H, W, 3)`` uint8, as a thorough :class:`FaceDetector` finds them, doubtful too.

    Raises:
        ValueError: When it takes too long; the message is shown to the visitor.
    """
    return [_face(values) for values in look_isolated(found_in, image_rgb)]


def found_in(image_rgb: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """The faces in a photo ``(H, W, 3)`` uint8 as JSON values; for the process."""
    return [_values(face) for face in _detector()(image_rgb, thorough=True)]


@lru_cache(1)
def _detector() -> FaceDetector:
    return FaceDetector(min_score=DOUBTFUL_SCORE)


def _values(face: DetectedFace) -> dict[str, Any]:
    return {
        "box": face.box.tolist(),
        "score": float(face.score),
        "eyes": face.eyes.tolist(),
        "others": [_values(other) for other in face.others],
    }


def _face(values: dict[str, Any]) -> DetectedFace:
    return DetectedFace(
        np.array(values["box"], np.float32),
        values["score"],
        np.array(values["eyes"], np.float32),
        tuple(_face(other) for other in values["others"]),
    )
