"""Files of annotations from any system: UTF-8 or UTF-16 text, names in any case and Unicode form."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from pfld.media.signatures import PICTURE_SUFFIXES

# Of pictures that differ in the suffix only, the first of these is taken.
_PREFERRED = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path, *, errors: str = "strict") -> str:
    """The text of a file in UTF-8, with or without a byte order mark, or in UTF-16 with one.

    Args:
        errors: What happens to other bytes, as ``bytes.decode`` takes it.

    Raises:
        ValueError: For other bytes, naming file and line.
    """
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith(_UTF_16) else "utf-8-sig"
    try:
        return data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}:{line}: this is not UTF-8; save the file as UTF-8") from None


def read_lines(path: Path, *, errors: str = "strict") -> list[str]:
    """The lines of a file without their ends, which may be those of any system; else :func:`read_text`."""
    return re.split(r"\r\n|\r|\n", read_text(path, errors=errors))


def folded(name: str) -> str:
    """A name such that those which differ in case or Unicode form only become equal."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())


def files_ending(folder: Path, suffix: str, *, deep: bool = False) -> list[Path]:
    """The files of a folder with a suffix in any case, sorted; hidden ones (``._a.pts``) left out.

    Args:
        deep: Look into subfolders as well.

    Raises:
        ValueError: For a name that is not UTF-8.
    """
    paths = folder.rglob("*") if deep else folder.glob("*")
    found = sorted(
        path
        for path in paths
        if path.suffix.lower() == suffix and not path.name.startswith(".") and path.is_file()
    )
    for path in found:
        _require_unicode(str(path.relative_to(folder)), f"{folder}")
    return found


def _require_unicode(name: str, source: str) -> None:
    """Raises ValueError for a name with bytes that are no UTF-8, as old archives leave them."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = name.encode(errors="backslashreplace").decode()
        raise ValueError(f"{source}: the name {shown!r} is not UTF-8; rename the file") from None


def parts_inside(name: str, source: str, folder: Path) -> tuple[str, ...]:
    r"""The parts of a relative path that an annotation names; ``\`` separates them as on Windows.

    Raises:
        ValueError: For a path that leads out of its folder, is absolute or no Unicode.
    """
    _require_unicode(name, source)
    windows = PureWindowsPath(name)
    leads_out = name.startswith(("/", "\\")) or windows.drive or ".." in windows.parts
    if leads_out:
        raise ValueError(f"{source}: the picture {name!r} lies outside {folder}")
    return windows.parts


class Names:
    """Names in folders, found in any case and Unicode form; each folder is listed once."""

    def __init__(self) -> None:
        self._listed: dict[Path, dict[str, list[str]]] = {}
        self._stems: dict[Path, dict[str, list[str]]] = {}

    def find(self, folder: Path, *parts: str) -> Path | None:
        """The file or folder at a path in a folder, or None.

        An exact match comes first, then one in another Unicode form, then the only one in another case.
        """
        path = folder.joinpath(*parts)
        if os.path.lexists(path):
            return path
        for part in parts:
            if not os.path.lexists(folder / part):
                alike = self._listing(folder).get(folded(part), [])
                found = _most_alike(part, alike)
                if found is None:
                    return None
                part = found
            folder /= part
        return folder

    def picture(self, folder: Path, stem: str) -> Path | None:
        """The picture of a name without its suffix, or with it (``a.jpg`` for ``a.jpg.txt``), or None."""
        if PurePosixPath(stem).suffix.lower() in PICTURE_SUFFIXES:
            found = self.find(folder, stem)
            if found is not None:
                return found
        if folder not in self._stems:
            self._stems[folder] = _grouped(
                (name for names in self._listing(folder).values() for name in names), _picture_stem
            )
        names = self._stems[folder].get(folded(stem), [])
        chosen = _most_alike(stem, {os.path.splitext(name)[0] for name in names})
        for name in sorted(names, key=_rank):
            if os.path.splitext(name)[0] == chosen and (folder / name).is_file():
                return folder / name
        return None

    def _listing(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listed:
            try:
                names = sorted(os.listdir(folder))
            except (OSError, ValueError):  # no folder, or not a valid name
                names = []
            self._listed[folder] = _grouped(names, folded)
        return self._listed[folder]


def _grouped(names: Iterable[str], key: Callable[[str], str | None]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        group = key(name)
        if group is not None:
            groups.setdefault(group, []).append(name)
    return groups


def _picture_stem(name: str) -> str | None:
    stem, suffix = os.path.splitext(name)
    return folded(stem) if suffix.lower() in PICTURE_SUFFIXES and name[0] != "." else None


def _most_alike(name: str, others: Iterable[str]) -> str | None:
    others = list(others)
    composed = unicodedata.normalize("NFC", name)
    same = [other for other in others if unicodedata.normalize("NFC", other) == composed]
    if name in others:
        return name
    if same:
        return same[0]
    return others[0] if len(others) == 1 else None


def _rank(name: str) -> tuple[int, str]:
    suffix = os.path.splitext(name)[1].lower()
    return (_PREFERRED.index(suffix) if suffix in _PREFERRED else len(_PREFERRED)), name
