"""FaceCrop: the square crop a network sees, as a map between picture pixels and crop fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MOST_REDUCED = 1024  # times; averaging over more pixels only takes memory
_LONGEST_SAMPLED = 32_000  # pixels; OpenCV cannot sample pictures of more than 32766


@dataclass(frozen=True)
class FaceCrop:
    """A square in a picture. It may be rotated, and may reach over the picture's edges.

    Pixel coordinates follow the corner convention: pixel ``i`` covers ``i`` to ``i + 1``, so a picture
    ``W`` wide spans 0 to W and a crop spans 0 to 1.

    Attributes:
        center_x, center_y: Middle of the square, in pixels of the picture.
        side: Side of the square, in pixels of the picture.
        angle: By how much the crop's x axis is turned against the picture's, in radians, clockwise as
            seen on screen (y points down).

    Raises:
        ValueError: For a side that is not positive, or numbers that are not finite.
    """

    center_x: float
    center_y: float
    side: float
    angle: float = 0.0

    def __post_init__(self) -> None:
        values = (self.center_x, self.center_y, self.side, self.angle)
        if not all(math.isfinite(value) for value in values) or self.side <= 0:
            raise ValueError(f"a crop needs finite numbers and a positive side, got {self}")

    @classmethod
    def around(cls, points: ArrayLike, *, scale: float, angle: float = 0.0) -> FaceCrop:
        """The square ``scale`` times the longer side of the points' box, turned by ``angle``.

        Args:
            points: ``(N, 2)`` in pixels of the picture. The box is measured along the turned axes.

        Raises:
            ValueError: For points that are not finite, or all in one place.
        """
        points = np.asarray(points, dtype=np.float64)
        if not np.isfinite(points).all():
            raise ValueError("points to crop around must be finite")
        rotation = _rotation(angle)
        turned = points @ rotation.T
        low, high = np.minimum.reduce(turned), np.maximum.reduce(turned)
        center_x, center_y = (low + high) / 2 @ rotation
        return cls(float(center_x), float(center_y), float((high - low).max()) * scale, angle)

    @classmethod
    def from_box(cls, box_xyxy: ArrayLike, *, scale: float = 1.0, angle: float = 0.0) -> FaceCrop:
        """The square ``scale`` times the longer side of a box, about the box's middle.

        Raises:
            ValueError: For a box without area or with numbers that are not finite.
        """
        x0, y0, x1, y1 = (float(value) for value in np.asarray(box_xyxy).reshape(4))
        if not (x1 > x0 and y1 > y0):
            raise ValueError(
                f"a box is x0, y0, x1, y1 with x0 < x1 and y0 < y1, got {x0}, {y0}, {x1}, {y1}"
            )
        return cls((x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0) * scale, angle)

    def to_crop(self, points: ArrayLike) -> NDArray[np.float32]:
        """Picture pixels ``(..., 2)`` as fractions of the crop: 0..1 inside, other values outside."""
        offset = np.asarray(points, dtype=np.float64) - (self.center_x, self.center_y)
        return (offset @ _rotation(self.angle).T / self.side + 0.5).astype(np.float32)

    def to_image(self, points: ArrayLike) -> NDArray[np.float32]:
        """Fractions of the crop ``(..., 2)`` as picture pixels; the inverse of :meth:`to_crop`."""
        offset = (np.asarray(points, dtype=np.float64) - 0.5) * self.side
        return (offset @ _rotation(self.angle) + (self.center_x, self.center_y)).astype(np.float32)

    def extract(self, image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """The crop's pixels ``(size, size, 3)``; black where it reaches over the picture's edge.

        Args:
            image: ``(H, W, 3)`` uint8, in any channel order, which is kept.
            size: Side of the result in pixels.
        """
        import cv2

        shrink = self.side / size
        source = image
        offset: NDArray[np.float64] = np.zeros(2)
        if shrink > 1.5:
            # Bilinear sampling skips pixels when it shrinks a lot, so average neighbourhoods first.
            source, offset, reduce = self._reduced(image, int(min(shrink, _MOST_REDUCED)))
        elif max(image.shape) > _LONGEST_SAMPLED:
            source, offset, reduce = self._reduced(image, 1)
        else:
            reduce = 1
        # Pixel centres: crop pixel j lies at (j + 0.5) / size of the crop, source pixel i at i + 0.5.
        basis = _rotation(self.angle).T * shrink / reduce
        middle = (np.array([self.center_x, self.center_y]) - offset) / reduce - 0.5
        matrix = np.column_stack([basis, middle - basis @ np.full(2, (size - 1) / 2)])
        return cv2.warpAffine(
            source, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )

    def _reduced(
        self, image: NDArray[np.uint8], factor: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], int]:
        """The crop's part of the picture, shrunk ``factor`` times by averaging, and where it begins."""
        import cv2

        height, width = image.shape[:2]
        reach = self.side * math.sqrt(0.5) + 2 * factor
        x0, x1 = _clipped(self.center_x - reach, self.center_x + reach, width)
        y0, y1 = _clipped(self.center_y - reach, self.center_y + reach, height)
        part = image[y0:y1, x0:x1]
        pad_y, pad_x = -part.shape[0] % factor, -part.shape[1] % factor
        part = cv2.copyMakeBorder(part, 0, pad_y, 0, pad_x, cv2.BORDER_REPLICATE)
        size = part.shape[1] // factor, part.shape[0] // factor
        return cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.array([x0, y0]), factor


def extract_all(
    image: NDArray[np.uint8], crops: Sequence[FaceCrop], size: int
) -> NDArray[np.uint8]:
    """The pixels ``(N, size, size, 3)`` of crops of one picture; there may be none."""
    pixels = np.empty((len(crops), size, size, 3), np.uint8)
    for index, crop in enumerate(crops):
        pixels[index] = crop.extract(image, size)
    return pixels


def _clipped(low: float, high: float, size: int) -> tuple[int, int]:
    """The range from ``low`` to ``high`` in whole pixels, clipped to the picture; at least one."""
    start = min(max(int(low), 0), size - 1)
    return start, min(max(math.ceil(high), start + 1), size)


def _rotation(angle: float) -> NDArray[np.float64]:
    """Matrix ``(2, 2)`` from offsets in the picture to the crop's axes."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])


def size_hw_of(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Height and width of a picture ``(H, W, 3)``, in pixels."""
    return image.shape[0], image.shape[1]


def box_of(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The box ``(4,)`` of points ``(N, 2)``: x0, y0, x1, y1."""
    return np.concatenate([np.minimum.reduce(points), np.maximum.reduce(points)])


def part_outside(points: NDArray[np.float32], size_hw: tuple[int, int]) -> float:
    """The part of points ``(N, 2)`` that lies outside a picture of that size."""
    height, width = size_hw
    x0, y0, x1, y1 = box_of(points).tolist()
    if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:  # as mostly, and quicker to see
        return 0.0
    return float(((points < 0) | (points > (width, height))).any(axis=1).mean())


def box_overlaps(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union (IoU) ``(N, M)`` of boxes ``(N, 4)`` and ``(M, 4)``: x0, y0, x1, y1."""
    first = np.asarray(boxes, dtype=np.float64).reshape(-1, 1, 4)
    second = np.asarray(others, dtype=np.float64).reshape(1, -1, 4)
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [
        np.clip(part[..., 2:] - part[..., :2], 0, None).prod(axis=-1) for part in (first, second)
    ]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-12)
