"""Trains with one thing changed: ``python tools/results/training_variants.py NAME --data DIR ...``.

The options after the name of a variant are those of train.py. ``ablation.py`` and ``trials.py`` compare the
variants; what they gain is in docs/family.md. Only this program can read the weights of other heads, and it
makes no ONNX graph of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pfld.networks.ghost
import pfld.training.results
import pfld.training.trainer
from pfld.networks.ghost import STAGES
from pfld.networks.heads import HeatmapHead
from pfld.training.config import TrainingConfig
from pfld.training.objective import Answer, landmark_loss

ROOT = Path(__file__).parents[2]


class NarrowHead(HeatmapHead):
    """Half the channels."""

    def __init__(self, taps: Mapping[str, int], channels: int, *args: Any, **options: Any) -> None:
        super().__init__(taps, channels // 2, *args, **options)


class WideHead(HeatmapHead):
    """Twice the channels."""

    def __init__(self, taps: Mapping[str, int], channels: int, *args: Any, **options: Any) -> None:
        super().__init__(taps, channels * 2, *args, **options)


class FineHead(HeatmapHead):
    """Twice as many cells a side, with the maps of conv3, which have that size."""

    def __init__(self, taps: Mapping[str, int], *args: Any, cells: int, **options: Any) -> None:
        conv3 = taps["conv4_3"] * STAGES[3].channels // STAGES[4].channels
        super().__init__({"conv3_3": conv3, **taps}, *args, cells=2 * cells, **options)

    def _joined(self, maps: Mapping[str, Tensor]) -> Tensor:
        brought = [lateral(maps[name]) for lateral, name in zip(self.lateral, self.heatmap_taps)]
        large = [
            F.interpolate(x, scale_factor=2.0**n, mode="nearest") for n, x in enumerate(brought)
        ]
        return torch.stack(large).sum(0)


class AxesHead(HeatmapHead):
    """A softmax over the columns' sums and one over the rows' sums, in place of one over all cells."""

    def soft_argmax(self, mixed: Tensor) -> tuple[Tensor, Tensor]:
        heatmaps = self.maps(mixed).float()
        centres = self.moments[: self.cells, 0]
        expected, variance = [], []
        for across in (2, 3):  # x has what is left when rows are summed
            chances = (heatmaps.sum(across) + self.prior.mean(across - 1)).softmax(2)
            mean = chances @ centres
            expected.append(mean)
            variance.append(chances @ centres.square() - mean.square())
        return torch.stack(expected, 2), torch.stack(variance, 2).sum(2, keepdim=True).clamp_min(
            1e-8
        )


class OffsetsHead(HeatmapHead):
    """A learnt offset of each cell's centre, for each landmark."""

    def __init__(
        self, taps: Mapping[str, int], channels: int, num_landmarks: int, **options: Any
    ) -> None:
        super().__init__(taps, channels, num_landmarks, **options)
        self.offsets = nn.Conv2d(channels, 2 * num_landmarks, 1)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)

    def soft_argmax(self, mixed: Tensor) -> tuple[Tensor, Tensor]:
        chances = (self.maps(mixed).float() + self.prior).flatten(2).softmax(2)[..., None]
        offsets = self.offsets(mixed).float().unflatten(1, (-1, 2)).flatten(3).transpose(2, 3)
        places = self.moments[:, :2] + offsets / self.cells
        expected = (chances * places).sum(2)
        variance = (chances * (places - expected[:, :, None]).square()).sum((2, 3))
        return expected, variance[..., None].clamp_min(1e-8)


HEADS = {
    "narrow": NarrowHead,
    "wide": WideHead,
    "fine": FineHead,
    "axes": AxesHead,
    "offsets": OffsetsHead,
}


def by_certainty(points: Tensor, uncertainty: Tensor) -> Tensor:
    """The same points, whose gradients are larger for points that the network is sure of.

    Args:
        points: ``(B, L, 2)``.
        uncertainty: ``(B, L)``.
    """
    weights = (uncertainty.median(1, keepdim=True).values / uncertainty).clamp(0.5, 2)
    weights = (weights / weights.mean(1, keepdim=True)).detach()[..., None]
    return points.detach() * (1 - weights) + points * weights


def sure_points_loss(config: TrainingConfig, answer: Answer, *args: Any, **options: Any) -> Tensor:
    """:func:`pfld.training.objective.landmark_loss`, which sure points move more than others."""
    located = answer.located
    assert located.uncertainty is not None
    landmarks, *parts = (
        by_certainty(points, located.uncertainty) for points in (located.landmarks, *located.parts)
    )
    weighted = located._replace(landmarks=landmarks, parts=tuple(parts))
    return landmark_loss(config, answer._replace(located=weighted), *args, **options)


def program(variant: str) -> list[str | Path]:
    """What Python is called with to train with a variant; the empty name is train.py itself."""
    return [Path(__file__), variant] if variant else [ROOT / "train.py"]


def main(argv: list[str]) -> int:
    """Trains with the variant named first; returns the exit status of train.py."""
    if not argv or argv[0] not in (*HEADS, "sure-points"):
        print(f"error: name one of {', '.join(HEADS)}, sure-points", file=sys.stderr)
        return 2
    sys.path.insert(0, str(ROOT))
    import train

    if argv[0] in HEADS:
        pfld.networks.ghost.HeatmapHead = HEADS[argv[0]]  # type: ignore[misc]
        pfld.training.results.export_onnx = lambda *_: None  # type: ignore[assignment]
    else:
        pfld.training.trainer.landmark_loss = sure_points_loss
    return train.main(argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
