"""tools/results/training_variants.py: other heatmap heads, and sure points that weigh more."""

import pytest
import torch
from torch import nn

import training_variants
from pfld.networks.heads import HeatmapHead, RegressionHead

TAPS = {"conv4_3": 48, "conv5_4": 72}
LANDMARKS = 3


def conv(inputs, outputs, size, groups=1):
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, groups=groups)


def head(kind):
    torch.manual_seed(0)
    regression = RegressionHead({"conv8": 8}, LANDMARKS)
    return kind(TAPS, 64, LANDMARKS, cells=14, conv=conv, regression=regression)


def maps():
    torch.manual_seed(1)
    sizes = {"conv3_3": (40, 28), "conv4_3": (48, 14), "conv5_4": (72, 7), "conv8": (8, 1)}
    return {name: torch.randn(2, count, side, side) for name, (count, side) in sizes.items()}


@pytest.mark.parametrize("name", training_variants.HEADS)
def test_each_head_locates_landmarks_and_has_gradients(name):
    made = head(training_variants.HEADS[name])
    found = made.locate(maps())
    assert found.landmarks.shape == (2, LANDMARKS, 2)
    assert found.uncertainty.shape == (2, LANDMARKS)
    found.landmarks.square().sum().backward()
    assert all(weight.grad.any() for weight in made.maps.parameters() if weight.dim() > 1)


@pytest.mark.parametrize("name", ["axes", "offsets"])
def test_a_heatmap_of_one_cell_is_that_cells_place(name):
    plain, other = head(HeatmapHead), head(training_variants.HEADS[name])
    for made in (plain, other):
        nn.init.zeros_(made.maps.weight)
        nn.init.zeros_(made.maps.bias)
        with torch.no_grad():
            made.prior[:] = 0
            for landmark, (row, column) in enumerate([(2, 11), (0, 0), (13, 5)]):
                made.prior[landmark, row, column] = 1000
    mixed = torch.randn(2, 64, 14, 14)
    expected, variance = other.soft_argmax(mixed)
    torch.testing.assert_close(expected, plain.soft_argmax(mixed)[0], atol=1e-5, rtol=0)
    assert variance.max() < 1e-6


def test_offsets_move_a_landmark_by_parts_of_a_cell():
    made = head(training_variants.OffsetsHead)
    mixed = torch.randn(2, 64, 14, 14)
    before, _ = made.soft_argmax(mixed)
    nn.init.constant_(made.offsets.bias, 0.5)
    after, _ = made.soft_argmax(mixed)
    torch.testing.assert_close(after - before, torch.full_like(before, 0.5 / 14), atol=1e-5, rtol=0)


def test_sure_points_stay_where_they_are_and_move_more():
    torch.manual_seed(0)
    points = torch.randn(2, LANDMARKS, 2, requires_grad=True)
    uncertainty = torch.tensor([[0.01, 0.02, 0.03], [0.02, 0.02, 0.02]])
    same = training_variants.by_certainty(points, uncertainty)
    torch.testing.assert_close(same, points)
    same.sum().backward()
    sure, middle, unsure = points.grad[0, :, 0].tolist()
    assert sure > middle > unsure
    torch.testing.assert_close(points.grad.mean(1), torch.ones(2, 2))
