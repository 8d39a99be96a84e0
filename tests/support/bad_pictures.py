"""Pictures as they should not be, and some that are only unusual. All are small, whatever they claim."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIDE = 128  # pixels of pictures
PIXELS = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def encoded(kind, pixels=PIXELS, mode=None, **options):
    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(file, kind, **options)
    return file.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height):
    """A PNG file that claims a size and has next to no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def cut(data, part):
    return data[: int(part * len(data))]


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded("JPEG", exif=exif)


def animated(kind):
    other = Image.fromarray(PIXELS[::-1].copy())
    return encoded(kind, save_all=True, append_images=[other], duration=40)


def bmp_of(width, height):
    data = bytearray(encoded("BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


NO_PICTURES = {
    "zero-byte": b"",
    "text": b"no picture\n" * 20,
    "truncated-jpeg": cut(encoded("JPEG"), 0.6),
    "truncated-png": cut(encoded("PNG"), 0.6),
    "truncated-webp": cut(encoded("WEBP"), 0.6),
    "truncated-gif": cut(animated("GIF"), 0.2),
    "truncated-tiff": cut(encoded("TIFF"), 0.6),
    "truncated-bmp": cut(encoded("BMP"), 0.6),
    "header-alone": encoded("JPEG")[:200],
    "tail-alone": encoded("JPEG")[300:],
    "30000x30000-png": png_of(30_000, 30_000),
    "30000x30000-bmp": bmp_of(30_000, 30_000),
    "65535x65535-gif": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + encoded("GIF")[10:],
    "0x0-png": png_of(0, 0),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
}  # fmt: skip
PICTURES = {
    "wrong-extension": encoded("PNG"),
    "cmyk": encoded("JPEG", mode="CMYK"),
    "16-bit": encoded("PNG", (PIXELS[..., 0] * 257.0).astype(np.uint16)),
    "float": encoded("TIFF", PIXELS[..., 0].astype(np.float32)),
    "one-bit": encoded("PNG", mode="1"),
    "palette": encoded("PNG", mode="P"),
    "transparent-palette": encoded("PNG", mode="P", transparency=0),
    "grey-alpha": encoded("PNG", mode="LA"),
    "animated-gif": animated("GIF"),
    "animated-webp": animated("WEBP"),
    "exif-rotated": rotated(),
    "1x1": encoded("PNG", PIXELS[:1, :1]),
    "40000x2": encoded("PNG", np.zeros((2, 40_000, 3), np.uint8)),
}
NO_ARRAYS = {
    "nan": np.full((9, 9, 3), np.nan),
    "infinite": np.full((9, 9, 3), np.inf, np.float32),
    "float-beyond-255": np.full((9, 9, 3), 4095, np.float32),
    "int64-beyond-255": np.full((9, 9, 3), 4095, np.int64),
    "two-channels": np.ones((9, 9, 2), np.uint8),
    "five-channels": np.ones((9, 9, 5), np.uint8),
    "batch": np.ones((1, 9, 9, 3), np.uint8),
    "row": np.ones(9, np.uint8),
    "empty": np.ones((0, 9, 3), np.uint8),
    "objects": np.full((9, 9, 3), None),
    "text": "picture.jpg",
    "none": None,
}
