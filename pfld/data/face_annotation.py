"""Face annotation: the points, box and picture of one face, and the checks all readers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pfld.landmarks import IBUG_68, WFLW_98, LandmarkScheme

ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")

FARTHEST = 100_000  # pixels from a picture's corner; no picture is that wide
_MOST_SAID = 3  # problems named in one message


@dataclass(frozen=True)
class FaceAnnotation:
    """One face in one picture.

    Attributes:
        landmarks_px: ``(L, 2)`` float32, in pixels of the picture.
        box_xyxy: ``(4,)`` float32, the data set's own face box in pixels.
        attributes: ``(6,)`` uint8 of 0 or 1, in the order of :data:`ATTRIBUTES`.
        source: Place of the annotation, as ``file:line``.
    """

    image_path: Path
    landmarks_px: NDArray[np.float32]
    box_xyxy: NDArray[np.float32]
    attributes: NDArray[np.uint8]
    source: str

    @classmethod
    def of_points(
        cls,
        image_path: Path,
        landmarks_px: NDArray[np.float32],
        source: str,
        box_xyxy: NDArray[np.float32] | None = None,
    ) -> FaceAnnotation:
        """A face without attributes, from points ``(L, 2)`` in pixels.

        Args:
            box_xyxy: ``(4,)`` in pixels; by default that of the points.
        """
        if box_xyxy is None:
            box_xyxy = np.concatenate([landmarks_px.min(axis=0), landmarks_px.max(axis=0)])
        return cls(image_path, landmarks_px, box_xyxy, np.zeros(6, np.uint8), source)

    @property
    def scheme(self) -> LandmarkScheme:
        """The landmark scheme, by the number of points."""
        return WFLW_98 if len(self.landmarks_px) == WFLW_98.num_landmarks else IBUG_68

    def require_in(self, image: NDArray[np.uint8]) -> None:
        """Raises ValueError unless some of the face lies in the picture ``(H, W, 3)``."""
        height, width = image.shape[:2]
        low, high = self.landmarks_px.min(axis=0), self.landmarks_px.max(axis=0)
        if (high <= 0).any() or (low >= (width, height)).any():
            raise ValueError(
                f"{self.source}: the face lies outside its picture of {width} x {height} pixels, "
                f"{self.image_path}"
            )


def checked(
    numbers: Sequence[float] | Sequence[tuple[float, float]] | NDArray[np.float64], source: str
) -> NDArray[np.float32]:
    """Coordinates in pixels as float32.

    Raises:
        ValueError: Unless all are finite and within :data:`FARTHEST`.
    """
    values = np.array(numbers, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{source}: coordinates must be finite")
    if np.abs(values).max(initial=0) > FARTHEST:
        raise ValueError(f"{source}: coordinates must be within {FARTHEST:,} pixels")
    return values.astype(np.float32)


def apart(landmarks_px: NDArray[np.float32], source: str) -> NDArray[np.float32]:
    """The points ``(L, 2)`` again; ValueError if all are in one place."""
    if not (np.ptp(landmarks_px, axis=0) > 0).any():
        raise ValueError(f"{source}: all points are in one place")
    return landmarks_px


class Problems:
    """Problems with annotations, gathered to name several in one message."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._more = 0

    def add(self, problem: object) -> None:
        """Notes a problem, ``file:line: what``."""
        if len(self._said) < _MOST_SAID:
            self._said.append(str(problem))
        else:
            self._more += 1

    def raise_any(self) -> None:
        """Raises ValueError if there are any, naming the first three and counting the others."""
        if self._said:
            raise ValueError(
                "; ".join(self._said) + (f"; and {self._more} more" * (self._more > 0))
            )
