"""Landmark heads: linear regression from pooled features, and heatmaps with soft-argmax."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEATMAP_CHANNELS = 128
CELL_MARGIN = 0.1  # of the crop's side, by which heatmaps reach over each of its edges

_PRIOR_WIDTH = 0.12  # standard deviation of a fresh heatmap about the mean shape, in crop sides
_LEAST_PRIOR = -8.0  # logarithm of a fresh heatmap's smallest value over its largest
_LEAST_VARIANCE = 1e-8  # of a heatmap, in squared crop sides; keeps its root's gradient finite
_LOST = 0.25  # expected error if there is no face, in crop sides
_TYPICAL_SPREAD = 0.08  # of a trained heatmap, in crop sides


class Located(NamedTuple):
    """The output of a head, in fractions of the crop's side.

    Attributes:
        landmarks: ``(B, L, 2)``.
        uncertainty: Expected distance of each landmark from the truth, ``(B, L)``; None for a head
            without. Its gradient reaches only the parameters that calibrate it.
        parts: The landmarks ``(B, L, 2)`` that ``landmarks`` are combined from, to be trained as well.
        features: The pooled features that the regression reads, ``(B, C)``.
    """

    landmarks: Tensor
    uncertainty: Tensor | None = None
    parts: tuple[Tensor, ...] = ()
    features: Tensor | None = None


class LandmarkHead(nn.Module):
    """Computes landmarks from the feature maps of a network's layers.

    Attributes:
        name: What the head is called within a network and in weight files.
        knows_uncertainty: Whether it gives the uncertainty of each landmark.
        taps: Layers whose maps it reads.
    """

    name: str
    knows_uncertainty: bool
    taps: tuple[str, ...]

    @abstractmethod
    def locate(self, maps: Mapping[str, Tensor]) -> Located:
        """The landmarks of B faces.

        Args:
            maps: By layer ``(B, C, H, W)``, at least those of :attr:`taps`.
        """

    @abstractmethod
    def start_at_mean_shape_(self, mean_shape: Tensor) -> None:
        """Initialises a new head to predict about ``mean_shape`` ``(L, 2)`` for any input."""


class RegressionHead(nn.Linear, LandmarkHead):
    """Coordinates by direct regression: averages of the maps, joined, through one linear layer.

    Args:
        taps: Channels of each layer read.

    Source: Guo et al. 2019, PFLD, table 1.
    """

    name = "fc"
    knows_uncertainty = False

    def __init__(self, taps: Mapping[str, int], num_landmarks: int) -> None:
        super().__init__(sum(taps.values()), 2 * num_landmarks)
        self.taps = tuple(taps)

    def locate(self, maps: Mapping[str, Tensor]) -> Located:
        features = self.features(maps)
        return Located(self.landmarks(features), features=features)

    def features(self, maps: Mapping[str, Tensor]) -> Tensor:
        """The maps' averages, joined: ``(B, C)``."""
        return torch.cat([maps[name].mean((2, 3)) for name in self.taps], dim=1)

    def landmarks(self, features: Tensor) -> Tensor:
        """``(B, L, 2)``."""
        return self(features).unflatten(1, (-1, 2))

    def start_at_mean_shape_(self, mean_shape: Tensor) -> None:
        with torch.no_grad():
            self.weight.mul_(0.1)
            self.bias.copy_(mean_shape.flatten())


class HeatmapHead(LandmarkHead):
    """A heatmap with soft-argmax for each landmark, combined with a coordinate regression.

    Feature maps of two layers are projected to the same number of channels, brought to one size, added,
    and mixed by a depthwise and a 1x1 convolution. A last convolution makes one heatmap of
    ``cells x cells`` for each landmark. A learnt prior is added to it, and a softmax is taken; the mean
    of this distribution is the heatmap's landmark. Cells extend beyond the crop's edges, so that
    landmarks may lie outside.

    Heatmaps are local, the regression sees the whole face. The final landmark is a weighted mean of the
    two. The weight is learnt for each point and depends on the spread of its heatmap. The uncertainty
    follows from that spread and from the distance between the two, calibrated for each point
    (:func:`pfld.losses.calibration_loss`), and from whether the crop shows a face at all
    (:mod:`pfld.training.background`): a network trained only on faces finds one in any crop.

    Args:
        taps: Channels of each layer read; their maps have ``cells`` or half as many a side.
        channels: Of the summed maps.
        cells: Side of a heatmap, in cells.
        conv: Builds the convolutions; called like :class:`pfld.blocks.ConvBlock`.
        regression: The regression head.

    Source: Sun et al. 2018, Integral Human Pose Regression, equation 2, for the expected place.
    """

    name = "heatmap"
    knows_uncertainty = True
    moments: Tensor

    def __init__(
        self,
        taps: Mapping[str, int],
        channels: int,
        num_landmarks: int,
        *,
        cells: int,
        conv: Callable[..., nn.Module],
        regression: RegressionHead,
    ) -> None:
        super().__init__()
        self.regression = regression
        self.heatmap_taps = tuple(taps)
        self.taps = tuple({**taps, **dict.fromkeys(regression.taps)})
        self.cells = cells
        self.lateral = nn.ModuleList(conv(count, channels, 1) for count in taps.values())
        self.mix = nn.Sequential(
            conv(channels, channels, 3, groups=channels), conv(channels, channels, 1)
        )
        self.maps = nn.Conv2d(channels, num_landmarks, 1)
        self.prior = nn.Parameter(torch.zeros(num_landmarks, cells, cells))
        # Logit of the heatmap's weight at a typical spread, and how much it falls with its logarithm.
        self.trust = nn.Parameter(torch.full((num_landmarks,), -1.0))
        self.trust_slope = nn.Parameter(torch.zeros(num_landmarks))
        # Logarithms of the terms of the squared expected error, for each point.
        self.error_of_spread = nn.Parameter(torch.full((num_landmarks,), -3.0))
        self.error_of_distance = nn.Parameter(torch.full((num_landmarks,), -2.0))
        self.least_error = nn.Parameter(torch.full((num_landmarks,), -10.0))
        # Logit of the crop showing no face, from the regression's features; initially about never.
        self.no_face = nn.Linear(regression.in_features, 1).requires_grad_(False)
        nn.init.zeros_(self.no_face.weight)
        nn.init.constant_(self.no_face.bias, -20.0)
        self.register_buffer("moments", _moments(cells), persistent=False)

    def locate(self, maps: Mapping[str, Tensor]) -> Located:
        features = self.regression.features(maps)
        regressed = self.regression.landmarks(features)
        no_face = self.no_face(features.detach())
        expected, variance = self.soft_argmax(self.mix(self._joined(maps)))
        wide = expected.dtype
        with _without_autocast(expected.device):
            regressed = regressed.to(wide)
            excess = 0.5 * variance.log() - math.log(_TYPICAL_SPREAD)
            weight = (self.trust[:, None] - self.trust_slope[:, None] * excess).sigmoid()
            apart = expected - regressed
            landmarks = regressed + weight * apart
            uncertainty = (
                self.error_of_spread.exp() * variance.detach().squeeze(2)
                + self.error_of_distance.exp() * apart.detach().square().sum(2)
                + self.least_error.exp()
                + (_LOST * no_face.to(wide).sigmoid()).square()
            ).sqrt()
        return Located(landmarks, uncertainty, (regressed, expected), features)

    def soft_argmax(self, mixed: Tensor) -> tuple[Tensor, Tensor]:
        """Mean ``(B, L, 2)`` and variance ``(B, L, 1)`` of each landmark's heatmap, in float32 or wider.

        Args:
            mixed: The mixed feature maps ``(B, C, cells, cells)``.
        """
        heatmaps = self.maps(mixed)
        wide = torch.promote_types(heatmaps.dtype, torch.float32)
        with _without_autocast(heatmaps.device):
            logits = (heatmaps.to(wide) + self.prior).flatten(2)
            expected, squares = (logits.softmax(2) @ self.moments.to(wide)).split((2, 1), dim=2)
            variance = squares - expected.square().sum(2, keepdim=True)
            return expected, variance.clamp_min(_LEAST_VARIANCE)

    def _joined(self, maps: Mapping[str, Tensor]) -> Tensor:
        """The sum of the layers' maps, projected to the same channels and size."""
        brought = [lateral(maps[name]) for lateral, name in zip(self.lateral, self.heatmap_taps)]
        joined = [
            x if x.shape[2] == self.cells else F.interpolate(x, scale_factor=2.0, mode="nearest")
            for x in brought
        ]
        return sum(joined[1:], start=joined[0])

    def start_at_mean_shape_(self, mean_shape: Tensor) -> None:
        self.regression.start_at_mean_shape_(mean_shape)
        distance = torch.cdist(mean_shape, self.moments[:, :2].to(mean_shape))
        prior = -0.5 * (distance / _PRIOR_WIDTH).square()
        with torch.no_grad():
            self.prior.copy_(prior.clamp_min(_LEAST_PRIOR).view_as(self.prior))


def _without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context without autocast; the meta device does not support autocast."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def _moments(cells: int) -> Tensor:
    """x, y and x^2 + y^2 of each cell's centre ``(cells * cells, 3)``, in crop sides."""
    axis = ((torch.arange(cells) + 0.5) / cells - 0.5) * (1 + 2 * CELL_MARGIN) + 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y, x.square() + y.square()], dim=2).flatten(0, 1)
