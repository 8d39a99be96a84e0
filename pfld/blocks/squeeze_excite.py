"""Squeeze and excitation: channels scaled by gates computed from global averages."""

from __future__ import annotations

from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Scales each channel of ``(B, C, H, W)`` by a gate in 0..1 computed from all channels' averages.

    Source: Hu et al. 2018, Squeeze-and-Excitation Networks, section 3; reduction 16 as in MobileOne.
    """

    def __init__(self, channels: int, *, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        gate = self.expand(self.activation(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * gate.sigmoid()
