"""LandmarkNetwork, the base class of all networks: a trunk of layers and a head."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from pfld.networks.heads import LandmarkHead, Located

INPUT_SIZES = range(96, 161, 16)  # crop sides in pixels; the trunk divides them by 16


class LandmarkNetwork(nn.Module):
    """A trunk of layers in sequence, and a head that computes landmarks from their maps.

    Args:
        layers: Modules by published name, in the order they run.
        head: Reads the maps of its :attr:`LandmarkHead.taps`, and is called by its own name.
        pose_layer: Name of the layer whose map :class:`pfld.networks.auxiliary.AuxiliaryNet` reads, with its
            channels.
        num_landmarks: Points to find.
        input_size: Side of the square crop in pixels, one of 96, 112, 128, 144, 160.

    Raises:
        ValueError: For another input size, or less than one landmark.
    """

    def __init__(
        self,
        layers: OrderedDict[str, nn.Module],
        head: LandmarkHead,
        *,
        pose_layer: tuple[str, int],
        num_landmarks: int,
        input_size: int,
    ) -> None:
        super().__init__()
        require_sizes(input_size, num_landmarks)
        self.num_landmarks = num_landmarks
        self.input_size = input_size
        self.pose_layer, self.pose_channels = pose_layer
        self.layer_names = tuple(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self._head_name = head.name
        self.add_module(head.name, head)

    @property
    def head(self) -> LandmarkHead:
        """Computes landmarks from feature maps; published checkpoints call it ``fc``."""
        head = self.get_submodule(self._head_name)
        assert isinstance(head, LandmarkHead)
        return head

    def forward(self, x: Tensor) -> Tensor:
        """Landmarks ``(B, 2 * num_landmarks)``: x0, y0, x1, y1, ... as fractions of the crop side.

        Args:
            x: Normalised RGB crops ``(B, 3, input_size, input_size)``.

        Raises:
            ValueError: For another shape.
        """
        return self.forward_with_uncertainty(x)[0]

    def forward_with_uncertainty(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Landmarks as in :meth:`forward`, and the uncertainty of each ``(B, num_landmarks)``.

        That is the expected error as a fraction of the crop side; None if the head's
        :attr:`pfld.networks.heads.LandmarkHead.knows_uncertainty` is false.
        """
        located, _ = self.locate(x)
        return located.landmarks.flatten(1), located.uncertainty

    def forward_with_pose_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks as in :meth:`forward`, and the map ``(B, C, S/4, S/4)`` that pose is read from."""
        located, pose_features = self.locate(x)
        return located.landmarks.flatten(1), pose_features

    def locate(self, x: Tensor) -> tuple[Located, Tensor]:
        """The output of the head, and the map ``(B, C, S/4, S/4)`` that pose is read from."""
        maps = self._maps(x)
        return self.head.locate(maps), maps[self.pose_layer]

    def _maps(self, x: Tensor) -> dict[str, Tensor]:
        """The maps that the head and the auxiliary net read, by layer."""
        expected = (3, self.input_size, self.input_size)
        if x.ndim != 4 or tuple(x.shape[1:]) != expected:
            raise ValueError(
                f"{type(self).__name__} takes crops of shape (B, {', '.join(map(str, expected))}), "
                f"got {tuple(x.shape)}; build_network(..., input_size=...) makes other sizes"
            )
        maps = {}
        for name in self.layer_names:
            x = self.get_submodule(name)(x)
            if name == self.pose_layer or name in self.head.taps:
                maps[name] = x
        return maps


def require_sizes(input_size: int, num_landmarks: int) -> None:
    """Raises ValueError unless the trunk can divide the crop's side and there is at least one landmark."""
    if input_size not in INPUT_SIZES:
        raise ValueError(
            f"input_size must be one of {', '.join(map(str, INPUT_SIZES))} pixels, got {input_size}"
        )
    if num_landmarks < 1:
        raise ValueError(f"num_landmarks must be at least 1, got {num_landmarks}")


def layer_name(stage: int, repeat: int, repeats: int) -> str:
    """``conv3_2`` for the second of several blocks of a stage, ``conv6`` for the only one."""
    return f"conv{stage}_{repeat + 1}" if repeats > 1 else f"conv{stage}"
