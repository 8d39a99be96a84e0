"""Exponential moving average of a network's weights, buffers included."""

from __future__ import annotations

import copy

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from pfld.networks import LandmarkNetwork

_WARMUP = 10  # steps in which the decay rises to about a half; early weights are soon forgotten


class WeightAverage:
    """The exponential moving average of a network, which must keep its tensor objects.

    Running statistics are averaged with the same weights as parameters: fused kernels use both, and
    fresh parameters under stale statistics (or the other way round) would not fit.

    Source: Tarvainen and Valpola 2017, with the decay's warm-up of TensorFlow's
    ``ExponentialMovingAverage``.
    """

    def __init__(self, network: LandmarkNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        mine, theirs = self.network.state_dict(), network.state_dict()
        floating = [name for name, tensor in mine.items() if tensor.is_floating_point()]
        # Collected once: making a state dict takes longer than updating all its tensors.
        self._mine, self._theirs = ([state[n] for n in floating] for state in (mine, theirs))
        counters = sorted(mine.keys() - set(floating))
        self._counters = [[state[name] for name in counters] for state in (mine, theirs)]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Updates the average after the network's training step number ``step``."""
        decay = min(self.decay, (1 + step) / (_WARMUP + step))
        get_ema_multi_avg_fn(decay)(self._mine, self._theirs, step)
        mine, theirs = self._counters
        torch._foreach_copy_(mine, theirs)
