"""SQLite database of a prediction folder, locked by one process, with readable errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class DamagedRecord(ValueError):
    """The file is not a database, or is damaged."""


class UnwritableRecord(OSError):
    """Nothing can be recorded."""


class RecordDatabase:
    """An SQLite database, locked until it is closed.

    Args:
        tables: Name and columns of each table; missing tables are created.

    Raises:
        DamagedRecord: If the file is damaged, here or in later calls.
        ValueError: If another process uses it.
        UnwritableRecord: If it cannot be written to, here or in later calls.
    """

    def __init__(self, path: Path, tables: Sequence[str]) -> None:
        self._path = path
        try:
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        except sqlite3.Error as error:
            raise self._explained(error) from error
        try:
            self.execute("PRAGMA trusted_schema = OFF")
            self.execute("PRAGMA page_size = 16384")  # several lines a page
            self.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.execute("PRAGMA synchronous = NORMAL")
            with self.transaction("EXCLUSIVE"):
                for table in tables:
                    self.execute(f"CREATE TABLE IF NOT EXISTS {table}")
            # Views and triggers of others would be run.
            kinds = {kind for (kind,) in self.query("SELECT type FROM sqlite_master")}
            if not kinds <= {"table", "index"}:
                raise self.damaged()
        except BaseException:
            self.close()
            raise

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Runs one statement.

        Raises:
            DamagedRecord, ValueError, UnwritableRecord: As the class.
        """
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of one statement."""
        return self.execute(statement, *values).fetchall()

    @contextmanager
    def transaction(self, kind: str = "DEFERRED") -> Iterator[None]:
        """A context whose changes are committed together at the end, or undone after an error."""
        self.execute(f"BEGIN {kind}")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()

    def _explained(self, error: sqlite3.Error) -> Exception:
        folder = self._path.parent.parent
        if "locked" in str(error):
            return ValueError(
                f"another run is writing into {folder}; wait for it or choose another --out"
            )
        if isinstance(error, sqlite3.OperationalError):
            return UnwritableRecord(f"cannot write into {folder}: {error}")
        return self.damaged()

    def damaged(self) -> DamagedRecord:
        """The error that says so."""
        return DamagedRecord(f"the record {self._path} is damaged")
