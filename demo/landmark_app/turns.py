"""Turns: a first-come, first-served semaphore that limits how many pictures are processed at once.

The limit is over all visitors, their camera frames, photos and videos. Each camera has one frame in work at
most, see :class:`landmark_app.camera.visitor.Visitor`.
"""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A context that a limited number of threads may be in; others enter in the order they came.

    Without a limit all frames would share the processor, so that all would be late, and each would
    need a detector of its own. A thread that has a turn keeps it when it enters again.

    Args:
        at_once: Most threads at once, at least one.

    Raises:
        ValueError: For a limit below one.
    """

    def __init__(self, at_once: int) -> None:
        if at_once < 1:
            raise ValueError(f"one must be able to have a turn at least, got {at_once}")
        self._free = at_once
        self._line: deque[threading.Event] = deque()
        self._lock = threading.Lock()
        self._own = threading.local()  # how often this thread has entered

    def __enter__(self) -> None:
        if not self._entered:
            self._take()
        self._own.entered = self._entered + 1

    def __exit__(self, *_: object) -> None:
        self._own.entered = self._entered - 1
        if not self._entered:
            self._pass_on()

    @property
    def _entered(self) -> int:
        return getattr(self._own, "entered", 0)

    def _take(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            mine = threading.Event()
            self._line.append(mine)
        mine.wait()

    def _pass_on(self) -> None:
        with self._lock:
            if self._line:  # the turn passes on directly, so that no newcomer can take it
                self._line.popleft().set()
            else:
                self._free += 1
