"""Head pose from landmarks, and the averaged head it is measured with."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from pfld.head.model import (
    angles_from_rotation,
    facing_translation,
    head_points,
    project,
    rotation_from_angles,
    visible_contour,
)
from pfld.head.pose import FOCAL_LENGTH_PER_FACE, head_pose
from pfld.landmarks import WFLW_98, WFLW_TO_IBUG
from pfld.synthetic.faces import synthetic_faces

MODEL = head_points()
GRID = np.deg2rad(
    [(y, p, r) for y in range(-60, 61, 20) for p in (-30, -15, 0, 15, 30) for r in (-45, 0, 20, 45)]
)


def seen_by_camera(angles, *, face_px=200.0, middle=(300.0, 250.0)):
    """The averaged head at these angles, as the camera that head_pose assumes pictures it."""
    rotation = rotation_from_angles(angles)
    distance = 75.0
    for _ in range(6):
        flat = project(MODEL, rotation, facing_translation(MODEL, rotation, distance))
        distance *= np.ptp(flat, axis=0).max() * FOCAL_LENGTH_PER_FACE
    return flat * FOCAL_LENGTH_PER_FACE * face_px + middle


@pytest.fixture(scope="module")
def grid_px():
    return np.stack([seen_by_camera(angles) for angles in GRID])


@pytest.fixture(scope="module")
def faces():
    return synthetic_faces(200, size=32, seed=11)


def test_the_averaged_head_is_symmetric():
    assert_allclose(MODEL[list(WFLW_98.mirror)] * (-1, 1, 1), MODEL)


def test_the_nose_tip_stands_out_and_the_ears_lie_behind():
    assert MODEL[:, 2].argmin() == 54
    assert {MODEL[:, 2].argmax()} <= {0, 32}


def test_angles_survive_the_way_to_a_rotation_and_back():
    assert_allclose(angles_from_rotation(rotation_from_angles(GRID)), GRID, atol=1e-12)


@pytest.mark.parametrize(
    ("angles", "part", "expected"),
    [
        pytest.param((0.3, 0, 0), (0, 0, -1), (1, 0), id="yaw turns the nose to the right"),
        pytest.param((0, 0.3, 0), (0, 0, -1), (0, -1), id="pitch turns the nose up"),
        pytest.param((0, 0, 0.3), (0, -1, 0), (1, -1), id="roll tilts the crown to the right"),
    ],
)
def test_angles_have_the_stated_signs(angles, part, expected):
    turned = rotation_from_angles(angles) @ np.array(part)
    assert_allclose(np.sign(np.round(turned[:2], 9)), expected)


def test_the_outline_moves_only_on_the_side_that_turns_away():
    moved = visible_contour(MODEL[:33], np.deg2rad(40))
    assert_allclose(moved[:17], MODEL[:17], atol=1e-6)
    assert (moved[17:30, 2] < MODEL[17:30, 2]).all()
    assert_allclose(visible_contour(MODEL[:33], 0.0), MODEL[:33], atol=1e-6)


def test_known_poses_of_the_averaged_head_are_recovered(grid_px):
    error = np.rad2deg(head_pose(grid_px) - GRID)
    assert np.abs(error).max() < 0.1


def test_68_points_give_the_pose_of_98(grid_px):
    error = np.rad2deg(head_pose(grid_px[:, list(WFLW_TO_IBUG)]) - GRID)
    assert np.abs(error).max() < 0.3


def test_neither_place_nor_size_in_the_picture_matters(grid_px):
    assert_allclose(head_pose(grid_px * 0.01 - 7), head_pose(grid_px), atol=1e-3)


def test_a_known_focal_length_is_used():
    rotation = rotation_from_angles(GRID[3])
    close = project(MODEL, rotation, facing_translation(MODEL, rotation, 40.0)) * 500
    error = np.abs(head_pose(close, focal_length_px=500.0)[0] - GRID[3]).max()
    assert error < 1e-3 < np.abs(head_pose(close)[0] - GRID[3]).max()


def test_one_focal_length_may_be_given_for_each_face(grid_px):
    lengths = np.full(len(grid_px), FOCAL_LENGTH_PER_FACE * 200)
    assert_allclose(head_pose(grid_px, focal_length_px=lengths), GRID, atol=0.01)


def test_different_people_and_expressions_are_off_by_a_few_degrees(faces):
    error = np.abs(np.rad2deg(head_pose(faces.landmarks * 160) - faces.angles))
    assert (np.median(error, axis=0) < (2.5, 2.5, 1.5)).all()
    assert (np.percentile(error, 95, axis=0) < (8, 8, 5)).all()


def test_a_mirrored_face_has_yaw_and_roll_negated(faces):
    mirrored = faces.landmarks[:, list(WFLW_98.mirror)] * (-1, 1) + (1, 0)
    assert_allclose(head_pose(mirrored), head_pose(faces.landmarks) * (-1, 1, -1), atol=1e-3)


def test_turning_the_picture_changes_roll_alone(faces):
    # The box of a turned face differs a little, and with it the camera that is assumed.
    turn = rotation_from_angles((0, 0, 0.2))[:2, :2]
    change = head_pose(faces.landmarks @ turn.T) - head_pose(faces.landmarks)
    assert_allclose(change, np.broadcast_to([0, 0, 0.2], change.shape), atol=0.03)


def test_a_single_face_may_come_without_the_first_axis(grid_px):
    pose = head_pose(grid_px[5])
    assert pose.shape == (1, 3) and pose.dtype == np.float32


def test_no_face_has_no_pose():
    assert head_pose(np.empty((0, 98, 2))).shape == (0, 3)


def test_scattered_points_still_give_finite_angles():
    scattered = np.random.default_rng(0).uniform(0, 100, (50, 98, 2))
    assert np.isfinite(head_pose(scattered)).all()


def test_a_failing_refinement_leaves_the_first_estimate(grid_px, monkeypatch):
    monkeypatch.setattr(cv2, "solvePnP", lambda *arguments: (False, arguments[4], arguments[5]))
    assert np.abs(head_pose(grid_px) - GRID).max() < 0.2


@pytest.mark.parametrize("shape", [(98,), (98, 3), (2, 97, 2), (1, 1, 98, 2)], ids=str)
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="landmark"):
        head_pose(np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=str)
def test_landmarks_that_are_not_finite_are_refused(grid_px, value):
    broken = grid_px[:3].copy()
    broken[2, 40, 1] = value
    with pytest.raises(ValueError, match="face 2"):
        head_pose(broken)


@pytest.mark.parametrize("spread", [0.0, 1.0], ids=["in one place", "on one line"])
def test_landmarks_without_area_are_refused(spread):
    line = np.arange(98)[:, None] * np.array([1.0, 2.0]) * spread + 5
    with pytest.raises(ValueError, match="one line"):
        head_pose(line)


@pytest.mark.parametrize("focal", [0, -3.0, np.nan, [1.0, 2.0]], ids=str)
def test_focal_lengths_that_make_no_sense_are_refused(grid_px, focal):
    with pytest.raises(ValueError, match="focal length"):
        head_pose(grid_px[:3], focal_length_px=focal)


def test_angles_and_rotations_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="yaw, pitch, roll"):
        rotation_from_angles([1.0, 2.0])
    with pytest.raises(ValueError, match="3, 3"):
        angles_from_rotation(np.eye(2))
