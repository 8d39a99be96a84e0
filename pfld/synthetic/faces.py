"""Synthetic (drawn) faces with exactly known landmarks and pose."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pfld.head.model import (
    FloatArray,
    facing_translation,
    project,
    rotation_from_angles,
    visible_contour,
)
from pfld.preprocess import CROP_MARGIN
from pfld.synthetic.head_shape import random_expression, random_head
from pfld.synthetic.look import random_look
from pfld.synthetic.painter import paint_head, surroundings
from pfld.synthetic.scenery import background, cover_part, grain, light

MAX_ANGLES = np.deg2rad([50.0, 25.0, 25.0])  # yaw, pitch, roll; drawn evenly between minus and plus
CAMERA_DISTANCE_CM = (45.0, 140.0)


@dataclass(frozen=True)
class SyntheticFaces:
    """Drawn faces, each in the middle of its crop.

    Attributes:
        crops: ``(N, S, S, 3)`` uint8, RGB.
        landmarks: ``(N, 98, 2)`` float32 in fractions of the crop, 0..1, counted from its corner.
        angles: ``(N, 3)`` float32, yaw, pitch, roll in radians, with the signs of
            :func:`pfld.head.model.rotation_from_angles`, relative to the line of sight.
        attributes: ``(N, 6)`` uint8 of 0 and 1: pose, expression, illumination, make-up, occlusion, blur.
    """

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    angles: NDArray[np.float32]
    attributes: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.crops)


def synthetic_faces(count: int, *, size: int = 160, seed: int = 0) -> SyntheticFaces:
    """Draws ``count`` faces; face ``i`` depends on ``seed``, ``size`` and ``i`` alone.

    The longer side of each face's landmark box is 1 / 1.75 of the crop, and the box is in its middle.

    Args:
        size: Side of the crops in pixels, at least 32.
        seed: Any number from 0 up.

    Raises:
        ValueError: For a negative count or seed, or a size below 32.
    """
    if count < 0 or seed < 0 or size < 32:
        raise ValueError(
            f"count and seed must not be negative and size at least 32 pixels, got count {count}, "
            f"seed {seed} and size {size}"
        )
    faces = SyntheticFaces(
        crops=np.empty((count, size, size, 3), np.uint8),
        landmarks=np.empty((count, 98, 2), np.float32),
        angles=np.empty((count, 3), np.float32),
        attributes=np.empty((count, 6), np.uint8),
    )
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        image, landmarks, angles, attributes = _draw(rng, size)
        faces.crops[index] = image
        faces.landmarks[index] = landmarks
        faces.angles[index] = angles
        faces.attributes[index] = attributes
    return faces


def _draw(
    rng: Generator, size: int
) -> tuple[NDArray[np.uint8], FloatArray, FloatArray, list[bool]]:
    angles = rng.uniform(-1, 1, 3) * MAX_ANGLES
    expression = random_expression(rng)
    points = random_head(rng, expression)
    look = random_look(rng)
    points[:33] = visible_contour(points[:33], angles[0])
    rotation = rotation_from_angles(angles)
    translation = facing_translation(points, rotation, rng.uniform(*CAMERA_DISTANCE_CM))
    around = surroundings(points, angles[0], look)
    seen = project(np.concatenate([points, *around.values()]), rotation, translation)
    low, high = seen[:98].min(axis=0), seen[:98].max(axis=0)
    fractions = (seen - (low + high) / 2) / ((high - low).max() * CROP_MARGIN) + 0.5
    ends = np.cumsum([len(part) for part in around.values()])[:-1]
    parts = dict(zip(around, np.split(fractions[98:] * size, ends)))

    image = background(rng, size)
    paint_head(image, fractions[:98] * size, parts, look)
    occluded = rng.random() < 0.08
    if occluded:
        cover_part(image, fractions[:98] * size, rng)
    dim, blurred = rng.random() < 0.12, rng.random() < 0.1
    image = light(image, rng, strong=dim)
    image = cv2.GaussianBlur(
        image, (0, 0), (rng.uniform(1.2, 2.2) if blurred else 0.6) * size / 160
    )
    image = grain(image, rng)
    turned = bool((np.abs(angles) > np.deg2rad([35, 20, 90])).any())
    attributes = [
        turned, expression.is_marked, dim, look.made_up, occluded or look.glasses == 2, blurred,
    ]  # fmt: skip
    return image, fractions[:98], angles, attributes
