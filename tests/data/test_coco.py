"""Faces in COCO's keypoint format and COCO-WholeBody's."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from pfld.data.annotations import read_faces
from pfld.data.face_set import load_face_set
from pfld.landmarks import JD_TO_IBUG, WFLW_98, WFLW_TO_IBUG
from pfld.synthetic.faces import synthetic_faces

DRAWN = synthetic_faces(2, size=160)
POINTS = DRAWN.landmarks * 160
NAMES = ("a.jpg", "b.jpg")


def annotation(index, points, **more):
    keypoints = np.concatenate([points, np.full((len(points), 1), 2)], axis=1)
    return {
        "id": index,
        "image_id": index % 2,
        "keypoints": keypoints.ravel().tolist(),
        **more,
    }


def write(folder, path="train.json", pictures=".", *, annotations=None, names=NAMES, **options):
    for name, crop in zip(names, DRAWN.crops):
        (folder / pictures / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop).save(folder / pictures / name)
    if annotations is None:
        annotations = [annotation(index, points) for index, points in enumerate(POINTS)]
    content = {
        "info": {"year": [2026, {}]},
        "images": [{"id": index, "file_name": name} for index, name in enumerate(names)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "face"}],
    }
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(json.dumps(content, **options), encoding="utf-8")
    return content


LAYOUTS = [
    ("train.json", "."),
    ("Train.JSON", "images"),
    ("train.json", "train"),
    ("annotations/train.json", "annotations"),
    ("annotations/person_keypoints_train.json", "images"),
    ("annotations/person_keypoints_train2017.json", "train2017"),
    ("annotations/person_keypoints_train2017.json", "images/train2017"),
    ("annotations/coco_wholebody_train_v1.0.json", "train/images"),
    ("Annotations/faces-TRAIN.json", "Images"),
]


@pytest.mark.parametrize(("path", "pictures"), LAYOUTS)
def test_layouts(tmp_path, path, pictures):
    write(tmp_path, path, pictures)
    faces = read_faces(tmp_path, "train")
    assert [face.image_path for face in faces] == [tmp_path / pictures / name for name in NAMES]
    assert_allclose(np.stack([face.landmarks_px for face in faces]), POINTS, atol=1e-4)
    assert len(load_face_set(tmp_path, "train", size=160, missing_allowed=0)) == 2


def test_split_is_a_word_of_the_name(tmp_path):
    write(tmp_path, "annotations/latest.json")
    write(tmp_path, "annotations/valid.json")
    for split in ("test", "val"):
        with pytest.raises(FileNotFoundError, match=r"annotations/\*"):
            read_faces(tmp_path, split)


def test_files_without_points_are_passed_over(tmp_path):
    write(tmp_path, "annotations/instances_val2017.json", annotations=[{"bbox": [0, 0, 1, 1]}])
    write(tmp_path, "annotations/captions_val2017.json", annotations=[{"caption": "a face"}])
    write(tmp_path, "annotations/person_keypoints_val2017.json")
    assert len(read_faces(tmp_path, "val")) == 2
    write(tmp_path, "annotations/face_landmarks_val2017.json")
    with pytest.raises(ValueError, match="several files for val: face_landmarks.*, person_"):
        read_faces(tmp_path, "val")


@pytest.mark.parametrize("count", [68, 98])
def test_several_faces_of_a_picture_and_their_boxes(tmp_path, count):
    points = POINTS if count == 98 else POINTS[:, list(WFLW_TO_IBUG)]
    given = [
        annotation(0, points[0], bbox=[10, 20, 30, 40]),
        annotation(2, points[1] + 0.25),
        annotation(4, points[1], bbox=[0, 0, 0, 0]),
    ]
    write(tmp_path, annotations=given)
    faces = read_faces(tmp_path, "train")
    assert [face.image_path.name for face in faces] == ["a.jpg"] * 3
    assert [len(face.landmarks_px) for face in faces] == [count] * 3
    assert_allclose(faces[0].box_xyxy, [10, 20, 40, 60])
    for face in faces[1:]:
        low, high = face.landmarks_px.min(axis=0), face.landmarks_px.max(axis=0)
        assert_allclose(face.box_xyxy, [*low, *high])
    assert_allclose(faces[1].landmarks_px, points[1] + 0.25, atol=1e-4)


def test_106_points_become_68(tmp_path):
    points = np.random.default_rng(0).uniform(5, 150, (106, 2))
    write(tmp_path, annotations=[annotation(0, points)])
    (face,) = read_faces(tmp_path, "train")
    assert_allclose(face.landmarks_px, points[list(JD_TO_IBUG)], atol=1e-4)


def test_wholebody_faces(tmp_path):
    def person(index, *, valid):
        face = annotation(index, POINTS[index][list(WFLW_TO_IBUG)])["keypoints"]
        return {
            **annotation(index, np.zeros((17, 2)), bbox=[0, 0, 159, 159]),
            "face_kpts": face if valid else [0.0] * 204,
            "face_box": [5, 6, 7, 8],
            "face_valid": valid,
        }

    write(tmp_path, annotations=[person(0, valid=False), person(1, valid=True)])
    said = []
    (face,) = read_faces(tmp_path, "train", report=said.append)
    assert_allclose(face.landmarks_px, POINTS[1][list(WFLW_TO_IBUG)], atol=1e-4)
    assert_allclose(face.box_xyxy, [5, 6, 12, 14])
    assert not said


def unknown_one(given):
    given["keypoints"][30:33] = [0, 0, 0]


def unknown_all(given):
    given["keypoints"] = [0] * len(given["keypoints"])


def unknown_but_placed(given):
    given["keypoints"][5] = 0


@pytest.mark.parametrize(
    "spoil",
    [
        unknown_one,
        unknown_all,
        unknown_but_placed,
        lambda given: given.update(keypoints=[]),
        lambda given: given.pop("keypoints"),
        lambda given: given.update(iscrowd=1),
    ],
)
def test_faces_with_unknown_points_are_left_out_and_reported(tmp_path, capfd, spoil):
    given = [annotation(index, POINTS[index % 2]) for index in range(4)]
    spoil(given[1])
    spoil(given[3])
    write(tmp_path, annotations=given, indent=1)
    said = []
    faces = load_face_set(tmp_path, "train", size=160, report=said.append)
    assert len(faces) == 2 and faces.landmarks.min() > 0.1
    (line,) = said
    assert "2 of 4 faces have unknown points" in line
    assert ": annotation 1: 2 of 4" in line
    place = line.split(": ")[0].rpartition(":")
    assert place[0] == str(tmp_path / "train.json")
    rows = (tmp_path / "train.json").read_text().split("\n")
    assert '"id": 1' in rows[int(place[2])]  # the line after the brace
    read_faces(tmp_path, "train")
    captured = capfd.readouterr()
    assert captured.err == line + "\n" and not captured.out


def test_only_unknown_points_are_refused(tmp_path):
    given = [annotation(index, POINTS[index]) for index in range(2)]
    for face in given:
        unknown_one(face)
    write(tmp_path, annotations=given)
    with pytest.raises(ValueError, match=r"train\.json:1: none of 2 faces has all its points"):
        read_faces(tmp_path, "train")


def without(key):
    return lambda given: given.pop(key)


def with_(**more):
    return lambda given: given.update(more)


FAULTS = {
    "17 points": (with_(keypoints=[1] * 51), "keypoints has 51 numbers; x, y, v of 68, 98, 106"),
    "no v": (with_(keypoints=[1, 2] * 98), "196 numbers"),
    "text": (with_(keypoints="many"), "list of numbers"),
    "words": (with_(keypoints=["x"] * 294), "list of numbers"),
    "object": (with_(keypoints={"a": 1}), "list of numbers"),
    "nan": (with_(keypoints=[float("nan"), 1, 2] * 98), "finite"),
    "v is nan": (with_(keypoints=[1, 1, float("nan")] * 98), "v must be"),
    "null": (with_(keypoints=[None, 1, 2] * 98), "finite"),
    "huge": (with_(keypoints=[10**400, 1, 2] * 98), "list of numbers"),
    "far": (with_(keypoints=[10**6, 1, 2] * 98), "within 100,000"),
    "one place": (with_(keypoints=[5, 5, 2] * 98), "one place"),
    "other picture": (with_(image_id=77), "no image has the id 77"),
    "no picture": (without("image_id"), "image_id is missing"),
    "list as picture": (with_(image_id=[1]), "image_id is missing"),
    "box": (with_(bbox=[1, 2, 3]), "bbox is x, y, width and height"),
    "box of text": (with_(bbox="wide"), "bbox must be a list of numbers"),
    "box without end": (with_(bbox=[1, 2, float("inf"), 3]), "bbox: coordinates must be finite"),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTS.values(), ids=FAULTS)
def test_faulty_annotations_are_named(tmp_path, spoil, message):
    given = [annotation(index, POINTS[index % 2]) for index in range(3)]
    spoil(given[1])
    content = write(tmp_path, annotations=given)
    lines = [
        '{"images": [',
        ",\n".join(json.dumps(image) for image in content["images"]),
        '], "annotations": [',
        ",\n".join(json.dumps(face) for face in given),
        "]}",
    ]
    (tmp_path / "train.json").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=rf"train\.json:6: annotation 1: .*{message}") as error:
        read_faces(tmp_path, "train")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "../a.jpg",
        "images/../../a.jpg",
        "/etc/a.jpg",
        "C:\\a.jpg",
        "..\\a.jpg",
        "\ud800.jpg",
        7,
        None,
    ],
)
def test_pictures_outside_are_refused(tmp_path, name):
    content = write(tmp_path)
    content["images"][1]["file_name"] = name
    (tmp_path / "train.json").write_text(json.dumps(content, indent=1))
    with pytest.raises(
        ValueError, match=r"train\.json:\d+: (the picture .* outside|an image is|the name)"
    ):
        read_faces(tmp_path, "train")


def test_an_id_twice_is_refused(tmp_path):
    content = write(tmp_path)
    content["images"][1]["id"] = 0
    (tmp_path / "train.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"train\.json:1: another image has the id 0"):
        read_faces(tmp_path, "train")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r":1: this is not JSON"),
        ("[]", r":1: this is not JSON"),
        ("{}", r":1: COCO's JSON has a list images and one annotations"),
        ('{"images": {}, "annotations": []}', r":1: COCO's JSON has a list images"),
        ('{"images": [], "annotations": []}', r":1: none of 0 faces"),
        ('{"images": [],\n"annotations": [\n1, 2', r":3: this is not JSON"),
        ('{"images": [],\n"annotations": [\n"a" "b"]}', r":3: this is not JSON"),
        ('{"images": [],\n"annotations": [1]}', r":2: an annotation is an object"),
        ("[" * 50, r":1: this is not JSON"),
        ('{"images": ' + "[" * 100_000, r":1: this is not JSON"),
        ('{"n": ' + "9" * 5000 + ', "images": [], "annotations": []}', r"(:1)?: "),
    ],
)
def test_faulty_files_are_named(tmp_path, text, message):
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(ValueError, match=r"train\.json" + message):
        read_faces(tmp_path, "train")


def test_mark_and_names_in_any_form(tmp_path):
    content = write(tmp_path, names=("Grüße a.JPG", "b c.png"), pictures="images")
    content["images"][0]["file_name"] = "Gru\u0308ße a.jpg"
    (tmp_path / "train.json").write_text(json.dumps(content), encoding="utf-8-sig")
    assert all(face.image_path.is_file() for face in read_faces(tmp_path, "train"))


def test_missing_pictures_are_counted_later(tmp_path):
    write(tmp_path)
    (tmp_path / "b.jpg").unlink()
    said = []
    assert (
        len(load_face_set(tmp_path, "train", size=160, missing_allowed=0.5, report=said.append))
        == 1
    )
    assert "1 of 2 faces cannot be used" in said[0]


def test_two_kinds_of_points_in_one_set_are_refused(tmp_path):
    given = [annotation(0, POINTS[0]), annotation(1, POINTS[1][list(WFLW_TO_IBUG)])]
    write(tmp_path, annotations=given)
    with pytest.raises(
        ValueError, match=r"train\.json:1: annotation 1: 68 points, where .* has 98"
    ):
        read_faces(tmp_path, "train")
    assert WFLW_98.num_landmarks == 98
