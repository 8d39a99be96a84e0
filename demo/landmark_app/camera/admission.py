"""Admission: limits how many visitors have a camera on at once, and how many frames each has on its way."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

GONE_AFTER_S = 5.0
FRAMES_AT_ONCE = 2  # of one page; live.js sends no more


class FullError(ValueError):
    """All places are taken."""


class Admission:
    """Places for pages with a camera. A page that sends no frame for five seconds loses its place.

    Args:
        places: Most pages at once, at least one.

    Raises:
        ValueError: For no place at all.
    """

    def __init__(self, places: int) -> None:
        if places < 1:
            raise ValueError(f"there must be room for one page at least, got {places}")
        self.places = places
        self._seen: dict[str, float] = {}
        self._frames: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, page: str, now_s: float | None = None) -> None:
        """Takes a place for a page, or keeps the one it has.

        Args:
            now_s: Time of a monotonic clock, in seconds; by default now.

        Raises:
            FullError: When all places are taken; the message is shown to the visitor.
        """
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            self._seen = {p: t for p, t in self._seen.items() if now_s - t < GONE_AFTER_S}
            if page not in self._seen and len(self._seen) >= self.places:
                raise FullError(
                    f"{self.places} cameras are on already, more this machine cannot follow. "
                    "The Photo tab needs no place."
                )
            self._seen[page] = now_s

    @contextmanager
    def frame(self, page: str) -> Iterator[bool]:
        """A context for one frame of a page; yields False if the page has two in work already.

        Raises:
            FullError: As :meth:`enter`.
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
