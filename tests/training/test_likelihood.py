"""Residual log-likelihood: densities that integrate to one, and errors that become likely."""

import math

import pytest
import torch
from torch.testing import assert_close

from pfld.training.config import TrainingConfig
from pfld.training.likelihood import RealNVP, ResidualLogLikelihood


def test_the_flows_density_integrates_to_one():
    torch.manual_seed(0)
    flow = RealNVP().double()
    axis = torch.arange(-9, 9, 0.05, dtype=torch.float64) + 0.025
    points = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        density = flow.log_density(points).exp()
    assert density.sum().item() * 0.05**2 == pytest.approx(1, abs=1e-3)
    assert density.std() > 0


def test_an_untaught_flow_of_no_layers_is_normal():
    flow = RealNVP(couplings=0).double()
    points = torch.tensor([[0.0, 0.0], [1.0, -2.0]], dtype=torch.float64)
    expected = -math.log(2 * math.pi) - torch.tensor([0.0, 2.5], dtype=torch.float64)
    assert_close(flow.log_density(points), expected)


def test_loss_is_that_of_equation_10():
    torch.manual_seed(0)
    loss = ResidualLogLikelihood(4, 3)
    landmarks, target = torch.rand(2, 3, 2), torch.rand(2, 3, 2)
    features = torch.randn(2, 4)
    scale = 0.2 * torch.sigmoid(loss.scale(features)).view(2, 3, 2)
    error = (landmarks - target) / scale
    by_hand = torch.zeros(2)
    for face in range(2):
        for point in range(3):
            density = loss.flow.log_density(error[face, point][None])[0]
            laplace = (0.5 * torch.exp(-error[face, point].abs())).log().sum()
            by_hand[face] -= density + laplace - scale[face, point].log().sum()
    found = loss(landmarks, target, features)
    assert_close(found, by_hand, rtol=1e-4, atol=1e-4)


def test_scale_learns_how_large_errors_are():
    torch.manual_seed(0)
    loss = ResidualLogLikelihood(1, 2)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    spread = torch.tensor([0.004, 0.04])[:, None]
    before = after = None
    for _ in range(300):
        landmarks = 0.5 + spread * torch.randn(64, 2, 2)
        value = loss(landmarks, torch.full((64, 2, 2), 0.5), torch.ones(64, 1)).mean()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        before, after = before if before is not None else value.item(), value.item()
    small, large = loss.scale(torch.ones(1, 1)).sigmoid().view(2, 2).mean(1)
    assert after < before - 4
    assert 4 < (large / small).item() < 25


@pytest.mark.parametrize(
    ("options", "message"),
    [({"head": "heatmap"}, "--head regression"), ({"teacher": "a.onnx"}, "no --teacher")],
)
def test_it_is_for_regression_from_labels(options, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(loss="rle", **options)
