"""Sources of a prediction run: pictures, videos and cameras from paths, patterns and numbers."""

from __future__ import annotations

import glob
import mimetypes
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pfld.media.file_paths import why_no_file
from pfld.media.signatures import PICTURE_SUFFIXES, VIDEO_SUFFIXES, media_kind

# Videos have these, and other files as well: TypeScript, modules, text.
_SHARED_SUFFIXES = frozenset(".dv .m4s .mod .qt .rm .tod .ts".split())
_COPIED_AS_THEY_ARE = {"picture": {".jpg", ".jpeg", ".png"}, "video": {".mp4"}}
_OTHERWISE = {"picture": ".png", "video": ".mp4"}
_LONGEST_NUMBER = 9  # digits of a camera's; OpenCV takes what 32 bits hold
_LONGEST_NAME, _SHORTENED = 255, 240  # bytes; a number may be added to what was shortened
_ON_WINDOWS = os.name == "nt"
# Devices, with any suffix. Files can have such names on other systems' disks.
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A picture, video or camera to find faces in.

    Attributes:
        location: A file, named as the user did, or a camera's number.
        target: Where its annotated copy goes, relative to the folder of results.
    """

    kind: Literal["picture", "video", "camera"]
    location: Path | int
    target: Path

    @property
    def name(self) -> str:
        """Its name in results."""
        if isinstance(self.location, int):
            return self.target.stem
        return printable(self.location)

    @property
    def key(self) -> bytes:
        """Identifies the file, however it is named."""
        where = self.name if isinstance(self.location, int) else os.path.abspath(self.location)
        return os.fsencode(where)


def find_sources(
    paths: str | Iterable[str | os.PathLike[str]], out: Path
) -> tuple[list[Source], list[str]]:
    """The sources that ``paths`` name, each once, and a line for each problem with a path.

    Folders and their subfolders are searched in order of names, without hidden files and
    ``out``. Annotated copies are placed in the folder structure of the files.

    Args:
        paths: Files, folders, patterns with ``*``, ``?``, ``[...]`` and ``**``, and cameras by number,
            ``-`` for the first. One text is one path.
        out: The folder of results.

    Raises:
        ValueError: If a file or folder lies in ``out``, where it would be mixed up with results.
    """
    found: list[Path | int] = []
    bases: list[str] = []  # absolute folders
    problems: list[str] = []
    for given in [paths] if isinstance(paths, str) else paths:
        text = os.fspath(given)
        path = Path(text)
        if os.path.isdir(text):
            _require_apart(path, out)
            before = len(problems)
            files = sorted(_files_in(path, out, problems))
            bases += [os.path.abspath(path)] * bool(files)
            if not files and len(problems) == before:
                problems.append(f"{printable(path)}: no pictures or videos in it")
        elif os.path.isfile(text):
            _require_apart(path, out)
            files = [path]
            bases.append(os.path.dirname(os.path.abspath(path)))
        elif os.path.exists(text):
            problems.append(f"{printable(path)}: neither a file nor a folder")
            continue
        elif reason := why_no_file(text):
            problems.append(f"{printable(text)}{reason}")
            continue
        elif text == "-" or (text.isascii() and text.isdecimal()):
            number = "0" if text == "-" else text.lstrip("0") or "0"
            if len(number) > _LONGEST_NUMBER:
                problems.append(f"{text[:20]}: no camera has such a number")
            else:
                found.append(int(number))
            continue
        elif glob.has_magic(text):
            files = sorted(_matches(text, out, problems))
            bases += [os.path.dirname(os.path.abspath(file)) for file in files]
            if not files:
                problems.append(f"{printable(path)}: no picture or video of such a name")
        else:
            problems.append(f"{printable(path)}: no such file or folder")
            continue
        found += files
    sources: dict[bytes, Source] = {}
    for location in found:
        source = _source(location, bases)
        sources.setdefault(source.key, source)
    return list(sources.values()), list(dict.fromkeys(problems))


def printable(path: str | os.PathLike[str]) -> str:
    """A path as valid text, with replacement characters for bytes that are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def _source(location: Path | int, bases: list[str]) -> Source:
    if isinstance(location, int):
        # With the time, so that recordings do not replace each other.
        name = f"camera-{location}-{datetime.now():%Y%m%d-%H%M%S}.mp4"
        return Source("camera", location, Path(name))
    path = os.path.abspath(location)
    try:
        target = Path(os.path.relpath(path, os.path.commonpath(bases)))
    except ValueError:  # they are on several drives
        target = Path(location.name)
    kind, suffix = _kind(location), location.suffix.lower()
    if suffix not in _COPIED_AS_THEY_ARE[kind]:
        target = target.with_name(_short_enough(target.name, _OTHERWISE[kind]))
    if _ON_WINDOWS:
        target = Path(*map(_windows_name, target.parts))
    return Source(kind, location, target)


def _short_enough(name: str, suffix: str) -> str:
    """A name with a suffix added, shortened before it where it would be too long for a file."""
    if len(os.fsencode(name + suffix)) > _LONGEST_NAME:
        while len(os.fsencode(name + suffix)) > _SHORTENED:
            name = name[:-1]
    return name + suffix


def _windows_name(name: str) -> str:
    """A name that Windows takes for a file or folder, with underscores in place of what it refuses."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]|[. ]+$', "_", name)
    return f"_{name}" if _WINDOWS_DEVICES.fullmatch(name) else name


def _files_in(folder: Path, out: Path, problems: list[str]) -> Iterator[Path]:
    """Pictures and videos in a folder, unless hidden."""

    def note(error: OSError) -> None:
        problems.append(f"{printable(error.filename)}: {error.strerror or error}")

    for parent, folders, files in os.walk(folder, onerror=note):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not _inside(Path(parent, name), out)
        ]
        for name in files:
            path = Path(parent, name)
            if not name.startswith(".") and _looks_right(path):
                yield path


def _matches(pattern: str, out: Path, problems: list[str]) -> Iterator[Path]:
    """Pictures and videos that match a pattern, and those in folders that match it."""
    for path in map(Path, glob.glob(pattern, recursive=True)):
        if _inside(path, out):
            continue
        if path.is_dir():
            yield from _files_in(path, out, problems)
        elif _looks_right(path):
            yield path


def _kind(path: Path) -> Literal["picture", "video"]:
    """By content, or by name where the content is of no kind known or cannot be read."""
    try:
        kind = media_kind(path)
    except OSError:
        kind = None
    return kind or ("video" if path.suffix.lower() in VIDEO_SUFFIXES else "picture")


def _looks_right(path: Path) -> bool:
    """By name; by content where the name says nothing, as of downloads without a suffix."""
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES | VIDEO_SUFFIXES - _SHARED_SUFFIXES:
        return True
    try:
        if suffix in _SHARED_SUFFIXES:
            return media_kind(path) is not None
        return mimetypes.guess_type(path.name)[0] is None and media_kind(path) is not None
    except OSError:
        return False


def _inside(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _require_apart(path: Path, out: Path) -> None:
    if _inside(path, out):
        raise ValueError(
            f"{printable(path)} lies in the folder of results, {printable(out)}; choose another --out"
        )
