"""Label table ``label_spread.csv``: which crops come from one picture, and how far labellers disagreed."""

from __future__ import annotations

import csv
import io
import math
import unicodedata
from pathlib import Path

from pfld.data.annotation_files import folded, read_text
from pfld.data.face_annotation import Problems

TABLE = "label_spread.csv"
_DELIMITERS = (
    ",",
    ";",
    "\t",
)  # as programs write them, and Excel where numbers have decimal commas
_NEEDED = {"image", "source_picture"}


def picture_name(path: Path, folder: Path) -> str:
    """A picture's name relative to its data set, the same on every system."""
    return unicodedata.normalize("NFC", path.relative_to(folder).as_posix())


class LabelTable:
    """The rows of a data set's table; empty if it has none.

    Columns are ``image`` (relative to the data set or to ``WFLW_images``), ``source_picture`` and maybe
    ``spread``. Commas, semicolons or tabs may separate them. ``0,01`` is read as 0.01.

    Raises:
        ValueError: For faulty rows, naming file and line.
    """

    def __init__(self, folder: Path) -> None:
        self._rows: dict[str, tuple[str, float]] = {}
        path = folder / TABLE
        if path.is_file():
            self._read(path)

    def row(self, name: str) -> tuple[str, float]:
        """The picture that a picture was cut from, and its labels' spread.

        Without a row, these are the picture itself and NaN.

        Args:
            name: What :func:`picture_name` returns.
        """
        return self._rows.get(name) or self._rows.get(folded(name)) or (name, math.nan)

    def _read(self, path: Path) -> None:
        lines = list(io.StringIO(read_text(path), newline=""))
        skipped = 0
        given = None
        if lines and lines[0].lower().startswith("sep="):  # Excel's own way to name it
            given, skipped = lines[0][4:5], 1
        columns, delimiter = _header(lines[skipped] if len(lines) > skipped else "", given)
        if not _NEEDED <= set(columns):
            raise ValueError(
                f"{path}:{skipped + 1}: columns image and source_picture are needed, separated by "
                "commas, semicolons or tabs"
            )
        rows = csv.reader(lines[skipped + 1 :], delimiter=delimiter)
        problems = Problems()
        try:
            for row in rows:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    source = f"{path}:{skipped + 1 + rows.line_num}"
                    try:
                        self._add(columns, cells, source)
                    except ValueError as error:
                        problems.add(error)
        except csv.Error as error:
            problems.add(f"{path}:{skipped + 1 + rows.line_num}: {error}")
        problems.raise_any()

    def _add(self, columns: list[str], cells: list[str], source: str) -> None:
        if any(cells[len(columns) :]):
            raise ValueError(
                f"{source}: {len(cells)} cells for {len(columns)} columns; a number with a decimal "
                "comma needs quotes, or semicolons between cells"
            )
        row = dict(zip(columns, cells))
        image, origin = row.get("image"), row.get("source_picture")
        if not image or not origin:
            raise ValueError(f"{source}: image and source_picture are needed")
        name = unicodedata.normalize("NFC", image.replace("\\", "/").removeprefix("./"))
        label = (unicodedata.normalize("NFC", origin), _spread(row.get("spread", ""), source))
        for key in (name, f"WFLW_images/{name}"):
            self._rows[key] = label
            self._rows.setdefault(folded(key), label)


def _header(line: str, given: str | None) -> tuple[list[str], str]:
    """The columns that a first line names, and what separates them."""
    for delimiter in [given] if given in _DELIMITERS else _DELIMITERS:
        cells = next(csv.reader([line], delimiter=delimiter), [])
        columns = [cell.strip().lower() for cell in cells]
        if _NEEDED <= set(columns):
            return columns, delimiter
    return [], ","


def _spread(text: str, source: str) -> float:
    if not text:
        return math.nan
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    try:
        spread = float(text)
    except ValueError:
        raise ValueError(f"{source}: spread is a number, got {text[:40]!r}") from None
    if spread < 0 or math.isinf(spread):
        raise ValueError(f"{source}: spread is a fraction of at least 0, got {text!r}")
    return spread
