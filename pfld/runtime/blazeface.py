"""BlazeFace: MediaPipe's two face detection models, in ONNX Runtime.

Source: Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond neural face detection on mobile GPUs". The models
are converted by ``tools/results/convert_detector.py``, which says what the files take and return.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pfld.geometry import box_overlaps
from pfld.runtime.forks import OpenedInEachProcess
from pfld.runtime.onnx_session import open_session

# Input sizes of the models, in pixels. Short range finds faces from a fifth of the view on,
# at any roll; full range also smaller ones, but hardly any that are turned by more than 45 degrees.
SHORT, FULL = 128, 192
_FOLDER = Path(__file__).parent / "models"
_FILES = {SHORT: "face_detection_short_range.onnx", FULL: "face_detection_full_range.onnx"}
# Source of both: MediaPipe's face_detection_short_range_common.pbtxt and
# face_detection_full_range_common.pbtxt, min_score_thresh and min_suppression_threshold.
_LEAST_SCORES = {SHORT: 0.5, FULL: 0.6}
_SAME_FACE = 0.3  # intersection over union above which two boxes are of one face


class Detection(NamedTuple):
    """A face in a square picture, in fractions of its side.

    Attributes:
        score: Confidence, 0..1.
        center: x, y of the middle of the box, ``(2,)`` float32.
        size: Width and height of the box, ``(2,)`` float32.
        eyes: The subject's right eye, then the left one, ``(2, 2)`` float32.
    """

    score: float
    center: NDArray[np.float32]
    size: NDArray[np.float32]
    eyes: NDArray[np.float32]


class BlazeFace:
    """One of the models. Threads may share it, and forked processes use it.

    Args:
        size: Side of the pictures it takes: :data:`SHORT` or :data:`FULL`.
    """

    def __init__(self, size: int) -> None:
        self._least_score = _LEAST_SCORES[size]
        reopen = partial(open_session, _FOLDER / _FILES[size])
        self._session = OpenedInEachProcess(reopen, reopen())

    def __call__(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Faces in an RGB picture ``(size, size, 3)`` uint8, best first."""
        given = {"pictures_rgb": picture[None]}
        (scores,), (places,) = self._session().run(["scores", "places"], given)
        kept = (scores >= self._least_score) & (places[:, 1] > 0).all(axis=1)
        return _merged(scores[kept], places[kept])


def _merged(scores: NDArray[np.float32], places: NDArray[np.float32]) -> list[Detection]:
    """Weighted non-maximum suppression.

    Boxes that overlap the best one become one face with its score, at the mean place; scores are the
    weights. Source: algorithm WEIGHTED of MediaPipe's NonMaxSuppressionCalculator.

    Args:
        scores, places: ``(N,)`` and ``(N, 8, 2)`` as the model returns them.
    """
    order = np.argsort(-scores, kind="stable")
    scores, places = scores[order], places[order]
    faces = []
    while len(scores):
        halves = places[:, 1] / 2
        boxes = np.concatenate([places[:, 0] - halves, places[:, 0] + halves], axis=1)
        same = box_overlaps(boxes[:1], boxes)[0] > _SAME_FACE
        same[0] = True  # whatever rounding makes of a tiny box
        center, size, *points = np.average(places[same], axis=0, weights=scores[same])
        faces.append(Detection(float(scores[0]), center, size, np.array(points[:2])))
        scores, places = scores[~same], places[~same]
    return faces
