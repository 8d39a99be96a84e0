"""Cache of decoded crops on disk: entries are written atomically and verified by checksums."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FORMAT = 2  # of the files in an entry

_BUILDING = ".building-"
_ABANDONED_S = 3600.0  # since the last write, after which an unfinished entry counts as abandoned

Crops: TypeAlias = "np.memmap[Any, np.dtype[np.uint8]]"
Entry = tuple[
    NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32], tuple[str, ...]
]


def read_entry(entry: Path) -> Entry | None:
    """Crops (memory-mapped), landmarks, attributes, label spreads and pictures of an entry.

    None if the entry is missing or damaged. Shapes are as in :class:`pfld.data.face_set.FaceSet`.
    """
    try:
        about = json.loads((entry / "about.json").read_text())
        crops = np.load(entry / "crops.npy", mmap_mode="r", allow_pickle=False)
        with np.load(entry / "faces.npz", allow_pickle=False) as arrays:
            landmarks, attributes = arrays["landmarks"], arrays["attributes"]
            spread, pictures = arrays["label_spread"], tuple(arrays["pictures"].tolist())
        parts = (crops, landmarks, attributes, spread, pictures)
        whole = all(len(part) == about["count"] for part in parts)
        whole = whole and about["crc32"] == zlib.crc32(crops)  # faces.npz has its own
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        return None
    return parts if whole else None


@contextmanager
def new_entry(entry: Path) -> Iterator[Path]:
    """A folder to write an entry's files in; it becomes the entry on success, else it is removed.

    If another process has made the entry first, that one is kept.

    Raises:
        OSError: If the folder cannot be created or renamed.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(entry.parent)
    building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=entry.parent))
    try:
        yield building
        try:
            building.rename(entry)
        except OSError:
            if not entry.is_dir():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def new_crops(building: Path, shape: tuple[int, int, int, int]) -> Crops:
    """A memory-mapped array of that shape, in the file of an entry's crops.

    Its disk space is allocated at once: otherwise a full disk would kill the process with a signal.

    Raises:
        OSError: If there is not enough space.
    """
    path = building / "crops.npy"
    crops = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return crops


def write_faces(building: Path, crops: Crops, count: int, **arrays: Any) -> None:
    """Completes an entry: keeps the first ``count`` crops, and writes other arrays and the checksum."""
    crops.flush()
    used = crops[:count]
    if count < len(crops):
        np.save(building / "kept.npy", used)
        os.replace(building / "kept.npy", building / "crops.npy")
    np.savez(building / "faces.npz", **arrays)
    about = {"format": FORMAT, "count": count, "crc32": zlib.crc32(used.data)}
    (building / "about.json").write_text(json.dumps(about))


def _remove_abandoned(folder: Path) -> None:
    for building in folder.glob(_BUILDING + "*"):
        try:
            last_s = max(path.stat().st_mtime for path in (building, *building.iterdir()))
        except OSError:
            continue  # just finished by another process
        if time.time() - last_s > _ABANDONED_S:
            shutil.rmtree(building, ignore_errors=True)
