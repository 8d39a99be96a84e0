"""Progress of a training run: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import time

from accelerate import Accelerator
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pfld.training.clock import RunClock
from pfld.training.config import TrainingConfig

_SECONDS_BETWEEN_LINES = 30


class TrainingProgress:
    """Progress of decoding and of training; silent on all processes but the first."""

    def __init__(self, config: TrainingConfig, accelerator: Accelerator) -> None:
        self._config = config
        self._shown = accelerator.is_main_process
        self._console = Console(stderr=True, quiet=not self._shown, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not (self._shown and self._console.is_terminal),
        )
        self._task: TaskID | None = None
        self._printed = 0.0

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def print(self, line: str) -> None:
        """Prints a line on standard error, above the bar."""
        self._console.print(line, markup=False, soft_wrap=True)

    def decoded(self, done: int, total: int) -> None:
        """Shows how many faces have been cut out of their pictures."""
        if self._task is None:
            self._task = self._bar.add_task("cutting out faces", total=total, rate="")
        self._bar.update(self._task, completed=done)

    def start(self, clock: RunClock) -> None:
        """Starts the bar of training."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        total = self._config.minutes * 60 or self._config.steps * self._config.batch_size
        self._task = self._bar.add_task(
            "training", total=round(total), completed=round(clock.progress * total), rate=""
        )

    def advance(self, clock: RunClock) -> None:
        """Moves the bar of training to the progress of the run."""
        assert self._task is not None
        total = self._bar.tasks[self._bar.task_ids.index(self._task)].total or 0
        self._bar.update(self._task, completed=round(clock.progress * total))

    def show(self, row: dict[str, float], clock: RunClock) -> None:
        """Shows a row of the history on the bar; as a line if there is no bar or it has a validation."""
        rate = row["images_per_second"]
        assert self._task is not None
        self._bar.update(self._task, rate=f"loss {row['loss']:.1f}  {rate:.1f} images/s")
        now = time.monotonic()
        due = self._bar.disable and now - self._printed > _SECONDS_BETWEEN_LINES
        if not due and "validation_nme" not in row:
            return
        self._printed = now
        left = self._minutes_left(clock, rate)
        nme = f", validation NME {row['validation_nme']:.4f}" if "validation_nme" in row else ""
        self.print(
            f"{row['faces']:,} faces: loss {row['loss']:.2f}{nme}, "
            f"{rate:.1f} images/s, {left:.0f} min left"
        )

    def _minutes_left(self, clock: RunClock, rate: float) -> float:
        """Minutes to the end of the run at the present rate in faces/s."""
        if self._config.minutes:
            return (1 - clock.progress) * self._config.minutes
        faces = self._config.steps * self._config.batch_size
        return (1 - clock.progress) * faces / max(rate, 1e-9) / 60
