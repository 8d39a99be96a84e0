"""PFLD's auxiliary net: head pose from an early feature map, used in training only."""

from __future__ import annotations

from torch import Tensor, nn

from pfld.blocks.conv import ConvBlock, GlobalConvBlock
from pfld.networks.landmark_network import LandmarkNetwork


class AuxiliaryNet(nn.Module):
    """Yaw, pitch and roll in radians, ``(B, 3)``, from a map ``(B, in_channels, S/4, S/4)``.

    Args:
        in_channels: Channels of the map.
        input_size: Side S of the landmark network's crop in pixels.

    Source: Guo et al. 2019, PFLD, table 2.
    """

    def __init__(self, in_channels: int, *, input_size: int = 112) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvBlock(in_channels, 128, 3, stride=2),
            ConvBlock(128, 128, 3),
            ConvBlock(128, 32, 3, stride=2),
            GlobalConvBlock(32, 128, input_size // 16),
        )
        self.angles = nn.Sequential(nn.Flatten(), nn.Linear(128, 32), nn.Linear(32, 3))

    @classmethod
    def for_network(cls, network: LandmarkNetwork) -> AuxiliaryNet:
        """The net that reads the pose features of ``network``."""
        return cls(network.pose_channels, input_size=network.input_size)

    def forward(self, features: Tensor) -> Tensor:
        return self.angles(self.features(features))
