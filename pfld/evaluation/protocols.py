"""Evaluation protocols: crops around the annotated landmarks, or faces found by a detector."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pfld.data.annotations import FaceAnnotation
from pfld.evaluation.crop_variants import EXACT, ROBUSTNESS_CURVES, CropVariant, PictureRoll
from pfld.geometry import FaceCrop, box_overlaps
from pfld.media.pictures import read_image
from pfld.preprocess import Preprocessing
from pfld.runtime.backends import BATCH_SIZE
from pfld.runtime.landmarker import FaceLandmarker

# RGB crops (N, S, S, 3) uint8 to points (N, L, 2) float32 in fractions of the crop.
Predictor = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

GROUND_TRUTH, DETECTOR = "ground-truth", "detector"
PROTOCOLS = (GROUND_TRUTH, DETECTOR)
MATCHING_OVERLAP = (
    0.5  # intersection over union from which a detected face matches an annotated one
)


@dataclass(frozen=True)
class PredictedFaces:
    """Predicted landmarks of a batch of faces.

    Attributes:
        indices: Which of the annotated faces, B of them.
        landmarks: ``(B, V, L, 2)`` float64 in pixels of the picture, for each variant; NaN where the
            face was missed.
    """

    indices: list[int]
    landmarks: NDArray[np.float64]


VariantT = TypeVar("VariantT", bound=CropVariant | PictureRoll)


class Protocol(ABC, Generic[VariantT]):
    """A way to find annotated faces.

    Attributes:
        exact: The variant that changes nothing.
        curves: By kind, the variants that measure robustness; each curve holds one that changes
            nothing.
    """

    exact: VariantT
    curves: Mapping[str, tuple[VariantT, ...]]

    def variants(self, *, robustness: bool) -> tuple[VariantT, ...]:
        """The variants that :meth:`__call__` measures, in order: ``exact``, then others of ``curves``."""
        if not robustness:
            return (self.exact,)
        moved = (v for curve in self.curves.values() for v in curve if not v.unmoved)
        return (self.exact, *moved)

    @abstractmethod
    def __call__(
        self, faces: list[FaceAnnotation], skipped: dict[int, str], *, robustness: bool
    ) -> Iterator[PredictedFaces]:
        """Predictions in batches. Faces of one picture come together, so that it is decoded once.

        Args:
            skipped: Gets the faces whose pictures cannot be used, by index, with the reason.
        """


class GroundTruthCrops(Protocol[CropVariant]):
    """Crops around the annotated landmarks; each variant moves the crop by a fixed amount."""

    exact = EXACT
    curves: Mapping[str, tuple[CropVariant, ...]] = ROBUSTNESS_CURVES

    def __init__(self, predict: Predictor, preprocessing: Preprocessing) -> None:
        self.predict = predict
        self.preprocessing = preprocessing

    def __call__(
        self, faces: list[FaceAnnotation], skipped: dict[int, str], *, robustness: bool
    ) -> Iterator[PredictedFaces]:
        variants = self.variants(robustness=robustness)
        size = self.preprocessing.input_size
        cropped = (
            (index, crops, np.stack([crop.extract(image, size) for crop in crops]))
            for indices, image in _pictures(faces, skipped)
            for index in indices
            for crops in [self._crops(faces[index], index, variants)]
        )
        while batch := list(islice(cropped, BATCH_SIZE)):
            columns = []
            for variant in range(len(variants)):
                found = self.predict(np.stack([pixels[variant] for _, _, pixels in batch]))
                columns.append(
                    [crops[variant].to_image(points) for (_, crops, _), points in zip(batch, found)]
                )
            landmarks = np.stack(columns, axis=1).astype(np.float64)
            yield PredictedFaces([index for index, _, _ in batch], landmarks)

    def _crops(
        self, face: FaceAnnotation, index: int, variants: tuple[CropVariant, ...]
    ) -> tuple[FaceCrop, ...]:
        try:
            crop = FaceCrop.around(face.landmarks_px, scale=self.preprocessing.crop_scale)
        except ValueError as error:
            raise ValueError(f"{face.source}: {error}") from error
        return tuple(variant(crop, index) for variant in variants)


class DetectorCrops(Protocol[PictureRoll]):
    """Faces as :class:`pfld.runtime.landmarker.FaceLandmarker` finds them in the whole picture; variants
    are rolls of that picture.

    An annotated face counts as found if the box of a detected one and the square around its landmarks
    have an intersection over union of at least 0.5. Otherwise it counts as missed.
    """

    exact = PictureRoll(0)
    curves: Mapping[str, tuple[PictureRoll, ...]] = {
        "roll": tuple(PictureRoll(float(degrees)) for degrees in range(0, 181, 30))
    }

    def __init__(self, landmarker: FaceLandmarker) -> None:
        self.landmarker = landmarker

    def __call__(
        self, faces: list[FaceAnnotation], skipped: dict[int, str], *, robustness: bool
    ) -> Iterator[PredictedFaces]:
        variants = self.variants(robustness=robustness)
        for indices, image in _pictures(faces, skipped):
            targets = [faces[index].landmarks_px for index in indices]
            found = [self._find(image, targets, variant) for variant in variants]
            yield PredictedFaces(indices, np.stack(found, axis=1))

    def _find(
        self, image: NDArray[np.uint8], targets: list[NDArray[np.float32]], roll: PictureRoll
    ) -> NDArray[np.float64]:
        """Landmarks ``(B, L, 2)`` of the faces at ``targets``, NaN where one is missed."""
        height, width = image.shape[:2]
        turned = FaceCrop(
            width / 2, height / 2, math.hypot(width, height), math.radians(-roll.degrees)
        )
        side = math.ceil(turned.side)
        if not roll.unmoved:
            image = turned.extract(image, side)
            targets = [turned.to_crop(target) * side for target in targets]
        detected = self.landmarker.detect(image, thorough=True, doubtful=True)
        num_landmarks = self.landmarker.backend.metadata.num_landmarks
        found = np.full((len(targets), num_landmarks, 2), np.nan)
        for index, target in enumerate(targets):
            square = FaceCrop.around(target, scale=1.0).to_image(((0, 0), (1, 1)))
            shared = box_overlaps(square, [face.box for face in detected])[0]
            if shared.max(initial=0) < MATCHING_OVERLAP:
                continue
            candidate = detected[int(shared.argmax())]
            (face,) = self.landmarker.refine(image, [candidate])
            if not self.landmarker.believes(candidate, face):
                continue
            found[index] = (
                face.landmarks if roll.unmoved else turned.to_image(face.landmarks / side)
            )
        return found


def _pictures(
    faces: list[FaceAnnotation], skipped: dict[int, str]
) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
    """Each picture ``(H, W, 3)`` that can be read, with the indices of the faces in it."""
    order = sorted(range(len(faces)), key=lambda index: faces[index].image_path)
    for path, group in groupby(order, key=lambda index: faces[index].image_path):
        indices = list(group)
        try:
            image = read_image(path)
        except (ValueError, OSError) as error:
            skipped |= {index: str(error) for index in indices}
            continue
        inside = []
        for index in indices:
            try:
                faces[index].require_in(image)
                inside.append(index)
            except ValueError as error:
                skipped[index] = str(error)
        if inside:
            yield inside, image
