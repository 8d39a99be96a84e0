"""Face: landmarks, score, quality, pose and openings of one face in a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pfld.geometry import box_of
from pfld.landmarks import WFLW_98, WFLW_TO_IBUG, scheme_with

# Distance of the outer eye corners over the points' root mean square distance from their middle, in the
# averaged frontal head of pfld.head.model (98 points; 6 % more with 68). Unlike the eye corners,
# the spread hardly changes as the head turns: 4 % less at 60 degrees.
EYE_DISTANCE_PER_SPREAD = 1.56

# Points of WFLW_98 of each eye (left in the picture first): outer and inner corner, then the lids'
# upper and lower points above each other; likewise the inner lips.
_EYES = ((60, 64, (61, 62, 63), (67, 66, 65)), (68, 72, (69, 70, 71), (75, 74, 73)))
_LIPS = (88, 92, (89, 90, 91), (95, 94, 93))


class HeadPose(NamedTuple):
    """How the head is turned, in degrees, with the signs of :func:`pfld.head.pose.head_pose`."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, eq=False)
class Face:
    """One face in a picture.

    Attributes:
        landmarks: ``(L, 2)`` float32 in pixels of the picture; the top left corner is 0, 0.
        score: Confidence of the detector, 0..1; for a tracked face, of its last detection.
        quality: Probability, 0..1, that the landmarks' error is under 10 % of the distance of the outer eye
            corners. It is estimated from their uncertainty or, for networks without, from the difference
            to the landmarks of the mirrored crop.
        identity: A number that a face keeps through a video; None for stills.
        point_uncertainty: Expected error of each landmark in pixels of the picture, ``(L,)`` float32; None
            for networks with a regression head.
    """

    landmarks: NDArray[np.float32]
    score: float
    quality: float
    identity: int | None = None
    point_uncertainty: NDArray[np.float32] | None = None

    @cached_property
    def box(self) -> NDArray[np.float32]:
        """The landmarks' bounding box: x0, y0, x1, y1 in pixels, ``(4,)`` float32."""
        return box_of(self.landmarks)

    @cached_property
    def pose(self) -> HeadPose:
        """Yaw, pitch and roll of the head, in degrees.

        Raises:
            ValueError: For landmarks that define no pose, see :func:`pfld.head.pose.head_pose`.
        """
        from pfld.head.pose import head_pose

        return HeadPose(*(float(angle) for angle in np.rad2deg(head_pose(self.landmarks)[0])))

    @property
    def eye_opening(self) -> tuple[float, float]:
        """Lid distance over eye width, left eye in the picture first; about 0.3 open, 0.1 closed.

        Raises:
            ValueError: For other than 98 landmarks.
        """
        left, right = (_opening(self._wflw("eye openings"), *eye) for eye in _EYES)
        return left, right

    @property
    def mouth_opening(self) -> float:
        """Distance of the inner lips over the inner mouth's width; 0 for a closed mouth.

        Raises:
            ValueError: For other than 98 landmarks.
        """
        return _opening(self._wflw("the mouth opening"), *_LIPS)

    @property
    def landmarks_68(self) -> NDArray[np.float32]:
        """The points in 300-W's scheme ``(68, 2)``."""
        if len(self.landmarks) == len(WFLW_TO_IBUG):
            return self.landmarks
        return self._wflw("68 points")[list(WFLW_TO_IBUG)]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, as ``predict --json`` writes them; ``pose`` may be None."""
        values: dict[str, Any] = {
            "box": [round(float(value), 2) for value in self.box],
            "score": round(self.score, 4),
            "quality": round(self.quality, 4),
            "pose": self._pose_dict(),
            "landmarks": [[round(float(x), 2), round(float(y), 2)] for x, y in self.landmarks],
        }
        if self.point_uncertainty is not None:
            values["point_uncertainty"] = [round(float(px), 2) for px in self.point_uncertainty]
        if self.identity is not None:
            values["id"] = self.identity
        if len(self.landmarks) == WFLW_98.num_landmarks:
            values["eye_opening"] = [round(value, 4) for value in self.eye_opening]
            values["mouth_opening"] = round(self.mouth_opening, 4)
        return values

    def _pose_dict(self) -> dict[str, float] | None:
        """Angles by name; None for points that define no pose, such as points on one line."""
        try:
            return {name: round(angle, 2) for name, angle in self.pose._asdict().items()}
        except ValueError:
            return None

    def _wflw(self, what: str) -> NDArray[np.float32]:
        if len(self.landmarks) != WFLW_98.num_landmarks:
            raise ValueError(
                f"{what} need {WFLW_98.num_landmarks} landmarks ({WFLW_98.name}), this face has "
                f"{len(self.landmarks)} ({scheme_with(len(self.landmarks)).name})"
            )
        return self.landmarks


def _opening(
    landmarks: NDArray[np.float32],
    first: int,
    last: int,
    upper: tuple[int, ...],
    lower: tuple[int, ...],
) -> float:
    """Mean distance of ``upper`` from ``lower`` over that of ``first`` from ``last``."""
    gap = np.linalg.norm(landmarks[list(upper)] - landmarks[list(lower)], axis=1).mean()
    width = np.linalg.norm(landmarks[first] - landmarks[last])
    return float(gap / max(width, 1e-6))


def face_size(landmarks: ArrayLike) -> float:
    """The size of a face with points ``(L, 2)``, in their unit: about the outer eye corners' distance.

    Taken from the points' spread, so that it holds for faces that turn away as well.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if not len(points):
        return 0.0
    centered = points - np.add.reduce(points) / len(points)
    return EYE_DISTANCE_PER_SPREAD * math.sqrt(np.vdot(centered, centered) / len(points))
