"""What all landmark networks share: a chain of layers, some of which feed the head."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

INPUT_SIZES = range(96, 161, 16)  # crop sides in pixels; the trunk divides them by 16


class LandmarkNetwork(nn.Module):
    """Layers in a row; the averages of tapped maps, joined, go through one linear head.

    Args:
        layers: Modules by published name, in the order they run.
        taps: Names of the layers whose maps the head sees, with their channels.
        pose_layer: Name of the layer whose map an :class:`AuxiliaryNet` reads, with its channels.
        num_landmarks: Points to find.
        input_size: Side of the square crop in pixels, one of 96, 112, 128, 144, 160.

    Raises:
        ValueError: For another input size, or less than one landmark.
    """

    def __init__(
        self,
        layers: OrderedDict[str, nn.Module],
        *,
        taps: dict[str, int],
        pose_layer: tuple[str, int],
        num_landmarks: int,
        input_size: int,
    ) -> None:
        super().__init__()
        require_input_size(input_size)
        if num_landmarks < 1:
            raise ValueError(f"num_landmarks must be at least 1, got {num_landmarks}")
        self.num_landmarks = num_landmarks
        self.input_size = input_size
        self.pose_layer, self.pose_channels = pose_layer
        self._layers = tuple(layers)
        self._taps = frozenset(taps)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.fc = nn.Linear(sum(taps.values()), 2 * num_landmarks)

    def forward(self, x: Tensor) -> Tensor:
        """Landmarks ``(B, 2 * num_landmarks)``: x0, y0, x1, y1, ... as fractions of the crop side.

        Args:
            x: Normalised RGB crops ``(B, 3, input_size, input_size)``.

        Raises:
            ValueError: For another shape.
        """
        return self.forward_with_pose_features(x)[0]

    def forward_with_pose_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks as :meth:`forward` gives them, and the map ``(B, C, S/4, S/4)`` pose is read from."""
        expected = (3, self.input_size, self.input_size)
        if x.ndim != 4 or tuple(x.shape[1:]) != expected:
            raise ValueError(
                f"{type(self).__name__} takes crops of shape (B, {', '.join(map(str, expected))}), "
                f"got {tuple(x.shape)}; build_network(..., input_size=...) makes other sizes"
            )
        averages = []
        for name in self._layers:
            x = self.get_submodule(name)(x)
            if name in self._taps:
                averages.append(x.mean((2, 3)))
            if name == self.pose_layer:
                pose_features = x
        return self.fc(torch.cat(averages, dim=1)), pose_features


def require_input_size(input_size: int) -> None:
    """Raises ValueError unless the trunk can divide the side of the crop."""
    if input_size not in INPUT_SIZES:
        raise ValueError(
            f"input_size must be one of {', '.join(map(str, INPUT_SIZES))} pixels, got {input_size}"
        )


def layer_name(stage: int, repeat: int, repeats: int) -> str:
    """``conv3_2`` for the second of several blocks of a stage, ``conv6`` for the only one."""
    return f"conv{stage}_{repeat + 1}" if repeats > 1 else f"conv{stage}"
