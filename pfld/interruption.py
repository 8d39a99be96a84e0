"""Ctrl-C handling: the first one asks to stop between two steps, the second one stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Interruption:
    """A context in which the first Ctrl-C sets :attr:`requested`, and the second one acts as usual.

    A KeyboardInterrupt at an arbitrary place may get lost, for example in the import of an extension module.
    Outside of the main thread, and where Ctrl-C is ignored, this does nothing.

    Args:
        signals: The signals that count as a request; by default Ctrl-C (SIGINT) alone.
    """

    def __init__(self, signals: tuple[signal.Signals, ...] = (signal.SIGINT,)) -> None:
        self.requested = False
        self._signals = signals
        self._previous: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in self._signals:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
