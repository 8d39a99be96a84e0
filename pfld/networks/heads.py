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
_LOST = 0.25  # expected error where there is no face, in crop sides
_TYPICAL_SPREAD = 0.08  # of a trained heatmap, in crop sides


class Located(NamedTuple):
    """What a head finds, as fractions of the crop's side.

    Attributes:
        landmarks: ``(B, L, 2)``.
        uncertainty: Expected distance of each landmark from the truth, ``(B, L)``; None where the head
            does not know. Its gradient reaches nothing but what it is calibrated with.
        parts: The answers ``(B, L, 2)`` that the landmarks were put together from, to be trained as
            well.
        features: What the regression is made of, ``(B, C)``.
    """

    landmarks: Tensor
    uncertainty: Tensor | None = None
    parts: tuple[Tensor, ...] = ()
    features: Tensor | None = None


class LandmarkHead(nn.Module):
    """From the maps of a network's layers to landmarks.

    Attributes:
        name: What the head is called within a network and in weight files.
        knows_uncertainty: Whether it says how unsure each landmark is.
        taps: Layers whose maps it reads.
    """

    name: str
    knows_uncertainty: bool
    taps: tuple[str, ...]

    @abstractmethod
    def locate(self, maps: Mapping[str, Tensor]) -> Located:
        """The landmarks in some maps.

        Args:
            maps: By layer ``(B, C, H, W)``, at least those of :attr:`taps`.
        """

    @abstractmethod
    def start_at_mean_shape_(self, mean_shape: Tensor) -> None:
        """Makes a fresh head answer about ``mean_shape`` ``(L, 2)`` to whatever it sees."""


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
    """A heatmap for each landmark, whose expected place it is (soft-argmax), beside a regression.

    Maps of two layers are brought to as many channels and one size, added, mixed by a depthwise and a
    1x1 convolution, and become one map of ``cells x cells`` for each landmark. Each gets a learnt prior
    added, and a softmax is taken over it. Its mean is where the landmark is expected. Cells reach over
    the crop's edges, so that landmarks may lie outside.

    A heatmap sees where a point is, the regression what the whole face looks like. The landmark lies
    between the two answers, at a weight learnt for each point and for how spread its heatmap is. How far
    off it may be follows from that spread and from how far apart the two answers are, calibrated for
    each point (:func:`pfld.losses.calibration_loss`), and from whether the crop shows a face at all
    (:mod:`pfld.training.background`): a network trained on faces sees one in anything.

    Args:
        taps: Channels of each layer read; their maps have ``cells`` or half as many a side.
        channels: Of the sum.
        cells: Side of a heatmap.
        conv: Builds the convolutions; called like :class:`pfld.blocks.ConvBlock`.
        regression: The other head.

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
        # Logarithms of what each adds to the squared expected error, by point.
        self.error_of_spread = nn.Parameter(torch.full((num_landmarks,), -3.0))
        self.error_of_distance = nn.Parameter(torch.full((num_landmarks,), -2.0))
        self.least_error = nn.Parameter(torch.full((num_landmarks,), -10.0))
        # Logit of the crop showing no face, from the regression's features; a fresh one says never.
        self.no_face = nn.Linear(regression.in_features, 1).requires_grad_(False)
        nn.init.zeros_(self.no_face.weight)
        nn.init.constant_(self.no_face.bias, -20.0)
        self.register_buffer("moments", _moments(cells), persistent=False)

    def locate(self, maps: Mapping[str, Tensor]) -> Located:
        features = self.regression.features(maps)
        regressed = self.regression.landmarks(features)
        no_face = self.no_face(features.detach())
        heatmaps = self.maps(self.mix(self._joined(maps)))
        wide = torch.promote_types(heatmaps.dtype, torch.float32)
        with _without_autocast(heatmaps.device):
            regressed, logits = regressed.to(wide), (heatmaps.to(wide) + self.prior).flatten(2)
            expected, squares = (logits.softmax(2) @ self.moments.to(wide)).split((2, 1), dim=2)
            variance = squares - expected.square().sum(2, keepdim=True)
            variance = variance.clamp_min(_LEAST_VARIANCE)
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

    def _joined(self, maps: Mapping[str, Tensor]) -> Tensor:
        """The layers' maps, with as many channels and one size, added."""
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
    """Full precision also where mixed precision is on; the meta device knows neither."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def _moments(cells: int) -> Tensor:
    """Of each cell's centre ``(cells * cells, 3)``: x, y and x^2 + y^2, in crop sides."""
    axis = ((torch.arange(cells) + 0.5) / cells - 0.5) * (1 + 2 * CELL_MARGIN) + 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y, x.square() + y.square()], dim=2).flatten(0, 1)
