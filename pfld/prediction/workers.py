"""Workers: processes that find faces in files, one file at a time, for a prediction run that records them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from pfld.interruption import Interruption
from pfld.media.isolated import read_picture_isolated
from pfld.parent import end_with_parent
from pfld.prediction.folder import RECORD, PredictionFolder, stamp_of
from pfld.prediction.options import PredictionOptions
from pfld.prediction.run import (
    PictureLandmarker,
    PredictionProgress,
    PredictionRun,
    PredictionSummary,
)
from pfld.prediction.sources import Source

_LOOK_EVERY_S = 0.1  # for Ctrl-C
_FAILED_STARTS = 3  # in a row after which starting more is given up
_LINES = ".lines"  # ending of the file of a source's lines


@dataclass(frozen=True)
class Done:
    """What a worker has made of a source.

    Attributes:
        summary: Its counts and problems.
        partial: Where its files lie, without their endings; None if there are none.
        recorded: Whether there are lines to record.
        copied: Whether there is an annotated copy.
        note: A problem to record.
        stamp: Of the file, before it was read.
    """

    summary: PredictionSummary
    partial: Path | None = None
    recorded: bool = False
    copied: bool = False
    note: str | None = None
    stamp: str | None = None

    def record(self, folder: PredictionFolder, source: Source) -> None:
        """Records the lines of a source and moves its copy into place, both or none.

        Raises:
            OSError: If that cannot be written.
        """
        if self.partial is None:
            return
        try:
            if self.recorded:
                self._record(folder, source, self.partial)
        finally:
            _remove(self.partial)

    def _record(self, folder: PredictionFolder, source: Source, partial: Path) -> None:
        with folder.adding(source, self.stamp) as add:
            with open(_with(partial, _LINES), encoding="utf-8", newline="\n") as file:
                for line in file:
                    frame, text = line[:-1].split(" ", 1)
                    add(int(frame), text)
            if self.copied:
                with folder.writing(source.target, _with(partial, source.target.suffix)):
                    pass  # it is there
        if self.note is not None:
            folder.note(source, self.note)


class Workers:
    """Worker processes, started as they are needed and ended with the context.

    Args:
        count: How many work at once.
        landmarker: Copied into each by pickle.
        out: The folder of results.
    """

    def __init__(
        self, count: int, landmarker: PictureLandmarker, options: PredictionOptions, out: Path
    ) -> None:
        self._count = count
        self._arguments = pickle.dumps(landmarker), options, out / RECORD
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def __call__(
        self, sources: Sequence[Source], interruption: Interruption
    ) -> Iterator[tuple[Source, Done]]:
        """The sources as they are done, in any order, until all are, or Ctrl-C.

        A source whose worker dies is done again by another one. If that dies, too, it is left out.

        Raises:
            OSError: If workers cannot be started.
            Exception: What a worker failed with, other than problems of a source.
        """
        waiting = deque(sources)
        blamed: set[Source] = set()
        failed_starts = 0
        while not interruption.requested:
            self._give_out(waiting)
            if not waiting and not any(worker.source for worker in self._workers):
                return
            ready = wait([sign for worker in self._workers for sign in worker.signs], _LOOK_EVERY_S)
            for worker in [w for w in self._workers if not set(w.signs).isdisjoint(ready)]:
                source, message = worker.source, worker.receive()
                if isinstance(message, Exception):
                    raise message
                if isinstance(message, _Ended):
                    self._workers.remove(worker)
                    failed_starts += not worker.started
                    if failed_starts == _FAILED_STARTS:
                        raise OSError(f"worker processes end as they start ({message.status})")
                    if source in blamed:
                        problem = f"two processes ended in it ({message.status})"
                        problems = [f"skipped: {source.name}: {problem}"]
                        yield source, Done(PredictionSummary(problems=problems))
                    elif source is not None:
                        blamed.add(source)
                        waiting.appendleft(source)
                    continue
                failed_starts = 0
                self._give_out(waiting)
                if source is not None and message is not None:
                    yield source, message

    def _give_out(self, waiting: deque[Source]) -> None:
        """Gives each idle worker a source, and starts more workers if there is enough to do."""
        for worker in self._workers:
            if waiting and worker.is_idle:
                worker.give(waiting.popleft())
        starting = sum(not worker.started for worker in self._workers)
        for _ in range(min(self._count - len(self._workers), len(waiting) - starting)):
            self._workers.append(_Worker(*self._arguments))


@dataclass(frozen=True)
class _Ended:
    """A worker process has ended, by itself or otherwise."""

    status: str


class _Worker:
    """A worker process, seen from the process that gives it sources.

    Attributes:
        source: What it does; None while it starts or waits.
        started: Whether it has started.
        signs: What becomes ready when it says something, or ends.
    """

    def __init__(self, landmarker: bytes, options: PredictionOptions, record: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.source: Source | None = None
        self.started = False
        self._record = record
        self._stamp: str | None = None
        self._connection, other = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_work, args=(other, landmarker, options, record), daemon=True
        )
        with other, _ctrl_c_held_back():
            self._process.start()
        self.signs: tuple[Connection, int] = self._connection, self._process.sentinel

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a source."""
        return self.started and self.source is None and self._process.is_alive()

    def give(self, source: Source) -> None:
        """Has it do a source."""
        self.source, self._stamp = source, stamp_of(source)
        try:
            self._connection.send(source)
        except OSError:
            pass  # it has just died, and :meth:`receive` will say so

    def receive(self) -> Done | Exception | _Ended | None:
        """What it says; None once it has started."""
        try:
            message = self._connection.recv() if self._connection.poll() else _Ended("")
        except (OSError, EOFError, pickle.UnpicklingError):  # it died in the middle of a message
            message = _Ended("")
        if isinstance(message, _Ended):
            return _Ended(self.end())
        self.source, self.started = None, True
        return replace(message, stamp=self._stamp) if isinstance(message, Done) else message

    def end(self) -> str:
        """Ends it at once, removes its unfinished files, and returns how it ended."""
        if not self._connection.closed:
            self._connection.close()
        if self.source is not None or not self.started:
            self._process.kill()
        self._process.join(_LOOK_EVERY_S)
        self._process.kill()
        self._process.join()
        _remove(self._record / f"partial.{self._process.pid}")
        code = self._process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit status {code}"


class _Desk(PredictionFolder):
    """In a worker, in place of the folder: keeps lines and the copy of a source in unfinished files."""

    def __init__(self, partial: Path) -> None:
        self._partial = partial
        self.done = Done(PredictionSummary(), partial)

    @contextmanager
    def adding(
        self, source: Source, stamp: str | None = None
    ) -> Iterator[Callable[[int, str], object]]:
        with open(_with(self._partial, _LINES), "w", encoding="utf-8", newline="\n") as file:
            yield lambda frame, line: file.write(f"{frame} {line}\n")
        self.done = replace(self.done, recorded=True)

    @contextmanager
    def writing(self, target: Path, partial: Path | None = None) -> Iterator[Path]:
        yield _with(self._partial, target.suffix)
        self.done = replace(self.done, copied=True)

    def note(self, source: Source, problem: str) -> None:
        self.done = replace(self.done, note=problem)


def _work(
    connection: Connection, landmarker: bytes, options: PredictionOptions, record: Path
) -> None:
    """What a worker process does: sources, one after the other, until its parent has no more or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    warnings.filterwarnings("ignore", module="PIL")
    try:
        own: PictureLandmarker = pickle.loads(landmarker)
        connection.send(None)
        for number in count():
            source: Source = connection.recv()
            desk = _Desk(record / f"partial.{os.getpid()}.{number}")
            run = PredictionRun(
                desk, own, options, PredictionProgress(), Interruption(), read_picture_isolated
            )
            run.do(source)
            connection.send(replace(desk.done, summary=run.summary))
    except EOFError:
        return
    except Exception as error:
        connection.send(_sendable(error))


def _sendable(error: Exception) -> Exception:
    """The error, or one like it if pickle cannot take it."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


@contextmanager
def _ctrl_c_held_back() -> Iterator[Any]:
    """Processes that start meanwhile do not end by Ctrl-C; the one that starts them takes it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _with(partial: Path, ending: str) -> Path:
    return partial.with_name(partial.name + ending)


def _remove(partial: Path) -> None:
    """Removes the unfinished files of a worker."""
    for path in partial.parent.glob(f"{partial.name}.*"):
        path.unlink(missing_ok=True)
