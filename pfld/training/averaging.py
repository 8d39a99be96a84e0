"""Exponential moving average of a network's weights, buffers included."""

from __future__ import annotations

import copy

import torch

from pfld.networks import LandmarkNetwork

_WARMUP = 10  # steps after which the decay is half way up; early weights are soon forgotten


class WeightAverage:
    """A copy of a network that follows it slowly.

    Running statistics are averaged with the same weights as parameters: fused kernels use both, and
    fresh parameters under stale statistics (or the other way round) would not fit.

    Source: Tarvainen and Valpola 2017, with the decay's warm-up of TensorFlow's
    ``ExponentialMovingAverage``.
    """

    def __init__(self, network: LandmarkNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: LandmarkNetwork, step: int) -> None:
        """Takes one step towards ``network``, which has just taken its step number ``step``."""
        decay = min(self.decay, (1 + step) / (_WARMUP + step))
        mine, theirs = self.network.state_dict(), network.state_dict()
        floating = [name for name, tensor in mine.items() if tensor.is_floating_point()]
        torch._foreach_lerp_(
            [mine[name] for name in floating], [theirs[name] for name in floating], 1 - decay
        )
        for name in mine.keys() - set(floating):
            mine[name].copy_(theirs[name])
