"""Shares: how much photos, videos and benchmarks of one visitor may compute while others use the app."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

AT_ONCE_S = 60.0  # seconds of one core that a visitor may have computed at once
RATE = 0.25  # of one core, that comes back
LITTLE_S = 1.0  # visitors for whom more was computed leave one place of the queue to others
MOST_WAITING = 4  # jobs of one visitor in the queue
_HERE_S = 60.0  # after a request, a visitor counts as here


class Shares:
    """Who has had how much computed. A visitor who is alone may have as much as there is.

    Args:
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, float] = {}
        self._owed: dict[str, tuple[float, float]] = {}  # seconds, and when they were counted
        self._lock = threading.Lock()

    def see(self, visitor: str) -> None:
        """Notes that a visitor is here."""
        now_s = self._clock()
        with self._lock:
            if visitor not in self._seen:
                self._seen = {v: at for v, at in self._seen.items() if now_s - at < _HERE_S}
            self._seen[visitor] = now_s

    def has_others(self, visitor: str) -> bool:
        """Whether anybody else is here."""
        now_s = self._clock()
        with self._lock:
            return any(v != visitor and now_s - at < _HERE_S for v, at in self._seen.items())

    def spend(self, visitor: str, seconds: float) -> None:
        """Notes seconds of one core that were computed for a visitor."""
        now_s = self._clock()
        with self._lock:
            self._owed = {v: rest for v in self._owed if (rest := self._rest(v, now_s))[0] > 0}
            self._owed[visitor] = self._rest(visitor, now_s)[0] + seconds, now_s

    def has_had_much(self, visitor: str) -> bool:
        """Whether more than a little was computed for a visitor of late."""
        with self._lock:
            return self._rest(visitor, self._clock())[0] > LITTLE_S

    def refusal(self, visitor: str, waiting: int) -> str | None:
        """Why a visitor may start no other job now, in words; None if one may be started.

        Args:
            waiting: The visitor's jobs in the queue.
        """
        if not self.has_others(visitor):
            return None
        if waiting >= MOST_WAITING:
            return f"{waiting} photos or videos of yours are waiting already. Try again when they are done."
        with self._lock:
            over_s = self._rest(visitor, self._clock())[0] - AT_ONCE_S
        if over_s <= 0:
            return None
        return (
            "Your photos and videos have had their share of this machine, which others use as well. "
            f"Try again in {over_s / RATE + 1:.0f} s."
        )

    def _rest(self, visitor: str, now_s: float) -> tuple[float, float]:
        """Seconds computed for a visitor and not made up for by waiting, and now."""
        seconds, at_s = self._owed.get(visitor, (0.0, now_s))
        return max(seconds - RATE * (now_s - at_s), 0.0), now_s
