"""Admission: how many pages may have their camera on at once, and how many frames each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

GONE_AFTER_S = 5.0
FRAMES_AT_ONCE = 2  # of one page, as live.js has it


class Admission:
    """Lets in so many pages; one that has been silent for five seconds has left.

    Args:
        places: How many, at least one.

    Raises:
        ValueError: For fewer.
    """

    def __init__(self, places: int) -> None:
        if places < 1:
            raise ValueError(f"there must be room for one page at least, got {places}")
        self.places = places
        self._seen: dict[str, float] = {}
        self._frames: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, page: str, now_s: float | None = None) -> None:
        """Notes that a page is there.

        Args:
            now_s: Of a clock that never goes back; by default this process's.

        Raises:
            ValueError: When all places are taken; the message is for the page.
        """
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            self._seen = {p: t for p, t in self._seen.items() if now_s - t < GONE_AFTER_S}
            if page not in self._seen and len(self._seen) >= self.places:
                raise ValueError(
                    f"{self.places} cameras are on already, more this machine cannot follow. "
                    "Wait for one to stop."
                )
            self._seen[page] = now_s

    @contextmanager
    def frame(self, page: str) -> Iterator[bool]:
        """A context for one frame of a page; False where that has two on their way already.

        Raises:
            ValueError: As :meth:`enter` has it.
        """
        self.enter(page)
        with self._lock:
            admitted = self._frames[page] < FRAMES_AT_ONCE
            self._frames[page] += admitted
        try:
            yield admitted
        finally:
            with self._lock:
                self._frames[page] -= admitted
                if not self._frames[page]:
                    del self._frames[page]
