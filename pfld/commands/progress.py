"""Progress bars of predictions on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from pfld.files import visible
from pfld.prediction.run import PredictionProgress
from pfld.prediction.sources import Source

_NAME_LENGTH = 30  # characters


class TerminalProgress(PredictionProgress):
    """Bars on standard error, if that is a terminal: one for all sources, one for the current video.

    Each problem is a line on standard error in any case. Use it as a context manager.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._all: TaskID | None = None
        self._video: TaskID | None = None

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def planned(self, waiting: int, done_before: int) -> None:
        self._all = self._bars.add_task("all", total=waiting, unit="files/s")

    def began(self, source: Source, num_frames: int | None) -> None:
        name = visible(source.name)
        if len(name) > _NAME_LENGTH:
            name = "…" + name[1 - _NAME_LENGTH :]
        assert self._all is not None
        self._bars.update(self._all, description=name)
        if source.kind == "camera":
            self._print(f"recording {source.name}; Ctrl-C ends it")
        if num_frames is not None:
            self._video = self._bars.add_task("frames", total=num_frames or None, unit="frames/s")

    def advanced(self) -> None:
        assert self._video is not None
        self._bars.advance(self._video)

    def ended(self) -> None:
        assert self._all is not None
        self._bars.advance(self._all)
        if self._video is not None:
            self._bars.remove_task(self._video)
            self._video = None

    def warn(self, line: str) -> None:
        self._print(line)

    def _print(self, line: str) -> None:
        self._console.print(visible(line), markup=False, soft_wrap=True)


class _RateColumn(TextColumn):
    """Items per second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or 0
        rate = task.completed / elapsed if elapsed > 0 and task.completed else None
        return Text("" if rate is None else f"{rate:.1f} {task.fields['unit']}")


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, if that is a terminal.

    Gives a function to call with how many are done, and how many there are.
    """
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
