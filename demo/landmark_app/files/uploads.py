"""Uploads: which files the page may name."""

from __future__ import annotations

from pathlib import Path

_REFUSED = "This file is not here. Choose it again."


def uploaded(path: object, folder: Path) -> str:
    """Where an uploaded file is, links followed.

    What a page sends is never trusted, whatever has looked at it before.

    Args:
        path: As the page has it.
        folder: Of all uploads.

    Raises:
        ValueError: For anything but a file in ``folder``; the message does not tell what there is.
    """
    if not isinstance(path, str):
        raise ValueError(_REFUSED)
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # none, links in a circle, no name at all
        raise ValueError(_REFUSED) from error
    if not (real.is_relative_to(folder.resolve()) and real.is_file()):
        raise ValueError(_REFUSED)
    return str(real)
