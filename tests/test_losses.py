"""Losses against their formulas, written out by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from pfld.losses import calibration_loss, pfld_loss, smooth_l1_loss, wing_loss


@given(st.floats(-40, 40))
def test_wing_of_one_coordinate(x):
    offset = 10 - 10 * math.log(1 + 10 / 2)
    expected = 10 * math.log(1 + abs(x) / 2) if abs(x) < 10 else abs(x) - offset
    error = torch.tensor([[x, 0.0]], dtype=torch.float64)
    assert wing_loss(error, torch.zeros_like(error)).item() == pytest.approx(expected, abs=1e-9)


@given(st.floats(-5, 5), st.floats(0.1, 3))
def test_smooth_l1_of_one_coordinate(x, beta):
    expected = abs(x) - beta / 2 if abs(x) > beta else x * x / (2 * beta)
    error = torch.tensor([[x, 0.0]], dtype=torch.float64)
    loss = smooth_l1_loss(error, torch.zeros_like(error), beta=beta)
    assert loss.item() == pytest.approx(expected, abs=1e-9)


def test_losses_sum_coordinates_and_average_faces():
    prediction, target = torch.randn(4, 98, 2), torch.randn(4, 98, 2)
    for loss in (wing_loss, smooth_l1_loss):
        per_face = [loss(prediction[i : i + 1], target[i : i + 1]) for i in range(4)]
        assert_close(loss(prediction.flatten(1), target.flatten(1)), torch.stack(per_face).mean())


def test_faces_count_as_much_as_they_weigh():
    prediction, target, weights = torch.randn(4, 6), torch.randn(4, 6), torch.rand(4)
    for loss in (wing_loss, smooth_l1_loss):
        per_face = [loss(prediction[i : i + 1], target[i : i + 1]) for i in range(4)]
        expected = (torch.stack(per_face) * weights).mean()
        assert_close(loss(prediction, target, face_weights=weights), expected)


def faces():
    torch.manual_seed(0)
    attributes = torch.tensor([[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0.0]])
    return torch.rand(3, 8), torch.rand(3, 8), torch.rand(3, 3), torch.rand(3, 3), attributes


@pytest.mark.parametrize(
    ("original", "weights"), [(False, [3.0, 6.0, 3.0]), (True, [0.0, 6.0, 0.0])]
)
def test_pfld_loss_weighs_rare_attributes(original, weights):
    prediction, target, angles, target_angles, attributes = faces()
    squared = (prediction - target).square().sum(1)
    pose = (1 - torch.cos(angles - target_angles)).sum(1)
    loss, monitor = pfld_loss(*faces(), original_weighting=original)
    assert_close(loss, (torch.tensor(weights) * pose * squared).mean())
    assert_close(monitor, squared.mean())


def test_bad_input_is_named():
    good, nan = torch.zeros(2, 4), torch.tensor([[math.nan, 0, 0, 0], [0, 0, 0, 0]])
    with pytest.raises(ValueError, match="non-finite values in prediction;"):
        wing_loss(nan, good)
    with pytest.raises(ValueError, match="share one shape"):
        wing_loss(torch.zeros(2, 6), good)
    with pytest.raises(ValueError, match="positive"):
        wing_loss(good, good, width=0)
    with pytest.raises(ValueError, match="beta"):
        smooth_l1_loss(good, good, beta=0)
    with pytest.raises(ValueError, match=r"attributes must have shape \(2, 6\)"):
        pfld_loss(good, good, torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 5))


def test_calibration_is_best_where_uncertainty_is_the_expected_error():
    generator = torch.Generator().manual_seed(0)
    error = torch.empty(4000, 2, dtype=torch.float64).exponential_(1 / 0.03, generator=generator)
    at = [calibration_loss(torch.full_like(error, u), error).item() for u in (0.025, 0.03, 0.036)]
    assert at[1] < min(at[0], at[2])
    assert at[1] == pytest.approx(1 + math.log(0.03), abs=0.05)
