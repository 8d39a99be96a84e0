"""Ctrl-C and termination as a request, granted between two steps by all processes at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """A context in which the first Ctrl-C or SIGTERM sets :attr:`stopped`; a second one is obeyed."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._requested = False
        self.stopped = False
        self._previous: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> StopRequest:
        self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def check(self) -> bool:
        """Whether any process has been asked to stop. All processes have to call this together."""
        requested = self._requested
        if self._accelerator.num_processes > 1:
            flag = torch.tensor(float(requested), device=self._accelerator.device)
            requested = self._accelerator.reduce(flag, "sum").item() > 0
        self.stopped = self.stopped or requested
        return self.stopped

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
