"""Preprocessing of crops: input size, channel order, normalisation (mean, std), crop scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

LARGEST_INPUT = 1024  # side of the crop in pixels
LARGEST_NUMBER = 1000  # of crop_scale, mean and std; 1 over it is the smallest std
CROP_SCALE = 1.2  # side of the crop over the longer side of the landmark box
CROP_MARGIN = 1.75  # the same for crops in a face set: room to rotate, shift and scale them


@dataclass(frozen=True)
class Preprocessing:
    """How uint8 crops become network input. Stored with the weights.

    Attributes:
        input_size: Side of the crop in pixels.
        channel_order: "rgb", or "bgr" for networks trained on OpenCV's order.
        mean, std: Normalise channels in 0..1 as ``(x - mean) / std``; in ``channel_order``.
        crop_scale: Side of the crop over the longer side of the landmark box.

    Raises:
        ValueError: For another channel order, a size, scale or std that is not positive, a size
            over 1024, numbers that are not finite or over 1000, a std under 0.001.
    """

    input_size: int = 112
    channel_order: str = "rgb"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    crop_scale: float = CROP_SCALE

    def __post_init__(self) -> None:
        if self.channel_order not in ("rgb", "bgr"):
            raise ValueError(f'channel_order must be "rgb" or "bgr", got {self.channel_order!r}')
        if not 1 <= self.input_size <= LARGEST_INPUT or self.crop_scale <= 0:
            raise ValueError(
                f"input_size must be 1 to {LARGEST_INPUT} and crop_scale positive, got "
                f"{self.input_size} and {self.crop_scale}"
            )
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(
                f"mean and std have 3 numbers, std positive, got {self.mean} and {self.std}"
            )
        numbers = (self.crop_scale, *self.mean, *self.std)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"crop_scale, mean and std must be finite, got {numbers}")
        if max(map(abs, numbers)) > LARGEST_NUMBER or min(self.std) < 1 / LARGEST_NUMBER:
            raise ValueError(
                f"crop_scale, mean and std must be at most {LARGEST_NUMBER}, and std at least "
                f"{1 / LARGEST_NUMBER}, got {numbers}"
            )

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Network input ``(B, 3, S, S)`` float32 from RGB crops ``(B, S, S, 3)`` uint8.

        Raises:
            ValueError: For another shape or dtype.
        """
        self.require_crops(crops)
        if self.channel_order == "bgr":
            crops = crops[..., ::-1]
        # Rearranging bytes is seven times as fast as rearranging floats.
        batch = np.ascontiguousarray(crops.transpose(0, 3, 1, 2)).astype(np.float32)
        factor, offset = self._scaling
        batch *= factor
        batch -= offset
        return batch

    @cached_property
    def _scaling(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What bytes are multiplied by, and what is subtracted after that, ``(3, 1, 1)`` each."""
        factor = (1 / (255 * np.array(self.std))).astype(np.float32)[:, None, None]
        offset = (np.array(self.mean) / self.std).astype(np.float32)[:, None, None]
        return factor, offset

    def require_crops(self, crops: NDArray[np.uint8]) -> None:
        """Raises ValueError unless crops are uint8 ``(B, S, S, 3)``."""
        size = self.input_size
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (size, size, 3):
            raise ValueError(
                f"crops must be uint8 of shape (B, {size}, {size}, 3), "
                f"got {crops.dtype} of shape {crops.shape}"
            )
