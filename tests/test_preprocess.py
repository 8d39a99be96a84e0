"""Network input from crops."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pfld.preprocess import Preprocessing


def test_black_is_minus_one_and_white_one():
    crops = np.zeros((2, 112, 112, 3), np.uint8)
    crops[1] = 255
    result = Preprocessing()(crops)
    assert result.shape == (2, 3, 112, 112) and result.dtype == np.float32
    assert_allclose(result[0], -1)
    assert_allclose(result[1], 1, atol=1e-6)


def test_bgr_networks_get_blue_first_with_their_own_mean():
    crops = np.zeros((1, 96, 96, 3), np.uint8)
    crops[..., 0] = 255  # red
    preprocessing = Preprocessing(96, "bgr", mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))
    assert_allclose(preprocessing(crops)[0, :, 0, 0], [-0.1, -0.2, 0.7], atol=1e-6)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((1, 3, 112, 112), np.uint8),
        np.zeros((1, 112, 112, 3), np.float32),
        np.zeros((112, 112, 3), np.uint8),
    ],
    ids=["channels first", "float", "no batch"],
)
def test_other_crops_are_refused(crops):
    with pytest.raises(ValueError, match="uint8 of shape"):
        Preprocessing()(crops)


@pytest.mark.parametrize(
    "options",
    [
        {"channel_order": "rbg"},
        {"std": (1.0, 0.0, 1.0)},
        {"std": (1.0, 1.0, math.nan)},
        {"mean": (math.inf, 0.0, 0.0)},
        {"crop_scale": math.nan},
        {"input_size": 0},
        {"input_size": 100_000},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(ValueError):
        Preprocessing(**options)
