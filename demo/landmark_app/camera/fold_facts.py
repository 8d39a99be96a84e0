"""What re-parameterizing changes about a network: its size, and its points and time on an example photo."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

from landmark_app.camera.frames import face_to_json, shifts_to_json
from landmark_app.comparison import compare
from landmark_app.models import Choice, Models
from pfld.benchmark.backends import size_of
from pfld.media.pictures import read_picture
from pfld.runtime.landmarker import FaceLandmarker
from pfld.weights.metadata import FORMS, WeightMetadata
from pfld.weights.shipped import PORTRAIT

_CALLS = 9  # timed calls of each form, which together take about half a second
# Then latencies on the example are measured anew: the machine may have been busy.
_MEASURED_FOR_S = 300


def has_branches(models: Models, network: str) -> bool:
    """Whether a network's blocks have branches to fold.

    Raises:
        ValueError: As :meth:`landmark_app.models.Models.metadata`.
    """
    return models.metadata(network).has_branches


def form_sizes(metadata: WeightMetadata) -> dict[str, list[int]]:
    """A network's "parameters" and "macs" (multiply-accumulates for one face), train-time and folded."""
    parameters, macs = zip(*(size_of(replace(metadata, form=form)) for form in FORMS))
    return {"parameters": list(parameters), "macs": list(macs)}


class FoldFacts:
    """The facts below, found once for all visitors; latencies anew after some minutes, one at a time.

    Methods return ``{"error": words}`` for what cannot be loaded.
    """

    def __init__(self, models: Models) -> None:
        self._models = models
        self._known: dict[Hashable, tuple[float, dict[str, Any]]] = {}
        self._measuring = threading.Lock()

    def sizes(self, network: str) -> dict[str, Any]:
        """As :func:`form_sizes`."""
        return self._kept(network, lambda: form_sizes(self._models.metadata(network)))

    def example(self, choice: str, beside: str | None = None) -> dict[str, Any]:
        """As :func:`on_example`, of choices as text."""
        name = choice, beside
        if found := self._fresh(name, _MEASURED_FOR_S):
            return found  # without waiting for what others measure
        with self._measuring:
            return self._kept(name, lambda: self._on_example(*name), _MEASURED_FOR_S)

    def _on_example(self, choice: str, beside: str | None) -> dict[str, Any]:
        other = None if beside is None else Choice.parse(beside)
        return on_example(self._models, Choice.parse(choice), other)

    def _fresh(self, name: Hashable, seconds: float) -> dict[str, Any]:
        found_at, found = self._known.get(name, (-math.inf, {}))
        return found if time.monotonic() - found_at <= seconds else {}

    def _kept(
        self, name: Hashable, find: Callable[[], dict[str, Any]], seconds: float = math.inf
    ) -> dict[str, Any]:
        if found := self._fresh(name, seconds):
            return found
        try:
            found = find()
        except (ValueError, OSError) as error:
            return {"error": str(error)}
        self._known[name] = time.monotonic(), found
        return found


def on_example(models: Models, choice: Choice, beside: Choice | None = None) -> dict[str, Any]:
    """A network beside another on the face of an example photo, measured on this machine.

    Args:
        beside: The one that comes first; None for the train-time network of the same name.

    Returns:
        "faces" of the photo, a list as of camera frames for each network; "ms", the fastest of a few
        calls of each, in turns, so that other work of the machine counts little; "largest_px" and
        "mean_px", how far the points are apart in pixels of the photo, and "shifts" as of
        :func:`landmark_app.camera.frames.shifts_to_json`. Beside none, without train-time weights or for
        the train-time network itself, there are only its own faces, and the rest is None.

    Raises:
        ValueError: For a choice that cannot be loaded.
    """
    train = Choice(choice.network, "train-time")
    is_alone = not beside and (choice == train or train.mode not in models.modes(choice.network))
    second = models.backend(choice)
    first = second if is_alone else models.backend(beside or train)
    landmarker = FaceLandmarker(first, models.detector)
    image = read_picture(PORTRAIT)
    with models.turns:
        faces = landmarker(image)[:1]
    if is_alone:
        alone = {"ms": None, "largest_px": None, "mean_px": None, "shifts": None}
        return {"faces": [[face_to_json(face) for face in faces]], **alone}
    crops = [landmarker.crop_around(face.landmarks) for face in faces]
    with models.turns:
        result = compare(image, crops, first, second, repeats=_CALLS)
    return {
        "faces": [
            [face_to_json(replace(f, landmarks=p)) for f, p in zip(faces, points)]
            for points in (result.first, result.second)
        ],
        "ms": [round(1000 * min(runs), 2) for runs in (result.first_runs_s, result.second_runs_s)],
        "largest_px": result.largest_px,
        "mean_px": result.mean_px,
        "shifts": shifts_to_json(result.first, result.second),
    }
