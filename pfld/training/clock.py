"""Progress of a training run: by faces seen or, with --minutes, by time."""

from __future__ import annotations

import time

import torch
from accelerate import Accelerator

from pfld.training.config import TrainingConfig


class RunClock:
    """Counts steps and time, also those of a run before it was resumed.

    Attributes:
        step: Steps taken.
        progress: The part of the run that is done, 0 to 1, the same on all processes.
    """

    def __init__(self, config: TrainingConfig, accelerator: Accelerator) -> None:
        self._config = config
        self._accelerator = accelerator
        self._earlier_s = 0.0
        self._started_s: float | None = None
        self.step = 0
        self.progress = 0.0

    @property
    def spent_s(self) -> float:
        """Seconds since the first step, without those between a stop and its resumption."""
        running_s = 0.0 if self._started_s is None else time.monotonic() - self._started_s
        return self._earlier_s + running_s

    @property
    def done(self) -> bool:
        """Whether the run is over."""
        return self.progress >= 1

    def begin(self) -> None:
        """Starts the time, unless it runs; every process calls it before each step."""
        if self._started_s is None:
            self._started_s = time.monotonic()
        self._measure()

    def tick(self) -> None:
        """Counts a step; every process calls it."""
        self.step += 1
        self._measure()

    def resume(self, step: int, spent_s: float) -> None:
        """Continues from that step and time, in seconds."""
        self.step, self._earlier_s, self._started_s = step, spent_s, None
        self._measure()

    def _measure(self) -> None:
        if not self._config.minutes:
            self.progress = self.step / self._config.steps
            return
        progress = min(1.0, self.spent_s / (60 * self._config.minutes))
        if self._accelerator.num_processes > 1:  # all end with the same step
            mine = torch.tensor(progress, device=self._accelerator.device)
            progress = self._accelerator.reduce(mine, "mean").item()
            progress = 1.0 if progress > 1 - 1e-6 else progress
        self.progress = progress
