"""Training log: a CSV file, TensorBoard events and curves, kept with the checkpoints."""

from __future__ import annotations

import csv
import io
import os
import socket
import time
from pathlib import Path
from typing import Any

from pfld.files import write_whole
from pfld.plots import figure_bytes, new_figure

COLUMNS = ("step", "faces", "loss", "lr", "augmentation", "images_per_second", "validation_nme")


class History:
    """One row per logged step; values that were not measured are missing from a row.

    Args:
        rows: Rows of the run so far, if it is resumed. TensorBoard drops later ones.
    """

    def __init__(self, folder: Path, rows: list[dict[str, float]] | None = None) -> None:
        self.folder = folder
        self.rows = list(rows or [])
        last = int(self.rows[-1]["step"]) if self.rows else 0
        self._board = EventFile(folder / "tensorboard", purge_step=last + 1)

    def add(self, row: dict[str, float]) -> None:
        """Adds a row, also to TensorBoard's events."""
        self.rows.append(row)
        for name, value in row.items():
            if name not in ("step", "faces"):
                self._board.add(name, value, int(row["step"]))

    def write(self) -> None:
        """Writes the CSV file and the curves."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(self.rows)
        write_whole(self.folder / "log.csv", text.getvalue())
        write_whole(self.folder / "curves.png", curves_png(self.rows))

    def close(self) -> None:
        """Closes TensorBoard's event file."""
        self._board.close()


class EventFile:
    """An event file for TensorBoard in a folder; events are written at once.

    TensorBoard's own writer works in a thread, which dies with a traceback on a full disk.

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
        """Writes a value.

        Raises:
            OSError: When it cannot be written.
        """
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        point = Summary.Value(tag=name, simple_value=value)
        self._write(Event(step=step, summary=Summary(value=[point])))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        try:
            self._writer.write(event.SerializeToString())
            self._file.flush()
        except OSError as error:
            error.filename = str(self._path)  # the error of a full disk names no file
            raise


def curves_png(rows: list[dict[str, Any]]) -> bytes:
    """Loss, validation error and learning rate against faces seen, as a PNG file's bytes."""
    figure = new_figure(11, 3.4)
    panels = figure.subplots(1, 3)
    for axes, name, title in zip(
        panels,
        ("loss", "validation_nme", "lr"),
        ("training loss", "validation NME (inter-ocular)", "learning rate"),
    ):
        points = [(row["faces"], row[name]) for row in rows if name in row]
        if points:
            axes.plot(*zip(*points), marker="." if len(points) < 60 else "")
        axes.set(title=title, xlabel="faces seen")
        axes.grid(alpha=0.3)
    if any("loss" in row for row in rows):
        panels[0].set_yscale("log")
    return figure_bytes(figure, dpi=110)
