"""Residual log-likelihood estimation (RLE): a loss that learns how errors are distributed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_COUPLINGS = 6
_HIDDEN = 64
_LARGEST_SCALE = 0.2  # of an error's distribution, in crop sides


class RealNVP(nn.Module):
    """A normalizing flow: the density of points in a plane as that of normal ones, warped.

    Source: Dinh et al. 2017, Density Estimation Using Real NVP, sections 3.2 and 3.4.
    """

    masks: Tensor

    def __init__(self, *, couplings: int = _COUPLINGS, hidden: int = _HIDDEN) -> None:
        super().__init__()
        self.register_buffer("masks", torch.eye(2).repeat(couplings // 2, 1))
        self.scales = nn.ModuleList(_mlp(hidden, nn.Tanh()) for _ in range(couplings))
        self.shifts = nn.ModuleList(_mlp(hidden) for _ in range(couplings))

    def log_density(self, points: Tensor) -> Tensor:
        """Logarithm of the density ``(N,)`` at ``points`` ``(N, 2)``."""
        log_volume = points.new_zeros(len(points))
        for mask, scale, shift in zip(self.masks, self.scales, self.shifts):
            kept = points * mask
            stretch, step = scale(kept) * (1 - mask), shift(kept) * (1 - mask)
            points = kept + (1 - mask) * (points - step) * torch.exp(-stretch)
            log_volume = log_volume - stretch.sum(1)
        normal = -0.5 * points.square().sum(1) - math.log(2 * math.pi)
        return normal + log_volume


class ResidualLogLikelihood(nn.Module):
    """Negative log-likelihood of errors whose scale depends on the face and whose shape is learnt.

    An error over its scale has the density of a Laplace distribution times one a flow learns, which
    trains with the network and is dropped afterwards.

    Args:
        in_features: Number of pooled features that scales are computed from.

    Source: Li et al. 2021, Human Pose Regression with Residual Log-likelihood Estimation, equation 10.
    """

    def __init__(self, in_features: int, num_landmarks: int) -> None:
        super().__init__()
        self.scale = nn.Linear(in_features, 2 * num_landmarks)
        self.flow = RealNVP()

    def forward(self, landmarks: Tensor, target: Tensor, features: Tensor) -> Tensor:
        """The loss of each face ``(B,)``, summed over points.

        Args:
            landmarks, target: ``(B, L, 2)``, fractions of the crop.
            features: ``(B, in_features)``.
        """
        with torch.autocast(landmarks.device.type, enabled=False):
            scale = self.scale(features.float()).sigmoid().view_as(target) * _LARGEST_SCALE
            error = (landmarks.float() - target) / scale
            learnt = self.flow.log_density(error.flatten(0, 1)).view(target.shape[:2])
            laplace = -error.abs() - math.log(2)
            return -(learnt + (laplace - scale.log()).sum(2)).sum(1)


def _mlp(hidden: int, *last: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2, hidden),
        nn.LeakyReLU(),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(),
        nn.Linear(hidden, 2),
        *last,
    )
