"""Detection of video container formats by file signature."""

from __future__ import annotations

import re
from pathlib import Path

_LOOKED_AT = 512  # bytes
_SIGNATURES = re.compile(
    rb".{4}(ftyp|styp|moov|mdat|free|skip|wide|pnot)"  # MP4, MOV, 3GP
    rb"|RIFF.{4}AVI|\x1aE\xdf\xa3|FLV|OggS"  # AVI, Matroska and WebM, FLV, Ogg
    rb"|0&\xb2u\x8ef\xcf\x11|\0\0\x01"  # ASF, MPEG
    rb"|\x47.{187}\x47|.{4}\x47.{191}\x47",  # MPEG transport streams, of cameras with times before
    re.DOTALL,
)


def is_video_container(path: Path) -> bool:
    """Whether a file begins with the signature of a container that holds its video itself.

    FFmpeg detects formats by content, not by name, and for a playlist it opens the files listed there.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        return _SIGNATURES.match(file.read(_LOOKED_AT)) is not None
