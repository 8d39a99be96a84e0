"""Crops that are too large, shifted or turned, and turned pictures: robustness to detector errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pfld.geometry import FaceCrop

GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))  # spreads directions evenly, however many there are


@dataclass(frozen=True)
class CropVariant:
    """A crop that misses its face by a fixed amount.

    Attributes:
        kind: "scale", "shift" or "rotation".
        amount: Factor on the crop's side; shift over the crop's side; or degrees.
    """

    kind: str
    amount: float

    @property
    def unmoved(self) -> bool:
        """Whether this leaves every crop as it is."""
        return self.amount == (1 if self.kind == "scale" else 0)

    def __call__(self, crop: FaceCrop, index: int) -> FaceCrop:
        """``crop`` moved for face ``index``; the direction depends on ``index`` alone."""
        if self.kind == "scale":
            return replace(crop, side=crop.side * self.amount)
        if self.kind == "shift":
            direction, reach = index * GOLDEN_ANGLE, self.amount * crop.side
            return replace(
                crop,
                center_x=crop.center_x + reach * math.cos(direction),
                center_y=crop.center_y + reach * math.sin(direction),
            )
        sign = -1 if index % 2 else 1
        return replace(crop, angle=crop.angle + sign * math.radians(self.amount))


EXACT = CropVariant("scale", 1.0)

# The curves by kind; each includes the unmoved crop.
ROBUSTNESS_CURVES: dict[str, tuple[CropVariant, ...]] = {
    kind: tuple(CropVariant(kind, amount) for amount in amounts)
    for kind, amounts in {
        "scale": (0.8, 0.9, 1.0, 1.1, 1.2, 1.3),
        "shift": (0.0, 0.05, 0.10, 0.15),
        "rotation": (0.0, 15.0, 30.0, 45.0),
    }.items()
}


@dataclass(frozen=True)
class PictureRoll:
    """A whole picture turned about its middle.

    Attributes:
        degrees: Clockwise, 0 for the picture as it is.
    """

    degrees: float

    @property
    def amount(self) -> float:
        """The degrees, under the name common to all variants."""
        return self.degrees

    @property
    def unmoved(self) -> bool:
        """Whether this leaves the picture as it is."""
        return self.degrees == 0
