"""Detection of pictures and videos by file signature, and the suffixes that they usually have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

# Suffixes looked for in folders. HEIC pictures are among them to be reported if they cannot be read.
PICTURE_SUFFIXES = frozenset(
    ".apng .avif .bmp .dib .gif .heic .heif .hif .j2k .jfif .jp2 .jpe .jpeg .jpg .jpx .mpo .pbm .pgm .png "
    ".pnm .ppm .tif .tiff .webp".split()
)
VIDEO_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .divx .dv .f4v .flv .h264 .h265 .hevc .ivf .m1v .m2t .m2ts .m2v .m4s .m4v .mkv "
    ".mod .mov .mp4 .mpe .mpeg .mpg .mts .mxf .ogm .ogv .qt .rm .rmvb .tod .ts .vob .webm .wmv .wtv "
    ".y4m".split()
)
_LOOKED_AT = 512  # bytes
_STILL = rb"avif|avis|hei[cfmsvx]|hev[cmsx]|mif[12]|msf1|jp2 |jpx "  # brands of pictures in the MP4 format
_SOUND = rb"M4[ABP] "  # and of sound alone
_PICTURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8|BM.{4}\0\0\0\0|II\*\0|MM\0\*|RIFF.{4}WEBP|P[1-6]\s|"
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51|.{4}ftyp(" + _STILL + rb")",
    re.DOTALL,
)
_VIDEO = re.compile(
    rb".{4}(ftyp(?!" + _STILL + rb"|" + _SOUND + rb")|(styp|moov|mdat|free|skip|wide|pnot))"
    rb"|RIFF.{4}AVI|\x1aE\xdf\xa3|FLV|OggS"  # AVI, Matroska and WebM, FLV, Ogg
    rb"|0&\xb2u\x8ef\xcf\x11|\0\0\x01|\0\0\0\x01"  # ASF, MPEG, raw H.264 and H.265
    rb"|YUV4MPEG2|DKIF|\x06\x0e\x2b\x34|\.RMF|nut/multimedia"
    rb"|\x47.{187}\x47|.{4}\x47.{191}\x47",  # MPEG transport streams, of cameras with times before
    re.DOTALL,
)


def media_kind(path: Path) -> Literal["picture", "video"] | None:
    """What a file is by its first bytes: "picture", "video", or None for anything else, pipes included.

    Raises:
        OSError: If the file cannot be read.
    """
    if path.exists() and not path.is_file():  # opening a pipe waits until someone writes into it
        return None
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
    if _PICTURE.match(start):
        return "picture"
    return "video" if _VIDEO.match(start) else None
