"""Result folders: made for files that visitors download."""

from __future__ import annotations

import tempfile
from pathlib import Path


def new_folder(folder: Path) -> Path:
    """Makes a folder in ``folder`` with a name that cannot be guessed; its path."""
    return Path(tempfile.mkdtemp(prefix="result-", dir=folder))
