"""PredictionOptions: options of a prediction run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PredictionOptions:
    """How faces are looked for and what is written.

    Attributes:
        weights: Identifies the weights, so that all results in a folder come from the same ones.
        max_faces: Most faces in a picture or frame; None for all in pictures, and 8 in videos.
        smoothing: Whether landmarks in videos are smoothed.
        pictures: Whether annotated copies are made, with contours and points.
        boxes, axes, indices, labels, uncertainty: What else is drawn, see :func:`pfld.draw.draw_faces`.
        json, csv, parquet: Whether a file of all faces is written.
        overwrite: Whether results of earlier runs are discarded.
    """

    weights: str = ""
    backend: str = "onnx"
    min_score: float = 0.5
    max_faces: int | None = None
    smoothing: bool = True
    pictures: bool = True
    boxes: bool = False
    axes: bool = False
    indices: bool = False
    labels: bool = False
    uncertainty: bool = False
    json: bool = False
    csv: bool = False
    parquet: bool = False
    overwrite: bool = False

    def drawing(self) -> dict[str, bool]:
        """Arguments of :func:`pfld.draw.draw_faces`."""
        names = ("boxes", "axes", "indices", "labels", "uncertainty")
        return {name: getattr(self, name) for name in names}

    def settings(self) -> dict[str, str]:
        """The settings that the results in a folder depend on, by option."""
        switches = {
            "--no-smoothing": not self.smoothing,
            "--no-pictures": not self.pictures,
            **{f"--{name}": drawn for name, drawn in self.drawing().items()},
        }
        return {
            "--weights": self.weights,
            "--backend": self.backend,
            "--min-score": f"{self.min_score:g}",
            "--max-faces": str(self.max_faces or "unset"),
            **{name: "on" if value else "off" for name, value in switches.items()},
        }
