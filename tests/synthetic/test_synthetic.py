"""Drawn faces: shapes, landmarks on what they mark, files in WFLW's layout."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pfld.data.wflw_writer import write_wflw_layout
from pfld.preprocess import CROP_MARGIN
from pfld.synthetic.faces import MAX_ANGLES, synthetic_faces
from pfld.synthetic.shapes import dot, fill


@pytest.fixture(scope="module")
def faces():
    return synthetic_faces(60, seed=3)


def test_arrays_have_the_promised_shapes_and_types(faces):
    described = [
        (part.shape, part.dtype.name)
        for part in (faces.crops, faces.landmarks, faces.angles, faces.attributes)
    ]
    assert described == [
        ((60, 160, 160, 3), "uint8"),
        ((60, 98, 2), "float32"),
        ((60, 3), "float32"),
        ((60, 6), "uint8"),
    ]
    assert len(faces) == 60


def test_the_landmark_box_is_centred_and_of_fixed_size(faces):
    low, high = faces.landmarks.min(axis=1), faces.landmarks.max(axis=1)
    assert_allclose((low + high) / 2, 0.5, atol=1e-5)
    assert_allclose((high - low).max(axis=1), 1 / CROP_MARGIN, atol=1e-5)


def test_the_same_seed_draws_the_same_faces(faces):
    again = synthetic_faces(5, seed=3)
    assert_array_equal(again.crops, faces.crops[:5])
    assert_array_equal(again.landmarks, faces.landmarks[:5])
    assert_array_equal(again.attributes, faces.attributes[:5])


def test_another_seed_draws_other_faces(faces):
    assert np.abs(synthetic_faces(1, seed=4).landmarks - faces.landmarks[:1]).max() > 0.01


@pytest.mark.parametrize("size", [32, 75, 600])
def test_landmarks_do_not_depend_on_the_size(faces, size):
    other = synthetic_faces(3, size=size, seed=3)
    assert other.crops.shape == (3, size, size, 3)
    assert_allclose(other.landmarks, faces.landmarks[:3], atol=1e-6)


def test_pictures_do_not_shift_with_the_size():
    large = synthetic_faces(6, size=320, seed=3).crops
    small = synthetic_faces(6, size=160, seed=3).crops
    for one, other in zip(large, small):
        halved = cv2.resize(one, (160, 160), interpolation=cv2.INTER_AREA)
        grays = [
            cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (halved, other)
        ]
        shift, _ = cv2.phaseCorrelate(*grays)
        assert_allclose(shift, 0, atol=0.35)


def test_angles_stay_in_range_and_reach_both_sides(faces):
    assert (np.abs(faces.angles) <= MAX_ANGLES).all()
    assert (faces.angles.min(axis=0) < 0).all() and (faces.angles.max(axis=0) > 0).all()


def test_every_attribute_occurs_and_is_missing_somewhere():
    rates = synthetic_faces(200, size=32, seed=1).attributes.mean(axis=0)
    assert ((rates > 0.02) & (rates < 0.7)).all()


def test_pupils_lie_between_the_lids(faces):
    for pupil, upper, lower in ((96, 62, 66), (97, 70, 74)):
        span = faces.landmarks[:, lower] - faces.landmarks[:, upper]
        along = ((faces.landmarks[:, pupil] - faces.landmarks[:, upper]) * span).sum(axis=1)
        assert ((along >= 0) & (along <= (span**2).sum(axis=1))).all()


def test_wide_open_eyes_are_dark_at_the_pupil(faces):
    heights = np.linalg.norm(faces.landmarks[:, 62] - faces.landmarks[:, 66], axis=1)
    clear = (heights > 0.035) & (faces.attributes[:, [2, 4, 5]].sum(axis=1) == 0)
    assert clear.sum() >= 5
    for crop, landmarks in zip(faces.crops[clear], faces.landmarks[clear]):
        x, y = (landmarks[96] * 160).astype(int)
        skin_x, skin_y = ((landmarks[66] * 0.6 + landmarks[55] * 0.4) * 160).astype(int)
        pupil, skin = crop[y - 1 : y + 2, x - 1 : x + 2], crop[skin_y, skin_x]
        assert pupil.min() < 0.7 * skin.max()


def test_the_pictures_show_different_things(faces):
    assert faces.crops.std(axis=0).mean() > 30
    assert (faces.crops.reshape(60, -1).std(axis=1) > 15).all()


def test_no_faces_are_empty_arrays():
    nothing = synthetic_faces(0)
    assert nothing.crops.shape == (0, 160, 160, 3) and nothing.landmarks.shape == (0, 98, 2)


@pytest.mark.parametrize(
    "arguments",
    [{"count": -1}, {"count": 1, "size": 31}, {"count": 1, "seed": -1}],
    ids=["count", "size", "seed"],
)
def test_impossible_requests_are_refused(arguments):
    with pytest.raises(ValueError, match="negative"):
        synthetic_faces(**arguments)


@pytest.mark.parametrize("split", ["train", "test"])
def test_written_faces_can_be_read_back(faces, tmp_path, split):
    few = synthetic_faces(4, seed=3)
    path = write_wflw_layout(few, tmp_path, split=split)
    folder = tmp_path / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    assert path == folder / f"list_98pt_rect_attr_{split}.txt"
    lines = path.read_text().splitlines()
    assert len(lines) == 4
    for index, line in enumerate(lines):
        fields = line.split()
        assert len(fields) == 207
        landmarks_px = np.array(fields[:196], dtype=float).reshape(98, 2)
        assert_allclose(landmarks_px / 160, few.landmarks[index], atol=1e-6)
        box_xyxy = np.array(fields[196:200], dtype=int)
        assert (box_xyxy[:2] <= landmarks_px).all() and (landmarks_px <= box_xyxy[2:]).all()
        assert_array_equal(np.array(fields[200:206], dtype=int), few.attributes[index])
        picture = cv2.imread(str(tmp_path / "WFLW_images" / fields[206]))
        assert_array_equal(picture[..., ::-1], few.crops[index])


def test_writing_no_faces_gives_an_empty_list(tmp_path):
    assert write_wflw_layout(synthetic_faces(0), tmp_path).read_text() == ""


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'train' or 'test'"):
        write_wflw_layout(synthetic_faces(0), tmp_path, split="valid")


def test_a_polygon_is_centred_where_it_should_be():
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    image = np.zeros((20, 20), np.uint8)
    fill(image, np.stack([8.25 + 5 * np.cos(turn), 11.5 + 5 * np.sin(turn)], axis=1), (255,))
    rows, columns = np.mgrid[:20, :20] + 0.5
    weight = image / image.sum()
    assert_allclose([(weight * columns).sum(), (weight * rows).sum()], (8.25, 11.5), atol=0.15)


def test_a_dot_is_centred_where_it_should_be():
    image = np.zeros((20, 20), np.uint8)
    dot(image, (8.25, 11.5), 3.0, (255,))
    rows, columns = np.mgrid[:20, :20] + 0.5
    weight = image / image.sum()
    assert_allclose([(weight * columns).sum(), (weight * rows).sum()], (8.25, 11.5), atol=0.15)
