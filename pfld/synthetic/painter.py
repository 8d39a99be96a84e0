"""Draws a head from its projected points: hair, neck, ears, skin and features, in RGB."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from pfld.head.model import FloatArray, visible_contour
from pfld.synthetic.look import Look
from pfld.synthetic.shapes import SHIFT, Image, curve, dot, fill, fixed, hull, paste, smoothing

_FOREHEAD_FRONT = -3.1  # cm, z


@lru_cache(maxsize=1)
def _sphere() -> FloatArray:
    """Points about evenly spread over the unit sphere ``(120, 3)``."""
    height = np.linspace(-1, 1, 120)
    turn = np.arange(120) * np.pi * (3 - 5**0.5)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], axis=1)


def surroundings(points: FloatArray, yaw: float, look: Look) -> dict[str, FloatArray]:
    """Parts of the head that carry no landmark, each ``(K, 3)`` in head axes and centimetres."""
    width = (points[32, 0] - points[0, 0]) / 14.2
    turn = np.linspace(0, np.pi, 15)[1:-1]
    dome = np.stack(
        [7.1 * width * np.cos(turn), -0.6 - look.forehead * np.sin(turn), 6.6 - 6.4 * np.sin(turn)],
        1,
    )
    forehead = visible_contour(dome, yaw, np.full(len(dome), _FOREHEAD_FRONT))
    skull = _sphere() * (7.7 * width, 8.2, 9.3) + (0, -3.0, 6.6)
    hair = skull
    if look.long_hair:
        ends = np.array(
            [(x * width, y, z) for x in (-8.4, 8.4) for y, z in ((2, 5.5), (13, 6), (14, 10))]
        )
        hair = np.concatenate([skull, ends])
    round_ = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    ear = np.stack(
        [
            (7.0 + 0.55 * (1 + np.cos(round_))) * width,
            1.6 + 2.6 * np.sin(round_),
            7.4 + 1.2 * np.cos(round_),
        ],
        1,
    )
    body = [(-5.2, 6, 7), (-5.3, 14, 8.5), (-17, 18, 9), (-20, 40, 9)]
    body += [(-x, y, z) for x, y, z in reversed(body)]
    nose = (points[55] * (0, 1, 1))[None] + np.array([(-1.8, -0.4, 0.3), (1.8, -0.4, 0.3)])
    bridge = np.array([(-0.75, -0.1, -1.3), (0.75, -0.1, -1.3)])
    return {
        "forehead": forehead,
        "hair": hair,
        "left_ear": ear * (-1, 1, 1),
        "right_ear": ear,
        "body": np.array(body, dtype=np.float64),
        "nose_sides": np.concatenate([nose, bridge]),
    }


def paint_head(image: Image, marks: FloatArray, parts: dict[str, FloatArray], look: Look) -> None:
    """Draws a head into the picture ``(S, S, 3)``, in place.

    Args:
        marks: The 98 points ``(98, 2)`` in pixels of the picture.
        parts: What :func:`surroundings` gave, projected likewise.
    """
    unit = float(np.ptp(marks[:33], axis=0).max()) / 12  # pixels per centimetre, about
    fill(image, hull(parts["hair"]), look.hair)
    crown = parts["hair"][:1]
    for shade, first in ((0.8, 12), (0.9, 14), (1.15, 16)):
        tips = parts["hair"][first:108:15]
        strands = fixed(np.stack([np.repeat(crown, len(tips), axis=0), tips], axis=1))
        color = (look.hair * shade).tolist()
        cv2.polylines(image, list(strands), False, color, 2, cv2.LINE_AA, SHIFT)
    body = parts["body"]
    fill(image, body, look.clothes)
    fill(image, body[[0, 1, -2, -1]], look.skin * 0.72)
    if not look.long_hair:
        fill(image, parts["left_ear"], look.skin * 0.88)
        fill(image, parts["right_ear"], look.skin * 0.88)
    outline = np.concatenate([marks[:33], parts["forehead"]])
    nose = hull(np.concatenate([marks[51:60], parts["nose_sides"]]))
    _paint_skin(image, outline, nose, marks, parts["nose_sides"], look, unit)
    if look.fringe:
        lower = (
            parts["forehead"][::-1] * 0.45 + marks[[33, 35, 36, 37, 42, 43, 44, 46]].mean(0) * 0.55
        )
        fill(image, np.concatenate([parts["forehead"][2:-2], lower[3:-3]]), look.hair * 1.1)
    for eye, pupil in ((slice(60, 68), 96), (slice(68, 76), 97)):
        _paint_eye(image, marks[eye], marks[pupil], look, unit)
    for brow in (marks[33:42], marks[[46, 45, 44, 43, 42, 50, 49, 48, 47]]):
        fill(image, brow, look.hair * 0.8 + look.skin * (0.08 if look.made_up else 0.2))
    # The nose may stand in front of the far eye, so it comes after.
    _paint_nose(image, marks, parts["nose_sides"], look, unit)
    _paint_mouth(image, marks, look, unit)
    if look.glasses:
        _paint_glasses(image, marks, look, unit)


def _paint_skin(
    image: Image,
    outline: FloatArray,
    nose: FloatArray,
    marks: FloatArray,
    sides: FloatArray,
    look: Look,
    unit: float,
) -> None:
    size = len(image)
    coarse = np.zeros((size // 4, size // 4), np.uint8)
    shifted = (outline + look.light * unit * 1.5) / 4
    cv2.fillPoly(coarse, [fixed(shifted)], 255, cv2.LINE_8, SHIFT)
    coarse = cv2.GaussianBlur(coarse, (0, 0), 1.6 * unit / 4)
    round_ = cv2.resize(
        cv2.convertScaleAbs(coarse, alpha=52 / 255, beta=80), (size // 2, size // 2)
    )
    detail = np.full((size // 2, size // 2), 128, np.uint8)
    far = 0 if look.light[0] > 0 else 1  # the side of the nose that light does not reach
    shades = [
        (np.concatenate([marks[[33, 34, 35, 36, 37, 38]], marks[[64, 65, 66, 67, 60]]]), 112),
        (np.concatenate([marks[[46, 45, 44, 43, 42, 50]], marks[[68, 75, 74, 73, 72]]]), 112),
        (np.stack([sides[2 + far], marks[52], marks[54], marks[56 + 2 * far], sides[far]]), 100),
        (marks[[55, 56, 57, 58, 59]] + (0, 0.35 * unit), 100),
        (np.concatenate([marks[[87, 86, 85, 84, 83]], marks[[84, 85, 86]] + (0, 0.8 * unit)]), 106),
    ]
    for polygon, value in shades:
        cv2.fillPoly(detail, [fixed(polygon / 2)], value, cv2.LINE_8, SHIFT)
    ridge = fixed(marks[52:55] / 2)
    cv2.polylines(detail, [ridge], False, 148, max(1, round(unit * 0.3)), cv2.LINE_8, SHIFT)
    for cheek in ((marks[76] + marks[66] + marks[6]) / 3, (marks[82] + marks[74] + marks[26]) / 3):
        dot(detail, cheek / 2, 0.6 * unit, (140,))
    detail = cv2.GaussianBlur(detail, (0, 0), 0.2 * unit)
    shade = cv2.resize(cv2.multiply(round_, detail, scale=1 / 128), (size, size))
    skin = np.empty_like(image)
    skin[:] = look.skin.astype(np.uint8)
    if look.beard:
        # From before the ears down to the corners of the mouth, and up again under the nose.
        cheeks = marks[[26, 6]] * 0.35 + marks[[82, 76]] * 0.65
        inner = np.concatenate(
            [cheeks[:1], marks[[80, 78]] * 0.6 + marks[[59, 55]] * 0.4, cheeks[1:]]
        )
        fill(skin, np.concatenate([marks[2:31], inner]), look.skin * 0.35 + look.hair * 0.65)
        skin = cv2.blur(skin, (max(1, round(unit * 0.8)),) * 2)
    skin = cv2.multiply(skin, cv2.merge([shade] * 3), scale=1 / 120)
    paste(image, skin, [outline, nose])
    curve(image, marks[:33], look.skin * 0.6, 1)


def _paint_eye(image: Image, lids: FloatArray, pupil: FloatArray, look: Look, unit: float) -> None:
    shape = smoothing(8) @ lids
    x0, y0 = np.maximum(np.floor(shape.min(axis=0)).astype(int) - 2, 0)
    x1, y1 = np.ceil(shape.max(axis=0)).astype(int) + 3
    patch = image[y0:y1, x0:x1]
    if look.made_up:
        lid = lids[[0, 1, 2, 3, 4]]
        fill(image, np.concatenate([lid, lid[::-1] - (0, 0.55 * unit)]), look.skin * 0.55)
    if patch.size:
        ball = np.full_like(patch, 226)
        middle = pupil - (x0, y0)
        dot(ball, middle, 0.58 * unit, look.iris)
        dot(ball, middle, 0.27 * unit, (12, 10, 10))
        dot(ball, middle + np.array([0.16, -0.16]) * unit, 0.1 * unit, (250, 250, 250))
        paste(patch, ball, [shape - (x0, y0)])
    curve(image, lids[[4, 5, 6, 7, 0]], look.skin * 0.62, 1)
    curve(image, lids[:5], look.skin * (0.1 if look.made_up else 0.28), 2 if unit > 6.5 else 1)


def _paint_nose(
    image: Image, marks: FloatArray, sides: FloatArray, look: Look, unit: float
) -> None:
    dark = look.skin * 0.6
    for nostril, toward in ((56, 55), (58, 59)):
        middle = marks[nostril] * 0.75 + marks[toward] * 0.25 - (0, 0.12 * unit)
        dot(image, middle, 0.22 * unit, look.skin * 0.36)
    curve(image, np.concatenate([sides[:1], marks[55:60], sides[1:2]]), dark, 1)


def _paint_mouth(image: Image, marks: FloatArray, look: Look, unit: float) -> None:
    outer, inner = marks[76:88], marks[88:96]
    fill(image, smoothing(12) @ outer, look.lips)
    fill(image, np.concatenate([outer[:7], inner[4::-1]]), look.lips * 0.84)
    if np.ptp(inner[[2, 6]], axis=0).max() > 0.45 * unit:
        fill(image, smoothing(8) @ inner, (52, 18, 20))
        if look.teeth:
            edge = inner[[1, 2, 3]]
            fill(
                image,
                np.concatenate([edge, edge[::-1] * 0.65 + inner[[5, 6, 7]] * 0.35]),
                (232, 228, 216),
            )
    curve(image, np.concatenate([outer[:1], inner[:5], outer[6:7]]), look.lips * 0.45, 1)
    curve(image, outer[7:], look.lips * 0.75, 1)


def _paint_glasses(image: Image, marks: FloatArray, look: Look, unit: float) -> None:
    frame = (25, 22, 28)
    thickness = 2 if unit > 6 else 1
    for lids in (marks[60:68], marks[68:76]):
        middle = lids.mean(axis=0)
        rim = hull(middle + (smoothing(8) @ (lids - middle)) * (1.25, 1.25))
        rim = hull(np.concatenate([rim + (0, 0.7 * unit), rim - (0, 0.7 * unit)]))
        if look.glasses == 2:
            fill(image, rim, (20, 20, 26))
        curve(image, np.concatenate([rim, rim[:1]]), frame, thickness)
    curve(image, np.stack([marks[64], marks[51], marks[68]]), frame, thickness)
