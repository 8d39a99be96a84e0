"""FaceLandmarker: from a picture to the faces in it."""

from __future__ import annotations

import math
import os

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pfld.data.face_model import head_points
from pfld.geometry import FaceCrop, extract_all
from pfld.landmarks import IBUG_68, WFLW_TO_IBUG, LandmarkScheme
from pfld.runtime.backends import Backend, load_backend
from pfld.runtime.detector import DetectedFace, FaceDetector
from pfld.runtime.face import Face
from pfld.runtime.pictures import as_rgb

# The square around landmarks against a detector's box, turned as the detector's eyes are, in box
# sides: how much larger it is and how far below. Medians over validation faces.
_BOX_SCALE, _BOX_SHIFT = 1.16, 0.065

# Between two ways up a face may be: 0.06 of the detector's score weigh as much as half the network's
# disagreement with itself in a mirror.
_SCORE_WEIGHT = 12
_UPRIGHT_WEIGHT = 0.25  # as much again for an upright head against one on its side
_SURE_SCORE = 0.8  # from which a detector is not wrong about what is up
_SURE_QUALITY = 0.8  # below which landmarks speak for no way up that the detector does not prefer
_FLIP_COST = 0.04  # of score, for a way up the detector has not seen

# A network's mean disagreement with itself in a mirror, in crop sides, at which every other face has
# an error over 10 %, and how fast that changes. Fitted to validation faces.
_DOUBT, _DOUBT_WIDTH = 0.028, 0.0045


class FaceLandmarker:
    """Finds faces and their landmarks. Shared by threads; holds nothing about what it has seen.

    Args:
        backend: The network, see :func:`pfld.runtime.backends.load_backend`.
        detector: Made anew by default.
    """

    def __init__(self, backend: Backend, detector: FaceDetector | None = None) -> None:
        self.backend = backend
        self.detector = FaceDetector() if detector is None else detector
        scheme = backend.metadata.scheme
        self._mirror = list(scheme.mirror)
        self._upright = _upright_shape(scheme)

    @classmethod
    def from_pretrained(
        cls,
        weights: str | os.PathLike[str] = "ghostone",
        backend: str = "onnx",
        *,
        threads: int = 1,
        min_score: float = 0.5,
        max_faces: int | None = None,
    ) -> FaceLandmarker:
        """With shipped weights, by name, or a weight file.

        Args:
            weights, backend, threads: As :func:`pfld.runtime.backends.load_backend` takes them.
            min_score, max_faces: As :class:`pfld.runtime.detector.FaceDetector` takes them.

        Raises:
            FileNotFoundError, ValueError, ImportError: As these two have it.
        """
        detector = FaceDetector(min_score=min_score, max_faces=max_faces)
        return cls(load_backend(weights, backend, threads=threads), detector)

    def __call__(self, image_rgb: ArrayLike, *, thorough: bool = True) -> list[Face]:
        """The faces in a picture, largest first.

        Args:
            image_rgb: ``(H, W, 3)`` uint8 RGB, or what :func:`pfld.runtime.pictures.as_rgb` takes.
            thorough: Looks for small faces and turned heads, too, see
                :class:`pfld.runtime.detector.FaceDetector`.

        Raises:
            ValueError: For what is no picture.
        """
        image = as_rgb(image_rgb)
        faces = self.refine(image, self.detect(image, thorough=thorough))
        return sorted(faces, key=lambda face: -float(np.ptp(face.landmarks, axis=0).max()))

    def refine(self, image_rgb: NDArray[np.uint8], detected: list[DetectedFace]) -> list[Face]:
        """The detected faces with landmarks, in the same order.

        Landmarks are located twice, as a detector's box is not what they are best located in; the second
        time in a mirror as well, for their middle.
        """
        detected = [self._right_way_up(image_rgb, face) for face in detected]
        crops, found, mirrored = self._second_look(image_rgb, detected)
        points = zip(crops, (found + mirrored) / 2, _quality(found, mirrored), detected)
        return [
            Face(crop.to_image(middle), face.score, float(quality))
            for crop, middle, quality, face in points
        ]

    def _right_way_up(self, image_rgb: NDArray[np.uint8], face: DetectedFace) -> DetectedFace:
        """Of the ways up a face may be, the one the network agrees with itself on.

        Detectors take foreheads for the lower halves of masked faces upside down. Where no way convinces
        the network, all eight are tried.
        """
        ways = [face, *face.others]
        if face.score < _SURE_SCORE:
            ways.append(_upside_down(face))
        if len(ways) == 1:
            return face
        best, quality = self._most_consistent(image_rgb, ways)
        if quality < _SURE_QUALITY:
            turned = [_turned(face, turns * math.pi / 4) for turns in range(1, 8)]
            best, _ = self._most_consistent(image_rgb, [best, *turned])
        return best

    def _most_consistent(
        self, image_rgb: NDArray[np.uint8], ways: list[DetectedFace]
    ) -> tuple[DetectedFace, float]:
        """Of ways up, the first of them preferred, the best, and the quality of its landmarks."""
        _, found, mirrored = self._second_look(image_rgb, ways)
        quality = _quality(found, mirrored)
        doubt = np.log(_disagreement(found, mirrored))
        doubt[1:][quality[1:] < _SURE_QUALITY] = np.inf
        prior = [_SCORE_WEIGHT * way.score + _UPRIGHT_WEIGHT * math.cos(way.roll) for way in ways]
        best = np.argmin(doubt - prior)
        return ways[best], float(quality[best])

    def _second_look(
        self, image_rgb: NDArray[np.uint8], detected: list[DetectedFace]
    ) -> tuple[list[FaceCrop], NDArray[np.float32], NDArray[np.float32]]:
        """Crops around the faces' landmarks and, in fractions of these, landmarks ``(F, L, 2)`` as seen
        there and in a mirror.
        """
        first, _ = self.locate(image_rgb, [self.crop_of(face) for face in detected], rate=False)
        crops = [self.crop_around(landmarks) for landmarks in first]
        return crops, *self._look(image_rgb, crops, mirror=True)

    def detect(self, image_rgb: NDArray[np.uint8], thorough: bool = False) -> list[DetectedFace]:
        """Faces without landmarks, largest first."""
        return self.detector(image_rgb, thorough=thorough)

    def crop_of(self, detected: DetectedFace) -> FaceCrop:
        """Where to look first for the landmarks of a detected face, turned as its eyes are."""
        x0, y0, x1, y1 = (float(value) for value in detected.box)
        turned = FaceCrop((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, detected.roll)
        x, y = turned.to_image([0.5, 0.5 + _BOX_SHIFT])
        return FaceCrop(float(x), float(y), turned.side * _BOX_SCALE, turned.angle)

    def crop_around(self, landmarks: NDArray[np.float32]) -> FaceCrop:
        """Where to look for the landmarks of a face that had these ``(L, 2)``, turned as it is."""
        scale = self.backend.metadata.preprocessing.crop_scale
        return FaceCrop.around(landmarks, scale=scale, angle=self._roll(landmarks))

    def locate(
        self, image_rgb: NDArray[np.uint8], crops: list[FaceCrop], *, rate: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Landmarks ``(F, L, 2)`` in pixels of the picture, and their quality ``(F,)``, 0..1.

        Args:
            rate: Whether quality is wanted, which takes a second look at each face in a mirror;
                without, it is NaN.
        """
        found, mirrored = self._look(image_rgb, crops, mirror=rate)
        quality = _quality(found, mirrored)
        landmarks = [crop.to_image(points) for crop, points in zip(crops, found)]
        return np.stack(landmarks) if landmarks else found, quality

    def _look(
        self, image_rgb: NDArray[np.uint8], crops: list[FaceCrop], *, mirror: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Landmarks ``(F, L, 2)`` in fractions of the crops, and again as seen in a mirror or NaN."""
        size = self.backend.metadata.preprocessing.input_size
        pixels = extract_all(image_rgb, crops, size)
        if not mirror:
            found = self.backend.predict(pixels)
            return found, np.full_like(found, np.nan)
        both = np.concatenate([pixels, pixels[:, :, ::-1]])
        found, mirrored = np.split(self.backend.predict(both), 2)
        mirrored = mirrored[:, self._mirror]
        mirrored[..., 0] = 1 - mirrored[..., 0]
        return found, mirrored

    def _roll(self, landmarks: NDArray[np.float32]) -> float:
        """The turn in radians, clockwise, that takes an upright face nearest to these landmarks."""
        points = landmarks.astype(np.float64).view(np.complex128)[:, 0]
        return float(np.angle(np.vdot(self._upright, points - points.mean())))


def _upside_down(face: DetectedFace) -> DetectedFace:
    """The face with the same eyes and its mouth where its forehead was."""
    half = (face.box[2:] - face.box[:2]) / 2
    middle = face.eyes.sum(axis=0) - (face.box[:2] + face.box[2:]) / 2
    box = np.concatenate([middle - half, middle + half])
    return DetectedFace(box, face.score - _FLIP_COST, face.eyes[::-1])


def _turned(face: DetectedFace, angle: float) -> DetectedFace:
    """The face with its eyes turned about the middle of its box, by radians."""
    middle = (face.box[:2] + face.box[2:]) / 2
    cos, sin = math.cos(angle), math.sin(angle)
    eyes = (face.eyes - middle) @ np.array([[cos, sin], [-sin, cos]], np.float32) + middle
    return DetectedFace(face.box, face.score - _FLIP_COST, eyes)


def _upright_shape(scheme: LandmarkScheme) -> NDArray[np.complex128]:
    """An averaged face seen from the front, x + iy, its mean at 0."""
    shape = head_points()[:, :2]
    if scheme.name == IBUG_68.name:
        shape = shape[list(WFLW_TO_IBUG)]
    return (shape - shape.mean(axis=0)) @ (1, 1j)


def _disagreement(found: NDArray[np.float32], mirrored: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean distance ``(F,)`` of the landmarks ``(F, L, 2)`` from those seen in a mirror."""
    return np.linalg.norm(found - mirrored, axis=-1).mean(axis=-1)


def _quality(found: NDArray[np.float32], mirrored: NDArray[np.float32]) -> NDArray[np.float32]:
    """How likely ``(F,)`` an error under 10 % of the distance of the outer eye corners is."""
    doubt = (_disagreement(found, mirrored) - _DOUBT) / _DOUBT_WIDTH
    return 1 / (1 + np.exp(np.minimum(doubt, 50)))
