"""Pictures that would take minutes to decode, known by counts of what lies before and between pixels."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

MOST_SCANS = (
    100  # of a JPEG; progressive pictures have about 10, and each takes as long as a whole picture
)
MOST_BLOCKS = 5000  # before the pixels
MOST_FILLING = 1000  # bytes between the segments of a JPEG
MOST_START = 2**16  # bytes before the pixels of PBM, PGM and PPM files

# A marker of JPEG: no zero, which stands for 255 among pixels, no restart, no filling.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset((0x01, 0xD8))  # markers without a segment
_PLAIN = re.compile(rb"P[1-6]\s+\d+\s+\d")
_GIF_EXTENSION = 0x21


def require_quick(path: Path) -> None:
    """Raises ValueError for a picture file that takes long by how it is made, not by its pixels."""
    with path.open("rb") as file:
        if not file.read(1):
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            problem = _problem(data)
    if problem:
        raise ValueError(f"{path} has {problem} and would take very long to read; save it anew")


def _problem(data: mmap.mmap) -> str | None:
    start = data[:6]
    if start.startswith(b"\xff\xd8\xff"):
        return _problem_of_jpeg(data)
    if start in (b"GIF87a", b"GIF89a"):
        return _problem_of_gif(data)
    if re.match(rb"P[1-6][\s#]", start) and not _PLAIN.match(_without_comments(data[:MOST_START])):
        return f"more than {MOST_START} bytes before its pixels"
    return None


def _without_comments(start: bytes) -> bytes:
    return re.sub(rb"#[^\r\n]*", b"\n", start)


def _problem_of_jpeg(data: mmap.mmap) -> str | None:
    """Counts up to the end of the first picture; others may follow it, and videos."""
    scans, segments, place, marker = 0, 0, 0, 0
    while found := _MARKER.search(data, place):
        if marker != _SCAN and found.start() - place > MOST_FILLING:
            return f"{found.start() - place} bytes between its parts"
        marker, place = data[found.end() - 1], found.end()
        if marker == _END:
            break
        if marker in _ALONE:
            continue
        segments, scans = segments + 1, scans + (marker == _SCAN)
        if scans > MOST_SCANS:
            return f"more than {MOST_SCANS} scans"
        if segments > MOST_BLOCKS:
            return f"more than {MOST_BLOCKS} parts"
        place += int.from_bytes(data[place : place + 2], "big")
    return None


def _problem_of_gif(data: mmap.mmap) -> str | None:
    """Counts blocks up to the first frame."""
    colors = 3 * 2 ** ((data[10] & 7) + 1) if len(data) > 10 and data[10] & 128 else 0
    place, blocks = 13 + colors, 0
    while place + 2 < len(data) and data[place] == _GIF_EXTENSION:
        place += 2
        while place < len(data) and data[place]:
            place, blocks = place + 1 + data[place], blocks + 1
            if blocks > MOST_BLOCKS:
                return f"more than {MOST_BLOCKS} blocks before its pixels"
        place += 1
    return None
