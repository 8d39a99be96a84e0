"""Pictures of every kind as RGB, and what is refused. What Pillow decodes is trusted, not tested."""

import struct
import zlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from pfld.media.pictures import as_rgb, read_image, read_picture
from support.bad_pictures import chunk

RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def png(rows, *, bits, color, size_wh):
    """A PNG file of rows that are encoded already."""
    header = struct.pack(">IIBBBBB", *size_wh, bits, color, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = (b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def with_orientation(path, orientation, image=RGB):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    "orientation, stored",
    [
        (1, RGB),
        (2, RGB[:, ::-1]),
        (3, RGB[::-1, ::-1]),
        (4, RGB[::-1]),
        (5, RGB.transpose(1, 0, 2)),
        (6, np.rot90(RGB)),
        (7, RGB[::-1, ::-1].transpose(1, 0, 2)),
        (8, np.rot90(RGB, -1)),
    ],
)
def test_pictures_are_upright_whatever_way_they_are_stored(tmp_path, orientation, stored):
    path = with_orientation(tmp_path / "a.png", orientation, np.ascontiguousarray(stored))
    assert_array_equal(read_picture(path), RGB)


@pytest.mark.parametrize("orientation", [0, 9, 6000])
def test_unknown_orientations_are_none(tmp_path, orientation):
    assert_array_equal(read_picture(with_orientation(tmp_path / "a.png", orientation)), RGB)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
def test_a_picture_with_damaged_exif_is_read_as_it_is_stored(tmp_path):
    path = with_orientation(tmp_path / "a.jpg", 6)
    whole = path.read_bytes()
    expected = np.asarray(Image.open(path))
    for damage in (b"Exif\0\0XX", b"Exif\0\0MM\0*\xff\xff\xff\xff"):
        start = whole.index(b"Exif")
        path.write_bytes(whole[:start] + damage + whole[start + len(damage) :])
        assert_array_equal(read_picture(path), expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_opaque_pictures_look_as_pillow_shows_them(tmp_path, mode):
    picture = Image.fromarray(RGB).convert(mode)
    picture.save(tmp_path / "a.tif")
    assert_array_equal(read_picture(tmp_path / "a.tif"), np.asarray(picture.convert("RGB")))


def test_cmyk_jpegs_are_not_inverted(tmp_path):
    white = Image.new("RGB", (16, 16), (250, 240, 200)).convert("CMYK")
    white.save(tmp_path / "a.jpg", quality=100)
    assert_allclose(read_picture(tmp_path / "a.jpg")[8, 8], (250, 240, 200), atol=4)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(tmp_path, mode):
    picture = Image.new(mode, (3, 1), (100, 100, 100, 255) if mode == "RGBA" else (100, 255))
    picture.putalpha(Image.fromarray(np.array([[255, 51, 0]], np.uint8)))
    picture.save(tmp_path / "a.png")
    grey = read_picture(tmp_path / "a.png")
    assert_array_equal(grey, np.repeat([[[100], [224], [255]]], 3, axis=2))


def test_a_palette_may_have_transparent_colors(tmp_path):
    picture = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.save(tmp_path / "a.png", transparency=1)
    assert_array_equal(read_picture(tmp_path / "a.png"), [[[10, 20, 30], [255, 255, 255]]])


def test_grey_of_16_bits_keeps_its_brightness(tmp_path):
    values = np.array([[0, 257 * 7, 257 * 128, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert_array_equal(read_picture(tmp_path / "a.png")[0, :, 0], [0, 7, 128, 255])


def test_color_of_16_bits_loses_less_than_a_step(tmp_path):
    values = np.random.default_rng(1).integers(0, 65536, (5, 7, 3))
    rows = [row.astype(">u2").tobytes() for row in values]
    (tmp_path / "a.png").write_bytes(png(rows, bits=16, color=2, size_wh=(7, 5)))
    assert_allclose(read_picture(tmp_path / "a.png"), values / 257, atol=1)


def test_an_animation_is_its_first_frame(tmp_path):
    red, blue = (Image.new("RGB", (5, 4), color) for color in ("red", "blue"))
    red.save(tmp_path / "a.gif", save_all=True, append_images=[blue], duration=50)
    assert_array_equal(read_picture(tmp_path / "a.gif"), np.full((4, 5, 3), (255, 0, 0)))


def test_one_pixel_is_a_picture(tmp_path):
    Image.new("L", (1, 1), 9).save(tmp_path / "a.png")
    assert_array_equal(read_picture(tmp_path / "a.png"), [[[9, 9, 9]]])


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif"])
@pytest.mark.parametrize("part", [0, 0.05, 0.6])
def test_what_is_cut_off_is_refused(tmp_path, name, part):
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / name
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    size = path.stat().st_size
    with pytest.raises(ValueError, match=rf"{name} is not a picture .*\({size} bytes\)"):
        read_picture(path)


def test_annotated_pictures_are_read_as_they_are_stored(tmp_path):
    assert_array_equal(read_image(with_orientation(tmp_path / "a.png", 6)), RGB)


@pytest.mark.parametrize("read", [read_picture, read_image])
def test_no_program_is_run_for_a_picture(tmp_path, monkeypatch, read):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("run"))
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n"
    (tmp_path / "a.jpg").write_bytes(page)
    with pytest.raises(ValueError, match="a.jpg is not a picture"):
        read(tmp_path / "a.jpg")


def test_text_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture at all")
    with pytest.raises(ValueError, match="a.jpg is not a picture"):
        read_picture(tmp_path / "a.jpg")


def test_any_failure_of_a_decoder_is_a_bad_picture(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "a.png")

    def fail(*_):
        raise struct.error("deep inside")

    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(ValueError, match="a.png is not a picture"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("read", [read_picture, read_image])
@pytest.mark.parametrize("side", [10_001, 30_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_huge_pictures_are_refused_by_their_header(tmp_path, side, read):
    (tmp_path / "a.png").write_bytes(png([], bits=8, color=2, size_wh=(side, side)))
    with pytest.raises(ValueError, match="100 megapixels"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize(
    "name", ["missing.jpg", ".", "n" * 300, "\0"], ids=["missing", "folder", "long", "zero"]
)
def test_no_file_is_said_so(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="no picture at"):
        read_picture(tmp_path / name)


def test_rgb_bytes_are_passed_on_as_they_are():
    assert as_rgb(RGB) is RGB


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1)])
def test_grey_arrays_become_rgb(shape):
    grey = np.arange(24, dtype=np.uint8).reshape(shape)
    assert_array_equal(as_rgb(grey), np.repeat(grey.reshape(4, 6, 1), 3, axis=2))


def test_arrays_of_16_bits_become_8():
    assert_array_equal(as_rgb(RGB.astype(np.uint16) * 257), RGB)


def test_alpha_of_arrays_is_laid_over_white():
    pixels = np.array([[[0, 100, 200, 255], [0, 100, 200, 0]]], np.uint8)
    assert_array_equal(as_rgb(pixels), [[[0, 100, 200], [255, 255, 255]]])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros(5, np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0), np.uint8),
        np.float32(3),
        None,
    ],
    ids=["row", "2 channels", "5 channels", "batch", "no rows", "no columns", "number", "None"],
)
def test_other_shapes_are_refused(image):
    with pytest.raises(ValueError, match="a picture has shape"):
        as_rgb(image)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int8, bool, object])
def test_other_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match=f"this array is {np.dtype(dtype)}"):
        as_rgb(np.ones((4, 4, 3), dtype))
