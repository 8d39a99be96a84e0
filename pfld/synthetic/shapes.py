"""Anti-aliased shapes at fractional positions, in pixels counted from the picture's corner.

Pictures are ``(H, W, C)`` or ``(H, W)`` uint8; colours have as many numbers, 0..255 (clipped).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.uint8]
Color = Sequence[float] | NDArray[np.float64]
SHIFT = 4  # fractional bits of the coordinates cv2 draws with


@lru_cache(maxsize=4)
def smoothing(count: int) -> NDArray[np.float64]:
    """Matrix ``(4 * count, count)`` from a closed polygon's corners to points on a Catmull-Rom curve."""
    matrix = np.zeros((count * 4, count))
    for row in range(count * 4):
        start, t = row // 4, row % 4 / 4
        weights = (
            -t + 2 * t**2 - t**3,
            2 - 5 * t**2 + 3 * t**3,
            t + 4 * t**2 - 3 * t**3,
            t**3 - t**2,
        )
        for step, weight in enumerate(weights):
            matrix[row, (start + step - 1) % count] += weight / 2
    return matrix


def hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners ``(L, 2)`` of the smallest convex polygon around points ``(K, 2)``."""
    return cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)


def fixed(points: ArrayLike) -> NDArray[np.int32]:
    """Pixels in the corner convention as cv2's fixed-point numbers, which count from pixel centres."""
    return np.rint(np.asarray(points) * 2**SHIFT - 2 ** (SHIFT - 1)).astype(np.int32)


def fill(image: Image, polygon: ArrayLike, color: Color) -> None:
    """Fills a polygon ``(K, 2)``, in place; its soft edge reaches half a pixel outwards."""
    cv2.fillPoly(image, [fixed(polygon)], _scalar(color), cv2.LINE_AA, SHIFT)


def curve(image: Image, points: ArrayLike, color: Color, thickness: int) -> None:
    """Draws an open line through points ``(K, 2)``, in place."""
    cv2.polylines(image, [fixed(points)], False, _scalar(color), thickness, cv2.LINE_AA, SHIFT)


def dot(image: Image, middle: ArrayLike, radius: float, color: Color) -> None:
    """Fills a circle, in place."""
    # Anti-aliased edges reach half a pixel beyond the outline they are given.
    size = max(round((radius - 0.5) * 2**SHIFT), 1)
    cv2.circle(image, fixed(middle).tolist(), size, _scalar(color), -1, cv2.LINE_AA, SHIFT)


def paste(image: Image, layer: Image, polygons: Sequence[ArrayLike]) -> None:
    """Puts a layer of the picture's size over it where any of the polygons is, in place."""
    mask = np.zeros(image.shape[:2], np.uint8)
    for polygon in polygons:
        fill(mask, polygon, (255,))
    weight = cv2.multiply(mask, 1 / 255, dtype=cv2.CV_32F)
    # cv2 only writes into contiguous arrays, which a window of a picture is not.
    image[:] = cv2.blendLinear(layer, np.ascontiguousarray(image), weight, 1 - weight)


def _scalar(color: Color) -> tuple[float, ...]:
    values = color.tolist() if isinstance(color, np.ndarray) else color
    return tuple(min(max(value, 0.0), 255.0) for value in values)
