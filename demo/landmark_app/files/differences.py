"""Differences of two networks on a face: the face magnified, with an arrow for each point."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pfld.geometry import FaceCrop

SIDE = 960  # pixels of the magnified picture
_ROOM = 1.25  # side of what is shown, in sizes of the face
_FACTORS = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # by which arrows may be drawn longer
_LONGEST = 45.0  # pixels; arrows of nine points in ten are drawn no longer where possible
_SHORTEST = 2.0  # pixels of an arrow that is drawn
_TOO_SMALL = 0.001  # pixels of the photo; nothing is drawn of smaller differences
_POINT, _ARROW, _RIM = (60, 245, 235), (255, 159, 26), (25, 25, 30)  # RGB
_BITS = 4  # of a pixel, in OpenCV's coordinates


def magnified_differences(
    image_rgb: NDArray[np.uint8], first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], str]:
    """A face with the first network's points, and arrows to the second's; and what the arrows mean.

    Args:
        image_rgb: ``(H, W, 3)`` uint8.
        first, second: Landmarks ``(L, 2)`` of both networks in pixels of the picture; their numbers may
            differ, then there are no arrows.

    Returns:
        A picture ``(SIDE, SIDE, 3)`` uint8, and a text.
    """
    low, high = first.min(axis=0), first.max(axis=0)
    side = _ROOM * max(float((high - low).max()), 1.0)
    middle = (low + high) / 2
    picture = FaceCrop(float(middle[0]), float(middle[1]), side).extract(image_rgb, SIDE)
    scale = SIDE / side
    points = (first - middle) * scale + SIDE / 2
    for point in points:
        cv2.circle(picture, _fixed(point), 4 << _BITS, _RIM, -1, cv2.LINE_AA, _BITS)
        cv2.circle(picture, _fixed(point), 3 << _BITS, _POINT, -1, cv2.LINE_AA, _BITS)
    if first.shape != second.shape:
        return picture, "The networks have different points"
    shifts = second - first
    largest = float(np.linalg.norm(shifts, axis=1).max())
    if largest == 0:
        return picture, "The points do not differ"
    if largest < _TOO_SMALL:
        return picture, "Differences: less than 0.001 px, too small to draw"
    factor = arrow_factor(shifts * scale)
    ends = points + shifts * scale * factor
    for color, width in ((_RIM, 5), (_ARROW, 3)):
        for start, end in zip(points, ends):
            _draw_arrow_(picture, start, end, color, width)
    return picture, f"Arrows: from left to right, drawn {factor}× as long"


def arrow_factor(shifts: NDArray[np.float32]) -> int:
    """By how much arrows are drawn longer, so that nine in ten stay small beside the face.

    Args:
        shifts: ``(L, 2)`` in pixels of the magnified picture.
    """
    typical = float(np.quantile(np.linalg.norm(shifts, axis=1), 0.9))
    return max((f for f in _FACTORS if f * typical <= _LONGEST), default=1)


def _draw_arrow_(
    picture: NDArray[np.uint8],
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    color: tuple[int, int, int],
    width: int,
) -> None:
    length = float(np.linalg.norm(end - start))
    if length >= _SHORTEST:
        tip = min(9.0, length) / length
        ends = _fixed(start), _fixed(end)
        cv2.arrowedLine(picture, *ends, color, width, cv2.LINE_AA, _BITS, tip)


def _fixed(point: NDArray[np.float32]) -> tuple[int, int]:
    """A point in OpenCV's coordinates, whose pixel i has its middle at i."""
    x, y = np.clip((point - 0.5) * (1 << _BITS), -1e6, 1e6).round().astype(int).tolist()
    return x, y
