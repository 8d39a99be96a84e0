"""Surroundings of a drawn face: background, occlusion, light and noise."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.random import Generator

from pfld.head.model import FloatArray
from pfld.synthetic.shapes import SHIFT, Image, fixed


def background(rng: Generator, size: int) -> Image:
    """Blurry patches of colour with some sharp shapes, ``(S, S, 3)``."""
    cells = int(rng.integers(2, 9))
    tint = rng.uniform(40, 210) + rng.normal(0, 18, 3)
    patches = rng.normal(0, 32, (cells, cells, 1)) + rng.normal(0, 14, (cells, cells, 3))
    coarse = np.clip(tint + patches, 0, 255).astype(np.uint8)
    image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    for _ in range(int(rng.integers(0, 7))):
        color = np.clip(rng.uniform(20, 235) + rng.normal(0, 30, 3), 0, 255).tolist()
        corners = rng.uniform(-0.2, 1.2, 2) + rng.uniform(-0.4, 0.4, (int(rng.integers(3, 6)), 2))
        shape = [fixed(corners * size)]
        if rng.random() < 0.6:
            cv2.fillPoly(image, shape, color, cv2.LINE_AA, SHIFT)
        else:
            cv2.polylines(image, shape, True, color, int(rng.integers(1, 5)), cv2.LINE_AA, SHIFT)
    return image


def cover_part(image: Image, marks: FloatArray, rng: Generator) -> None:
    """Draws something over a part of the face, in place."""
    middle = marks[rng.integers(98)]
    unit = np.ptp(marks, axis=0).max()
    axes = tuple(rng.uniform(0.1, 0.24, 2) * unit)
    box = (tuple(middle.tolist()), axes, float(rng.uniform(0, 180)))
    color = rng.uniform(10, 240, 3).tolist()
    if rng.random() < 0.5:
        cv2.ellipse(image, box, color, -1, cv2.LINE_AA)
    else:
        cv2.fillPoly(image, [fixed(cv2.boxPoints(box))], color, cv2.LINE_AA, SHIFT)


def light(image: Image, rng: Generator, *, strong: bool) -> Image:
    """The picture under uneven light with a tint; far more uneven or dark when strong."""
    spread = 0.4 if strong else 0.12
    level = rng.uniform(0.35, 0.8) if strong else rng.uniform(0.8, 1.1)
    tint = rng.uniform(0.93, 1.07, 3)
    lights = level * tint * (1 + rng.uniform(-spread, spread, (2, 2, 1)))
    lamp = np.clip(lights * 128, 8, 255).astype(np.uint8)
    field = cv2.resize(lamp, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(image, field, scale=1 / 128)


@lru_cache(maxsize=1)
def _noise() -> Image:
    """Sensor noise about 128 with standard deviation 32; windows of it serve all pictures."""
    values = np.random.default_rng(0).normal(128, 32, (512, 512, 3))
    return np.clip(values, 0, 255).astype(np.uint8)


def grain(image: Image, rng: Generator) -> Image:
    """The picture with a little sensor noise."""
    size = len(image)
    bank = _noise()
    y, x = rng.integers(0, len(bank) - min(size, 511), 2)
    window = bank[y : y + size, x : x + size]
    if len(window) < size or window.shape[1] < size:
        window = cv2.resize(bank, (size, size), interpolation=cv2.INTER_NEAREST)
    amount = rng.uniform(0.02, 0.2)
    return cv2.addWeighted(image, 1, window, amount, -128 * amount)
