"""Result folders: made for files that visitors download."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def new_folder(folder: Path) -> Path:
    """Makes a folder in ``folder`` with a name that cannot be guessed; its path."""
    return Path(tempfile.mkdtemp(prefix="result-", dir=folder))


@contextmanager
def filled_folder(folder: Path) -> Iterator[Path]:
    """A new folder in ``folder`` to write results into; it is removed if that fails."""
    own = new_folder(folder)
    try:
        yield own
    except BaseException:
        shutil.rmtree(own, ignore_errors=True)  # it may be gone, to make room
        raise
