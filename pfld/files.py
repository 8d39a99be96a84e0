"""Atomic writes, where a file is either complete or not there, and names of files for the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unicodedata import category

_STEERING = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of characters, ends of lines
_TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # of reading


@contextmanager
def replacing(path: str | Path, *, partial: Path | None = None) -> Iterator[Path]:
    """A temporary path to write to, renamed to ``path`` on success; on failure the old file stays.

    Creates the folder of ``path``.

    Args:
        partial: The temporary path, on the same file system; by default beside ``path``.

    Raises:
        OSError: If the file cannot be written; the error names a file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial or path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # the error of a full disk names no file
        raise
    finally:
        partial.unlink(missing_ok=True)


def visible(text: str) -> str:
    """Text for a terminal, on one line: characters that would steer it are escaped."""
    return "".join(
        ascii(char)[1:-1] if category(char) in _STEERING or char in _TURNING else char
        for char in text
    )


def write_whole(path: str | Path, data: bytes | str) -> None:
    """Writes a file atomically with :func:`replacing`; text as UTF-8.

    Raises:
        OSError: If the file cannot be written.
    """
    with replacing(path) as partial:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)


def prepare_folder(folder: Path) -> None:
    """Creates a folder that one process writes to, and removes partial files of a killed process.

    Raises:
        OSError: If the folder or a file in it cannot be created.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".probe.{os.getpid()}.part"
    probe.touch()
    for partial in folder.glob(".*.part"):
        partial.unlink()
