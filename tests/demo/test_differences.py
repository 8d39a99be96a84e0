"""Side by side on photos: the largest face magnified, with arrows where two networks differ."""

import numpy as np
import pytest

from landmark_app.files.differences import SIDE, arrow_factor, magnified_differences
from support.fake_models import SHAPE

POINTS = (100 + 80 * SHAPE).astype(np.float32)  # in a picture of 300 x 300


@pytest.fixture
def grey():
    return np.full((300, 300, 3), 128, np.uint8)


def orange(picture):
    """How many pixels have the colour of arrows."""
    return int((np.abs(picture.astype(int) - (255, 159, 26)).max(axis=2) < 40).sum())


def test_the_face_fills_the_magnified_picture(grey):
    grey[int(POINTS[:, 1].min()) : int(POINTS[:, 1].max())] = 200
    picture, _ = magnified_differences(grey, POINTS, POINTS)
    assert picture.shape == (SIDE, SIDE, 3)
    rows = np.flatnonzero((picture[:, 4] == 200).all(axis=1))
    assert 0.7 * SIDE < np.ptp(rows) < 0.9 * SIDE


@pytest.mark.parametrize(
    ("shift", "text", "has_arrows"),
    [
        (0.0, "do not differ", False),
        (0.0005, "too small to draw", False),
        (0.1, "drawn 20× as long", True),
        (1.0, "drawn 2× as long", True),
        (30.0, "drawn 1× as long", True),
    ],
)
def test_arrows_show_differences_and_their_factor_is_told(grey, shift, text, has_arrows):
    picture, told = magnified_differences(grey, POINTS, POINTS + np.float32([shift, 0]))
    assert text in told and bool(orange(picture)) == has_arrows


def test_arrows_go_from_the_first_to_the_second_network(grey):
    one = np.where(np.arange(98)[:, None] == 54, np.float32([0, -8]), 0)  # the tip of the nose
    picture, _ = magnified_differences(grey, POINTS, (POINTS + one).astype(np.float32))
    rows = np.argwhere(np.abs(picture.astype(int) - (255, 159, 26)).max(axis=2) < 40)[:, 0]
    scale = SIDE / (1.25 * np.ptp(POINTS, axis=0).max())
    middle = (POINTS.min(axis=0) + POINTS.max(axis=0)) / 2
    start = (POINTS[54, 1] - middle[1]) * scale + SIDE / 2
    assert rows.max() <= start + 4 and rows.min() < start - 40


def test_networks_with_different_points_have_no_arrows(grey):
    picture, told = magnified_differences(grey, POINTS, POINTS[:68] + 5)
    assert "different points" in told and not orange(picture)


def test_a_face_at_the_border_or_in_one_place_is_shown(grey):
    for points in (POINTS - 120, np.zeros((98, 2), np.float32)):
        picture, _ = magnified_differences(grey, points, points + 1)
        assert picture.shape == (SIDE, SIDE, 3)


def test_most_arrows_stay_small():
    rng = np.random.default_rng(0)
    for size in (1e-4, 0.01, 0.3, 3, 100):
        shifts = rng.normal(0, size, (98, 2)).astype(np.float32)
        factor = arrow_factor(shifts)
        assert factor == 1 or np.quantile(factor * np.linalg.norm(shifts, axis=1), 0.9) <= 45
