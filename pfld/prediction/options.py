"""PredictionOptions: options of a prediction run."""

from __future__ import annotations

from dataclasses import dataclass, field

from pfld.draw import DRAWN_ON_REQUEST, Drawing


@dataclass(frozen=True)
class PredictionOptions:
    """How faces are looked for and what is written.

    Attributes:
        weights: Identifies the weights, so that all results in a folder come from the same ones.
        max_faces: Most faces in a picture or frame; None for all in pictures, and 8 in videos.
        smoothing: Whether landmarks in videos are smoothed.
        pictures: Whether annotated copies are made.
        drawing: What is drawn on copies.
        json, csv, parquet: Whether a file of all faces is written.
        overwrite: Whether results of earlier runs are discarded.
    """

    weights: str = ""
    backend: str = "onnx"
    min_score: float = 0.5
    max_faces: int | None = None
    smoothing: bool = True
    pictures: bool = True
    drawing: Drawing = field(default_factory=Drawing)
    json: bool = False
    csv: bool = False
    parquet: bool = False
    overwrite: bool = False

    def settings(self) -> dict[str, str]:
        """The settings that the results in a folder depend on, by option."""
        switches = {
            "--no-smoothing": not self.smoothing,
            "--no-pictures": not self.pictures,
            **{f"--{name}": getattr(self.drawing, name) for name in DRAWN_ON_REQUEST},
        }
        return {
            "--weights": self.weights,
            "--backend": self.backend,
            "--min-score": f"{self.min_score:g}",
            "--max-faces": str(self.max_faces or "unset"),
            **{name: "on" if value else "off" for name, value in switches.items()},
        }
