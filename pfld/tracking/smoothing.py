"""Smoothing of landmarks in videos: a filter that suppresses noise and follows motion at once.

The offset of a frame from the smoothed points is split into a motion that all points share (shift and
linear map) and a rest for each point. The shared motion is averaged over many points, so it has only a
fraction of the noise of one point. Each part is followed slowly if it is as small as the measured noise,
and at once if it is larger.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pfld.runtime.face import EYE_DISTANCE_PER_SPREAD, face_size

FRAME_S = 1 / 30  # seconds; frame interval that gains refer to, also assumed if time stands still
REST_S = 0.4  # seconds; time constant for offsets as small as the noise
HOLD_S = 0.04  # seconds; time constant with which detected motion fades
MEMORY_S = 0.5  # seconds over which the noise is averaged
NOISE_MEDIAN = 1.1774  # median length of a plane normal vector with standard deviation 1

# Limits (least, most) of the measured noise: standard deviation per axis, in face sizes.
SHARED_NOISE = (0.0015, 0.0075)
POINT_NOISE = (0.002, 0.016)
SHARED_THRESHOLD = 4.0  # x noise; at 30 frames a second the shared part lags 0.57 of this at most
POINT_THRESHOLD = 3.5  # x noise

_Activity = TypeVar("_Activity", float, NDArray[np.float64])


class LandmarkSmoother:
    """Smooths the landmarks of one face, frame by frame.

    On a still face with white noise of 0.5 to 1 % of the face's size per point and axis, at 30 frames a
    second, points move 7 times less from frame to frame. Whatever its speed, a face as a whole lags
    0.35 % of its size at most where noise is independent from point to point, and 1.7 % where points
    shake together.

    Every threshold is relative to the face's size, see :func:`pfld.runtime.face.face_size`, and gains
    follow from the time between frames.

    Args:
        strength: Factor on the measured noise; 1 is made for webcams, 0 smooths almost nothing.
        gap_s: After this many seconds without a frame, or when time jumps back by as much, smoothing starts
            anew.

    Raises:
        ValueError: For a strength below 0 or a gap that is not positive.

    Source: speed-dependent gain as in the 1 Euro filter (Casiez et al. 2012); here it depends on how
    far a frame lies from the smoothed points, over measured noise, and is separate for shared motion.
    """

    def __init__(self, *, strength: float = 1.0, gap_s: float = 0.5) -> None:
        if not strength >= 0 or not gap_s > 0:
            raise ValueError(
                f"strength must be 0 or more and gap_s positive, got {strength} and {gap_s}"
            )
        self.strength = strength
        self.gap_s = gap_s
        self.reset()

    def reset(self) -> None:
        """Forgets the face; the next landmarks are returned unchanged."""
        self._smooth: NDArray[np.float64] | None = None

    def __call__(self, landmarks: ArrayLike, time_s: float) -> NDArray[np.float32]:
        """The smoothed landmarks ``(L, 2)`` float32.

        Args:
            landmarks: ``(L, 2)`` in pixels. If some are not finite, all are returned unchanged and
                smoothing starts anew.
            time_s: When the frame was taken, in seconds from anywhere. Times may repeat or step back.

        Raises:
            ValueError: For another shape, or a time that is not finite.
        """
        points = np.array(landmarks, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(f"landmarks must have shape (L, 2), got {points.shape}")
        require_time(time_s)
        size = face_size(points) if np.isfinite(points).all() else 0.0
        if not size > 0:
            self.reset()
        elif (
            self._smooth is None
            or self._smooth.shape != points.T.shape
            or abs(time_s - self._time_s) > self.gap_s
        ):
            self._start(points.T, time_s)
        else:
            self._follow(points.T, time_s, size)
            return self._smooth.T.astype(np.float32)
        return points.astype(np.float32)

    def _start(self, points: NDArray[np.float64], time_s: float) -> None:
        self._smooth, self._time_s, self._interval_s = points, time_s, FRAME_S
        self._previous = points
        self._step: NDArray[np.float64] | None = None
        self._shared_noise, self._point_noise = SHARED_NOISE[0], math.sqrt(math.prod(POINT_NOISE))
        self._shift_activity = self._turn_activity = 0.0
        self._point_activity: NDArray[np.float64] = np.zeros(points.shape[1])

    def _follow(self, points: NDArray[np.float64], time_s: float, size: float) -> None:
        assert self._smooth is not None
        interval_s = time_s - self._time_s
        if interval_s <= 0:
            interval_s = self._interval_s
        design = np.ones((3, points.shape[1]))
        design[1:] = _centered(self._smooth) * (EYE_DISTANCE_PER_SPREAD / size)
        self._measure_noise(points, design, interval_s, size)

        shared_threshold = SHARED_THRESHOLD * self._shared_noise * self.strength * size + 1e-12
        threshold = POINT_THRESHOLD * self._point_noise * self.strength * size + 1e-12
        offset = points - self._smooth
        motion = _shared_motion(offset, design, threshold)
        rest = offset - motion @ design
        # A turn moves points as far as they are from the middle, which is about 1 in the design.
        hold = math.exp(-interval_s / HOLD_S)
        self._shift_activity, self._turn_activity = (
            max((math.hypot(*part) / shared_threshold) ** 4, hold * activity)
            for part, activity in (
                (motion[:, 0], self._shift_activity),
                (motion[:, 1:].ravel(), self._turn_activity),
            )
        )
        squared = _squared_lengths(rest) / threshold**2
        self._point_activity = np.maximum(squared * squared, hold * self._point_activity)

        motion[:, 0] *= _gain(self._shift_activity, interval_s)
        motion[:, 1:] *= _gain(self._turn_activity, interval_s)
        rest *= _gain(self._point_activity, interval_s)
        change: NDArray[np.float64] = motion @ design + rest
        self._smooth = self._smooth + change
        self._time_s, self._interval_s = time_s, min(interval_s, self.gap_s)

    def _measure_noise(
        self,
        points: NDArray[np.float64],
        design: NDArray[np.float64],
        interval_s: float,
        size: float,
    ) -> None:
        """Measures the noise by how far points deviate from steady motion in three frames."""
        step = points - self._previous
        if self._step is not None:
            ratio = interval_s / self._interval_s
            # For white noise, this combination of three frames has so many times its deviation.
            deviation = math.sqrt(1 + (1 + ratio) ** 2 + ratio**2)
            jerk = (step - ratio * self._step) / (size * deviation)
            shared = jerk @ design.T / points.shape[1]
            # The design's rows are close to independent and of length 1, which is enough here.
            squared = _squared_lengths(jerk - shared @ design)
            new = 1 - math.exp(-interval_s / MEMORY_S)
            self._shared_noise += new * (
                _within(math.hypot(*shared[:, 0]) / NOISE_MEDIAN, SHARED_NOISE) - self._shared_noise
            )
            self._point_noise += new * (
                _within(math.sqrt(_median(squared)) / NOISE_MEDIAN, POINT_NOISE) - self._point_noise
            )
        self._previous, self._step = points, step


def _shared_motion(
    offset: NDArray[np.float64], design: NDArray[np.float64], threshold: float
) -> NDArray[np.float64]:
    """The shift and linear map ``(2, 3)`` that fit most offsets ``(2, L)``, on a design ``(3, L)``."""
    middle = offset.shape[1] // 2
    # A robust fit in two rounds from the median: an opening mouth is no motion of the face.
    rest = offset - np.partition(offset, middle, axis=1)[:, middle, None]
    for _ in range(2):
        weighted = (design / (1 + _squared_lengths(rest) / threshold**2)).T
        motion = offset @ weighted @ _inverse(design @ weighted)
        rest = offset - motion @ design
    return motion


def _inverse(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of a symmetric ``(3, 3)``, with a ridge for points on a line.

    Written out, as LAPACK may wake its threads for it, which takes a millisecond on a busy machine.
    """
    (a, b, c), (_, d, e), (_, _, f) = moments.tolist()
    ridge = 1e-6 * a
    d, f = d + ridge, f + ridge
    aa, ab, ac = d * f - e * e, c * e - b * f, b * e - c * d
    determinant = a * aa + b * ab + c * ac
    bb, bc, cc = a * f - c * c, b * c - a * e, a * d - b * b
    return np.array([[aa, ab, ac], [ab, bb, bc], [ac, bc, cc]]) / determinant


def _gain(activity: _Activity, interval_s: float) -> _Activity:
    """The part of an offset, 0..1, that is corrected within a frame."""
    return 1 - math.exp(-interval_s / REST_S) * (1 + activity) ** (-interval_s / FRAME_S)


def _centered(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points ``(2, L)`` about their mean."""
    return points - np.add.reduce(points, axis=1, keepdims=True) / points.shape[1]


def _squared_lengths(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = vectors
    return x * x + y * y


def _median(values: NDArray[np.float64]) -> float:
    middle = len(values) // 2
    return float(np.partition(values, middle)[middle])


def _within(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])


def require_time(time_s: float) -> None:
    """Raises ValueError for a time that is not finite, TypeError for what is no number."""
    try:
        if math.isfinite(time_s):
            return
        said = str(time_s)
    except OverflowError:
        said = "a number too large for a float"
    except TypeError:
        raise TypeError(f"time_s must be a number, got {type(time_s).__name__}") from None
    raise ValueError(f"time_s must be finite, got {said}")
