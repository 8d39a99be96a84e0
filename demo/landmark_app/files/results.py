"""Result folders: made for files that visitors download, removed when they are old."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "result-"


def new_folder(folder: Path) -> Path:
    """Makes a folder in ``folder`` with a name that cannot be guessed; its path."""
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))


def remove_old(folder: Path, older_than_s: float) -> int:
    """Removes folders that :func:`new_folder` made longer ago than that; returns how many."""
    last_s = time.time() - older_than_s
    old = [own for own in folder.glob(_PREFIX + "*") if _changed_s(own) < last_s]
    for own in old:
        shutil.rmtree(own, ignore_errors=True)
    return len(old)


def _changed_s(path: Path) -> float:
    """When a folder was last changed, in seconds; infinity for one that has been removed."""
    try:
        return path.stat().st_mtime
    except OSError:
        return math.inf
