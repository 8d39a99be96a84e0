"""Evaluation of weights on an annotated data set: landmark errors (NME) and robustness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pfld.data.annotations import ATTRIBUTES, FaceAnnotation, read_faces
from pfld.evaluation.crop_variants import CropVariant, PictureRoll
from pfld.evaluation.metrics import LandmarkReport, normalized_point_errors, summarize
from pfld.evaluation.protocols import (
    DETECTOR,
    PROTOCOLS,
    DetectorCrops,
    GroundTruthCrops,
    PredictedFaces,
    Protocol,
)
from pfld.landmarks import IBUG_68, WFLW_98, WFLW_TO_IBUG, LandmarkScheme
from pfld.runtime.backends import load_own_backend
from pfld.runtime.landmarker import FaceLandmarker
from pfld.weights.metadata import WeightMetadata


@dataclass(frozen=True)
class RobustnessPoint:
    """The result for one variant of the crops or pictures.

    Attributes:
        amount: Size of the change: a factor, a part of the crop's side, or degrees.
        nme: Mean error of the faces found, None if none was found. With a detector, these faces differ
            from point to point.
        missed: Annotated faces that were not detected.
    """

    amount: float
    nme: float | None
    missed: int


@dataclass(frozen=True)
class Evaluation:
    """The results of an evaluation. Errors are relative to the distance of the outer eye corners.

    Attributes:
        weights: Name of the file.
        protocol: "ground-truth": crops around the annotated landmarks, as wide as ``metadata`` says.
            "detector": whole pictures, faces as detected.
        scheme: The points that are compared.
        report: Over all faces found.
        subsets: By attribute, over the faces that have it; only for attributes that some face has.
        errors: Mean error of each face ``(N,)``.
        robustness: By kind of variant, a curve of points. Empty unless asked for.
        missed: Annotated faces that were not detected. All other figures are without them.
        skipped: The reason for each face left out.
    """

    weights: str
    metadata: WeightMetadata
    split: str
    protocol: str
    scheme: LandmarkScheme
    report: LandmarkReport
    subsets: dict[str, LandmarkReport]
    errors: NDArray[np.float64] = field(repr=False)
    robustness: dict[str, list[RobustnessPoint]]
    missed: int
    skipped: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values: the protocol, the report's own, then ``subsets`` and ``robustness`` if any."""
        values: dict[str, object] = {
            "weights": self.weights,
            "network": self.metadata.architecture,
            "form": self.metadata.form,
            "channel_order": self.metadata.preprocessing.channel_order,
            "crop_scale": self.metadata.preprocessing.crop_scale,
            "split": self.split,
            "protocol": self.protocol,
            "scheme": self.scheme.name,
            "normalizer": "outer eye corners",
            "missed": self.missed,
            "skipped": len(self.skipped),
        }
        values |= self.report.to_json()
        if self.subsets:
            values["subsets"] = {name: report.to_json() for name, report in self.subsets.items()}
        if self.robustness:
            values["robustness"] = {
                kind: [asdict(point) for point in curve] for kind, curve in self.robustness.items()
            }
        return values


def evaluate(
    weights_path: str | Path,
    data: str | Path,
    split: str = "test",
    *,
    protocol: str = "ground-truth",
    channel_order: str | None = None,
    robustness: bool = False,
    allow_missing: float = 0.01,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Evaluates weights, in the form they are stored in, on one split of a data set.

    A network of 98 points is compared on 68 if the data set has 68.

    Args:
        weights_path: Weights of this package, an ONNX file of this package, or a published checkpoint.
        data: Folder as :func:`pfld.data.annotations.read_faces` takes it.
        channel_order: For published checkpoints, as :func:`pfld.weights.load_weights` takes it.
        protocol: One of :data:`pfld.evaluation.protocols.PROTOCOLS`.
        robustness: Measure NME on crops of another scale, place and rotation as well; with the detector
            on turned pictures.
        allow_missing: Part of the faces, 0..1, whose pictures may be unreadable.
        progress: Called with the number of faces done and their total.

    Raises:
        FileNotFoundError: When weights or annotations are missing.
        ValueError: For weights or annotations that are damaged or do not fit together, too many
            unreadable pictures, or an argument out of range.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
    if not 0 <= allow_missing <= 1:
        raise ValueError(f"allow_missing must be within 0 to 1, got {allow_missing}")
    answer: Protocol[CropVariant] | Protocol[PictureRoll]
    backend = load_own_backend(weights_path, channel_order=channel_order)
    metadata = backend.metadata
    if protocol == DETECTOR:
        answer = DetectorCrops(FaceLandmarker(backend))
    else:
        answer = GroundTruthCrops(backend.predict, metadata.preprocessing)
    faces = read_faces(Path(data), split)
    scheme = _common_scheme(metadata.scheme, faces)
    skipped: dict[int, str] = {}
    measured, batches = [], []
    progress(0, len(faces))
    for answers in answer(faces, skipped, robustness=robustness):
        measured += answers.indices
        batches.append(_errors(answers, faces, scheme))
        if len(skipped) > allow_missing * len(faces):
            break
        progress(len(measured), len(faces))
    if len(skipped) > allow_missing * len(faces) or not batches:
        raise ValueError(
            f"at least {len(skipped)} of {len(faces)} faces have no picture that can be used, more than "
            f"{allow_missing:.3g} of them; first: {next(iter(skipped.values()))}. Complete the data set "
            "or raise --allow-missing"
        )
    errors = np.concatenate(batches)  # (N, V, L)
    found = ~np.isnan(errors[:, 0]).any(axis=1)
    if not found.any():
        raise ValueError(f"none of the {len(errors)} annotated faces was detected")
    attributes = np.stack([faces[index].attributes for index in measured])
    by_variant = dict(zip(answer.variants(robustness=robustness), errors.swapaxes(0, 1)))
    return Evaluation(
        weights=Path(weights_path).name,
        metadata=metadata,
        split=split,
        protocol=protocol,
        scheme=scheme,
        report=summarize(errors[found, 0], scheme),
        subsets={
            name: summarize(errors[found & (has == 1), 0], scheme)
            for name, has in zip(ATTRIBUTES, attributes.T)
            if (found & (has == 1)).any()
        },
        errors=errors[found, 0].mean(axis=1),
        robustness={
            kind: [
                _robustness_point(v.amount, by_variant[answer.exact if v.unmoved else v])
                for v in curve
            ]
            for kind, curve in (answer.curves if robustness else {}).items()
        },
        missed=int((~found).sum()),
        skipped=tuple(skipped.values()),
    )


def _robustness_point(amount: float, errors: NDArray[np.float64]) -> RobustnessPoint:
    """The result for errors ``(N, L)``, NaN for missed faces."""
    found = ~np.isnan(errors).any(axis=1)
    nme = float(errors[found].mean()) if found.any() else None
    return RobustnessPoint(amount, nme, int((~found).sum()))


def _common_scheme(scheme: LandmarkScheme, faces: list[FaceAnnotation]) -> LandmarkScheme:
    """The scheme to compare in: that of the data set, which must be part of the network's."""
    for face in faces:
        if face.scheme not in (scheme, IBUG_68):
            raise ValueError(
                f"{face.source} has the points of {face.scheme.name}, the weights find {scheme.name}"
            )
        left, right = face.landmarks_px[list(face.scheme.outer_eye_corners)]
        if (left == right).all():
            raise ValueError(f"{face.source}: the outer eye corners coincide")
    return faces[0].scheme


def _errors(
    answers: PredictedFaces, faces: list[FaceAnnotation], scheme: LandmarkScheme
) -> NDArray[np.float64]:
    """Errors ``(B, V, L)`` of each point, over the distance of the outer eye corners; NaN if missed."""
    found = answers.landmarks
    if found.shape[2] == WFLW_98.num_landmarks != scheme.num_landmarks:
        found = found[:, :, WFLW_TO_IBUG]
    target = np.stack([faces[index].landmarks_px for index in answers.indices])
    errors = np.full(found.shape[:3], np.nan)
    for variant in range(found.shape[1]):
        there = ~np.isnan(found[:, variant]).any(axis=(1, 2))
        if there.any():
            errors[there, variant] = normalized_point_errors(
                found[there, variant], target[there], scheme
            )
    return errors
