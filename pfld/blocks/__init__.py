"""Building blocks of the landmark networks."""

from pfld.blocks.conv import ConvBlock, GlobalConvBlock
from pfld.blocks.ghost import GhostBottleneck, GhostModule, GhostOneBottleneck, GhostOneModule
from pfld.blocks.inverted_residual import InvertedResidual
from pfld.blocks.mobileone import (
    MobileOneBlock,
    freeze_statistics_,
    set_folded_training,
    synchronize_moments,
)

__all__ = [
    "ConvBlock",
    "GhostBottleneck",
    "GhostModule",
    "GhostOneBottleneck",
    "GhostOneModule",
    "GlobalConvBlock",
    "InvertedResidual",
    "MobileOneBlock",
    "freeze_statistics_",
    "set_folded_training",
    "synchronize_moments",
]
