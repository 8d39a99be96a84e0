"""What happened in a run, kept with its checkpoints: rows for a CSV file, TensorBoard and curves."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from pfld.files import write_whole
from pfld.plots import figure_bytes, new_figure
from pfld.training.event_file import EventFile

COLUMNS = ("step", "faces", "loss", "lr", "augmentation", "images_per_second", "validation_nme")


class History:
    """One row per logged step; a value that was not measured there is missing from its row.

    Args:
        rows: Those of the run so far, when it is resumed. TensorBoard drops what it has beyond them.
    """

    def __init__(self, folder: Path, rows: list[dict[str, float]] | None = None) -> None:
        self.folder = folder
        self.rows = list(rows or [])
        last = int(self.rows[-1]["step"]) if self.rows else 0
        self._board = EventFile(folder / "tensorboard", purge_step=last + 1)

    def add(self, row: dict[str, float]) -> None:
        self.rows.append(row)
        for name, value in row.items():
            if name not in ("step", "faces"):
                self._board.add(name, value, int(row["step"]))

    def best(self) -> float:
        """The lowest validation error so far; infinite before the first."""
        return min(
            (r["validation_nme"] for r in self.rows if "validation_nme" in r), default=float("inf")
        )

    def write(self) -> None:
        """The CSV file and the curves, as they stand."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(self.rows)
        write_whole(self.folder / "log.csv", text.getvalue())
        write_whole(self.folder / "curves.png", curves_png(self.rows))

    def close(self) -> None:
        self._board.close()


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
