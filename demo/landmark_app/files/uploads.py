"""Upload paths sent by the page, checked to be files of the upload folder."""

from __future__ import annotations

from pathlib import Path

_REFUSED = "This file is not here. Choose it again."


def uploaded(path: object, folder: Path) -> str:
    """The path of an uploaded file, with links resolved.

    A path from the page is never trusted, even if Gradio has checked it.

    Args:
        path: As the page sends it.
        folder: Holds all uploads.

    Raises:
        ValueError: For anything but a file in ``folder``; the message does not tell which files exist.
    """
    if not isinstance(path, str):
        raise ValueError(_REFUSED)
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # no file, a loop of links, no valid name
        raise ValueError(_REFUSED) from error
    if not (real.is_relative_to(folder.resolve()) and real.is_file()):
        raise ValueError(_REFUSED)
    return str(real)
