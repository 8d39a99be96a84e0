"""PFLD on Ghost bottlenecks: GhostNet, GhostNet-Slim and GhostOne share one table."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from pfld.blocks.conv import ConvBlock, GlobalConvBlock
from pfld.blocks.ghost import GhostBottleneck, GhostOneBottleneck
from pfld.blocks.mobileone import MobileOneBlock
from pfld.networks.heads import HEATMAP_CHANNELS, HeatmapHead, LandmarkHead, RegressionHead
from pfld.networks.landmark_network import LandmarkNetwork, layer_name, require_sizes


@dataclass(frozen=True)
class GhostStage:
    """A stage of bottlenecks; hidden channels are ``expansion`` times each block's own input."""

    channels: int
    repeats: int
    stride: int
    expansion: float
    slim_expansion: float


STEM_CHANNELS = 64
STAGES = {
    3: GhostStage(channels=80, repeats=3, stride=2, expansion=2, slim_expansion=1.5),
    4: GhostStage(channels=96, repeats=3, stride=2, expansion=3, slim_expansion=2.5),
    5: GhostStage(channels=144, repeats=4, stride=2, expansion=4, slim_expansion=3.5),
    6: GhostStage(channels=16, repeats=1, stride=1, expansion=2, slim_expansion=1.5),
}


class GhostLandmarkNetwork(LandmarkNetwork):
    """Stem, four stages of bottlenecks, two closing convolutions, and a head.

    The regression head reads five scales; a heatmap head reads conv4 and conv5 as well.

    Args:
        conv: Builds the stem, conv7 and the convolutions of a heatmap head; called like
            :class:`ConvBlock`.
        bottleneck: Builds the stages' blocks; called like :class:`GhostBottleneck`.
        slim: Take the smaller expansions.
        head: One of :data:`pfld.weights.metadata.HEADS`.
        width_multiplier: Scales every channel count, rounded down.

    Source: AnthonyF333/PFLD_GhostOne (Apache-2.0), which has no paper.
    """

    def __init__(
        self,
        conv: Callable[..., nn.Module],
        bottleneck: Callable[..., nn.Module],
        *,
        slim: bool,
        head: str = "regression",
        width_multiplier: float = 1.0,
        num_landmarks: int = 98,
        input_size: int = 112,
    ) -> None:
        require_sizes(input_size, num_landmarks)

        def width(channels: float) -> int:
            return int(channels * width_multiplier)

        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv1"] = conv(3, width(STEM_CHANNELS), 3, stride=2)
        layers["conv2"] = conv(
            width(STEM_CHANNELS), width(STEM_CHANNELS), 3, groups=width(STEM_CHANNELS)
        )
        taps = {"conv2": width(STEM_CHANNELS)}
        channels = STEM_CHANNELS
        for number, stage in STAGES.items():
            expansion = stage.slim_expansion if slim else stage.expansion
            for repeat in range(stage.repeats):
                name = layer_name(number, repeat, stage.repeats)
                layers[name] = bottleneck(
                    width(channels),
                    width(channels * expansion),
                    width(stage.channels),
                    stride=stage.stride if repeat == 0 else 1,
                )
                channels = stage.channels
            if number < 6:
                taps[name] = width(channels)
        layers["conv7"] = conv(width(channels), width(32), 3)
        layers["conv8"] = GlobalConvBlock(width(32), width(128), input_size // 16)
        taps["conv8"] = width(128)
        made: LandmarkHead
        made = regression = RegressionHead(taps, num_landmarks)
        if head == "heatmap":
            made = HeatmapHead(
                {name: taps[name] for name in ("conv4_3", "conv5_4")},
                width(HEATMAP_CHANNELS),
                num_landmarks,
                cells=input_size // 8,
                conv=conv,
                regression=regression,
            )
        super().__init__(
            layers,
            made,
            pose_layer=("conv3_3", taps["conv3_3"]),
            num_landmarks=num_landmarks,
            input_size=input_size,
        )


class PFLDGhostNet(GhostLandmarkNetwork):
    """PFLD with GhostNet bottlenecks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(ConvBlock, GhostBottleneck, slim=False, **options)


class PFLDGhostNetSlim(GhostLandmarkNetwork):
    """:class:`PFLDGhostNet` with smaller expansions."""

    def __init__(self, **options: Any) -> None:
        super().__init__(ConvBlock, GhostBottleneck, slim=True, **options)


class PFLDGhostOne(GhostLandmarkNetwork):
    """:class:`PFLDGhostNetSlim` of MobileOne blocks, re-parameterizable.

    Args:
        num_conv_branches: Convolutions per block while training.
        reparameterized: Build the fused network right away, to load fused weights into.
    """

    def __init__(
        self, *, num_conv_branches: int = 6, reparameterized: bool = False, **options: Any
    ) -> None:
        branches: dict[str, Any]
        branches = {"num_conv_branches": num_conv_branches, "reparameterized": reparameterized}
        super().__init__(
            partial(MobileOneBlock, **branches),
            partial(GhostOneBottleneck, **branches),
            slim=True,
            **options,
        )
