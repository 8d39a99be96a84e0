"""Annotations as other systems make them: byte order marks, suffixes in capitals, names in Unicode."""

import codecs
import os
import unicodedata

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from pfld.data.annotations import read_faces, read_pts_folder, read_wflw
from pfld.data.face_set import load_face_set

POINTS = np.random.default_rng(4).uniform(5, 45, (68, 2))
ROWS = "\n".join(f"{x:.3f} {y:.3f}" for x, y in POINTS)
PTS = f"version: 1\nn_points: 68\n{{\n{ROWS}\n}}\n"
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Grüße Café 3") for form in ("NFC", "NFD"))


def save_picture(path, size=50):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size)).save(path)


def list_of(folder):
    return next(folder.glob("WFLW_annotations/*/*"))


def renamed(folder, number, name, on_disk=None):
    """Gives a picture of a WFLW list another name, maybe another one on disk."""
    path = list_of(folder)
    lines = path.read_text().splitlines()
    fields = lines[number - 1].split()
    new = folder / "WFLW_images" / (on_disk or name)
    new.parent.mkdir(parents=True, exist_ok=True)
    (folder / "WFLW_images" / fields[206]).rename(new)
    lines[number - 1] = " ".join([*fields[:206], name])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return new


@pytest.mark.parametrize(
    ("picture", "points"),
    [
        ("a.JPEG", "a.Pts"),
        ("a.PNG", "a.pTS"),
        ("a.tiff", "a.pts"),
        ("a.BMP", "a.PTS"),
        ("a.WebP", "a.pts"),
        ("a.gif", "a.pts"),
        ("a.ppm", "a.pts"),
        ("a.jp2", "a.pts"),
        ("A.JPG", "a.pts"),
        ("IMG.one.jpg", "IMG.one.pts"),
        ("a.jpg", "a.jpg.pts"),
        (f"{COMPOSED}.png", f"{DECOMPOSED}.pts"),
        (f"{DECOMPOSED}.png", f"{COMPOSED}.pts"),
    ],
)
def test_pts_files_find_their_pictures(tmp_path, picture, points):
    save_picture(tmp_path / picture)
    (tmp_path / points).write_text(PTS)
    (face,) = read_faces(tmp_path, "train")
    assert face.image_path == tmp_path / picture
    assert len(load_face_set(tmp_path, "train", size=160)) == 1


def test_of_several_pictures_the_one_of_the_same_name_is_taken(tmp_path):
    for name in ("a.png", "A.jpg", "a.TIF", "b.png", "B.png"):
        save_picture(tmp_path / name)
    for name in ("a.pts", "A.pts", "b.pts"):
        (tmp_path / name).write_text(PTS)
    found = [face.image_path.name for face in read_pts_folder(tmp_path)]
    assert found == ["A.jpg", "a.png", "b.png"]


def test_a_name_that_fits_two_pictures_fits_none(tmp_path):
    for name in ("AB.png", "Ab.png"):
        save_picture(tmp_path / name)
    (tmp_path / "ab.pts").write_text(PTS)
    assert not read_pts_folder(tmp_path)[0].image_path.is_file()


def test_hidden_files_are_no_annotations(tmp_path):
    save_picture(tmp_path / "a.png")
    (tmp_path / "a.pts").write_text(PTS)
    (tmp_path / "._a.pts").write_bytes(b"\x00\x05\x16\x07" * 30)
    assert len(read_faces(tmp_path, "train")) == 1


@pytest.mark.parametrize("held_back", ["Test", "VAL", "Validation"])
def test_held_back_folders_may_have_capitals(tmp_path, held_back):
    for folder in (tmp_path, tmp_path / held_back):
        save_picture(folder / f"{folder.name}.png")
        (folder / f"{folder.name}.pts").write_text(PTS)
    assert [face.image_path.parent for face in read_faces(tmp_path, "train")] == [tmp_path]
    (face,) = read_faces(tmp_path, held_back.lower())
    assert face.image_path.parent == tmp_path / held_back


ENCODINGS = {
    "utf-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "utf-16 of Notepad": lambda text: text.encode("utf-16"),
    "utf-16, big end first": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "mark and Windows' line ends": lambda text: (
        codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode()
    ),
    "old line ends": lambda text: text.replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_encodings_of_lists_and_points(wflw, tmp_path, encode):
    path = list_of(wflw)
    before = read_wflw(wflw, "train")
    path.write_bytes(encode(path.read_text()))
    for face, expected in zip(read_wflw(wflw, "train"), before, strict=True):
        assert_allclose(face.landmarks_px, expected.landmarks_px)
        assert (face.image_path, face.source) == (expected.image_path, expected.source)
    folder = tmp_path / "points"
    save_picture(folder / "a.png")
    for start in (PTS, PTS.partition("\n")[2], PTS.partition("\n")[2].partition("\n")[2]):
        (folder / "a.pts").write_bytes(encode(start))
        assert_allclose(read_pts_folder(folder)[0].landmarks_px, POINTS - 0.5, atol=1e-3)


@pytest.mark.parametrize(
    ("listed", "on_disk"),
    [
        ("with spaces  in it/a b.png", None),
        (f"{COMPOSED}/ü.png", None),
        (f"{COMPOSED}/{COMPOSED}.png", f"{DECOMPOSED}/{DECOMPOSED}.png"),
        (f"{DECOMPOSED}.png", f"{COMPOSED}.png"),
        ("Faces/a.png", "faces/A.PNG"),
        ("0--Parade\\b.png", "0--Parade/b.png"),
        ("./c/./d.png", "c/d.png"),
    ],
)
def test_names_of_lists_find_their_pictures(wflw, listed, on_disk):
    there = renamed(wflw, 2, listed, on_disk)
    assert read_wflw(wflw, "train")[1].image_path == there
    assert len(load_face_set(wflw, "train", size=160, missing_allowed=0)) == 6


def test_a_face_is_on_the_same_side_whatever_the_unicode_form_of_its_name(wflw):
    renamed(wflw, 2, f"{DECOMPOSED}.png")
    faces = load_face_set(wflw, "train", size=160)
    assert faces.pictures[1] == f"WFLW_images/{COMPOSED}.png"


@pytest.mark.parametrize(
    "name",
    ["../a.png", "x/../../a.png", "..\\a.png", "C:\\a.png", "C:a.png", "\\\\host\\a.png", "/a.png"],
)
def test_names_that_lead_out_are_refused(wflw, name):
    path = list_of(wflw)
    lines = path.read_text().splitlines()
    lines[2] = " ".join([*lines[2].split()[:206], name])
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"train\.txt:3: the picture .* lies outside"):
        read_wflw(wflw, "train")


def test_other_encodings_are_named(wflw):
    path = list_of(wflw)
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace("synthetic", "größe")
    path.write_bytes("\n".join(lines).encode("latin-1"))
    with pytest.raises(ValueError, match=r"train\.txt:4: this is not UTF-8"):
        read_wflw(wflw, "train")


def test_names_of_no_encoding_are_refused(tmp_path):
    path = tmp_path / os.fsdecode(b"Gr\xfc\xdfe.pts")
    try:
        path.write_text(PTS)
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(ValueError, match=r"the name .*Gr.*e\.pts.* is not UTF-8") as error:
        read_faces(tmp_path, "train")
    str(error.value).encode()


def test_several_faulty_lines_are_named_at_once(wflw):
    path = list_of(wflw)
    lines = [line.split(maxsplit=1)[1] for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"train.txt:1: .*train.txt:2: .*train.txt:3: ") as error:
        read_wflw(wflw, "train")
    assert str(error.value).endswith("; and 3 more") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (lambda rows: [*rows[:4], "1 x", *rows[5:]], 8),
        (lambda rows: [*rows[:6], "nan 3", *rows[7:]], 10),
        (lambda rows: [*rows[:2], "1e7 3", *rows[3:]], 6),
        (lambda rows: rows[:-1], 71),
    ],
    ids=["number", "nan", "far", "short"],
)
def test_faulty_points_are_named_with_their_line(tmp_path, edit, line):
    rows = "\n".join(edit(ROWS.split("\n")))
    (tmp_path / "a.PTS").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    with pytest.raises(ValueError, match=rf"a\.PTS:{line}: "):
        read_pts_folder(tmp_path)


def test_several_faulty_files_are_named_at_once(tmp_path):
    for name in "abcde":
        (tmp_path / f"{name}.pts").write_text(PTS.replace("}", "1 1 1\n}"))
    with pytest.raises(ValueError, match=r"a\.pts:72.*b\.pts:72.*c\.pts:72.*; and 2 more$"):
        read_pts_folder(tmp_path)
