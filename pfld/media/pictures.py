"""Pictures from files and arrays as RGB, upright by their EXIF orientation or as stored."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 100_000_000  # of a picture from a file; more is a mistake or an attack
_BACKGROUND = 255  # grey level behind transparent pixels

# Common formats. Pillow reads others too, and runs Ghostscript for one of them.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "JPEG2000", "AVIF", "PPM")


def read_picture(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """The picture ``(H, W, 3)`` uint8 RGB, upright as its EXIF orientation says.

    Transparent pictures get a white background, 16 bits are reduced to 8, and animations give their
    first frame.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: For a file that is not a complete picture, or of more than 100 megapixels.
    """
    return _read(Path(path), upright=True)


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """The picture ``(H, W, 3)`` uint8 RGB as stored, without its EXIF orientation.

    Annotations refer to stored pixels. All else is as in :func:`read_picture`.

    Raises:
        FileNotFoundError, ValueError: As :func:`read_picture`.
    """
    return _read(Path(path), upright=False)


def _read(path: Path, *, upright: bool) -> NDArray[np.uint8]:
    from PIL import Image

    if not os.path.isfile(path):  # unlike Path.is_file, also for names too long for a file
        raise FileNotFoundError(f"no picture at {path}")
    try:
        # Only the header is read here, to check the size before any pixel is decoded.
        with Image.open(path, formats=_FORMATS) as picture:
            width, height = picture.size
            if width * height <= MOST_PIXELS:
                return as_rgb(_pixels(_upright(picture) if upright else picture))
    except Image.DecompressionBombError:
        raise ValueError(f"{path} has more than {MOST_PIXELS // 10**6} megapixels") from None
    except Exception as error:  # damage shows as anything from KeyError to RuntimeError
        size = path.stat().st_size
        raise ValueError(f"{path} is not a picture that can be read ({size} bytes)") from error
    raise ValueError(
        f"{path} has {width} x {height} pixels; {MOST_PIXELS // 10**6} megapixels are the most"
    )


def _upright(picture: Image.Image) -> Image.Image:
    """A Pillow picture as its EXIF orientation says; as it is stored where that cannot be read."""
    from PIL import ImageOps

    try:
        ImageOps.exif_transpose(picture, in_place=True)
    except Exception:  # damaged EXIF fails in many ways; the picture can be used all the same
        pass
    return picture


def _pixels(picture: Image.Image) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A Pillow picture as grey, RGB or RGBA, of 8 or 16 bits."""
    if picture.mode.startswith("I"):  # 16 bits, whatever the name says
        return np.clip(np.asarray(picture), 0, 65535).astype(np.uint16)
    transparent = "A" in picture.getbands() or "transparency" in picture.info
    return np.asarray(picture.convert("RGBA" if transparent else "RGB"))


def as_rgb(image: ArrayLike) -> NDArray[np.uint8]:
    """An array as ``(H, W, 3)`` uint8 RGB; the array itself if it is that already.

    Args:
        image: ``(H, W)`` or ``(H, W, 1)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA, uint8 or uint16.

    Raises:
        ValueError: For anything else. Floats are refused, because their range (1 or 255) is not known.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(
            f"a picture has shape (H, W), (H, W, 3) or (H, W, 4), this array {image.shape}"
        )
    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)
    if image.dtype != np.uint8:
        raise ValueError(f"a picture is uint8 (0..255) or uint16, this array is {image.dtype}")
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=2)
    if image.shape[2] == 4:
        alpha = image[..., 3:].astype(np.float32) / 255
        blended = image[..., :3] * alpha + _BACKGROUND * (1 - alpha)
        return np.rint(blended).astype(np.uint8)
    return image
