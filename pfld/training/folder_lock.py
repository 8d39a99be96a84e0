"""Lock of a run's folder: one training at a time writes to it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pfld.files import prepare_folder, visible

_LOCK = ".lock"
_HOLDER = ".lock-holder"  # a file of its own: Windows lets nobody read one that is locked
_LONGEST_NOTE = 200  # characters


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """A context in which this process alone trains into ``folder``, which is created and tidied first.

    The system frees the lock when the process ends in any way. On a file system of several hosts it
    holds between hosts only if the file system passes locks on, as NFS does unless it is mounted with
    ``nolock``.

    Raises:
        ValueError: If another training holds the folder; it names the process and its host.
        OSError: If the folder or a file in it cannot be created.
    """
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / _HOLDER
    try:
        lock = FileLock(folder / _LOCK).acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"{folder} is in use by another training ({_noted(holder)}); wait until it ends, or pass "
            "another --out"
        ) from None
    with lock:
        prepare_folder(folder)
        with suppress(OSError):  # a full disk is told by what is written next
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


def _noted(holder: Path) -> str:
    try:
        with holder.open(encoding="utf-8", errors="replace") as note:
            text = note.read(_LONGEST_NOTE)
    except OSError:  # it has just begun
        text = ""
    return visible(text) or "its process is not known"
