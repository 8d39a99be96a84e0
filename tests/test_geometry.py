"""FaceCrop: a map and its inverse, and the pixels that go with it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pfld.geometry import FaceCrop

coordinates = st.floats(-500, 500)


@given(
    coordinates,
    coordinates,
    st.floats(1, 2000),
    st.floats(-4, 4),
    st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=5),
)
def test_to_image_undoes_to_crop_inside_and_outside(x, y, side, angle, points):
    crop = FaceCrop(x, y, side, angle)
    assert_allclose(crop.to_image(crop.to_crop(points)), points, atol=2e-3)


def test_corners_of_an_upright_crop_are_0_and_1():
    crop = FaceCrop.from_box([10, 20, 110, 70])
    assert_allclose(crop.to_crop([[10, -5], [110, 95]]), [[0, 0], [1, 1]], atol=1e-6)


def test_crop_around_points_is_scale_times_their_longer_side():
    crop = FaceCrop.around([[10, 20], [50, 30]], scale=1.2)
    assert (crop.center_x, crop.center_y, crop.side) == pytest.approx((30, 25, 48))


def test_crop_turned_with_the_face_sees_it_upright():
    upright = np.array([[-10.0, 0], [10, 0], [0, 30]])
    angle = 0.6
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = upright @ rotation + 100
    expected = FaceCrop.around(upright, scale=1.2).to_crop(upright)
    assert_allclose(
        FaceCrop.around(turned, scale=1.2, angle=angle).to_crop(turned), expected, atol=1e-5
    )


def test_whole_pixel_crop_is_a_slice():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    crop = FaceCrop.from_box([7, 9, 39, 41])
    assert_allclose(crop.extract(image, 32), image[9:41, 7:39])


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.0])
@pytest.mark.parametrize("side", [50.0, 150.0, 420.0])
def test_a_spot_lands_where_to_crop_says(side, angle):
    image = np.zeros((600, 600, 3), np.uint8)
    spot = np.array([int(300 + side / 6), int(300 - side / 8)])
    cv2.circle(image, spot.tolist(), int(side / 20), (255, 255, 255), -1)
    crop = FaceCrop(300, 300, side, angle)
    pixels = crop.extract(image, 112)[..., 0].astype(float)
    y, x = np.mgrid[:112, :112] + 0.5
    found = np.array([(pixels * x).sum(), (pixels * y).sum()]) / pixels.sum()
    # The circle is drawn around the middle of a pixel.
    assert_allclose(found, crop.to_crop(spot + 0.5) * 112, atol=0.25)


def test_crop_beyond_the_edge_is_black_there():
    image = np.full((50, 50, 3), 200, np.uint8)
    pixels = FaceCrop(0, 0, 40).extract(image, 40)
    assert pixels[:19, :19].max() == 0 and pixels[21:, 21:].min() == 200


def test_crop_far_outside_is_black():
    image = np.full((50, 50, 3), 200, np.uint8)
    assert FaceCrop(5000, -5000, 400).extract(image, 112).max() == 0


def test_a_picture_longer_than_opencv_samples_is_cropped():
    image = np.zeros((40, 40_000, 3), np.uint8)
    image[:, 39_000:] = np.arange(200, 240, dtype=np.uint8)[:, None, None]
    assert_allclose(FaceCrop(39_500, 20, 40).extract(image, 40), image[:, 39_500:39_540])
    assert FaceCrop(20_000, 20, 40_000).extract(image, 112)[56, -1].max() > 0


@pytest.mark.parametrize("side", [1e6, 1e9, 1e30])
def test_a_crop_far_wider_than_its_picture_takes_no_memory(monkeypatch, side):
    made = []
    border = cv2.copyMakeBorder
    monkeypatch.setattr(
        cv2, "copyMakeBorder", lambda *given: made.append(border(*given)) or made[-1]
    )
    crop = FaceCrop(25, 25, side)
    assert crop.extract(np.full((50, 50, 3), 200, np.uint8), 112).shape == (112, 112, 3)
    assert made[0].nbytes < 5_000_000


@pytest.mark.parametrize(
    "make",
    [
        lambda: FaceCrop(0, 0, 0),
        lambda: FaceCrop(float("nan"), 0, 1),
        lambda: FaceCrop.from_box([10, 10, 10, 20]),
        lambda: FaceCrop.around([[1, 1], [1, 1]], scale=1.2),
        lambda: FaceCrop.around([[1, 1], [np.inf, 2]], scale=1.2),
    ],
    ids=["no side", "nan", "flat box", "one place", "infinite"],
)
def test_impossible_crops_are_refused(make):
    with pytest.raises(ValueError):
        make()
