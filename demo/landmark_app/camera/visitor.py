"""Visitor: the tracker and measurements of one open page; never shared between pages."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landmark_app.latency import computing_s
from landmark_app.models import Choice, Models
from pfld.runtime.backends import Backend, Prediction
from pfld.runtime.face import Face
from pfld.runtime.landmarker import FaceLandmarker
from pfld.tracking.jitter import JitterMeter
from pfld.tracking.tracker import FaceTracker

_FLICKER_FRAMES = 62  # two seconds


class Stopwatch(Backend):
    """A backend that measures how long it computes, for one visitor.

    Attributes:
        spent_s: Seconds it has computed since this was last set to 0, by :mod:`landmark_app.latency`.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend.name, backend.path, backend.metadata)
        self.backend = backend
        self.spent_s = 0.0

    def predict_with_uncertainty(self, crops: NDArray[np.uint8]) -> Prediction:
        """As :meth:`pfld.runtime.backends.Backend.predict_with_uncertainty`."""
        start = computing_s()
        try:
            return self.backend.predict_with_uncertainty(crops)
        finally:
            self.spent_s += computing_s() - start

    def _run(self, batch: NDArray[np.float32]) -> Prediction:
        return self.backend.run(batch)


class Visitor:
    """Tracker, smoothing and flicker of one page.

    A copy is a new visitor, as Gradio copies the first value of a state for each page.

    Attributes:
        lock: Held while a frame is processed: one frame of a page at a time.
        time_s: When the last frame was taken, in seconds.
        network_s: Seconds the network computed for it.
        jitter: Flicker of the largest face, a fraction of its size.
        second_first: Of two networks that are compared, which one ran first on the last frame.
    """

    def __init__(self) -> None:
        self.second_first = False
        self.lock = threading.Lock()
        self.forget()

    def __deepcopy__(self, memo: dict[int, Any]) -> Visitor:
        return Visitor()

    def forget(self) -> None:
        """Resets everything, as if the page had just been opened."""
        self.time_s = -np.inf
        self.network_s = 0.0
        self.jitter = 0.0
        self._tracker: FaceTracker | None = None
        self._choice: Choice | None = None
        self._stopwatch: Stopwatch | None = None
        self._meter = JitterMeter(_FLICKER_FRAMES)
        self._measured: tuple[int | None, bool] | None = None

    def is_past(self, time_s: float) -> bool:
        """Whether a later frame was processed already. A second or more later counts as another clock."""
        return 0 <= self.time_s - time_s < 1

    def follow(
        self,
        models: Models,
        choice: Choice,
        image_rgb: NDArray[np.uint8] | None,
        time_s: float,
        *,
        max_faces: int,
        smoothing: bool,
    ) -> list[Face]:
        """The faces in the next frame, largest first; sets ``network_s`` and ``jitter`` as well.

        Another choice or number of faces starts a new tracker.

        Args:
            image_rgb: ``(H, W, 3)`` uint8; None has no faces and changes nothing.
            time_s: When the frame was taken, in seconds from any start.

        Raises:
            ValueError: For a choice that cannot be loaded, or as
                :class:`pfld.tracking.tracker.FaceTracker`.
        """
        if image_rgb is None:
            return []
        tracker, stopwatch = self._tracker, self._stopwatch
        is_other = self._choice != choice
        if not tracker or not stopwatch or is_other or tracker.max_faces != max_faces:
            stopwatch = self._stopwatch = Stopwatch(models.backend(choice))
            landmarker = FaceLandmarker(stopwatch, models.detector)
            tracker = self._tracker = FaceTracker(landmarker, max_faces=max_faces)
            self._choice = choice
        tracker.smoothing = smoothing
        stopwatch.spent_s = 0.0
        faces = tracker(image_rgb, time_s)
        self.time_s = time_s
        self.network_s = stopwatch.spent_s
        self._measure_flicker(faces, smoothing)
        return faces

    def _measure_flicker(self, faces: list[Face], smoothing: bool) -> None:
        """Measures the largest face; another face, or smoothing turned on or off, starts anew."""
        measured = (faces[0].identity, smoothing) if faces else None
        if measured != self._measured:
            self._meter.reset()
        self._measured = measured
        self.jitter = self._meter.add(faces[0].landmarks, self.time_s) if faces else 0.0
