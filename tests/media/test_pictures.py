"""Pictures of every kind as RGB, and what is refused. What Pillow decodes is trusted, not tested."""

import io
import re
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
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


def tiff(values, photometric, *, order="<", bits=None, data=None, tags=()):
    """A TIFF file ``(H, W)`` or ``(H, W, N)`` in one strip; ``tags`` are added, ``data`` packed already."""
    values = np.atleast_3d(values)
    height, width, count = values.shape
    if data is None:
        data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    bits = bits or 8 * values.dtype.itemsize
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    entries = {256: width, 257: height, 258: [bits] * count, 259: 1, 262: photometric, 277: count}
    entries |= {278: height, 339: [kind] * count, 273: 0, 279: len(data)} | dict(tags)
    start = 8 + 2 + 12 * len(entries) + 4
    longer = b""
    lines = []
    for tag, numbers in sorted(entries.items()):
        numbers = numbers if isinstance(numbers, list) else [numbers]
        field = struct.pack(f"{order}{len(numbers)}L", *numbers)
        if len(field) > 4:
            field, longer = struct.pack(order + "L", start + len(longer)), longer + field
        lines.append((tag, len(numbers), field))
    content = b""
    for tag, number, field in lines:
        if tag == 273:
            field = struct.pack(order + "L", start + len(longer))
        content += struct.pack(order + "HHL", tag, 4, number) + field
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "LH", 8, len(lines))
    return head + content + bytes(4) + longer + data


def heic(image, kind="RGB", *, orientation=1, **options):
    """A HEIC file, nearly without loss, that is turned by its own means."""
    file = io.BytesIO()
    height, width = image.shape[:2]
    picture = pillow_heif.from_bytes(kind, (width, height), image.tobytes())
    picture.info["exif"] = exif(orientation).tobytes()  # becomes a turn when saved
    picture.save(file, quality=-1, chroma=444, **options)
    return file.getvalue()


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def with_orientation(path, orientation, image=RGB):
    Image.fromarray(image).save(path, exif=exif(orientation))
    return path


def stored_ways(image):
    """How ``image`` is stored, by orientation."""
    return {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.transpose(1, 0, 2),
        6: np.rot90(image),
        7: image[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(image, -1),
    }


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright_whatever_way_they_are_stored(tmp_path, orientation):
    stored = np.ascontiguousarray(stored_ways(RGB)[orientation])
    assert_array_equal(read_picture(with_orientation(tmp_path / "a.png", orientation, stored)), RGB)


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


@pytest.mark.parametrize("read", [read_picture, read_image])
@pytest.mark.parametrize("at", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("kind", ["RGB", "L", "P"])
def test_pngs_with_damaged_pixels_are_refused(tmp_path, capfd, read, at, kind):
    noise = np.random.default_rng(2).integers(0, 20, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(noise).convert(kind).save(path)
    data = bytearray(path.read_bytes())
    start, end = data.index(b"IDAT") + 4, data.index(b"IEND") - 8
    middle = start + int(at * (end - start))
    data[middle : middle + 20] = b"\xff" * 20
    data[end : end + 4] = struct.pack(">I", zlib.crc32(data[start - 4 : end]))
    path.write_bytes(data)
    with pytest.raises(ValueError, match="a.png is not a picture that can be read: PNG, damaged"):
        read(path)
    assert capfd.readouterr().err == ""


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


@pytest.mark.parametrize("address", ["https://example.com/a.jpg?b=1", "file://host/a.jpg"])
@pytest.mark.parametrize("kind", [str, Path])
def test_addresses_are_said_not_to_be_opened(address, kind):
    start = f"no picture at {re.escape(address)}: addresses are not opened"
    with pytest.raises(FileNotFoundError, match=start):
        read_picture(kind(address))


@pytest.mark.parametrize(
    "given", [b"a.jpg", io.BytesIO(), 3, None], ids=lambda given: type(given).__name__
)
def test_what_is_no_path_is_said_so(given):
    with pytest.raises(TypeError, match=f"give the path of a picture, not {type(given).__name__}"):
        read_picture(given)


# Several pictures in a JPEG file

COLORS = "red", "lime", "blue"
GAIN_MAP = (
    b'<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>'
)


def mpo(count, **options):
    pictures = [Image.new("RGB", (32, 16), color) for color in COLORS[:count]]
    file = io.BytesIO()
    pictures[0].save(file, "MPO", save_all=True, append_images=pictures[1:], **options)
    return file.getvalue()


@pytest.mark.parametrize("name", ["a.mpo", "a.jpg", "a.png"])
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("options", [{}, {"xmp": GAIN_MAP}], ids=["views", "gain map"])
def test_the_first_of_several_jpegs_is_read(tmp_path, name, count, options):
    (tmp_path / name).write_bytes(mpo(count, **options))
    expected = np.full((16, 32, 3), (255, 0, 0))
    assert_allclose(read_picture(tmp_path / name), expected, atol=2)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_first_of_several_jpegs_is_upright(tmp_path, orientation):
    (tmp_path / "a.mpo").write_bytes(mpo(2, exif=exif(orientation)))
    shape = (16, 32, 3) if orientation == 3 else (32, 16, 3)
    assert read_picture(tmp_path / "a.mpo").shape == shape
    assert read_image(tmp_path / "a.mpo").shape == (16, 32, 3)


@pytest.mark.parametrize(
    "damage", [b"MPF\0XX*\0", b"MPF\0II*\0\xff\xff\0\0", b"MPF\0II*\0\x08\0\0\0\x01", b"MPF\0MM*\0"]
)
def test_a_damaged_list_of_pictures_leaves_the_first(tmp_path, damage):
    data = mpo(3)
    start = data.index(b"MPF\0")
    (tmp_path / "a.jpg").write_bytes(data[:start] + damage + data[start + len(damage) :])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_allclose(read_picture(tmp_path / "a.jpg")[8, 8], (255, 0, 0), atol=2)


# HEIC

LARGE = np.kron(RGB, np.ones((16, 16, 1), np.uint8))


@pytest.mark.parametrize("name", ["a.heic", "a.heif", "a.jpg", "a"])
def test_heic_is_read_whatever_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(heic(LARGE))
    assert_allclose(read_picture(tmp_path / name), LARGE, atol=6)
    assert "HEIF" not in Image.OPEN  # Pillow is left as it was


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_upright(tmp_path, orientation):
    stored = np.ascontiguousarray(stored_ways(LARGE)[orientation])
    (tmp_path / "a.heic").write_bytes(heic(stored, orientation=orientation))
    assert_allclose(read_picture(tmp_path / "a.heic"), LARGE, atol=6)


@pytest.mark.parametrize("orientation", [2, 3, 6])
def test_exif_of_heic_turns_nothing_by_itself(tmp_path, orientation):
    (tmp_path / "a.heic").write_bytes(heic(LARGE, exif=exif(orientation)))
    assert_allclose(read_picture(tmp_path / "a.heic"), LARGE, atol=6)


@pytest.mark.parametrize("primary", [0, 1, 2])
def test_the_main_picture_of_heic_is_read(tmp_path, primary):
    several = pillow_heif.HeifFile()
    for color in COLORS:
        several.add_from_pillow(Image.new("RGB", (64, 64), color))
    several.save(tmp_path / "a.heic", primary_index=primary)
    expected = np.array(Image.new("RGB", (1, 1), COLORS[primary]))[0, 0]
    assert_allclose(read_picture(tmp_path / "a.heic")[32, 32], expected, atol=6)


@pytest.mark.parametrize("dark", [1, 2, 8])
def test_heic_of_10_bits_keeps_its_brightness(tmp_path, dark):
    image = LARGE // dark
    (tmp_path / "a.heic").write_bytes(heic(image.astype(np.uint16) * 257, "RGB;16"))
    assert_allclose(read_picture(tmp_path / "a.heic"), image, atol=6)


def test_transparent_heic_is_laid_over_white(tmp_path):
    clear = np.zeros((64, 64, 4), np.uint8)
    clear[:, 32:] = 0, 0, 255, 255
    (tmp_path / "a.heic").write_bytes(heic(clear, "RGBA"))
    pixels = read_picture(tmp_path / "a.heic")
    assert_allclose(pixels[32, [8, 56]], [(255, 255, 255), (0, 0, 255)], atol=6)


@pytest.mark.parametrize(
    "head",
    [b"heic\0\0\0\0mif1heic", b"heix\0\0\0\0mif1", b"mif1\0\0\0\0mif1heic", b"msf1\0\0\0\0hevc"],
)
def test_what_reads_heic_is_named_where_it_is_missing(tmp_path, monkeypatch, head):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = heic(LARGE)
    box = struct.pack(">I", 8 + len(head)) + b"ftyp" + head
    for name in ("a.heic", "a.jpg"):
        (tmp_path / name).write_bytes(box + data[struct.unpack(">I", data[:4])[0] :])
        with pytest.raises(
            ValueError, match=rf"{name} is a HEIC picture; pip install 'pfld\[heic\]'"
        ):
            read_picture(tmp_path / name)


@pytest.mark.parametrize("brand", [b"avif", b"mif1", b"msf1"])
def test_avif_is_no_heic(tmp_path, monkeypatch, brand):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    file = io.BytesIO()
    Image.fromarray(LARGE).save(file, "AVIF", quality=100, subsampling="4:4:4")
    data = file.getvalue()
    (tmp_path / "a.heic").write_bytes(data[:8] + brand + data[12:])
    assert_allclose(read_picture(tmp_path / "a.heic"), LARGE, atol=8)


@pytest.mark.parametrize("side", [10_001, 30_000, 2**31 - 1])
def test_huge_heic_is_refused(tmp_path, side):
    data = heic(LARGE)
    at = data.index(b"ispe") + 8
    (tmp_path / "a.heic").write_bytes(data[:at] + struct.pack(">II", side, side) + data[at + 8 :])
    with pytest.raises(ValueError, match=r"a\.heic has .* megapixels are the most"):
        read_picture(tmp_path / "a.heic")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_heic_that_is_cut_off_is_refused(tmp_path, part):
    data = heic(LARGE)
    (tmp_path / "a.heic").write_bytes(data[: int(part * len(data))])
    with pytest.raises(
        ValueError, match=r"a\.heic is not a picture that can be read: HEIC, damaged"
    ):
        read_picture(tmp_path / "a.heic")


# Numbers of other ranges than their type


@pytest.fixture
def written(tmp_path):
    """Reads a file with this content."""

    def read(data, name="a.tif"):
        (tmp_path / name).write_bytes(data)
        return read_picture(tmp_path / name)

    return read


RAMP = np.linspace(0, 1, 24).reshape(4, 6)  # grey, black to white
COLORED = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=2)
SHADES = np.rint(255 * RAMP)[..., None].repeat(3, axis=2)
COLORED_SHADES = np.rint(255 * COLORED)


def integers(image, largest, dtype="u2"):
    return np.rint(image * largest).astype(dtype)


def png_rows(values):
    return [row.astype(">u2").tobytes() for row in values]


@pytest.mark.parametrize("largest", [255, 1023, 2047, 4095, 8191, 9000, 16383, 65535])
def test_grey_of_fewer_than_16_bits_is_not_black(written, largest):
    values = integers(RAMP, largest)
    white = largest if largest < 8192 else 65535
    expected = np.rint(values / white * 255)[..., None].repeat(3, axis=2)
    for data in (
        png(png_rows(values), bits=16, color=0, size_wh=(6, 4)),
        tiff(values, 1),
        tiff(values, 1, order=">"),
        b"P5 6 4 65535\n" + values.astype(">u2").tobytes(),
    ):
        assert_allclose(written(data), expected, atol=1)


@pytest.mark.parametrize("largest", [1023, 2047, 4095, 65535])
def test_colors_of_fewer_than_16_bits_are_not_black(written, largest):
    values = integers(COLORED, largest)
    for data in (
        png(png_rows(values), bits=16, color=2, size_wh=(6, 4)),
        tiff(values, 2),
        tiff(values, 2, order=">"),
        b"P6 6 4 65535\n" + values.astype(">u2").tobytes(),
    ):
        assert_allclose(written(data), COLORED_SHADES, atol=1)


@pytest.mark.parametrize("largest", [1023, 4095, 65535])
@pytest.mark.parametrize("opaque", [True, False])
def test_alpha_of_fewer_than_16_bits_is_alpha(written, largest, opaque):
    alpha = np.ones_like(RAMP) if opaque else RAMP
    values = integers(np.dstack([RAMP, RAMP, RAMP, alpha]), largest)
    expected = np.rint(255 * (RAMP * alpha + 1 - alpha))[..., None].repeat(3, axis=2)
    assert_allclose(
        written(png(png_rows(values), bits=16, color=6, size_wh=(6, 4))), expected, atol=2
    )
    grey = png(png_rows(values[..., 2:]), bits=16, color=4, size_wh=(6, 4))
    assert_allclose(written(grey), expected, atol=2)
    assert_allclose(written(tiff(values, 2, tags={338: 2})), expected, atol=2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_dark_colors_of_16_bits_are_upright(written, orientation):
    stored = integers(stored_ways(COLORED)[orientation], 4095)
    file = png(png_rows(stored), bits=16, color=2, size_wh=stored.shape[1::-1])
    turned = file[:33] + chunk(b"eXIf", exif(orientation).tobytes()[6:]) + file[33:]
    assert_allclose(written(turned), COLORED_SHADES, atol=1)
    assert_allclose(written(tiff(stored, 2, tags={274: orientation})), COLORED_SHADES, atol=1)


@pytest.mark.parametrize("largest", [100, 1000, 1023, 4095, 5000])
@pytest.mark.parametrize("brightest", [0.04, 1])
def test_netpbm_says_what_white_is(written, largest, brightest):
    values = integers(RAMP * brightest, largest)
    expected = np.rint(values / largest * 255)[..., None].repeat(3, axis=2)
    kind = ">u2" if largest > 255 else "u1"
    text = " ".join(map(str, values.ravel())).encode()
    head = b" 6 4 %d\n" % largest
    assert_allclose(written(b"P5" + head + values.astype(kind).tobytes()), expected, atol=1)
    assert_allclose(written(b"P2" + head + text), expected, atol=1)
    colors = values[..., None].repeat(3, axis=2).astype(kind).tobytes()
    assert_allclose(written(b"P6" + head + colors), expected, atol=1)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("brightest", [0.04, 1])
def test_tiff_says_how_many_bits_it_packs(written, bits, brightest):
    if bits == 10:
        image = np.tile(RAMP[:, :4], 1)  # rows of whole bytes
    else:
        image = RAMP[:, :4]
    values = integers(image * brightest, 2**bits - 1)
    packed = b"".join(
        int("".join(f"{v:0{bits}b}" for v in row), 2).to_bytes(bits * 4 // 8, "big")
        for row in values
    )
    expected = np.rint(values / (2**bits - 1) * 255)[..., None].repeat(3, axis=2)
    for order in "<>":
        data = tiff(values, 1, bits=bits, data=packed, order=order)
        assert_allclose(written(data), expected, atol=1)


@pytest.mark.parametrize("dtype", ["u2", "f4"])
@pytest.mark.parametrize("largest", [1, 0.5, 1 / 16])
@pytest.mark.parametrize("order", "<>")
def test_negatives_are_turned_to_positives(written, dtype, largest, order):
    values = (RAMP * 65535 * largest).astype(dtype) if dtype == "u2" else RAMP.astype(dtype)
    white = 4095 if dtype == "u2" and largest < 1 / 8 else 65535 if dtype == "u2" else 1
    expected = 255 - np.rint(values / white * 255)
    pixels = written(tiff(values, 0, order=order))
    assert_allclose(pixels[..., 0], expected, atol=1)


@pytest.mark.parametrize("largest", [255, 4095, 65535, 2**20 - 1, 2**31 - 1, 2**32 - 1])
def test_integers_of_32_bits_are_not_black(written, largest):
    assert_allclose(written(tiff(integers(RAMP, largest, "u4"), 1)), SHADES, atol=1)
    if largest < 2**31:
        for order in "<>":
            data = tiff(integers(RAMP, largest, "i4"), 1, order=order)
            assert_allclose(written(data), SHADES, atol=1)


@pytest.mark.parametrize("dtype", ["i2", "i4"])
@pytest.mark.parametrize("low, high", [(-1000, 1000), (-5, 3000), (-30_000, -20_000)])
def test_negative_integers_are_stretched(written, dtype, low, high):
    values = np.rint(low + RAMP * (high - low)).astype(dtype)
    assert_allclose(written(tiff(values, 1)), SHADES, atol=1)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "low, high", [(0, 1), (0, 255), (-20, 37.5), (0, 65535), (280, 310), (-1, 1), (0, 1e38)]
)
@pytest.mark.parametrize("order", "<>")
def test_floats_of_any_range_are_seen(written, dtype, low, high, order):
    values = (low + RAMP * (high - low)).astype(dtype)
    assert_allclose(written(tiff(values, 1, order=order)), SHADES, atol=1)
    colors = (low + COLORED * (high - low)).astype(dtype)
    assert_allclose(written(tiff(colors, 2, order=order)), COLORED_SHADES, atol=1)


@pytest.mark.parametrize("low, high", [(0, 1), (0, 255), (-20, 37.5)])
def test_floats_of_netpbm_are_seen(written, low, high):
    values = (low + RAMP * (high - low)).astype("<f4")
    data = b"Pf\n6 4\n-1.0\n" + values[::-1].tobytes()  # from the bottom up
    assert_allclose(written(data, "a.pfm"), SHADES, atol=1)


@pytest.mark.parametrize("low, high", [(0, 0.1), (0.5, 0.6), (0, 20), (100, 120)])
def test_floats_within_pixel_values_are_not_stretched(written, low, high):
    values = (low + RAMP * (high - low)).astype("f4")
    expected = values * (255 if high <= 1 else 1)
    assert_allclose(written(tiff(values, 1))[..., 0], expected, atol=1)


@pytest.mark.parametrize("low, high", [(0, 1), (0, 255), (-20, 37.5)])
def test_nan_is_black_and_infinity_white(written, low, high):
    values = (low + RAMP * (high - low)).astype("f4")
    values[1, :3] = np.nan, np.inf, -np.inf
    pixels = written(tiff(values, 1))
    assert_array_equal(pixels[1, :3, 0], [0, 255, 0])
    assert_allclose(pixels[[0, 2, 3]], SHADES[[0, 2, 3]], atol=1)


@pytest.mark.parametrize("value, seen", [(0, 0), (1, 255), (77, 77), (-3, 128), (1e6, 128)])
def test_equal_floats_are_as_they_are_or_grey(written, value, seen):
    assert_array_equal(written(tiff(np.full((4, 6), value, "f4"), 1)), np.full((4, 6, 3), seen))


def test_a_picture_without_any_number_is_refused(written):
    with pytest.raises(ValueError, match="TIFF, damaged or of a rare kind"):
        written(tiff(np.full((4, 6), np.nan, "f4"), 1))


@pytest.mark.parametrize("color", [(255, 0, 0), (60, 160, 110), (128, 128, 128), (0, 0, 0)])
def test_tiff_in_lab_or_ycbcr_has_its_colors(written, tmp_path, color):
    picture = Image.new("RGB", (16, 16), color)
    picture.convert("LAB").save(tmp_path / "lab.tif")
    assert_allclose(read_picture(tmp_path / "lab.tif")[8, 8], color, atol=6)
    ycbcr = np.asarray(picture.convert("YCbCr"))
    data = tiff(ycbcr, 6, tags={530: [1, 1]})
    assert_allclose(written(data)[8, 8], color, atol=6)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "PA", "RGBA", "CMYK", "L"])
def test_tiff_of_every_kind_has_its_brightness(tmp_path, mode):
    Image.new("RGB", (16, 16), "white").convert(mode).save(tmp_path / "a.tif")
    assert_allclose(read_picture(tmp_path / "a.tif"), np.full((16, 16, 3), 255), atol=2)


# What is refused


@pytest.mark.parametrize(
    "data",
    [
        tiff(RAMP.astype("f2"), 1),
        tiff(integers(RAMP, 2**32 - 1, "u4"), 1, order=">"),
        tiff(integers(COLORED, 2**32 - 1, "u4"), 2),
        tiff(integers(COLORED[..., :2], 4095), 1, tags={338: 2}),
        tiff(integers(COLORED, 4095), 8),
        tiff(RAMP.astype("f8"), 1)[:-9],
        tiff(COLORED.astype("f4"), 2)[:-9],
    ],
    ids=["half", "u32", "rgb32", "la16", "lab16", "cut double", "cut rgb"],
)
def test_rare_tiffs_are_refused_in_words(written, capfd, data):
    with pytest.raises(
        ValueError, match="a.tif is not a picture .*TIFF, damaged or of a rare .* JPEG or PNG"
    ):
        written(data)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("tags", [{50706: 1}, {254: 1, 330: [8, 8]}, {50706: 1, 254: 1, 330: 8}])
@pytest.mark.parametrize("dtype", ["u1", "f8"])
def test_previews_of_raw_pictures_are_not_taken_for_them(written, tags, dtype):
    with pytest.raises(ValueError, match="a.tif is a camera's raw picture; save it as JPEG"):
        written(tiff(integers(COLORED, 255, dtype), 2, tags=tags))


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
def test_planes_of_many_bits_are_refused(written, dtype, order):
    planes = tiff(integers(COLORED, 255, dtype), 2, order=order, tags={284: 2})
    with pytest.raises(
        ValueError, match="a.tif is a TIFF picture with a plane of .* bits for each"
    ):
        written(planes)


@pytest.mark.parametrize("dtype, side", [("f4", 9_000), ("f8", 7_000), ("f8", 9_999)])
def test_many_pixels_of_many_bits_are_refused(written, dtype, side):
    with pytest.raises(ValueError, match=f"a.tif has {side} x {side} pixels of .. bits"):
        written(tiff(integers(COLORED, 1, dtype), 2, tags={256: side, 257: side}))


@pytest.mark.parametrize("sides", [(10_001, 10_001), (200_000, 600), (4_000_000, 4_000_000)])
@pytest.mark.parametrize("dtype", ["u1", "f8"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_huge_tiffs_are_refused_by_their_header(written, sides, dtype):
    with pytest.raises(ValueError, match="megapixels"):
        written(tiff(integers(COLORED, 1, dtype), 2, tags={256: sides[0], 257: sides[1]}))


@pytest.mark.parametrize(
    "name, kind",
    [
        ("png", "PNG"),
        ("jpg", "JPEG"),
        ("webp", "WEBP"),
        ("gif", "GIF"),
        ("bmp", "BMP"),
        ("tif", "TIFF"),
        ("jp2", "JPEG2000"),
        ("avif", "AVIF"),
    ],
)
def test_a_damaged_picture_is_said_to_be_of_its_format(tmp_path, name, kind):
    path = tmp_path / f"a.{name}"
    Image.fromarray(LARGE).save(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(
        ValueError, match=rf"can be read: {kind}, damaged .*\(60 bytes\); save it anew"
    ):
        read_picture(path)


@pytest.mark.parametrize(
    "start, kind",
    [
        (b"%PDF-1.7\n", "a PDF document"),
        (b"%!PS-Adobe-3.0", "a PostScript document"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"\xff\x0a\xfa", "a JPEG XL picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "a camera's raw picture"),
        (b"FUJIFILMCCD-RAW ", "a camera's raw picture"),
        (b"v/1\x01", "an OpenEXR picture"),
        (b"#?RADIANCE\n", "a Radiance picture"),
        (b"<?xml version='1.0'?>\n<!-- x -->\n<svg/>", "an SVG drawing"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (bytes(128) + b"DICM", "a DICOM file"),
        (b"\0\0\1\0\1\0\x10\x10", "an icon"),
    ],
)
def test_other_files_are_named(written, start, kind):
    with pytest.raises(
        ValueError, match=rf"a\.jpg is not a picture .*: {kind} \(.* bytes\); save it as JPEG"
    ):
        written(start.ljust(600, b"\0"), "a.jpg")


@pytest.mark.parametrize(
    "start, advice",
    [
        (b"PK\3\4", "an archive; unpack it"),
        (b"\x1f\x8b\x08", "an archive; unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS; .* git lfs pull"),
        (b"data:image/jpeg;base64,/9j/", "Base64 text; decode it"),
        (b"/9j/4AAQSkZJRg", "Base64 text; decode it"),
        (b"\0\0\0\x18ftypisom", r"a video \(600 bytes\); pfld predict"),
    ],
)
def test_what_stands_in_for_a_picture_is_named_with_advice(written, start, advice):
    with pytest.raises(ValueError, match=rf"a\.jpg is not a picture .*: .*{advice}"):
        written(start.ljust(600, b"\0"), "a.jpg")


# Arrays


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


@pytest.mark.parametrize("dtype", [object, complex, "U1", "datetime64[s]"])
def test_other_types_are_refused(dtype):
    with pytest.raises(ValueError, match="a picture is of numbers .*, this array is "):
        as_rgb(np.zeros((4, 4, 3), dtype))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_up_to_1_are_parts_of_white(dtype):
    assert_array_equal(as_rgb((RGB / 255).astype(dtype)), RGB)
    assert_array_equal(as_rgb(np.array([[0, 0.5, 1]], dtype))[0, :, 0], [0, 128, 255])


@pytest.mark.parametrize("largest", [1.5, 2, 200, 255])
def test_floats_beyond_1_are_pixel_values(largest):
    assert_array_equal(as_rgb(np.array([[0, 0.5, largest]]))[0, :, 0], np.rint([0, 0.5, largest]))


def test_alpha_of_floats_is_taken_by_itself():
    for white in (1.0, 255.0):
        pixels = np.array([[[0, 100, 200, white], [0, 100, 200, 0]]])
        assert_array_equal(as_rgb(pixels), [[[0, 100, 200], [255, 255, 255]]])


@pytest.mark.parametrize("dtype", [np.int8, np.int16, ">i4", np.uint32, np.int64, np.uint64])
def test_integers_up_to_255_are_pixel_values(dtype):
    pixels = RGB // 2 if dtype == np.int8 else RGB
    assert_array_equal(as_rgb(pixels.astype(dtype)), pixels)


def test_bools_are_black_and_white():
    assert_array_equal(as_rgb(RGB > 99), np.where(RGB > 99, 255, 0))


PILLOW_MODES = "1 L P LA PA RGBA RGBX CMYK YCbCr LAB HSV".split()


@pytest.mark.parametrize("mode", PILLOW_MODES)
def test_pictures_of_pillow_have_their_colors(mode):
    """As arrays, indices of a palette would be taken for grey, and CMYK for RGBA."""
    opaque = Image.new("RGBA", (6, 4), (200, 120, 40, 255))
    picture = opaque.convert("RGB" if mode in ("LAB", "HSV", "YCbCr") else "RGBA").convert(mode)
    assert_allclose(as_rgb(picture), np.asarray(picture.convert("RGB")), atol=1)


def test_transparent_pictures_of_pillow_lie_over_white():
    picture = Image.new("LA", (1, 1), (100, 51))
    assert_array_equal(as_rgb(picture), [[[224, 224, 224]]])


@pytest.mark.parametrize(
    ("dtype", "white"),
    [(np.uint16, 65535), (np.float32, 1), (np.int32, 255)],
    ids="I;16 F I".split(),
)
def test_pictures_of_pillow_with_more_than_8_bits_are_taken_as_arrays(dtype, white):
    values = np.array([[0, white]], dtype)
    assert_array_equal(as_rgb(Image.fromarray(values)), as_rgb(values))


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (None, "OpenCV gives for a file that it cannot read"),
        ("a.jpg", "read files with pfld.read_picture"),
        (Path("a.jpg"), "read files with pfld.read_picture"),
        (b"a.jpg", "read files with pfld.read_picture"),
        (np.zeros((3, 40, 60)), "channels come last"),
        (np.zeros((1, 40, 60)), "channels come last"),
        (np.zeros((1, 40, 60, 3)), "one picture at a time"),
        ([RGB, RGB], "one picture at a time"),
    ],
    ids="None name path bytes channels grey batch list".split(),
)
def test_what_is_no_picture_is_refused_with_advice(given, advice):
    with pytest.raises(ValueError, match=f"^a picture has shape .*; .*{advice}"):
        as_rgb(given)


def test_16_bits_are_16_bits_in_either_order_of_bytes():
    assert_array_equal(as_rgb(RGB.astype(">u2") * 257), RGB)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[-0.5, 0.5]], r"float64 has numbers in 0..1 or 0..255, this array -0.5 to 0.5; scale it"),
        ([[0.0, 4095.0]], r"this array 0 to 4095"),
        ([[20.5, 300.25]], r"this array 20.5 to 300.25"),
        ([[0, 256]], r"int64 has numbers in 0..255, this array 0 to 256; scale it to uint8 .* uint16"),
        ([[-1, 255]], r"this array -1 to 255"),
        ([[0, 2**40]], r"this array 0 to 1.09951e\+12"),
        ([[0, np.nan]], "finite"),
        ([[0, np.inf]], "finite"),
        ([[-np.inf, 1]], "finite"),
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_with_their_range(values, message):
    with pytest.raises(ValueError, match="^a picture .*" + message):
        as_rgb(np.array(values))
