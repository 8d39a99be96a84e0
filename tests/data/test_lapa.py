"""Text files of 106 points, as LaPa and JD-landmark have them, and what they become."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from pfld.data.annotations import read_faces
from pfld.data.face_set import load_face_set
from pfld.landmarks import IBUG_68, JD_POINTS, JD_TO_IBUG, WFLW_TO_IBUG
from pfld.synthetic.faces import synthetic_faces

FACE = synthetic_faces(1, size=160).landmarks[0] * 160  # WFLW's 98 points


def in_jd_order(face):
    """A face of WFLW's points with those of JD-landmark, whose nose and eyes have more."""
    nose, wings = face[55:60], face[[55, 59]]
    side = face[51] + (wings - face[51]) * 0.3
    outer = wings + (wings - wings[::-1]) * 0.1
    nose = [side[0], (side[0] + outer[0]) / 2, outer[0], *nose, outer[1], (side[1] + outer[1]) / 2]
    eyes = [*face[60:68], face[96], *face[68:76], face[97]]
    return np.array([*face[:55], *nose, side[1], *eyes, *face[76:96], face[96], face[97]])


POINTS = in_jd_order(FACE)
# Points of a mirrored face, from the same source as the numbering.
MIRROR = [
    *range(32, -1, -1), *range(46, 41, -1), *range(50, 46, -1), *range(37, 32, -1), *range(41, 37, -1),
    *range(51, 55), *range(65, 54, -1), *range(79, 74, -1), *range(82, 79, -1), 83, *range(70, 65, -1),
    *range(73, 70, -1), 74, *range(90, 83, -1), *range(95, 90, -1), *range(100, 95, -1),
    *range(103, 100, -1), 105, 104,
]  # fmt: skip


def write(
    folder, name, points, *, picture=None, landmarks="landmarks", images="images", count=None
):
    for sub in (landmarks, images):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    rows = [str(len(points) if count is None else count), *(f"{x:.2f} {y:.2f}" for x, y in points)]
    (folder / landmarks / name).write_text("\n".join(rows) + "\n")
    if picture:
        Image.new("RGB", (160, 160)).save(folder / images / picture)


def test_106_points_of_a_face_become_the_68_of_the_same_face():
    assert len(POINTS) == JD_POINTS
    assert_allclose(POINTS[list(JD_TO_IBUG)], FACE[list(WFLW_TO_IBUG)])


def test_mirrored_points_become_mirrored_points():
    assert sorted(MIRROR) == list(range(JD_POINTS))
    mirrored = [JD_TO_IBUG.index(MIRROR[point]) for point in JD_TO_IBUG]
    assert tuple(mirrored) == IBUG_68.mirror


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_lapas_layout(tmp_path, split):
    for name in ("a", "b"):
        write(tmp_path / split, f"{name}.txt", POINTS, picture=f"{name}.jpg")
    faces = read_faces(tmp_path, split)
    assert [face.image_path.name for face in faces] == ["a.jpg", "b.jpg"]
    assert faces[0].scheme == IBUG_68
    assert_allclose(faces[0].landmarks_px, FACE[list(WFLW_TO_IBUG)], atol=0.01)
    assert load_face_set(tmp_path, split, size=160).landmarks.shape == (2, 68, 2)


@pytest.mark.parametrize(
    ("name", "picture", "folders"),
    [
        ("a.TXT", "a.JPG", {}),
        ("AFW_1_0.jpg.txt", "AFW_1_0.jpg", {"landmarks": "landmark", "images": "picture"}),
        ("a.b.txt", "a.b.png", {}),
        ("über alles.txt", "u\u0308ber alles.Tif", {"landmarks": "Landmarks", "images": "Images"}),
    ],
)
def test_names_of_files_and_folders(tmp_path, name, picture, folders):
    write(tmp_path / "train", name, POINTS, picture=picture, **folders)
    (face,) = read_faces(tmp_path, "train")
    assert face.image_path.name == picture and face.image_path.is_file()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_line_ends_and_empty_lines(tmp_path, encoding):
    write(tmp_path / "train", "a.txt", POINTS, picture="a.png")
    path = tmp_path / "train/landmarks/a.txt"
    path.write_bytes((path.read_text() + "\n \n").replace("\n", "\r\n").encode(encoding))
    assert len(read_faces(tmp_path, "train")) == 1


@pytest.mark.parametrize("count", [68, 98])
def test_other_counts_are_taken_as_they_are(tmp_path, count):
    write(tmp_path / "train", "a.txt", POINTS[:count], picture="a.png")
    assert_allclose(read_faces(tmp_path, "train")[0].landmarks_px, POINTS[:count], atol=0.01)


def line(number, text):
    def edit(lines):
        lines[number - 1] = text
        return lines

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (line(1, "105"), r"a\.txt:1: the first line is the number of points"),
        (line(1, "3 4"), r"a\.txt:1: the first line"),
        (lambda lines: [], r"a\.txt:1: the first line"),
        (lambda lines: lines[:-1], r"a\.txt:106: 106 points are announced, got 105"),
        (lambda lines: [*lines, "3 4"], r"a\.txt:108: 106 points are announced, got 107"),
        (line(9, "3 x"), r"a\.txt:9: a line has two numbers"),
        (line(9, "3 4 5"), r"a\.txt:9: a line has two numbers"),
        (line(20, "nan 4"), r"a\.txt:20: coordinates must be finite"),
        (line(20, "1e9 4"), r"a\.txt:20: coordinates must be within"),
        (lambda lines: [lines[0], *["5 5"] * 106], r"a\.txt:1: all points are in one place"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, edit, message):
    write(tmp_path / "train", "a.txt", POINTS, picture="a.png")
    path = tmp_path / "train/landmarks/a.txt"
    path.write_text("\n".join(edit(path.read_text().split("\n")[:-1])))
    with pytest.raises(ValueError, match=message) as error:
        read_faces(tmp_path, "train")
    assert "\n" not in str(error.value)


def test_several_faulty_files_are_named_at_once(tmp_path):
    for name in "abcd":
        write(tmp_path / "train", f"{name}.txt", POINTS, count=7)
    with pytest.raises(ValueError, match=r"a\.txt:1: .*b\.txt:1: .*c\.txt:1: .*; and 1 more$"):
        read_faces(tmp_path, "train")
