"""Atomic writes: files that are there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path, *, partial: Path | None = None) -> Iterator[Path]:
    """Where to write what becomes ``path`` if all goes well; on failure what was there stays.

    Makes the folder of ``path``.

    Args:
        partial: Where to write, on the same file system; by default beside ``path``.

    Raises:
        OSError: When it cannot be written, with a file's name in it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial or path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk has no name of its own
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: str | Path, data: bytes | str) -> None:
    """Writes a file as :func:`replacing` has it; text as UTF-8."""
    with replacing(path) as partial:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)


def prepare_folder(folder: Path) -> None:
    """Makes a folder that one process writes to, and removes what a killed one left half-written.

    Raises:
        OSError: When the folder or a file in it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".probe.{os.getpid()}.part"
    probe.touch()
    for partial in folder.glob(".*.part"):
        partial.unlink()
