"""PFLD: direct regression on MobileNetV2 blocks."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from pfld.blocks.conv import ConvBlock, GlobalConvBlock
from pfld.blocks.inverted_residual import InvertedResidual
from pfld.networks.heads import HEATMAP_CHANNELS, HeatmapHead, LandmarkHead, RegressionHead
from pfld.networks.landmark_network import LandmarkNetwork, layer_name, require_sizes


@dataclass(frozen=True)
class InvertedResidualStage:
    """A stage of inverted residuals: the first has ``stride``, all others have shortcuts."""

    expansion: int
    channels: int
    repeats: int
    stride: int


STAGES = {
    3: InvertedResidualStage(expansion=2, channels=64, repeats=5, stride=2),
    4: InvertedResidualStage(expansion=2, channels=128, repeats=1, stride=2),
    5: InvertedResidualStage(expansion=4, channels=128, repeats=6, stride=1),
    6: InvertedResidualStage(expansion=2, channels=16, repeats=1, stride=1),
}


class PFLD(LandmarkNetwork):
    """PFLD with three scales in its regression head; a heatmap head reads conv4 and conv5 as well.

    Args:
        head: One of :data:`pfld.weights.metadata.HEADS`.
        width_multiplier: Scales every channel count, rounded down.

    Source: Guo et al. 2019, PFLD, table 1, with the stage widths of AnthonyF333/PFLD_GhostOne.
    """

    def __init__(
        self,
        *,
        head: str = "regression",
        width_multiplier: float = 1.0,
        num_landmarks: int = 98,
        input_size: int = 112,
    ) -> None:
        require_sizes(input_size, num_landmarks)

        def width(channels: int) -> int:
            return int(channels * width_multiplier)

        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv1"] = ConvBlock(3, width(64), 3, stride=2)
        layers["conv2"] = ConvBlock(width(64), width(64), 3, groups=width(64))
        channels = width(64)
        for number, stage in STAGES.items():
            for repeat in range(stage.repeats):
                name = layer_name(number, repeat, stage.repeats)
                layers[name] = InvertedResidual(
                    channels,
                    width(stage.channels),
                    stride=stage.stride if repeat == 0 else 1,
                    expansion=stage.expansion,
                    residual=repeat > 0,
                )
                channels = width(stage.channels)
        layers["conv7"] = ConvBlock(channels, width(32), 3, stride=2)
        layers["conv8"] = GlobalConvBlock(width(32), width(128), input_size // 16)
        taps = {"conv6": channels, "conv7": width(32), "conv8": width(128)}
        made: LandmarkHead
        made = regression = RegressionHead(taps, num_landmarks)
        if head == "heatmap":
            made = HeatmapHead(
                {"conv4": width(128), "conv5_6": width(128)},
                width(HEATMAP_CHANNELS),
                num_landmarks,
                cells=input_size // 8,
                conv=ConvBlock,
                regression=regression,
            )
        super().__init__(
            layers,
            made,
            pose_layer=("conv3_5", width(64)),
            num_landmarks=num_landmarks,
            input_size=input_size,
        )
