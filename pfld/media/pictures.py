"""Pictures from files and arrays as RGB, upright by their EXIF orientation or as stored."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pfld.media.file_paths import file_at
from pfld.media.picture_limits import require_quick
from pfld.media.signatures import media_kind

if TYPE_CHECKING:
    from PIL import Image, ImageFile

MOST_PIXELS = 100_000_000  # of a picture from a file; more is a mistake or an attack
_MOST_BYTES = 8 * MOST_PIXELS  # of its numbers, before they are reduced to 8 bits
_AT_ONCE = 2**20  # numbers that are reduced
_BACKGROUND = 255  # grey level behind transparent pixels
_GREY = 128  # of a picture whose pixels are all equal and tell nothing
_PART = 8  # a largest value below this part of 16 bits means that fewer are used
_LOOKED_AT = 1024  # bytes, to tell a format

# Common formats. Pillow reads others too, and runs Ghostscript for one of them. "JPEG" includes MPO.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "JPEG2000", "AVIF", "PPM")
_JPEG = b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HEIC = re.compile(
    rb".{4}ftyp(?:hei[cfmsvx]|hev[cmsx]|(?:mif[12]|msf1)(?!.{4,60}avi[fs]))", re.DOTALL
)
# What people take for pictures, and is not read.
_OTHERS = {
    "a JPEG XL picture": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "a camera's raw picture": rb"FUJIFILMCCD-RAW|.{4}ftypcrx |II(U\0|RO|RS)|FOVb",
    "an OpenEXR picture": rb"v/1\x01",
    "a Radiance picture": rb"#\?(RADIANCE|RGBE)",
    "a Photoshop file": rb"8BPS",
    "a GIMP file": rb"gimp xcf",
    "an icon": rb"\0\0[\1\2]\0[^\0]",
    "a DICOM file": rb".{128}DICM",
    "a PDF document": rb"%PDF-",
    "a PostScript document": rb"%!PS|\xc5\xd0\xd3\xc6",
    "an SVG drawing": rb"\s*(<\?xml.*)?<svg",
    "a web page": rb"(?i:\s*<(!doctype html|html))",
}
# What stands in for pictures, with what to do.
_STAND_INS = {
    "an archive; unpack it": rb"PK\x03\x04|Rar!\x1a|7z\xbc\xaf|\x1f\x8b\x08",
    "a pointer of Git LFS; fetch the picture with git lfs pull": rb"version https://git-lfs",
    "Base64 text; decode it": rb"data:image/|/9j/4|iVBORw0KGgo",
}

# TIFF tags.
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _PLANAR = 256, 257, 258, 262, 284
_STRIPS, _TILES = (273, 279), (324, 325)  # offsets and lengths
_SUBFILE, _SUB_IFDS, _SAMPLE_FORMAT, _DNG_VERSION = 254, 330, 339, 50706


class _RefusedError(ValueError):
    """Says all there is to say about a file that is not read."""


def read_picture(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """The picture ``(H, W, 3)`` uint8 RGB, upright as its EXIF orientation says.

    Transparent pictures get a white background. Animations give their first frame, and files of several
    pictures (MPO, JPEG with a gain map, HEIC) their main one. HEIC needs the extra ``heic``.

    Numbers of more than 8 bits are reduced to 8:

    - 16 bits from 0..65535. In PNG, TIFF and PGM files with a maximum of 65535, a largest value below an
      eighth of that (8192) means that fewer bits are used: the values are then from 0 to the next power
      of two minus one (255, 511, 1023, 2047, 4095 or 8191). Files that state a maximum or a number of
      bits are taken at their word, such as PGM with 1023 or TIFF with 12 bits.
    - 32 bits from 0 to the next power of two minus one. Where there are negative values, as floats.
    - Floats from 0..1 if all lie there, else from 0..255. If some lie outside, as degrees do, the smallest
      becomes black and the largest white, and pixels that are all equal become grey. NaN becomes black.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: For a file that is not a complete picture, of a format that is not read (the message
            names it), or of more than 100 megapixels.
        TypeError: For anything but a path.
    """
    return _read(path, upright=True)


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """The picture ``(H, W, 3)`` uint8 RGB as stored, without its EXIF orientation.

    Annotations refer to stored pixels. All else is as in :func:`read_picture`. Decoders of HEIC and TIFF
    turn pictures upright by themselves; there the result is the same.

    Raises:
        FileNotFoundError, ValueError, TypeError: As :func:`read_picture`.
    """
    return _read(path, upright=False)


def _read(path: str | os.PathLike[str], *, upright: bool) -> NDArray[np.uint8]:
    from PIL import Image

    path = file_at(path, "picture")
    try:
        return as_rgb(_decoded(path, upright=upright))
    except Image.DecompressionBombError:
        raise ValueError(f"{path} has more than {MOST_PIXELS // 10**6} megapixels") from None
    except _RefusedError as error:
        raise ValueError(str(error)) from None
    except MemoryError:
        raise ValueError(f"{path} takes more memory than there is") from None
    except Exception as error:  # damage shows as anything from KeyError to RuntimeError
        raise ValueError(_complaint(path)) from error


def _decoded(path: Path, *, upright: bool) -> NDArray[np.uint8]:
    """The pixels of a file as grey, RGB or RGBA."""
    try:
        require_quick(path)
    except ValueError as error:
        raise _RefusedError(str(error)) from None
    try:
        # Only the header is read here, to check the size before any pixel is decoded.
        with _opened(path) as picture:
            _check_size(path, *picture.size)
            return _pixels(picture, path, upright=upright)
    except OSError:
        if _start(path).startswith(_TIFF):
            pixels = _rare_tiff(path)
            if pixels is not None:
                return pixels
        raise


def _opened(path: Path) -> ImageFile.ImageFile:
    """A Pillow picture of which only the header is read."""
    from PIL import Image, JpegImagePlugin

    start = _start(path)
    if start.startswith(_JPEG):
        # The first picture in the file. Pillow looks for others besides, and stumbles if these are damaged.
        return JpegImagePlugin.JpegImageFile(path)
    if _HEIC.match(start):
        try:
            from pillow_heif import HeifImageFile  # used directly: Pillow as a whole stays as it is
        except ImportError:
            raise _RefusedError(
                f"{path} is a HEIC picture; pip install 'pfld[heic]' to read it"
            ) from None
        return HeifImageFile(path)
    return Image.open(path, formats=_FORMATS)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LOOKED_AT)


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        most = f"{MOST_PIXELS // 10**6} megapixels are the most"
        raise _RefusedError(f"{path} has {width} x {height} pixels; {most}")


def _complaint(path: Path) -> str:
    """What to say of a file that could not be read."""
    from PIL import Image

    start, size = _start(path), path.stat().st_size
    said = f"{path} is not a picture that can be read"
    for name, signature in _OTHERS.items():
        if re.match(signature, start, re.DOTALL):
            return f"{said}: {name} ({size} bytes); save it as JPEG or PNG"
    if media_kind(path) == "video":
        return f"{said}: a video ({size} bytes); pfld predict and VideoReader read videos"
    for name, signature in _STAND_INS.items():
        if re.match(signature, start):
            return f"{said}: {name} ({size} bytes)"
    found = "HEIC" if _HEIC.match(start) else None
    Image.init()  # finds all formats
    for name in _FORMATS if len(start) >= 16 else ():
        _, accepts = Image.OPEN[name]
        if found is None and accepts is not None and accepts(start[:16]) is True:
            found = name
    if found is None:
        return f"{said} ({size} bytes)"
    return f"{said}: {found}, damaged or of a rare kind ({size} bytes); save it anew as JPEG or PNG"


def _upright(picture: Image.Image) -> Image.Image:
    """A Pillow picture as its EXIF orientation says; as it is stored where that cannot be read."""
    from PIL import ImageOps

    picture.load()  # fails for damaged pixels, but not a second time
    try:
        ImageOps.exif_transpose(picture, in_place=True)
    except Exception:  # damaged EXIF fails in many ways; the picture can be used all the same
        pass
    return picture


def _pixels(picture: ImageFile.ImageFile, path: Path, *, upright: bool) -> NDArray[np.uint8]:
    """A Pillow picture as grey, RGB or RGBA."""
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
    _check_tags(path, tags)
    negative = tags.get(_PHOTOMETRIC) == 0
    bits = max(tags.get(_BITS, (0,)))
    unsigned = max(tags.get(_SAMPLE_FORMAT, (1,))) == 1
    deep, full = _has_deep_colors(picture), _known_maximum(picture, bits)
    orientation = _orientation(picture) if upright and deep else 1
    if upright:
        _upright(picture)
    if picture.mode == "F" or picture.mode.startswith("I"):
        values = np.asarray(picture)
        if picture.mode == "I" and picture.format == "PPM":
            values = values.astype(np.uint16)
        elif picture.mode == "I" and bits == 32 and unsigned:
            values = values.view(np.uint32)
        pixels = _in_8_bits(values, full)
        return ~pixels if negative else pixels
    pixels = _colors(picture)
    if deep and pixels[..., :3].max() < 256 // _PART:  # Pillow keeps the upper 8 of 16 bits
        return _deep_colors(path, orientation)
    return pixels


def _colors(picture: Image.Image) -> NDArray[np.uint8]:
    """A Pillow picture of bytes, of any mode, as RGB or RGBA."""
    transparent = "A" in picture.getbands() and picture.mode != "LAB"
    transparent |= "transparency" in picture.info
    return np.asarray(picture.convert("RGBA" if transparent else "RGB"))


def _has_deep_colors(picture: ImageFile.ImageFile) -> bool:
    """Whether a picture that is not decoded yet has channels of 16 bits for colors."""
    if picture.format not in ("PNG", "TIFF", "PPM") or len(picture.getbands()) == 1:
        return False
    arguments: Any = picture.tile[0].args if picture.tile else ""
    if picture.format == "PPM":
        return arguments == ("RGB", 65535)
    return "16" in (arguments if isinstance(arguments, str) else arguments[0])


def _known_maximum(picture: ImageFile.ImageFile, bits: int) -> int | None:
    """The number that is white in a grey picture that is not decoded yet; None if only the pixels tell."""
    if picture.format == "TIFF":
        return 2**bits - 1 if 8 < bits < 16 else None
    if picture.format == "PPM":
        stated = picture.tile and picture.tile[0].codec_name != "raw"  # and scaled by Pillow
        return 65535 if stated else None
    return 65535 if picture.format != "PNG" else None


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation that is left to apply."""
    picture.load()  # EXIF may follow the pixels
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:
        return 1


def _deep_colors(path: Path, orientation: int) -> NDArray[np.uint8]:
    """RGB or RGBA of a file that has 16 bits for a color and uses few of them.

    Raises:
        ValueError: If OpenCV cannot read it, though Pillow can.
    """
    from PIL import Image

    values = _by_opencv(path)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise ValueError("no colors of 16 bits")
    turned = Image.fromarray(_in_8_bits(values))
    turned.getexif()[0x0112] = orientation
    return np.asarray(_upright(turned))


def _check_tags(path: Path, tags: Mapping[int, Any]) -> None:
    """Refuses TIFF files of which decoders make something else than the picture."""
    preview = _SUB_IFDS in tags and int(tags.get(_SUBFILE, 0)) & 1
    if preview or _DNG_VERSION in tags:  # what decoders find is a small preview
        raise _RefusedError(f"{path} is a camera's raw picture; save it as JPEG or PNG")
    if tags.get(_PLANAR) == 2 and len(tags.get(_BITS, ())) > 1 and max(tags[_BITS]) > 8:
        kind = f"a TIFF picture with a plane of {max(tags[_BITS])} bits for each color"
        raise _RefusedError(f"{path} is {kind}, which is not read; save it anew as JPEG or PNG")


def _rare_tiff(path: Path) -> NDArray[np.uint8] | None:
    """A TIFF file that Pillow cannot read, upright; None if OpenCV cannot either.

    Raises:
        _RefusedError: As :func:`read_picture` refuses files.
    """
    from PIL import TiffImagePlugin

    with path.open("rb") as file:
        head = file.read(8)
        head += file.read(8) if head[2] == 43 else b""  # more than 4 GB
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        file.seek(tags.next)
        tags.load(file)
    _check_tags(path, tags)
    width, height, bits = int(tags[_WIDTH]), int(tags[_HEIGHT]), max(tags.get(_BITS, (1,)))
    _check_size(path, width, height)
    if width * height * len(tags.get(_BITS, (1,))) * bits > 8 * _MOST_BYTES:
        raise _RefusedError(
            f"{path} has {width} x {height} pixels of {bits} bits, too many to read"
        )
    starts, lengths = _STRIPS if _STRIPS[0] in tags else _TILES
    ends = [start + length for start, length in zip(tags[starts], tags[lengths])]
    if max(ends) > path.stat().st_size:
        return None
    values = _by_opencv(path)
    if values is None or (bits > 8 and values.dtype == np.uint8):  # OpenCV drops bits
        return None
    # OpenCV shifts fewer than 16 bits up, and turns bytes to black on white by itself.
    pixels = _in_8_bits(values, 65535 if 8 < bits < 16 else None)
    negative = tags.get(_PHOTOMETRIC) == 0 and values.dtype != np.uint8
    return ~pixels if negative else pixels


def _by_opencv(path: Path) -> NDArray[Any] | None:
    """The numbers in a file as grey, RGB or RGBA, TIFF upright and others as stored; None if unreadable."""
    import cv2

    from pfld.media.opencv_log import SILENT, set_log_level

    level = set_log_level(SILENT)  # what is wrong is said here
    try:
        values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    finally:
        set_log_level(level)
    if values is not None and values.ndim == 3:
        values[..., [0, 2]] = values[..., [2, 0]]  # from BGR
    return values


def _in_8_bits(values: NDArray[Any], full: int | None = None) -> NDArray[np.uint8]:
    """Numbers of a file, grey, RGB or RGBA, as :func:`read_picture` says; ``full`` is white where known."""
    if values.ndim == 3 and values.shape[2] == 4:
        parts = values[..., :3], values[..., 3:]
        return np.concatenate([_in_8_bits(part, full) for part in parts], axis=2)
    if values.dtype == np.uint8:
        return values
    rows = max(_AT_ONCE * len(values) // values.size, 1)
    bands = [values[row : row + rows] for row in range(0, len(values), rows)]
    ranges = [(part.min().item(), part.max().item()) for part in map(_finite, bands) if part.size]
    if not ranges:
        raise ValueError("no finite number")
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    scale: float | None
    if values.dtype.kind == "f":
        scale = _float_scale(low, high)
    else:
        white = full or _fitting_maximum(high, values.dtype.itemsize)
        scale = 255 / white if low >= 0 else None
    if scale is None and low == high:
        return np.full(values.shape, _GREY, np.uint8)
    pixels = np.empty(values.shape, np.uint8)
    for band, reduced in zip(bands, np.split(pixels, range(rows, len(values), rows))):
        with np.errstate(all="ignore"):  # NaN, and numbers at the ends of their type
            if scale is None:
                scaled = (band / 2 - low / 2) * (255 / (high / 2 - low / 2))
            else:
                scaled = band * np.float32(scale)
            scaled = np.nan_to_num(scaled, posinf=255)
        reduced[...] = np.rint(np.clip(scaled, 0, 255))
    return pixels


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    """The numbers that are neither NaN nor infinite."""
    return values[np.isfinite(values)]


def _float_scale(low: float, high: float) -> int | None:
    """What makes floats from ``low`` to ``high`` 0..255; None if they are neither 0..1 nor 0..255."""
    if low < 0 or high > 255:
        return None
    return 255 if high <= 1 else 1


def _fitting_maximum(largest: int, itemsize: int) -> int:
    """The number that is white among integers of ``itemsize`` bytes up to ``largest``."""
    full = 2 ** (8 * itemsize) - 1
    if itemsize == 2 and largest > full // _PART:
        return full
    return max(2 ** largest.bit_length() - 1, 255)


def as_rgb(image: ArrayLike | Image.Image) -> NDArray[np.uint8]:
    """An array as ``(H, W, 3)`` uint8 RGB; the array itself if it is that already.

    Args:
        image: A Pillow picture of any mode, taken as it is stored, or an array: ``(H, W)`` or
            ``(H, W, 1)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA. By type:

            - uint8: 0..255.
            - uint16: 0..65535.
            - other integers: 0..255; any number outside is refused.
            - floats: 0..1 if the largest value is at most 1, else 0..255; any number outside is refused,
              and so are NaN and infinities. Alpha is taken by itself.
            - bool: black and white.

    Raises:
        ValueError: For anything else.
    """
    given: Any = image
    pillow = sys.modules.get("PIL.Image")  # not loaded: then this is no picture of it
    if pillow is not None and isinstance(given, pillow.Image):
        has_numbers = given.mode == "F" or given.mode.startswith("I")
        given = np.asarray(given) if has_numbers else _colors(given)
    image = np.asarray(given)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(
            f"a picture has shape (H, W), (H, W, 3) or (H, W, 4), this array {np.shape(given)}"
            + _why_no_picture(given)
        )
    if image.dtype.kind == "u" and image.dtype.itemsize == 2:
        image = (image // 257).astype(np.uint8)
    elif image.dtype != np.uint8:
        parts = (image[..., :3], image[..., 3:]) if image.shape[2] == 4 else (image,)
        image = np.concatenate([_checked(part) for part in parts], axis=2)
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=2)
    if image.shape[2] == 4:
        alpha = image[..., 3:].astype(np.float32) / 255
        blended = image[..., :3] * alpha + _BACKGROUND * (1 - alpha)
        return np.rint(blended).astype(np.uint8)
    return image


def _why_no_picture(given: Any) -> str:
    """What more there is to say of something that has not the shape of a picture."""
    shape = np.shape(given)
    if given is None:
        return "; it is None, as OpenCV gives for a file that it cannot read"
    if isinstance(given, (str, bytes, os.PathLike)):
        return "; read files with pfld.read_picture"
    if len(shape) == 4:
        return "; give one picture at a time"
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return "; channels come last, as after np.moveaxis(image, 0, 2)"
    return ""


def _checked(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Bools, integers or floats of an array as :func:`as_rgb` says."""
    dtype = values.dtype
    if dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if dtype.kind not in "iuf":
        raise ValueError(
            f"a picture is of numbers (uint8, uint16 or floats), this array is {dtype}"
        )
    low, high = values.min().item(), values.max().item()
    if not np.isfinite([low, high]).all():
        raise ValueError(
            "a picture has finite numbers, this array has NaN or infinity; replace these first"
        )
    scale = _float_scale(low, high)
    if scale is None:
        allowed = "0..1 or 0..255" if dtype.kind == "f" else "0..255"
        raise ValueError(
            f"a picture of {dtype} has numbers in {allowed}, this array {low:.6g} to {high:.6g}; "
            "scale it to uint8 (0..255) or uint16 (0..65535)"
        )
    if dtype.kind != "f":
        return values.astype(np.uint8)
    return np.rint(values.astype(np.float32) * scale).astype(np.uint8)
