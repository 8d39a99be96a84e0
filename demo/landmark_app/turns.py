"""Turns: how many frames are looked at at once, over all visitors."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A context in which so many may be at once; the others come in as they came to it.

    Without, frames would share the processor in parts so small that all are late, and each would
    need a detector of its own.

    Args:
        at_once: How many, at least one.

    Raises:
        ValueError: For fewer.
    """

    def __init__(self, at_once: int) -> None:
        if at_once < 1:
            raise ValueError(f"one must be able to have a turn at least, got {at_once}")
        self._free = at_once
        self._line: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            mine = threading.Event()
            self._line.append(mine)
        mine.wait()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._line:  # nobody who comes now may be quicker
                self._line.popleft().set()
            else:
                self._free += 1
