"""Paths of files to read, and what to say where there is no file: addresses and folders are given as well."""

from __future__ import annotations

import os
import re
from pathlib import Path

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)  # of two slashes a Path keeps one


def file_at(path: str | os.PathLike[str], kind: str) -> Path:
    """The path of a file that is there.

    Args:
        kind: What it should be, such as "picture".

    Raises:
        FileNotFoundError: When there is no file.
        TypeError: For anything but a path.
    """
    if not isinstance(path, (str, os.PathLike)):
        given = type(path).__name__
        raise TypeError(f"give the path of a {kind}, not {given}; write it to a file first")
    if not os.path.isfile(path):  # unlike Path.is_file, also for names too long for a file
        named = _ADDRESS.sub(r"\1://", os.fspath(path), count=1)
        raise FileNotFoundError(f"no {kind} at {named}{why_no_file(path)}")
    return Path(path)


def why_no_file(path: str | os.PathLike[str]) -> str:
    """What more there is to say of a path that is no file: a colon and a reason, or nothing."""
    if _ADDRESS.match(os.fspath(path)):
        return ": addresses are not opened; download the file first"
    return ": it is a folder" if os.path.isdir(path) else ""
