"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: str | Path, data: bytes | str) -> None:
    """Writes beside ``path`` and renames; on failure what was at ``path`` stays. Makes its folder.

    Text is written as UTF-8.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
        partial.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk has no name of its own
        raise
    finally:
        partial.unlink(missing_ok=True)


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
