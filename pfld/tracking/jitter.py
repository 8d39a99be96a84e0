"""Jitter: how much landmarks flicker in a video."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pfld.runtime.face import EYE_DISTANCE_PER_SPREAD, face_size

_UNEVEN = 0.15  # part of the longer one by which two time steps may differ


class JitterMeter:
    """Flicker of one face's landmarks over the frames of the last moments.

    If frames come with times, three consecutive ones count only if their time steps are about equal;
    otherwise steady motion would count as flicker.

    Args:
        frames: How many frames, at least three.

    Raises:
        ValueError: For fewer than three frames.
    """

    def __init__(self, frames: int = 30) -> None:
        if frames < 3:
            raise ValueError(f"flicker shows in three frames or more, got frames={frames}")
        self._last: deque[NDArray[np.float64]] = deque(maxlen=3)
        self._times_s: deque[float | None] = deque(maxlen=3)
        self._squares: deque[float] = deque(maxlen=frames - 2)

    def reset(self) -> None:
        """Forgets all frames; for another face, or after a gap."""
        self._last.clear()
        self._times_s.clear()
        self._squares.clear()

    def add(self, landmarks: ArrayLike, time_s: float | None = None) -> float:
        """Takes in a frame's landmarks ``(L, 2)`` and returns :attr:`value`.

        Another number of points than before, or points that :func:`jitter` refuses, reset the meter.

        Args:
            time_s: When the frame was taken, in seconds; for all frames or none.
        """
        points = np.array(landmarks, dtype=np.float64)
        if not np.isfinite(points).all() or not face_size(points) > 0:
            self.reset()
            return self.value
        if self._last and self._last[-1].shape != points.shape:
            self.reset()
        self._last.append(points)
        self._times_s.append(time_s)
        if len(self._last) == 3 and self._even():
            self._squares.append(float(_squared_flicker(np.stack(self._last))[0]))
        return self.value

    def _even(self) -> bool:
        """Whether the last three frames came at equal steps, as far as is known."""
        first, second, third = self._times_s
        if first is None or second is None or third is None:
            return True
        steps = second - first, third - second
        return min(steps) > (1 - _UNEVEN) * max(steps) > 0

    @property
    def value(self) -> float:
        """:func:`jitter` of the window; 0 while there are fewer than three frames."""
        return math.sqrt(sum(self._squares) / len(self._squares)) if self._squares else 0.0


def jitter(landmarks_sequence: ArrayLike) -> float:
    """Normalised flicker of one face's landmarks ``(T, L, 2)``, as a fraction of the face's size.

    The root mean square over frames and points of ``|p[t] - 2 p[t-1] + p[t-2]| / sqrt(3)``, over
    :func:`pfld.runtime.face.face_size` of frame ``t-1``. Steady motion adds nothing. Noise that is
    independent from frame to frame counts as in the differences of consecutive frames: ``2 sigma`` for
    ``sigma`` per axis. Real acceleration counts too, so compare figures of the same video.

    Raises:
        ValueError: For another shape, fewer than three frames, numbers that are not finite, or points
            all in one place.

    Source: normalised mean flicker (NMF) of Micaelli et al., "Recurrence without Recurrence", CVPR 2023:
    the root mean square of how the error changes from frame to frame, over the face's size. There the
    error is against annotations; here, without any, against steady motion.
    """
    points = np.asarray(landmarks_sequence, dtype=np.float64)
    if points.ndim != 3 or points.shape[0] < 3 or not points.shape[1] or points.shape[2] != 2:
        raise ValueError(
            f"landmarks must have shape (T, L, 2) with T of at least 3, got {points.shape}"
        )
    if not np.isfinite(points).all() or not points.var(axis=1).sum(axis=1).all():
        raise ValueError("landmarks must be finite and not all in one place")
    return math.sqrt(_squared_flicker(points).mean())


def _squared_flicker(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The squares that :func:`jitter` averages, of all frames ``(T, L, 2)`` but the first and last."""
    broken = points[2:] - 2 * points[1:-1] + points[:-2]
    spread = points[1:-1].var(axis=1).sum(axis=1)
    return (broken**2).sum(axis=2).mean(axis=1) / (3 * EYE_DISTANCE_PER_SPREAD**2 * spread)
