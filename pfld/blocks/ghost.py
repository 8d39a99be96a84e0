"""Ghost modules and bottlenecks, of plain convolutions (GhostNet) or MobileOne blocks (GhostOne)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from pfld.blocks.conv import ConvBlock, require_stride
from pfld.blocks.mobileone import MobileOneBlock


class GhostModule(nn.Module):
    """A 1x1 convolution makes half of the channels, a depthwise 3x3 over those makes the other half.

    For an odd ``out_channels``, one channel more is computed and cut off.

    Args:
        activation: Class of the activation, or None for a linear module.
        conv: Builds both convolutions; called like :class:`ConvBlock`.

    Source: Han et al. 2020, GhostNet, section 3.1 (ratio 2).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        activation: type[nn.Module] | None = nn.ReLU,
        conv: Callable[..., nn.Module] = ConvBlock,
    ) -> None:
        super().__init__()
        half = (out_channels + 1) // 2
        self.out_channels = out_channels
        self.primary_conv = conv(in_channels, half, 1, activation=activation)
        self.cheap_operation = conv(half, half, 3, groups=half, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        primary = self.primary_conv(x)
        both = torch.cat([primary, self.cheap_operation(primary)], dim=1)
        return both if both.shape[1] == self.out_channels else both[:, : self.out_channels]


class GhostOneModule(GhostModule):
    """:class:`GhostModule` whose two convolutions are MobileOne blocks.

    Source: AnthonyF333/PFLD_GhostOne (Apache-2.0).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        activation: type[nn.Module] | None = nn.ReLU,
        num_conv_branches: int = 6,
        reparameterized: bool = False,
    ) -> None:
        conv = partial(
            MobileOneBlock, num_conv_branches=num_conv_branches, reparameterized=reparameterized
        )
        super().__init__(in_channels, out_channels, activation=activation, conv=conv)


def _ghost_layers(
    in_channels: int,
    hidden_channels: int,
    out_channels: int,
    stride: int,
    conv: Callable[..., nn.Module],
) -> nn.Sequential:
    """Expanding Ghost module, depthwise convolution for stride 2, linear Ghost module."""
    require_stride(stride)
    return nn.Sequential(
        GhostModule(in_channels, hidden_channels, conv=conv),
        conv(
            hidden_channels,
            hidden_channels,
            3,
            stride=stride,
            groups=hidden_channels,
            activation=None,
        )
        if stride == 2
        else nn.Identity(),
        GhostModule(hidden_channels, out_channels, activation=None, conv=conv),
    )


class GhostBottleneck(nn.Module):
    """Two Ghost modules, for stride 2 with a depthwise convolution between them, and a shortcut.

    The shortcut is the identity, or depthwise 3x3 and 1x1 where the shape changes.

    Raises:
        ValueError: For a stride other than 1 or 2.

    Source: Han et al. 2020, GhostNet, figure 3.
    """

    def __init__(
        self, in_channels: int, hidden_channels: int, out_channels: int, *, stride: int = 1
    ) -> None:
        super().__init__()
        self.ghost_conv = _ghost_layers(
            in_channels, hidden_channels, out_channels, stride, ConvBlock
        )
        if stride == 1 and in_channels == out_channels:
            self.shortcut: nn.Module = nn.Identity()
        else:
            self.shortcut = nn.Sequential(
                ConvBlock(
                    in_channels, in_channels, 3, stride=stride, groups=in_channels, activation=None
                ),
                ConvBlock(in_channels, out_channels, 1, activation=None),
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.ghost_conv(x) + self.shortcut(x)


class GhostOneBottleneck(nn.Module):
    """:class:`GhostBottleneck` of MobileOne blocks, deliberately without the shortcut.

    This follows YOLOv7's finding that a shortcut does not go well with stacked re-parameterized blocks.
    The published GhostOne weights need it this way.

    Raises:
        ValueError: For a stride other than 1 or 2.

    Source: AnthonyF333/PFLD_GhostOne (Apache-2.0); Wang et al. 2022, YOLOv7, section 4.1.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        num_conv_branches: int = 6,
        reparameterized: bool = False,
    ) -> None:
        super().__init__()
        conv = partial(
            MobileOneBlock, num_conv_branches=num_conv_branches, reparameterized=reparameterized
        )
        self.ghost_conv = _ghost_layers(in_channels, hidden_channels, out_channels, stride, conv)

    def forward(self, x: Tensor) -> Tensor:
        return self.ghost_conv(x)
