"""FaceDetector: face detection with the short and full range models of BlazeFace."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfld.geometry import FaceCrop
from pfld.runtime.blazeface import FULL, SHORT, BlazeFace

_LONGEST_SIDE = 1600  # pixels; larger pictures are subsampled
_SMALLEST_TILE = 180  # pixels: five times the smallest face that is looked for
_TILE_STRIDE = 0.65  # x tile side; a face cut by a tile is whole in its neighbour or a larger tile
_QUARTER_TURNS = tuple(math.pi / 2 * turns for turns in range(4))
_CLOSE_LOOK = 3.5  # x box side: where both models give the highest scores
_CLOSE_CALL = 0.15  # below the best score: orientations that the second model rates as well
_OTHER_WAY = 1.0  # radians from which two orientations of a face count as different
_UNSEEN = 0.2  # score for a model that does not find what the other one finds
_LIKELY = 0.5  # score from which a detection is more likely a face than not
_CERTAIN = 0.7  # score from which a face found at first glance needs no closer look
_SAME = 0.5  # of the smaller box within the other: two boxes are of one face
_CUT = 0.1  # x box side over the border: from there on the border cuts a face


@dataclass(frozen=True, eq=False)
class DetectedFace:
    """A detected face; its box reaches from brows to chin.

    Attributes:
        box: A square x0, y0, x1, y1 in pixels of the picture, ``(4,)`` float32; pixel ``i`` covers
            ``i`` to ``i + 1``. It may reach over the picture's edges.
        score: Confidence of the models, 0..1.
        eyes: ``(2, 2)`` float32 pixels: the subject's right eye, left in an upright picture, first.
        others: Alternative boxes and orientations of the same face when the models are unsure (a mask can
            look like a forehead).
    """

    box: NDArray[np.float32]
    score: float
    eyes: NDArray[np.float32]
    others: tuple[DetectedFace, ...] = ()

    @property
    def roll(self) -> float:
        """Rotation of the head in the picture: radians, -pi..pi, clockwise as seen on screen."""
        x, y = self.eyes[1] - self.eyes[0]
        return math.atan2(y, x)


class FaceDetector:
    """Finds faces in pictures. May be called from several threads at once.

    Args:
        min_score: Faces with a lower score are left out; between 0 and 1.
        max_faces: How many of the largest faces to return at most; None for all.

    Raises:
        ValueError: For limits out of range.
    """

    def __init__(self, *, min_score: float = 0.5, max_faces: int | None = None) -> None:
        if not 0 < min_score < 1 or (max_faces is not None and max_faces < 1):
            limits = f"{min_score} and {max_faces}"
            raise ValueError(f"min_score must be in 0..1, max_faces 1 or more, not {limits}")
        self.min_score = min_score
        self.max_faces = max_faces
        self._models: Models | None = None  # loaded when they are needed

    def __call__(
        self, image_rgb: NDArray[np.uint8], *, thorough: bool = False
    ) -> list[DetectedFace]:
        """The faces in a picture, largest first.

        Args:
            image_rgb: ``(H, W, 3)`` uint8.
            thorough: For stills: finds small faces too, down to a fortieth of the picture, and
                heads at any roll. Otherwise heads turned by more than 45 degrees may be missed, or get
                wrong eyes.

        Raises:
            ValueError: For anything but an RGB picture of bytes.
        """
        shape, dtype = np.shape(image_rgb), getattr(image_rgb, "dtype", type(image_rgb).__name__)
        if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8:
            given = f"{dtype} {shape}"
            raise ValueError(f"to find faces, give an (H, W, 3) uint8 RGB array, not {given}")
        if 0 in shape:
            return []
        # The models see less detail anyway, so skipping pixels costs nothing.
        step = max(1, max(shape) // _LONGEST_SIDE)
        y, x = (min(step // 2, size - 1) for size in shape[:2])
        image = np.ascontiguousarray(image_rgb[y::step, x::step])
        models = self._models = self._models or Models(min(self.min_score, 0.5))
        faces = _search(models, image) if thorough else _glance(models, image)
        faces = [face for face in faces if face.score >= self.min_score]
        faces.sort(key=lambda face: face.box[0] - face.box[2])
        return [_enlarged(face, step) for face in faces[: self.max_faces]]

    def close(self) -> None:
        """Frees the models. A later call loads them again."""
        self._models = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_models": None}  # copies load models of their own


def _enlarged(face: DetectedFace, factor: int) -> DetectedFace:
    others = tuple(_enlarged(other, factor) for other in face.others)
    return DetectedFace(face.box * factor, face.score, face.eyes * factor, others)


def _glance(models: Models, image: NDArray[np.uint8]) -> list[DetectedFace]:
    """Faces that either model finds in the whole picture."""
    whole = FaceCrop(image.shape[1] / 2, image.shape[0] / 2, max(image.shape))
    return _united(models.look(image, whole, SHORT) + models.look(image, whole, FULL))


def _search(models: Models, image: NDArray[np.uint8]) -> list[DetectedFace]:
    """Faces of every size and roll."""
    glanced = _glance(models, image)
    candidates = glanced + [
        face for view in _views(*image.shape[:2]) for face in models.look(image, view, SHORT)
    ]
    faces: list[DetectedFace] = []
    for candidate in sorted(candidates, key=lambda face: -face.score):
        seen = (face for face in faces if face.score >= _LIKELY)
        if all(_overlap(candidate, face) < _SAME for face in seen):
            faces += _look_closer(models, image, candidate)
    faces = _united([face for face in faces if face.score >= models.min_score])
    for glance in glanced:
        # A close look shows a face that the border cuts beside black, and may miss or misjudge it. So its
        # score at first glance counts.
        is_cut = _is_cut(glance, image)
        if all(_overlap(glance, face) < _SAME for face in faces):
            faces.append(glance if is_cut else _unconfirmed(glance))
        else:
            least = glance.score if is_cut else 0.0
            faces = [_with_glance(face, glance, least) for face in faces]
    return faces


def _is_cut(face: DetectedFace, image: NDArray[np.uint8]) -> bool:
    """Whether the picture's border cuts off a part of a face's box."""
    outside = max(*-face.box[:2], *(face.box[2:] - image.shape[1::-1]))
    return bool(outside >= _CUT * (face.box[2] - face.box[0]))


def _unconfirmed(glance: DetectedFace) -> DetectedFace:
    """A face of the glance that no close look finds, rated as if a second model had not found it."""
    if glance.score >= _CERTAIN:
        return glance
    return replace(glance, score=(glance.score + _UNSEEN) / 2)


def _with_glance(face: DetectedFace, glance: DetectedFace, least: float) -> DetectedFace:
    """A face that is not certain, with what the glance saw at its place as an equal alternative.

    Args:
        least: Score that both have at least.
    """
    if face.score >= _CERTAIN or _overlap(face, glance) < _SAME:
        return face
    score = max(face.score, least)
    return replace(face, score=score, others=(*face.others, replace(glance, score=score)))


def _look_closer(
    models: Models, image: NDArray[np.uint8], candidate: DetectedFace
) -> list[DetectedFace]:
    """The candidate in a closer, upright crop, rated by both models; empty if it is not found there.

    Short range takes folds of cloth for faces, and faces upside down for upright ones. It gives the right
    answer a higher score, and full range rarely repeats the mistake.
    """

    def seen(face: DetectedFace, angle: float, size: int) -> DetectedFace | None:
        crop = FaceCrop.from_box(face.box, scale=_CLOSE_LOOK, angle=angle)
        same = [other for other in models.look(image, crop, size) if _overlap(face, other) > 0.2]
        return max(same, key=lambda other: other.score, default=None)

    def rated(face: DetectedFace, angle: float) -> DetectedFace:
        agreeing = seen(face, angle, FULL)
        second = agreeing.score if agreeing and agreeing.score >= _LIKELY else _UNSEEN
        return replace(face, score=(face.score + second) / 2)

    angles = [candidate.roll + turn for turn in _QUARTER_TURNS]
    turned = [(face, angle) for angle in angles if (face := seen(candidate, angle, SHORT))]
    if not turned:
        return []
    enough = max(face.score for face, _ in turned) - _CLOSE_CALL
    likely = [rated(face, angle) for face, angle in turned if face.score >= enough]
    best, *rest = sorted(likely, key=lambda face: -face.score)
    straight = seen(best, best.roll, SHORT)
    upright = best
    if straight is not None:
        second = rated(straight, best.roll)
        if straight.score >= _LIKELY or second.score > best.score:
            upright = second
    enough = best.score - _CLOSE_CALL
    others = tuple(f for f in rest if f.score > enough and _turn(f, best) > _OTHER_WAY)
    return [replace(upright, others=others)]


def _turn(first: DetectedFace, second: DetectedFace) -> float:
    """The angle between two faces, 0..pi."""
    return abs(math.remainder(first.roll - second.roll, math.tau))


def _views(height: int, width: int) -> Iterator[FaceCrop]:
    """Squares of every scale and quarter turn, so that each face has a good size in one of them."""
    longest = max(height, width)
    smallest = max(_SMALLEST_TILE, longest / 8)
    tiles = [smallest * zoom for zoom in (1, 2, 4) if smallest * zoom < longest]
    # A face that fills the picture is found from further away.
    for side in (1.5 * longest, longest, *tiles):
        # The smallest tiles are by far the most, and short range finds turned faces as well.
        angles = _QUARTER_TURNS if side > smallest else (0.0,)
        for y, x, angle in product(_centers(height, side), _centers(width, side), angles):
            yield FaceCrop(x, y, side, angle)


def _centers(length: int, side: float) -> list[float]:
    """Middles of tiles that cover ``length`` evenly."""
    if length <= side:
        return [length / 2]
    count = math.ceil((length - side) / (side * _TILE_STRIDE)) + 1
    return np.linspace(side / 2, length - side / 2, count).tolist()


def _united(faces: list[DetectedFace]) -> list[DetectedFace]:
    """Non-maximum suppression: of faces that overlap, the one with the highest score is kept."""
    kept: list[DetectedFace] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_overlap(face, other) < _SAME for other in kept):
            kept.append(face)
    return kept


def _overlap(first: DetectedFace, second: DetectedFace) -> float:
    """The shared area of two boxes over the area of the smaller: 1 if one contains the other."""
    low = np.maximum(first.box[:2], second.box[:2])
    high = np.minimum(first.box[2:], second.box[2:])
    smaller = min(first.box[2] - first.box[0], second.box[2] - second.box[0])
    return float(np.prod(np.maximum(high - low, 0)) / smaller**2)


class Models:
    """Both models.

    Attributes:
        min_score: Faces that a search rates lower are left out.
    """

    def __init__(self, min_score: float) -> None:
        self.min_score = min_score
        self._models = {size: BlazeFace(size) for size in (SHORT, FULL)}

    def look(self, image: NDArray[np.uint8], crop: FaceCrop, size: int) -> list[DetectedFace]:
        """Faces that the model of that input size finds in the crop, in pixels of the picture."""
        faces = []
        for found in self._models[size](crop.extract(image, size)):
            center = crop.to_image(found.center)
            half = np.float32(crop.side * found.size.sum() / 4)
            corners = np.concatenate([center - half, center + half])
            if (corners[:2] < corners[2:]).all():
                faces.append(DetectedFace(corners, found.score, crop.to_image(found.eyes)))
        return faces
