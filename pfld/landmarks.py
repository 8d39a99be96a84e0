"""Landmark schemes (WFLW 98, iBUG 68): facial parts, mirrored points, 98 and 106 points to 68."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class LandmarkScheme:
    """A numbering of facial points. "Left" is the image's left throughout.

    Attributes:
        groups: Which points belong to which part of the face.
        mirror: Point ``i`` of a flipped face is point ``mirror[i]`` of the original, flipped.
        outer_eye_corners: Left and right; their distance normalises errors.
    """

    name: str
    num_landmarks: int
    groups: Mapping[str, tuple[int, ...]]
    mirror: tuple[int, ...]
    outer_eye_corners: tuple[int, int]


def _points(*spans: tuple[int, int]) -> tuple[int, ...]:
    """The points of spans, each given by its first and last point; spans may run backwards."""
    points: list[int] = []
    for first, last in spans:
        step = 1 if last >= first else -1
        points.extend(range(first, last + step, step))
    return tuple(points)


WFLW_98 = LandmarkScheme(
    name="wflw-98",
    num_landmarks=98,
    groups=MappingProxyType(
        {
            "contour": _points((0, 32)),
            "brows": _points((33, 50)),
            "nose": _points((51, 59)),
            "eyes": _points((60, 75), (96, 97)),
            "mouth": _points((76, 95)),
        }
    ),
    mirror=_points(
        (32, 0), (46, 42), (50, 47), (37, 33), (41, 38), (51, 54), (59, 55), (72, 68), (75, 73),
        (64, 60), (67, 65), (82, 76), (87, 83), (92, 88), (95, 93), (97, 96),
    ),
    outer_eye_corners=(60, 72),
)  # fmt: skip

IBUG_68 = LandmarkScheme(
    name="ibug-68",
    num_landmarks=68,
    groups=MappingProxyType(
        {
            "contour": _points((0, 16)),
            "brows": _points((17, 26)),
            "nose": _points((27, 35)),
            "eyes": _points((36, 47)),
            "mouth": _points((48, 67)),
        }
    ),
    mirror=_points(
        (16, 0), (26, 17), (27, 30), (35, 31), (45, 42), (47, 46), (39, 36), (41, 40),
        (54, 48), (59, 55), (64, 60), (67, 65),
    ),
    outer_eye_corners=(36, 45),
)  # fmt: skip

SCHEMES = {scheme.name: scheme for scheme in (WFLW_98, IBUG_68)}

# Points of WFLW_98 in the order of IBUG_68. Both place brows slightly differently (up to 3 % of the
# inter-ocular distance).
WFLW_TO_IBUG = (
    *range(0, 33, 2), *range(33, 38), *range(42, 47), *range(51, 60),
    60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75, *range(76, 96),
)  # fmt: skip

# The 106 points of JD-landmark and LaPa in the order of IBUG_68. They are numbered like those of WFLW_98
# up to the bridge of the nose (54); then come the sides and the bottom of the nose (55 to 65), eyes with a
# centre each (66 to 74, 75 to 83), the mouth (84 to 103) and the pupils.
# Source: Liu et al. 2020, A New Dataset and Boundary-Attention Semantic Segmentation for Face Parsing
# (LaPa); Liu et al. 2019, Grand Challenge of 106-Point Facial Landmark Localization (JD-landmark); the
# mirrored pairs in MMPose's configuration of LaPa. Checked on two faces of LaPa: a shape model of
# 2,534 human iBUG labels expects each point, from the 67 others, on average 2 % of the inter-ocular distance
# away (contour, brows), 1 % (nose), 3 % (eyes) and 4 % (mouth).
JD_POINTS = 106
JD_TO_IBUG = (
    *range(0, 33, 2), *range(33, 38), *range(42, 47), *range(51, 55), *range(58, 63),
    66, 67, 69, 70, 71, 73, 75, 76, 78, 79, 80, 82, *range(84, 104),
)  # fmt: skip


def scheme_named(name: str) -> LandmarkScheme:
    """The scheme of that name.

    Raises:
        ValueError: For an unknown name, listing the known ones.
    """
    if name not in SCHEMES:
        raise ValueError(f"landmark scheme must be one of {', '.join(SCHEMES)}, got {name!r}")
    return SCHEMES[name]


def scheme_with(num_landmarks: int) -> LandmarkScheme:
    """The scheme with that many points.

    Raises:
        ValueError: When there is none, listing the known ones.
    """
    for scheme in SCHEMES.values():
        if scheme.num_landmarks == num_landmarks:
            return scheme
    known = ", ".join(f"{scheme.num_landmarks} ({name})" for name, scheme in SCHEMES.items())
    raise ValueError(f"no landmark scheme has {num_landmarks} points; known are {known}")
