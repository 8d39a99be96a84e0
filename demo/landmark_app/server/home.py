"""The app's own folder: everything it writes is in it, for a limited time and up to a limited size."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: folders of apps that were killed stay
    fcntl = None  # type: ignore[assignment]

PREFIX = "pfld-demo-"
KEPT_S = 3600  # seconds that uploads and results are kept
_LOCK = "lock"
_BLOCK = 4096  # bytes that a file or folder takes at least
_UNFINISHED_S = 600.0  # that files are kept which are still written, or never will be
_SAFE_S = 300.0  # what changed more recently is not removed to make room
_IN_WORK_S = 10.0  # what changed more recently, and is nobody's yet, may still be written


class Home:
    """A new folder under the system's temporary folder. Folders of apps that no longer run are removed.

    Args:
        kept_s: Seconds that anything in it is kept.
        most_bytes: Its largest size.

    Attributes:
        folder: Holds everything below.
        files: Uploads and results, served to pages.
        scratch: Temporary files of this process and the ones it starts; not served.

    Raises:
        OSError: When it cannot be made.
    """

    def __init__(self, kept_s: float, most_bytes: float) -> None:
        base = Path(tempfile.gettempdir()).resolve()
        remove_abandoned(base)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        self._lock = _lock_new(self.folder)
        self.files = self.folder / "files"
        self.scratch = self.folder / "scratch"
        self.files.mkdir(mode=0o700)
        self.scratch.mkdir(mode=0o700)
        self.kept_s = kept_s
        self.most_bytes = most_bytes
        self._lasting: frozenset[Path] = frozenset()
        self._visitors: dict[Path, str] = {}  # who has uploaded an entry, or looked at it first

    def use_for_temporary_files(self) -> None:
        """Makes ``scratch`` the temporary folder of this process and the ones it starts."""
        tempfile.tempdir = str(self.scratch)
        os.environ["TMPDIR"] = str(self.scratch)

    def keep_what_is_here(self) -> None:
        """Keeps the files that are there now, which are the page's own, until the app ends."""
        self._lasting = frozenset(self._entries())

    def tidy(self) -> int:
        """Removes what is too old; returns the bytes of the rest.

        Files that are not in a folder are temporary ones, as of uploads that broke off.
        """
        now = time.time()
        return self._remove(
            lambda entry, changed_s, _: (
                now - changed_s
                > (self.kept_s if entry.is_dir() else min(self.kept_s, _UNFINISHED_S))
            )
        )

    def claim(self, paths: Iterable[str], visitor: str, *, uploaded: bool = False) -> None:
        """Notes whose the files at these paths are: of who uploaded them, else of who asked first."""
        for path in map(Path, paths):
            if self.files in path.parents:
                entry = self.files / path.relative_to(self.files).parts[0]
                if uploaded or entry not in self._visitors:
                    self._visitors[entry] = visitor

    def make_room(
        self, needed_bytes: float, visitor: str | None = None, own_bytes: float = 0
    ) -> bool:
        """Removes the oldest files until there is room for more; returns whether there is.

        What changed within the last minutes stays, so that nobody can push out what others are
        looking at. Only of visitors who would still have more than this one, newer files go as well.

        Args:
            visitor: Who asks for room.
            own_bytes: How much of what is needed is for this visitor.
        """
        room = self.most_bytes - needed_bytes

        def goes(_: Path, changed_s: float, total: int) -> bool:
            return total > room and time.time() - changed_s > _SAFE_S

        total = self._remove(goes)
        if total <= room:
            return True
        if visitor is None:
            return False
        going = self._of_the_greediest(total - room, visitor, own_bytes)
        for entry in going:
            _delete(entry)
        return bool(going)

    def _of_the_greediest(self, missing_bytes: float, visitor: str, own_bytes: float) -> set[Path]:
        """The oldest files of whoever has most, and more than ``visitor``; none if they do not suffice."""
        now = time.time()
        found = [
            (size, entry, self._visitors.get(entry, ""))
            for changed_s, size, entry in self._measured()
            if entry.parent == self.files
            and entry not in self._lasting
            # Files are uploads on their way, new folders results that are written.
            and (entry in self._visitors or (entry.is_dir() and now - changed_s > _IN_WORK_S))
        ]
        used: Counter[str] = Counter()
        for size, _, whose in found:
            used[whose] += size
        own_bytes += used.pop(visitor, 0)
        going: set[Path] = set()
        while missing_bytes > 0:
            greediest, most_bytes = max(used.items(), key=lambda item: item[1], default=("", 0))
            if most_bytes <= own_bytes:
                return set()
            size, entry = next(
                (size, entry)
                for size, entry, whose in found
                if whose == greediest and entry not in going
            )
            going.add(entry)
            used[greediest] -= size
            missing_bytes -= size
        return going

    def end(self) -> None:
        """Removes the folder, even while threads still write into it."""
        ended = self.folder.with_name(self.folder.name + "-ended")
        try:
            self.folder.rename(ended)  # so that nothing new can be made in it
        except OSError:
            ended = self.folder
        shutil.rmtree(ended, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _entries(self) -> Iterator[Path]:
        for place in (self.files, self.scratch):
            with os.scandir(place) as found:
                yield from (Path(entry.path) for entry in found)

    def _measured(self) -> list[tuple[float, int, Path]]:
        """When each entry was last changed, oldest first, and the bytes it takes."""
        return sorted((*_measure(entry), entry) for entry in self._entries())

    def _remove(self, goes: Callable[[Path, float, int], bool]) -> int:
        found = self._measured()
        here = {entry for _, _, entry in found}
        self._visitors = {entry: who for entry, who in self._visitors.items() if entry in here}
        total = sum(size for _, size, _ in found)
        for changed_s, size, entry in found:
            if entry not in self._lasting and goes(entry, changed_s, total):
                _delete(entry)
                total -= size
        return total


def remove_abandoned(base: Path) -> None:
    """Removes folders of apps that ended without removing them, as after ``kill -9``.

    A folder is removed only if it is a folder, no link, of this user, and nobody holds its lock.
    """
    if fcntl is None:
        return
    for folder in base.glob(PREFIX + "*"):
        try:
            about = folder.lstat()
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # the app still runs
            pass
        finally:
            os.close(lock)


def _lock_new(folder: Path) -> int | None:
    """Makes and takes a folder's lock, which the system frees when the process ends in any way."""
    if fcntl is None:
        return None
    unnamed = folder / "new-lock"
    lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(folder / _LOCK)  # under this name it has always been taken
    return lock


def _measure(entry: Path) -> tuple[float, int]:
    """When a file, or anything in a folder, was last changed, and the bytes it takes."""
    changed_s, size = 0.0, 0
    places = [entry]
    while places:
        place = places.pop()
        try:
            about = place.lstat()
            if stat.S_ISDIR(about.st_mode):
                places += place.iterdir()
        except OSError:  # removed meanwhile
            continue
        changed_s = max(changed_s, about.st_mtime)
        size += max(about.st_size, _BLOCK)
    return changed_s, size


def _delete(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
