"""FaceLandmarker: face detection and landmarks in a picture, with test-time augmentation."""

from __future__ import annotations

import math
import os
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pfld.geometry import FaceCrop, extract_all, part_outside, size_hw_of
from pfld.head.model import head_points
from pfld.landmarks import IBUG_68, WFLW_TO_IBUG, LandmarkScheme
from pfld.media.pictures import as_rgb
from pfld.runtime.backends import Backend, Prediction, load_backend
from pfld.runtime.detector import DetectedFace, FaceDetector
from pfld.runtime.face import Face
from pfld.weights.shipped import DEFAULT_WEIGHTS

# From a detector's box, rotated by its eyes, to the square around the landmarks: factor on the side, and
# shift downwards in box sides. Medians over validation faces.
_BOX_SCALE, _BOX_SHIFT = 1.16, 0.065

# Weights for choosing between two orientations of a face: detector score against mirror consistency. A
# score higher by 0.06 weighs as much as half the mirror disagreement.
_SCORE_WEIGHT = 12
_UPRIGHT_WEIGHT = 0.25  # for an upright head against one on its side
_SURE_SCORE = 0.8  # from which the detector's orientation is not doubted
_SURE_QUALITY = 0.8  # below which landmarks cannot outweigh the detector's orientation
_FLIP_COST = 0.04  # of score, for an orientation that was not detected

# The mean mirror disagreement of a network, in crop sides, at which every other face has an error over
# 10 %, and the width of the transition (logistic). Fitted to validation faces.
_DOUBT, _DOUBT_WIDTH = 0.028, 0.0045
# The same for expected errors, in distances of the outer eye corners; the width is of their logarithm.
_EXPECTED_ERROR, _EXPECTED_ERROR_WIDTH = 0.10, 0.25
_LEAST_EYE_DISTANCE = 0.1  # of a face's longer side; in profile eye corners nearly coincide

# With a network that gives uncertainty, a detection is a face from the first score on; with a lower one
# only if its landmarks have enough quality. Fitted to held-out faces and pictures without people.
_SURE, _LIKELY, DOUBTFUL_SCORE = 0.65, 0.5, 0.3
_LIKELY_QUALITY, _DOUBTFUL_QUALITY = 0.2, 0.8

# Beside a sure face, another one must be sure, too, if it is turned by more radians against that one, and
# have enough quality if a larger part of it lies outside the picture. Clothes are taken for such faces.
_OTHER_WAY_UP = math.pi / 2
_MOSTLY_OUTSIDE = 0.5

_CUT = 0.1  # part of the landmarks outside the picture from which a face takes more looks to be in place
_MORE_LOOKS = 3

_SAME = 0.5  # of the smaller face's box within the other's: both are of one face


class LocatedFaces(NamedTuple):
    """Landmarks of F faces, in pixels of the picture.

    Attributes:
        landmarks: ``(F, L, 2)`` float32.
        quality: ``(F,)``, 0..1, see :class:`pfld.runtime.face.Face`; NaN if it was not asked for and needs
            a second prediction.
        uncertainty: Expected error of each landmark ``(F, L)``; NaN for networks without.
    """

    landmarks: NDArray[np.float32]
    quality: NDArray[np.float32]
    uncertainty: NDArray[np.float32]


class FaceLandmarker:
    """Finds faces and their landmarks. Threads may share it; it keeps nothing between pictures.

    Forked processes may use it as well, and pickle and deep copies load the weight file again.

    Args:
        backend: The network, see :func:`pfld.runtime.backends.load_backend`.
        detector: A new one by default.
        min_score: Detections with a lower score are no faces; between 0 and 1. Up to 0.5, a network that
            gives uncertainty is asked as well: see :meth:`believes`.
    """

    def __init__(
        self,
        backend: Backend,
        detector: FaceDetector | None = None,
        *,
        min_score: float = 0.5,
    ) -> None:
        self.backend = backend
        self.min_score = min_score
        self.max_faces: int | None = None
        if detector is None:
            detector = FaceDetector(min_score=self._least_score())
        self.detector = detector
        scheme = backend.metadata.scheme
        self._mirror = list(scheme.mirror)
        self._upright = _upright_shape(scheme)

    @classmethod
    def from_pretrained(
        cls,
        weights: str | os.PathLike[str] = DEFAULT_WEIGHTS,
        backend: str = "onnx",
        *,
        threads: int = 1,
        min_score: float = 0.5,
        max_faces: int | None = None,
    ) -> FaceLandmarker:
        """A landmarker with shipped weights, by name, or with a weight file.

        Args:
            weights, backend, threads: As :func:`pfld.runtime.backends.load_backend` takes them.
            min_score, max_faces: As :class:`pfld.runtime.detector.FaceDetector` takes them.

        Raises:
            FileNotFoundError, ValueError, ImportError: As these two.
        """
        landmarker = cls(load_backend(weights, backend, threads=threads), min_score=min_score)
        # The limit applies after detections that are no faces have been dropped.
        landmarker.max_faces = FaceDetector(min_score=min_score, max_faces=max_faces).max_faces
        return landmarker

    def _least_score(self) -> float:
        """The lowest score that the detector is asked for."""
        if not self.backend.metadata.knows_uncertainty or self.min_score > _LIKELY:
            return self.min_score
        return min(self.min_score, DOUBTFUL_SCORE)

    def __call__(self, image_rgb: ArrayLike, *, thorough: bool = True) -> list[Face]:
        """The faces in a picture, largest first.

        Args:
            image_rgb: ``(H, W, 3)`` uint8 RGB, or what :func:`pfld.media.pictures.as_rgb` takes.
            thorough: Look for small faces and turned heads, too, see
                :class:`pfld.runtime.detector.FaceDetector`.

        Raises:
            ValueError: For an array that is not a picture.
        """
        image = as_rgb(image_rgb)
        detected = self.detect(image, thorough=thorough, doubtful=True)
        found = zip(detected, self.refine(image, detected))
        believed = [face for candidate, face in found if self.believes(candidate, face)]
        faces = self._apart(believed, size_hw_of(image))
        faces.sort(key=lambda face: -float(np.ptp(face.landmarks, axis=0).max()))
        return faces[: self.max_faces]

    def refine(self, image_rgb: NDArray[np.uint8], detected: list[DetectedFace]) -> list[Face]:
        """The detected faces with landmarks, in the same order.

        The network runs twice: on crops around the detector's boxes, then on crops around the landmarks
        found there. The second time it sees the mirrored crops as well, and both results are averaged
        (test-time augmentation). Between them it looks again at likely faces that the picture's edge cuts.
        """
        # A doubtful detection is worth more looks if the detector saw it in several ways.
        likely = [face.score >= _LIKELY or bool(face.others) for face in detected]
        detected = [self._right_way_up(image_rgb, face) for face in detected]
        crops, found, mirrored = self._second_look(image_rgb, detected, likely)
        faces = []
        middles = (found.landmarks + mirrored.landmarks) / 2
        uncertainty = (found.uncertainty + mirrored.uncertainty) / 2
        for crop, face, middle, unsure, quality in zip(
            crops, detected, middles, uncertainty, self._quality(found, mirrored)
        ):
            known = None if np.isnan(unsure).any() else unsure * np.float32(crop.side)
            faces.append(
                Face(crop.to_image(middle), face.score, float(quality), point_uncertainty=known)
            )
        return faces

    def believes(self, detected: DetectedFace, face: Face) -> bool:
        """Whether a detection is a face, by the detector's score and the landmarks' quality."""
        if face.point_uncertainty is None or self.min_score > _LIKELY:
            return detected.score >= self.min_score
        if detected.score >= _SURE:
            return True
        likely = detected.score >= self.min_score
        return face.quality >= (_LIKELY_QUALITY if likely else _DOUBTFUL_QUALITY)

    def _apart(self, faces: list[Face], size_hw: tuple[int, int]) -> list[Face]:
        """The faces but those that show the same as a better one, or that are unlikely beside a sure one."""
        kept: list[Face] = []
        for face in sorted(faces, key=lambda face: -face.quality - face.score):
            if all(_overlap(face, better) < _SAME for better in kept):
                kept.append(face)
        sure = list(filter(_is_sure, kept))
        if not sure and kept and kept[0].quality >= _DOUBTFUL_QUALITY:
            sure = kept[:1]  # what the detector doubts is a face if the network is sure of it
        if not sure:
            return kept
        rolls = [self._roll(face.landmarks) for face in sure]
        return [face for face in kept if _is_sure(face) or self._fits(face, rolls, size_hw)]

    def _fits(self, face: Face, rolls: list[float], size_hw: tuple[int, int]) -> bool:
        """Whether a face is possible beside sure ones with these rolls, in a picture of that size."""
        roll = self._roll(face.landmarks)
        if all(abs(math.remainder(roll - other, math.tau)) > _OTHER_WAY_UP for other in rolls):
            return False
        outside = part_outside(face.landmarks, size_hw) > _MOSTLY_OUTSIDE
        return face.quality >= _DOUBTFUL_QUALITY or not outside

    def _right_way_up(self, image_rgb: NDArray[np.uint8], face: DetectedFace) -> DetectedFace:
        """The orientation of a face in which the landmarks agree best with those of the mirrored crop.

        Detectors take foreheads for the lower halves of masked faces upside down. If no orientation has
        enough quality, all eight multiples of 45 degrees are tried.
        """
        ways = [face, *face.others]
        if face.score < _SURE_SCORE:
            ways.append(_upside_down(face))
        if len(ways) == 1:
            return face
        best, quality = self._most_consistent(image_rgb, ways, detected=1 + len(face.others))
        if quality < _SURE_QUALITY:
            turned = [_turned(face, turns * math.pi / 4) for turns in range(1, 8)]
            best, _ = self._most_consistent(image_rgb, [best, *turned])
        return best

    def _most_consistent(
        self, image_rgb: NDArray[np.uint8], ways: list[DetectedFace], *, detected: int = 1
    ) -> tuple[DetectedFace, float]:
        """The best of several orientations, preferably the first, and the quality of its landmarks.

        Args:
            detected: How many of them, from the first on, the detector has seen itself. If the first is
                unlikely, one of these needs no more quality than it would need alone.
        """
        _, found, mirrored = self._second_look(image_rgb, ways)
        quality = self._quality(found, mirrored)
        doubt = np.log(_disagreement(found, mirrored))
        least = np.full(len(ways), _SURE_QUALITY)
        if quality[0] < _LIKELY_QUALITY:
            least[:detected] = _LIKELY_QUALITY
        doubt[1:][quality[1:] < least[1:]] = np.inf
        prior = [_SCORE_WEIGHT * way.score + _UPRIGHT_WEIGHT * math.cos(way.roll) for way in ways]
        best = np.argmin(doubt - prior)
        return ways[best], float(quality[best])

    def _second_look(
        self,
        image_rgb: NDArray[np.uint8],
        detected: list[DetectedFace],
        likely: list[bool] | None = None,
    ) -> tuple[list[FaceCrop], Prediction, Prediction]:
        """Crops around the faces' landmarks, and the predictions for them and for the mirrored crops.

        Args:
            likely: Look again at cut faces before, at these and those of some quality; None for none.
        """
        crops = [self.crop_of(face) for face in detected]
        landmarks, quality, _ = self.locate(image_rgb, crops, rate=False)
        worthy = (quality >= _LIKELY_QUALITY) | np.array(likely or False)
        for _ in range(_MORE_LOOKS if likely else 0):
            outside = [part_outside(points, size_hw_of(image_rgb)) for points in landmarks]
            cut = np.flatnonzero(worthy & (np.array(outside) >= _CUT))
            if len(cut):
                again = [self.crop_around(landmarks[i]) for i in cut]
                landmarks[cut] = self.locate(image_rgb, again, rate=False).landmarks
        crops = [self.crop_around(points) for points in landmarks]
        found, mirrored = self._look(image_rgb, crops, mirror=True)
        assert mirrored is not None
        return crops, found, mirrored

    def detect(
        self, image_rgb: NDArray[np.uint8], thorough: bool = False, *, doubtful: bool = False
    ) -> list[DetectedFace]:
        """Faces without landmarks, largest first.

        Args:
            doubtful: Include detections that only their landmarks can confirm, see :meth:`believes`.
        """
        detected = self.detector(image_rgb, thorough=thorough)
        if doubtful:
            return detected
        return [face for face in detected if face.score >= self.min_score][: self.max_faces]

    def crop_of(self, detected: DetectedFace) -> FaceCrop:
        """The first crop for the landmarks of a detected face, rotated by its eyes."""
        x0, y0, x1, y1 = (float(value) for value in detected.box)
        turned = FaceCrop((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, detected.roll)
        x, y = turned.to_image([0.5, 0.5 + _BOX_SHIFT])
        return FaceCrop(float(x), float(y), turned.side * _BOX_SCALE, turned.angle)

    def crop_around(self, landmarks: NDArray[np.float32]) -> FaceCrop:
        """The crop for the landmarks of a face that had these ``(L, 2)``, rotated with the face."""
        scale = self.backend.metadata.preprocessing.crop_scale
        return FaceCrop.around(landmarks, scale=scale, angle=self._roll(landmarks))

    def locate(
        self, image_rgb: NDArray[np.uint8], crops: list[FaceCrop], *, rate: bool = True
    ) -> LocatedFaces:
        """The landmarks of the faces in crops of a picture.

        Args:
            rate: Whether quality is wanted. For networks without uncertainty that needs a second
                prediction for each face, on the mirrored crop.
        """
        mirror = rate and not self.backend.metadata.knows_uncertainty
        found, mirrored = self._look(image_rgb, crops, mirror=mirror)
        landmarks = [crop.to_image(points) for crop, points in zip(crops, found.landmarks)]
        sides = np.array([crop.side for crop in crops], np.float32)
        return LocatedFaces(
            np.stack(landmarks) if landmarks else found.landmarks,
            self._quality(found, mirrored),
            found.uncertainty * sides[:, None],
        )

    def _look(
        self, image_rgb: NDArray[np.uint8], crops: list[FaceCrop], *, mirror: bool
    ) -> tuple[Prediction, Prediction | None]:
        """Predictions for the crops, and with ``mirror`` for the mirrored crops."""
        size = self.backend.metadata.preprocessing.input_size
        pixels = extract_all(image_rgb, crops, size)
        if not mirror:
            return self.backend.predict_with_uncertainty(pixels), None
        both = self.backend.predict_with_uncertainty(np.concatenate([pixels, pixels[:, :, ::-1]]))
        found, mirrored = (Prediction(*halves) for halves in zip(*(np.split(v, 2) for v in both)))
        landmarks = mirrored.landmarks[:, self._mirror]
        landmarks[..., 0] = 1 - landmarks[..., 0]
        return found, Prediction(landmarks, mirrored.uncertainty[:, self._mirror])

    def _quality(self, found: Prediction, mirrored: Prediction | None) -> NDArray[np.float32]:
        """Probability ``(F,)`` of an error under 10 % of the distance of the outer eye corners.

        NaN for networks without uncertainty that have not seen the mirrored crops.
        """
        if not self.backend.metadata.knows_uncertainty:
            if mirrored is None:
                return np.full(len(found.landmarks), np.nan, np.float32)
            doubt = (_disagreement(found, mirrored) - _DOUBT) / _DOUBT_WIDTH
            return 1 / (1 + np.exp(np.minimum(doubt, 50)))
        unsure = found.uncertainty
        if mirrored is not None:
            unsure = (unsure + mirrored.uncertainty) / np.float32(2)
        left, right = self.backend.metadata.scheme.outer_eye_corners
        points = found.landmarks
        eyes = np.hypot(*(points[:, left] - points[:, right]).T)
        sides = np.maximum.reduce(points, axis=1) - np.minimum.reduce(points, axis=1)
        least = _LEAST_EYE_DISTANCE * sides.max(axis=1)
        expected = unsure.mean(axis=1) / np.maximum(np.maximum(eyes, least), 1e-6)
        doubt = np.log(expected / _EXPECTED_ERROR) / _EXPECTED_ERROR_WIDTH
        return 1 / (1 + np.exp(np.minimum(doubt, 50)))

    def _roll(self, landmarks: NDArray[np.float32]) -> float:
        """The rotation in radians, clockwise, that takes an upright face nearest to these landmarks."""
        points = landmarks.astype(np.float64).view(np.complex128)[:, 0]
        turn = np.vdot(
            self._upright, points
        )  # the upright shape's mean is 0, so theirs is of no account
        return math.atan2(turn.imag, turn.real)


def _is_sure(face: Face) -> bool:
    """Whether the detector finds a face likely and the network is sure of its landmarks."""
    return face.score >= _LIKELY and face.quality >= _DOUBTFUL_QUALITY


def _overlap(first: Face, second: Face) -> float:
    """The shared area of the boxes around two faces' landmarks over the area of the smaller."""
    low = np.maximum(first.box[:2], second.box[:2])
    high = np.minimum(first.box[2:], second.box[2:])
    smaller = min(float((face.box[2:] - face.box[:2]).prod()) for face in (first, second))
    return float(np.maximum(high - low, 0).prod()) / max(smaller, 1e-6)


def _upside_down(face: DetectedFace) -> DetectedFace:
    """The face with the same eyes and its mouth where its forehead was."""
    half = (face.box[2:] - face.box[:2]) / 2
    middle = face.eyes.sum(axis=0) - (face.box[:2] + face.box[2:]) / 2
    box = np.concatenate([middle - half, middle + half])
    return DetectedFace(box, face.score - _FLIP_COST, face.eyes[::-1])


def _turned(face: DetectedFace, angle: float) -> DetectedFace:
    """The face with its eyes turned about the middle of its box, by radians."""
    middle = (face.box[:2] + face.box[2:]) / np.float32(2)
    cos, sin = math.cos(angle), math.sin(angle)
    eyes = (face.eyes - middle) @ np.array([[cos, sin], [-sin, cos]], np.float32) + middle
    return DetectedFace(face.box, face.score - _FLIP_COST, eyes)


def _upright_shape(scheme: LandmarkScheme) -> NDArray[np.complex128]:
    """An averaged face seen from the front, x + iy, its mean at 0."""
    shape = head_points()[:, :2]
    if scheme.name == IBUG_68.name:
        shape = shape[list(WFLW_TO_IBUG)]
    return (shape - shape.mean(axis=0)) @ (1, 1j)


def _disagreement(found: Prediction, mirrored: Prediction) -> NDArray[np.float32]:
    """Mean distance ``(F,)`` of the landmarks from those of the mirrored crops, in crop sides."""
    return np.linalg.norm(found.landmarks - mirrored.landmarks, axis=-1).mean(axis=-1)
