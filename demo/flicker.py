"""FlickerMeter: how much landmarks flicker, from frames that may come unevenly."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from pfld.runtime.jitter import jitter

_UNEVEN = 0.15  # by how much of the longer one two steps of time may differ


class FlickerMeter:
    """:func:`pfld.runtime.jitter.jitter` of one face over its last frames.

    Three frames count where their steps of time are alike; else steady motion would count as flicker.

    Args:
        frames: Over how many frames.
    """

    def __init__(self, frames: int = 60) -> None:
        self._last: deque[tuple[float, NDArray[np.float32]]] = deque(maxlen=3)
        self._squares: deque[float] = deque(maxlen=frames)

    def reset(self) -> None:
        """Forgets all frames; for another face."""
        self._last.clear()
        self._squares.clear()

    def add(self, landmarks: NDArray[np.float32], time_s: float) -> float:
        """Takes in a frame's landmarks ``(L, 2)`` and returns :attr:`value`."""
        self._last.append((time_s, landmarks))
        if len(self._last) == 3:
            (first_s, a), (second_s, b), (third_s, c) = self._last
            steps = second_s - first_s, third_s - second_s
            if min(steps) > (1 - _UNEVEN) * max(steps) > 0:
                self._squares.append(jitter(np.stack([a, b, c])) ** 2)
        return self.value

    @property
    def value(self) -> float:
        """A fraction of the face's size; 0 until three frames have come evenly."""
        return math.sqrt(sum(self._squares) / len(self._squares)) if self._squares else 0.0
