"""MobileNetV2's inverted residual, the building block of PFLD."""

from __future__ import annotations

from torch import Tensor, nn

from pfld.blocks.conv import ConvBlock, require_stride


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise 3x3, linear 1x1 projection, with an optional shortcut around them.

    Args:
        expansion: Hidden channels = ``int(in_channels * expansion)``.
        residual: Add the input to the output; needs stride 1 and equal channel counts.

    Raises:
        ValueError: For a stride other than 1 or 2, or a shortcut whose shapes do not match.

    Source: Sandler et al. 2018, MobileNetV2, figure 4.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        expansion: float = 2,
        residual: bool = False,
    ) -> None:
        super().__init__()
        require_stride(stride)
        if residual and (stride != 1 or in_channels != out_channels):
            raise ValueError(
                "a residual block needs stride 1 and as many output as input channels, "
                f"got stride {stride} and {in_channels} -> {out_channels} channels"
            )
        hidden = int(in_channels * expansion)
        self.residual = residual
        self.inv_res = nn.Sequential(
            ConvBlock(in_channels, hidden, 1),
            ConvBlock(hidden, hidden, 3, stride=stride, groups=hidden),
            ConvBlock(hidden, out_channels, 1, activation=None),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inv_res(x) if self.residual else self.inv_res(x)
