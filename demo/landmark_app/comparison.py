"""Comparison of two networks on the same crops: landmarks, latencies and distances."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfld.geometry import FaceCrop, extract_all
from pfld.runtime.backends import Backend
from pfld.weights.metadata import PIXELS


@dataclass(frozen=True)
class Comparison:
    """Landmarks and latencies of two networks on the same faces.

    Attributes:
        first, second: Landmarks ``(F, L, 2)`` float32 in pixels of the picture, not smoothed.
        first_s, second_s: Median seconds of a call, without cutting out and preparing the crops.
        largest_px, mean_px: Largest and mean distance of corresponding points over all faces; None
            without faces, or if the networks have different points.
    """

    first: NDArray[np.float32]
    second: NDArray[np.float32]
    first_s: float
    second_s: float
    largest_px: float | None
    mean_px: float | None

    @property
    def speed_up(self) -> float:
        """How many times as fast the second network was."""
        return self.first_s / max(self.second_s, 1e-9)


def compare(
    image_rgb: NDArray[np.uint8],
    crops: Sequence[FaceCrop],
    first: Backend,
    second: Backend,
    *,
    repeats: int = 1,
) -> Comparison:
    """Runs both networks on the same faces.

    Crops are cut out and prepared once if both networks take them alike. If the second network was
    trained on wider or narrower crops than the first, it gets its own.

    Args:
        image_rgb: ``(H, W, 3)`` uint8.
        crops: Crops around the faces, as wide as the first network takes them.
        repeats: Calls of each network; the latency is their median.
    """
    batches = _Batches(image_rgb, crops, first.metadata.preprocessing.crop_scale)
    first_px, first_s = _landmarks(batches, first, repeats)
    second_px, second_s = _landmarks(batches, second, repeats)
    return Comparison(first_px, second_px, first_s, second_s, *_distances(first_px, second_px))


class _Batches:
    """The crops of one picture in the forms that networks take; each form is made once."""

    def __init__(
        self, image_rgb: NDArray[np.uint8], crops: Sequence[FaceCrop], crop_scale: float
    ) -> None:
        self._image = image_rgb
        self._crops = crops
        self._scale = crop_scale
        self._made: dict[Hashable, NDArray[Any]] = {}

    def for_backend(
        self, backend: Backend
    ) -> tuple[list[FaceCrop], Callable[[NDArray[Any]], NDArray[np.float32]], NDArray[Any]]:
        """The crops, the function to call with their pixels, and the pixels as it takes them."""
        preprocessing = backend.metadata.preprocessing
        size, zoom = preprocessing.input_size, preprocessing.crop_scale / self._scale
        crops = [FaceCrop(c.center_x, c.center_y, c.side * zoom, c.angle) for c in self._crops]
        pixels = self._once((size, zoom), lambda: extract_all(self._image, crops, size))
        if backend.metadata.interface == PIXELS:
            return crops, backend.predict, pixels
        return crops, backend, self._once(preprocessing, lambda: preprocessing(pixels))

    def _once(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def _landmarks(
    batches: _Batches, backend: Backend, repeats: int
) -> tuple[NDArray[np.float32], float]:
    """A network's landmarks ``(F, L, 2)`` in pixels of the picture, and the seconds they took."""
    crops, call, batch = batches.for_backend(backend)
    taken_s = []
    for _ in range(repeats):
        start = time.perf_counter()
        fractions = call(batch)
        taken_s.append(time.perf_counter() - start)
    points = [crop.to_image(face) for crop, face in zip(crops, fractions)]
    landmarks = np.stack(points) if points else np.zeros(fractions.shape, np.float32)
    return landmarks, float(np.median(taken_s))


def _distances(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[float | None, float | None]:
    """The largest and the mean distance of corresponding points ``(F, L, 2)``."""
    if first.shape != second.shape or not len(first):
        return None, None
    distances = np.linalg.norm(first.astype(np.float64) - second, axis=-1)
    return float(distances.max()), float(distances.mean())
