"""Random heads: the average head with random proportions and a random expression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pfld.head.model import FloatArray, head_points
from pfld.landmarks import WFLW_98

_JAW_HINGE = np.array([0.0, 1.5, 6.0])  # cm, y and z of the axis the lower jaw turns about
_LOWER_LIP = [83, 84, 85, 86, 87, 93, 94, 95]
_MOUTH_CORNERS = [76, 82, 88, 92]
_LIDS = (((61, 62, 63), (67, 66, 65), 96), ((69, 70, 71), (75, 74, 73), 97))
_CONTOUR, _BROWS, _NOSE, _MOUTH = (
    list(WFLW_98.groups[name]) for name in ("contour", "brows", "nose", "mouth")
)
_EYES = ([*range(60, 68), 96], [*range(68, 76), 97])

_AVERAGE = head_points()
# The part of the jaw's rotation that a point follows: all at the chin, none at the contour's ends.
_JAW_SHARE = np.zeros(98)
_JAW_SHARE[_CONTOUR] = np.interp(np.abs(np.arange(33) - 16), (0, 6, 14), (1, 0.8, 0))
_JAW_SHARE[_LOWER_LIP] = 0.95
_JAW_SHARE[_MOUTH_CORNERS] = 0.4


@dataclass(frozen=True)
class Expression:
    """What the face is doing, each from 0 (nothing) up.

    Attributes:
        jaw: How far the jaw turns open, in radians.
        smile: -0.5 (sad) to 1 (broad smile).
        closed: How closed the eyes are, 0..1.
        brows: How far the brows are raised, in centimetres; negative is a frown.
    """

    jaw: float = 0.0
    smile: float = 0.0
    closed: float = 0.0
    brows: float = 0.0

    @property
    def is_marked(self) -> bool:
        """Whether an annotator would call the expression exaggerated."""
        return self.jaw > 0.15 or self.smile > 0.7 or self.closed > 0.8


def random_expression(rng: Generator) -> Expression:
    """An expression; about half are neutral in each respect."""
    chance, amount = rng.random(4), rng.random(4)
    return Expression(
        jaw=0.35 * amount[0] ** 1.3 if chance[0] < 0.45 else 0.0,
        smile=1.5 * amount[1] - 0.5 if chance[1] < 0.5 else 0.0,
        closed=1.0 if chance[2] < 0.08 else 0.5 * amount[2] ** 2,
        brows=1.3 * amount[3] - 0.5 if chance[3] < 0.5 else 0.0,
    )


def random_head(rng: Generator, expression: Expression) -> FloatArray:
    """Points ``(98, 3)`` of one person's head in centimetres, in the axes of the averaged head."""
    points = _AVERAGE.copy()
    vary = np.clip(rng.standard_normal(16), -2, 2)
    _scale_about(points, _NOSE, 51, (1 + 0.10 * vary[0], 1 + 0.07 * vary[1], 1 + 0.08 * vary[2]))
    _scale_about(points, _MOUTH, None, (1 + 0.08 * vary[3], 1 + 0.12 * vary[4], 1))
    _scale_about(points, _BROWS, None, (1, 1 + 0.10 * vary[5], 1))
    points[_BROWS, 1] += 0.15 * vary[6] + 0.05 * vary[7] * (np.abs(points[_BROWS, 0]) - 3.3)
    for eye in _EYES:
        _scale_about(points, eye, None, (1 + 0.05 * vary[8], 1 + 0.12 * vary[9], 1))
        points[eye, 0] += np.sign(points[eye[0], 0]) * 0.10 * vary[10]
        points[eye, 1] -= 0.05 * vary[11] * (np.abs(points[eye, 0]) - 3.05)
    points[_MOUTH, 1] += 0.15 * vary[12]
    _express(points, expression)
    # Jaw width and length grow towards the chin; the whole head widens and lengthens.
    lower = np.clip(points[:, 1:2] / 11, 0, 1.2)
    points *= (1 + 0.04 * vary[13], 1 + 0.03 * vary[14], 1)
    points[_CONTOUR, :1] *= 1 + 0.08 * vary[15] * lower[_CONTOUR]
    # No face is symmetric: a slow sideways drift, below a millimetre.
    points[:, :2] += 0.05 * rng.standard_normal(2) * np.sin(points[:, :1] / 4)
    return points


def _scale_about(
    points: FloatArray, part: list[int], anchor: int | None, factors: tuple[float, float, float]
) -> None:
    middle = points[part].sum(axis=0) / len(part) if anchor is None else points[anchor]
    points[part] = middle + (points[part] - middle) * factors


def _express(points: FloatArray, expression: Expression) -> None:
    points[_BROWS, 1] -= expression.brows * np.interp(np.abs(points[_BROWS, 0]), (1, 4), (0.7, 0.5))
    reach = np.interp(np.abs(points[_MOUTH, 0]), (0, 2.5), (0, 1))[:, None]
    points[_MOUTH] += reach**2 * expression.smile * np.array([0, -0.65, 0.45])
    points[_MOUTH, :1] *= 1 + 0.18 * expression.smile
    angle = _JAW_SHARE * expression.jaw
    y, z = (points - _JAW_HINGE)[:, 1:].T
    points[:, 1] = _JAW_HINGE[1] + y * np.cos(angle) - z * np.sin(angle)
    points[:, 2] = _JAW_HINGE[2] + y * np.sin(angle) + z * np.cos(angle)
    for upper, lower, pupil in _LIDS:
        # The upper lid moves 0.85 of the way, the lower lid the rest.
        gap = points[list(lower)] - points[list(upper)]
        points[list(upper)] += 0.85 * expression.closed * gap
        points[list(lower)] -= 0.15 * expression.closed * gap
        top, bottom = points[upper[1], 1], points[lower[1], 1]
        margin = 0.35 * (bottom - top)
        points[pupil, 1] = np.clip(points[pupil, 1], top + margin, bottom - margin)
