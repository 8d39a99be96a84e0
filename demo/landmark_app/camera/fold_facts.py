"""What re-parameterizing changes about a network: its size, and its points on an example photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from landmark_app.comparison import compare
from landmark_app.models import Choice, Models
from pfld.benchmark.backends import size_of
from pfld.media.pictures import read_picture
from pfld.weights.metadata import FORMS, WeightMetadata

_EXAMPLE = Path(__file__).parents[2] / "examples" / "astronaut.jpg"


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


def points_apart(models: Models, choice: Choice) -> dict[str, float | None]:
    """How far a mode's points are from the train-time network's on the face of an example photo.

    Returns:
        "largest_px" and "mean_px" in pixels of the photo; None without train-time weights.

    Raises:
        ValueError: For a choice that cannot be loaded.
    """
    if "train-time" not in models.modes(choice.network):
        return {"largest_px": None, "mean_px": None}
    trained = models.backend(Choice(choice.network, "train-time"))
    folded, landmarker = models.backend(choice), models.landmarker(choice)
    image = read_picture(_EXAMPLE)
    crops = [landmarker.crop_around(face.landmarks) for face in landmarker(image)]
    with models.turns:
        result = compare(image, crops, trained, folded)
    return {"largest_px": result.largest_px, "mean_px": result.mean_px}
