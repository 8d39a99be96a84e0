"""Shares: how much photos, videos and benchmarks of one visitor may compute while others use the app."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

AT_ONCE_S = 30.0  # seconds of one core that a visitor may have computed at once
CORES = 0.5  # that all visitors get back together; each who is here has an equal part
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
        with self._lock:
            return any(v != visitor for v in self._here(self._clock()))

    def rate(self) -> float:
        """The part of a core that comes back to each visitor."""
        with self._lock:
            return self._rate(self._clock())

    def spend(self, visitor: str, seconds: float) -> None:
        """Notes seconds of one core that were computed for a visitor."""
        now_s = self._clock()
        with self._lock:
            rate = self._rate(now_s)
            self._owed = {
                v: (rest, now_s) for v in self._owed if (rest := self._rest(v, now_s, rate))
            }
            self._owed[visitor] = self._rest(visitor, now_s, rate) + seconds, now_s

    def has_had_much(self, visitor: str) -> bool:
        """Whether more than a little was computed for a visitor of late."""
        now_s = self._clock()
        with self._lock:
            return self._rest(visitor, now_s, self._rate(now_s)) > LITTLE_S

    def refusal(self, visitor: str, waiting: int) -> str | None:
        """Why a visitor may start no other job now, in words; None if one may be started.

        Args:
            waiting: The visitor's jobs in the queue.
        """
        if not self.has_others(visitor):
            return None
        if waiting >= MOST_WAITING:
            return f"{waiting} photos or videos of yours are waiting already. Try again when they are done."
        now_s = self._clock()
        with self._lock:
            rate = self._rate(now_s)
            over_s = self._rest(visitor, now_s, rate) - AT_ONCE_S
        if over_s <= 0:
            return None
        return (
            "Your photos and videos have had their share of this machine, which others use as well. "
            f"Try again in {over_s / rate + 1:.0f} s."
        )

    def _rest(self, visitor: str, now_s: float, rate: float) -> float:
        """Seconds computed for a visitor and not made up for by waiting."""
        seconds, at_s = self._owed.get(visitor, (0.0, now_s))
        return max(seconds - rate * (now_s - at_s), 0.0)

    def _rate(self, now_s: float) -> float:
        return CORES / max(len(self._here(now_s)), 2)

    def _here(self, now_s: float) -> list[str]:
        return [visitor for visitor, at in self._seen.items() if now_s - at < _HERE_S]
