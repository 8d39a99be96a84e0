"""Where an evaluation looks for each face: about the annotated landmarks, or where a detector says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pfld.crop_jitter import CropJitter
from pfld.data.annotations import FaceAnnotation
from pfld.data.images import read_image
from pfld.geometry import FaceCrop
from pfld.predictor import BATCH_SIZE, Predictor
from pfld.preprocess import Preprocessing
from pfld.runtime.detector import DetectedFace
from pfld.runtime.landmarker import FaceLandmarker

GROUND_TRUTH, DETECTOR = "ground-truth", "detector"
PROTOCOLS = (GROUND_TRUTH, DETECTOR)


@dataclass(frozen=True)
class Answers:
    """What was found of some faces.

    Attributes:
        indices: Which of the annotated faces, B of them.
        landmarks: ``(B, V, L, 2)`` float64 in pixels of the picture, for each variant; NaN where the
            face was missed.
    """

    indices: list[int]
    landmarks: NDArray[np.float64]


class FaceSource(Protocol):
    """One way to look for annotated faces."""

    def __call__(
        self,
        faces: list[FaceAnnotation],
        variants: tuple[CropJitter, ...],
        skipped: dict[int, str],
    ) -> Iterator[Answers]:
        """Faces picture by picture, so that each is decoded once; unreadable ones go into ``skipped``."""


class GroundTruthCrops:
    """Crops about the annotated landmarks; variants miss them by so much."""

    def __init__(self, predict: Predictor, preprocessing: Preprocessing) -> None:
        self.predict = predict
        self.preprocessing = preprocessing

    def __call__(
        self,
        faces: list[FaceAnnotation],
        variants: tuple[CropJitter, ...],
        skipped: dict[int, str],
    ) -> Iterator[Answers]:
        size = self.preprocessing.input_size
        cropped = (
            (index, crops, np.stack([crop.extract(image, size) for crop in crops]))
            for index, image in _pictures(faces, skipped)
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
            yield Answers([index for index, _, _ in batch], landmarks)

    def _crops(
        self, face: FaceAnnotation, index: int, variants: tuple[CropJitter, ...]
    ) -> tuple[FaceCrop, ...]:
        try:
            crop = FaceCrop.around(face.landmarks_px, scale=self.preprocessing.crop_scale)
        except ValueError as error:
            raise ValueError(f"{face.source}: {error}") from error
        return tuple(variant(crop, index) for variant in variants)


class DetectorCrops:
    """Faces as :class:`pfld.runtime.landmarker.FaceLandmarker` finds them in the whole picture, the one
    nearest to the annotated face; variants are rolls: the picture turned by so many degrees.
    """

    def __init__(self, landmarker: FaceLandmarker) -> None:
        self.landmarker = landmarker

    def __call__(
        self,
        faces: list[FaceAnnotation],
        variants: tuple[CropJitter, ...],
        skipped: dict[int, str],
    ) -> Iterator[Answers]:
        for index, image in _pictures(faces, skipped):
            target = faces[index].landmarks_px
            found = [self._find(image, target, variant.amount) for variant in variants]
            yield Answers([index], np.stack(found)[None])

    def _find(
        self, image: NDArray[np.uint8], target: NDArray[np.float32], degrees: float
    ) -> NDArray[np.float64]:
        """Landmarks ``(L, 2)`` of the face at ``target``, NaN if it is missed."""
        height, width = image.shape[:2]
        turned = FaceCrop(width / 2, height / 2, math.hypot(width, height), math.radians(-degrees))
        if degrees:
            side = math.ceil(turned.side)
            image, target = turned.extract(image, side), turned.to_crop(target) * side
        box = FaceCrop.around(target, scale=1.0)
        near = [
            detected
            for detected in self.landmarker.detect(image, thorough=True)
            if _distance(detected, box) < 0.5
        ]
        if not near:
            return np.full((self.landmarker.backend.metadata.num_landmarks, 2), np.nan)
        detected = min(near, key=lambda face: _distance(face, box))
        (face,) = self.landmarker.refine(image, [detected])
        landmarks = turned.to_image(face.landmarks / side) if degrees else face.landmarks
        return landmarks.astype(np.float64)


def _distance(detected: DetectedFace, box: FaceCrop) -> float:
    """Between the middles of two boxes, over the larger side."""
    x0, y0, x1, y1 = detected.box
    middle = (x0 + x1) / 2 - box.center_x, (y0 + y1) / 2 - box.center_y
    return math.hypot(*middle) / max(x1 - x0, box.side)


def _pictures(
    faces: list[FaceAnnotation], skipped: dict[int, str]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Each face's index and picture ``(H, W, 3)``, face by face."""
    order = sorted(range(len(faces)), key=lambda index: faces[index].image_path)
    for path, indices in groupby(order, key=lambda index: faces[index].image_path):
        try:
            image = read_image(path)
        except (ValueError, OSError) as error:
            skipped |= {index: str(error) for index in indices}
            continue
        for index in indices:
            yield index, image
