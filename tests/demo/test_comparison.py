"""Comparing two networks: what they share, and what is said about their differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from landmark_app.comparison import compare
from pfld.geometry import FaceCrop
from pfld.preprocess import Preprocessing
from support.fake_models import SHAPE, FakeBackend, compute

IMAGE = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
CROPS = [FaceCrop(100, 90, 80), FaceCrop(220, 110, 50, 0.4)]


def test_both_networks_get_the_very_same_batch():
    first, second = FakeBackend(), FakeBackend()
    compare(IMAGE, CROPS, first, second)
    assert first.batches[0] is second.batches[0]
    assert first.batches[0].shape == (2, 3, 112, 112)


def test_equal_networks_do_not_differ():
    result = compare(IMAGE, CROPS, FakeBackend(), FakeBackend())
    assert_array_equal(result.first, result.second)
    assert (result.largest_px, result.mean_px) == (0, 0)


def test_differences_are_in_pixels_of_the_picture():
    result = compare(IMAGE, CROPS, FakeBackend(), FakeBackend(shift=0.1))
    assert result.largest_px == pytest.approx(8, abs=1e-3)  # of a crop 80 wide
    assert result.mean_px == pytest.approx((8 + 5) / 2, abs=1e-3)
    assert_allclose(result.first[0], SHAPE * 80 + (60, 50), atol=1e-3)


def test_a_network_trained_on_wider_crops_gets_its_own():
    wide = FakeBackend(preprocessing=Preprocessing(crop_scale=2.4))
    first = FakeBackend()
    result = compare(IMAGE, CROPS[:1], first, wide)
    assert first.batches[0].shape == wide.batches[0].shape
    assert np.abs(first.batches[0] - wide.batches[0]).max() > 0.1
    assert_allclose(
        np.ptp(result.second[0], axis=0), 2 * np.ptp(result.first[0], axis=0), rtol=1e-4
    )


def test_another_channel_order_gets_another_batch_of_the_same_crops():
    first, second = FakeBackend(), FakeBackend(preprocessing=Preprocessing(channel_order="bgr"))
    compare(IMAGE, CROPS, first, second)
    assert_array_equal(first.batches[0], second.batches[0][:, ::-1])


def test_networks_with_other_points_have_no_difference():
    class Fewer(FakeBackend):
        def __call__(self, batch):
            return super().__call__(batch)[:, :68]

    result = compare(IMAGE, CROPS, FakeBackend(), Fewer())
    assert result.second.shape == (2, 68, 2)
    assert (result.largest_px, result.mean_px) == (None, None)


def test_without_faces_there_is_nothing_to_compare():
    result = compare(IMAGE, [], FakeBackend(), FakeBackend())
    assert result.first.shape == result.second.shape == (0, 98, 2)
    assert (result.largest_px, result.mean_px) == (None, None)


def test_latency_is_the_median_of_the_repeats():
    class Uneven(FakeBackend):
        def __call__(self, batch):
            found = super().__call__(batch)
            if len(self.batches) == 2:
                compute(0.2)
            return found

    first, second = Uneven(), FakeBackend()
    result = compare(IMAGE, CROPS, first, second, repeats=3)
    assert len(result.first_runs_s) == len(result.second_runs_s) == 3
    assert max(result.first_runs_s) > 0.2 > 0.1 > result.first_s
    assert result.speed_up == result.first_s / result.second_s


class Noted(FakeBackend):
    """Writes its name and the size of each batch into a list."""

    def __init__(self, name, calls, **options):
        super().__init__(name, **options)
        self.calls = calls

    def __call__(self, batch):
        self.calls.append((self.name, len(batch)))
        return super().__call__(batch)


def test_repeats_are_of_one_face_and_begin_with_either_network_in_turn():
    calls = []
    compare(IMAGE, CROPS, Noted("a", calls), Noted("b", calls), repeats=4)
    assert calls[:2] == [("a", 2), ("b", 2)]  # the landmarks, of both faces
    assert "".join(name for name, _ in calls[2:]) in ("abbaabba", "baabbaab")
    assert {count for _, count in calls[2:]} == {1}


def test_either_network_can_be_first():
    calls = []
    first, second = Noted("a", calls), Noted("b", calls, shift=0.1)
    result = compare(IMAGE, CROPS, first, second, second_first=True)
    assert [name for name, _ in calls] == ["b", "a"]
    assert np.all(result.second[..., 0] > result.first[..., 0])
