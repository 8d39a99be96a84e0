"""Comparison of two networks on the same crops: landmarks, latencies and distances."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landmark_app.latency import computing_s
from pfld.geometry import FaceCrop, extract_all
from pfld.runtime.backends import Backend
from pfld.weights.metadata import PIXELS


@dataclass(frozen=True)
class Comparison:
    """Landmarks and latencies of two networks on the same faces.

    Attributes:
        first, second: Landmarks ``(F, L, 2)`` float32 in pixels of the picture, not smoothed.
        first_runs_s, second_runs_s: Seconds that each timed call computed, without cutting out and
            preparing the crops.
        largest_px, mean_px: Largest and mean distance of corresponding points over all faces; None
            without faces, or if the networks have different points.
    """

    first: NDArray[np.float32]
    second: NDArray[np.float32]
    first_runs_s: tuple[float, ...]
    second_runs_s: tuple[float, ...]
    largest_px: float | None
    mean_px: float | None

    @property
    def first_s(self) -> float:
        """Median seconds of the first network's calls."""
        return float(np.median(self.first_runs_s))

    @property
    def second_s(self) -> float:
        """Median seconds of the second network's calls."""
        return float(np.median(self.second_runs_s))

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
    second_first: bool = False,
) -> Comparison:
    """Runs both networks on the same faces.

    Crops are cut out and prepared once if both networks take them alike. If the second network was
    trained on wider or narrower crops than the first, it gets its own.

    Args:
        image_rgb: ``(H, W, 3)`` uint8.
        crops: Crops around the faces, as wide as the first network takes them.
        repeats: Timed calls of each network. A single one has all faces. Of more, each has the first face
            alone, and the networks take turns: which one begins changes from turn to turn.
        second_first: Run the second network before the first.
    """
    batches = _Batches(image_rgb, crops, first.metadata.preprocessing.crop_scale)
    order = (1, 0) if second_first else (0, 1)
    runs = {side: _Run(batches, (first, second)[side]) for side in order}
    if repeats > 1:
        alone = _Batches(image_rgb, crops[:1], first.metadata.preprocessing.crop_scale)
        _take_turns(alone, runs, repeats)
    first_px, second_px = runs[0].landmarks, runs[1].landmarks
    return Comparison(
        first_px,
        second_px,
        tuple(runs[0].seconds),
        tuple(runs[1].seconds),
        *_distances(first_px, second_px),
    )


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


class _Run:
    """One network's landmarks ``(F, L, 2)`` in pixels of the picture, and the seconds they took."""

    def __init__(self, batches: _Batches, backend: Backend) -> None:
        self.backend = backend
        crops, call, batch = batches.for_backend(backend)
        start = computing_s()
        fractions = call(batch)
        self.seconds = [computing_s() - start]
        points = [crop.to_image(face) for crop, face in zip(crops, fractions)]
        self.landmarks = np.stack(points) if points else np.zeros(fractions.shape, np.float32)


def _take_turns(batches: _Batches, runs: dict[int, _Run], repeats: int) -> None:
    """Replaces each run's times by those of ``repeats`` calls that alternate."""
    calls = []
    for run in runs.values():
        _, call, batch = batches.for_backend(run.backend)
        run.seconds.clear()
        calls.append((run, call, batch))
    for turn in range(repeats):
        for run, call, batch in calls if turn % 2 else calls[::-1]:
            start = computing_s()
            call(batch)
            run.seconds.append(computing_s() - start)


def _distances(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[float | None, float | None]:
    """The largest and the mean distance of corresponding points ``(F, L, 2)``."""
    if first.shape != second.shape or not len(first):
        return None, None
    distances = np.linalg.norm(first.astype(np.float64) - second, axis=-1)
    return float(distances.max()), float(distances.mean())
