"""TensorBoard's event file, written at once: what cannot be written is an error here and now."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any


class EventFile:
    """A new event file in a folder.

    TensorBoard's own writer does its work in a thread, which dies with a traceback on a full disk.

    Args:
        purge_step: TensorBoard drops what other files in the folder have from this step on.

    Raises:
        OSError: When it cannot be written.
    """

    def __init__(self, folder: Path, purge_step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        moment = f"{time.time():017.6f}.{socket.gethostname()}.{os.getpid()}"
        self._path = folder / f"events.out.tfevents.{moment}"
        self._file = self._path.open("wb")
        self._writer = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2"))
        self._write(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))

    def add(self, name: str, value: float, step: int) -> None:
        """Notes a value.

        Raises:
            OSError: When it cannot be written.
        """
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        point = Summary.Value(tag=name, simple_value=value)
        self._write(Event(step=step, summary=Summary(value=[point])))

    def close(self) -> None:
        self._file.close()

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        try:
            self._writer.write(event.SerializeToString())
            self._file.flush()
        except OSError as error:
            error.filename = str(self._path)  # a full disk has no name of its own
            raise
