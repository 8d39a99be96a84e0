"""What re-parameterizing changes about a network: its size, and its points and time on an example photo."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from landmark_app.camera.frames import face_to_json
from landmark_app.comparison import compare
from landmark_app.models import Choice, Models
from pfld.benchmark.backends import size_of
from pfld.media.pictures import read_picture
from pfld.runtime.landmarker import FaceLandmarker
from pfld.weights.metadata import FORMS, WeightMetadata
from pfld.weights.shipped import PORTRAIT

_CALLS = 9  # timed calls of each form, which together take about half a second


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


def on_example(models: Models, choice: Choice) -> dict[str, Any]:
    """A mode beside the train-time network on the face of an example photo, measured on this machine.

    Returns:
        "faces" of the photo, a list as of camera frames for each form, the train-time network's first;
        "ms", the fastest of a few calls of each, in turns, so that other work of the machine counts
        little; "largest_px" and "mean_px", how far the points are apart in pixels of the photo. Without
        train-time weights, or for the train-time network itself, there are only its own faces, and the
        rest is None.

    Raises:
        ValueError: For a choice that cannot be loaded.
    """
    train = Choice(choice.network, "train-time")
    is_alone = choice == train or train.mode not in models.modes(choice.network)
    backend = models.backend(choice)
    landmarker = FaceLandmarker(backend, models.detector)
    trained = backend if is_alone else models.backend(train)
    image = read_picture(PORTRAIT)
    with models.turns:
        faces = landmarker(image)[:1]
    if is_alone:
        alone = {"ms": None, "largest_px": None, "mean_px": None}
        return {"faces": [[face_to_json(face) for face in faces]], **alone}
    crops = [landmarker.crop_around(face.landmarks) for face in faces]
    with models.turns:
        result = compare(image, crops, trained, backend, repeats=_CALLS)
    return {
        "faces": [
            [face_to_json(replace(f, landmarks=p)) for f, p in zip(faces, points)]
            for points in (result.first, result.second)
        ],
        "ms": [round(1000 * min(runs), 2) for runs in (result.first_runs_s, result.second_runs_s)],
        "largest_px": result.largest_px,
        "mean_px": result.mean_px,
    }
