"""Convolution, batch norm, activation: the block every network here starts from."""

from __future__ import annotations

from torch import nn


class ConvBlock(nn.Sequential):
    """Bias-free convolution, batch norm and activation, in that order.

    Maps ``(B, in_channels, H, W)`` to ``(B, out_channels, ceil(H / stride), ceil(W / stride))``.
    Modules are numbered 0 (convolution), 1 (batch norm), 2 (activation), as in published checkpoints;
    a part that is switched off leaves an empty ``nn.Identity`` in its place.

    Args:
        kernel_size: Odd kernels are padded by half their size, so only ``stride`` shrinks the map.
        activation: Class of the activation, or None for a linear block.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] | None = nn.ReLU,
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel_size,
                stride,
                padding=kernel_size // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(out_channels),
            make_activation(activation),
        )


class GlobalConvBlock(nn.Sequential):
    """Convolution with a kernel as large as the map, and ReLU, without batch norm.

    Maps ``(B, C, K, K)`` to ``(B, out_channels, 1, 1)``. Batch norm is left out because a 1x1 map of a
    small batch has too few values for statistics.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(nn.Conv2d(in_channels, out_channels, kernel_size, bias=False), nn.ReLU())


def make_activation(activation: type[nn.Module] | None) -> nn.Module:
    """An instance of ``activation``, or the identity for None."""
    return nn.Identity() if activation is None else activation()


def require_stride(stride: int) -> None:
    """Raises ValueError unless ``stride`` is 1 or 2, the strides of these networks."""
    if stride not in (1, 2):
        raise ValueError(f"stride must be 1 or 2, got {stride}")
