"""PredictionFolder: results of predictions, resumable after an interruption at any moment."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from pfld.files import replacing
from pfld.prediction.record import DamagedRecord, RecordDatabase
from pfld.prediction.rows import csv_header, csv_rows, parquet_schema, parquet_table
from pfld.prediction.sources import Source

RECORD = ".predict"  # subfolder for the database and unfinished files
JSON_NAME, CSV_NAME, PARQUET_NAME = FILE_NAMES = "faces.jsonl", "faces.csv", "faces.parquet"
_ROW_GROUP = 2000  # rows of Parquet that are in memory at once

# A source's stamp is the size and time of its file when it was processed, null before. Its problem is
# what was wrong with it although it was processed.
_TABLES = (
    "setting (name TEXT PRIMARY KEY, value TEXT)",
    "source (number INTEGER PRIMARY KEY, key BLOB UNIQUE, target BLOB UNIQUE, stamp TEXT, problem TEXT)",
    "line (source INTEGER, frame INTEGER, text TEXT, UNIQUE (source, frame))",
)


class PredictionFolder:
    """A database of predictions, and the files of results.

    The results of a source are recorded when they are complete. Files are written atomically. Use it as
    a context manager.

    Args:
        settings: The settings that results depend on, by option; the same in all runs in a folder.
        overwrite: Discard the results of earlier runs, and remove their files.

    Raises:
        ValueError: When the folder was begun with other settings, another run is writing into it, or its
            record is damaged.
        OSError: When it cannot be written to.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str], *, overwrite: bool = False
    ) -> None:
        self.folder = folder
        self._overwrite = overwrite
        record = folder / RECORD
        path = record / "record.sqlite"
        for place in (record, path):
            if place.is_symlink():  # results may come from others
                raise ValueError(f"{place} is a link, which is not followed; choose another --out")
        record.mkdir(parents=True, exist_ok=True)
        try:
            self._database = RecordDatabase(path, _TABLES)
        except DamagedRecord as error:
            if not overwrite:
                raise ValueError(f"{error}; --overwrite begins anew") from error
            for old in record.glob("record.*"):
                old.unlink()
            self._database = RecordDatabase(path, _TABLES)
        # Some disks, as those of macOS and Windows, take names in upper and lower case for the same.
        self._distinct = not (record / path.name.upper()).exists()
        try:
            for partial in record.glob("partial.*"):
                partial.unlink()
            if overwrite:
                self._forget()
            self._settle(settings)
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> PredictionFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def plan(self, sources: Sequence[Source], *, copies: bool) -> tuple[list[Source], list[str]]:
        """The sources still to process, with unique targets, and the problems of the other ones.

        A source that was processed before is left out if its file has not changed since.

        Args:
            copies: Whether annotated copies are made; a source whose copy is missing is processed again.

        Raises:
            ValueError: If a file that was not written here is in the way.
        """
        waiting, problems = [], []
        taken = {self._identity(target) for target in self._targets()}
        with self._database.transaction():
            for source in sources:
                known = self._database.query(
                    "SELECT number, target, stamp, problem FROM source WHERE key = ?", source.key
                )
                if known:
                    number, target, stamp, problem = known[0]
                    source = replace(source, target=self._inside(target))
                    same = stamp is not None and stamp == stamp_of(source)
                    if same and (not copies or self._has(source.target)):
                        problems += [problem] if problem else []
                        continue
                    self._database.execute("DELETE FROM line WHERE source = ?", number)
                    self._database.execute(
                        "UPDATE source SET stamp = NULL WHERE number = ?", number
                    )
                else:
                    source = replace(source, target=self._free(source.target, taken))
                    if copies:
                        self._require_ours(source.target)
                    self._database.execute(
                        "INSERT INTO source (key, target) VALUES (?, ?)",
                        source.key,
                        os.fsencode(source.target),
                    )
                waiting.append(source)
        return waiting, problems

    @contextmanager
    def adding(
        self, source: Source, stamp: str | None = None
    ) -> Iterator[Callable[[int, str], object]]:
        """A function that adds a frame's line, by index; all are recorded at the end, or none.

        Args:
            stamp: Of the file when it was read, see :func:`stamp_of`; by default it is read from now on.
        """
        stamp = stamp_of(source) if stamp is None else stamp
        with self._database.transaction():
            ((number,),) = self._database.query(
                "SELECT number FROM source WHERE key = ?", source.key
            )
            yield lambda frame, line: self._database.execute(
                "INSERT INTO line VALUES (?, ?, ?)", number, frame, line
            )
            self._database.execute(
                "UPDATE source SET stamp = ?, problem = NULL WHERE number = ?", stamp, number
            )

    def note(self, source: Source, problem: str) -> None:
        """Records a problem of a source that was processed all the same."""
        self._database.execute("UPDATE source SET problem = ? WHERE key = ?", problem, source.key)

    def writing(self, target: Path, partial: Path | None = None) -> AbstractContextManager[Path]:
        """A temporary path, renamed to ``target``, relative to the folder, on success.

        Args:
            partial: Where a worker has written the file already.

        Raises:
            ValueError: If the way to it leads through a link.
        """
        self._require_no_link(target)
        partial = partial or self.folder / RECORD / f"partial{target.suffix}"
        return replacing(self.folder / target, partial=partial)

    def write_json(self) -> Path:
        """Writes all results, a line for each picture or frame; returns the file."""
        with self.writing(Path(JSON_NAME)) as partial:
            with open(partial, "w", encoding="utf-8", newline="\n") as file:
                for line in self._lines():
                    file.write(line + "\n")
        return self.folder / JSON_NAME

    def write_csv(self, num_landmarks: int) -> Path:
        """Writes all results, a row for each face; returns the file."""
        with self.writing(Path(CSV_NAME)) as partial:
            with open(partial, "w", encoding="utf-8", newline="") as file:
                table = csv.writer(file, lineterminator="\n")
                table.writerow(csv_header(num_landmarks))
                table.writerows(self._rows())
        return self.folder / CSV_NAME

    def write_parquet(self, num_landmarks: int) -> Path:
        """Writes all results, a row for each face, with the columns of CSV; returns the file.

        Raises:
            ModuleNotFoundError: Without PyArrow.
        """
        from pyarrow.parquet import ParquetWriter

        schema = parquet_schema(num_landmarks)
        rows = self._rows()
        with self.writing(Path(PARQUET_NAME)) as partial:
            # Through a file of our own, whose errors are Python's.
            with open(partial, "wb") as file, ParquetWriter(file, schema) as table:
                while group := list(islice(rows, _ROW_GROUP)):
                    table.write_table(parquet_table(group, schema))
        return self.folder / PARQUET_NAME

    def _lines(self) -> Iterator[str]:
        for (number,) in self._database.query("SELECT number FROM source ORDER BY key"):
            lines = "SELECT text FROM line WHERE source = ? ORDER BY frame"
            for (text,) in self._database.execute(lines, number):
                if not isinstance(text, str) or "\n" in text:
                    raise self._database.damaged()
                yield text

    def _rows(self) -> Iterator[list[Any]]:
        for line in self._lines():
            try:
                yield from csv_rows(line)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                raise self._database.damaged() from error

    def _settle(self, settings: Mapping[str, str]) -> None:
        """Records the settings, or compares them with those recorded before."""
        before = dict(self._database.query("SELECT name, value FROM setting"))
        if not before:
            for name in FILE_NAMES:
                self._require_ours(Path(name))
            with self._database.transaction():
                for item in settings.items():
                    self._database.execute("INSERT INTO setting VALUES (?, ?)", *item)
            return
        for name in dict.fromkeys((*before, *settings)):
            if before.get(name) != settings.get(name):
                raise ValueError(
                    f"{self.folder} was begun with {name} {before.get(name)}, now it is "
                    f"{settings.get(name)}; choose another --out, or --overwrite to begin anew"
                )

    def _forget(self) -> None:
        targets = [os.fsencode(name) for name in FILE_NAMES]
        if not self._database.query("SELECT name FROM setting"):
            targets = []
        targets += [target for (target,) in self._database.query("SELECT target FROM source")]
        for target in targets:
            try:
                path = self._inside(target)
                self._require_no_link(path)
            except ValueError:  # no run has written it
                continue
            if self._has(path):  # a path that cannot be was not written
                (self.folder / path).unlink()
        with self._database.transaction():
            for table in ("setting", "source", "line"):
                self._database.execute(f"DELETE FROM {table}")

    def _targets(self) -> list[Path]:
        """Targets of all sources recorded."""
        return [
            self._inside(target) for (target,) in self._database.query("SELECT target FROM source")
        ]

    def _inside(self, target: object) -> Path:
        """A target of the record, as a path.

        Raises:
            DamagedRecord: For one outside the folder, which no run has written.
        """
        if isinstance(target, bytes) and b"\0" not in target:
            path = Path(os.fsdecode(target))
            if path.parts and not path.anchor and not {"..", RECORD} & set(path.parts):
                return path
        raise self._database.damaged()

    def _require_no_link(self, target: Path) -> None:
        """Raises ValueError where a folder between this one and a target is a link to elsewhere."""
        for parent in target.parents[:-1]:
            if (self.folder / parent).is_symlink():
                raise ValueError(f"{self.folder / parent} is a link, which is not followed")

    def _free(self, target: Path, taken: set[str]) -> Path:
        """The target, or one with a number added that no other source has; it is taken then."""
        number, tried = 1, target
        while self._identity(tried) in taken:
            number += 1
            tried = target.with_name(f"{target.stem}-{number}{target.suffix}")
        taken.add(self._identity(tried))
        return tried

    def _identity(self, target: Path) -> str:
        """Equal for targets that are the same file."""
        if self._distinct:
            return str(target)
        return unicodedata.normalize("NFC", str(target)).casefold()

    def _require_ours(self, target: Path) -> None:
        """Raises ValueError for a file that is there already, unless overwriting."""
        if self._has(target) and not self._overwrite:
            raise ValueError(
                f"{self.folder / target} is in the way; choose another --out or give --overwrite"
            )

    def _has(self, target: Path) -> bool:
        return os.path.lexists(self.folder / target)


def stamp_of(source: Source) -> str | None:
    """Size and time of the file; None where there is none."""
    try:
        about = os.stat(source.location) if source.kind != "camera" else None
    except OSError:
        return None
    return f"{about.st_size} {about.st_mtime_ns}" if about else ""
