"""Draws faces on copies of pictures: landmarks, contours, boxes, head axes, numbers and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pfld.head.model import rotation_from_angles
from pfld.landmarks import IBUG_68, WFLW_98, LandmarkScheme, scheme_with
from pfld.runtime.face import Face, face_size

Color = tuple[int, int, int]  # RGB

GROUP_COLORS: MappingProxyType[str, Color] = MappingProxyType(
    {
        "contour": (90, 180, 255),
        "brows": (255, 200, 60),
        "nose": (110, 235, 110),
        "eyes": (60, 245, 235),
        "mouth": (255, 100, 140),
    }
)
AXIS_COLORS: tuple[Color, Color, Color] = ((255, 75, 75), (80, 230, 80), (80, 150, 255))
TEXT_COLOR: Color = (255, 255, 255)
# Under lines, points and text, so that they stand out from light skin.
RIM_COLOR: Color = (25, 25, 30)

# Sizes are fractions of the face's size, which is about the distance of the outer eye corners.
LINE_WIDTH = 1 / 70
POINT_WIDTH = 1 / 28
AXIS_LENGTH = 0.9
SURE, UNSURE = 0.03, 0.12  # expected errors at which a point is fully certain, and not at all
LEAST_DOT = 0.35  # width of the least certain point, as a fraction of that of a certain one
TEXT_HEIGHT = 1 / 7
INDEX_HEIGHT = 1 / 22
# Pixels. Below the first, outlines are thinner, and points drawn over contours have none. Below the
# second, points are not drawn over contours.
SMALL_SIZE, TINY_SIZE = 110, 45

_SHIFT = 4  # bits of a pixel in cv2's fixed-point coordinates
_FAR = 100_000  # pixels; coordinates are clipped to this before they overflow
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT = 22  # pixels of its capitals at scale 1

# The curves of each scheme: group, points, whether the curve is closed.
CURVES: dict[str, tuple[tuple[str, Sequence[int], bool], ...]] = {
    WFLW_98.name: (
        ("contour", range(0, 33), False),
        ("brows", range(33, 42), True),
        ("brows", range(42, 51), True),
        ("nose", range(51, 55), False),
        ("nose", range(55, 60), False),
        ("eyes", range(60, 68), True),
        ("eyes", range(68, 76), True),
        ("mouth", range(76, 88), True),
        ("mouth", range(88, 96), True),
    ),
    IBUG_68.name: (
        ("contour", range(0, 17), False),
        ("brows", range(17, 22), False),
        ("brows", range(22, 27), False),
        ("nose", range(27, 31), False),
        ("nose", range(31, 36), False),
        ("eyes", range(36, 42), True),
        ("eyes", range(42, 48), True),
        ("mouth", range(48, 60), True),
        ("mouth", range(60, 68), True),
    ),
}
_NOSE_TIP = {WFLW_98.name: 54, IBUG_68.name: 30}


# What is drawn besides points and contours where it is asked for.
DRAWN_ON_REQUEST = ("boxes", "axes", "indices", "labels", "uncertainty")


def draw_faces(
    image_rgb: NDArray[np.uint8],
    faces: Sequence[Face],
    *,
    points: bool = True,
    contours: bool = True,
    boxes: bool = False,
    axes: bool = False,
    indices: bool = False,
    labels: bool | Sequence[str] = False,
    uncertainty: bool = False,
    copy: bool = True,
) -> NDArray[np.uint8]:
    """A copy of the picture ``(H, W, 3)`` with faces drawn on it, the last in front.

    Line widths follow the size of the face. Points may lie outside the picture. Faces whose points are
    not all finite are left out.

    Args:
        image_rgb: ``(H, W, 3)`` uint8.
        points: Every landmark as a dot.
        contours: Curves through the landmarks of each facial part.
        boxes: Bounding boxes of the landmarks.
        axes: The head's axes, from the tip of the nose: red to the side of the head that is right in an
            upright picture, green up, blue out of the face.
        indices: The landmarks' numbers.
        labels: A text for each face, or True for its number, if it has one, and its quality.
        uncertainty: Draw points and curves thinner where the network is uncertain, see
            :attr:`pfld.runtime.face.Face.point_uncertainty`.
        copy: False to draw on the picture itself, where it is C-contiguous and can be written to.

    Raises:
        ValueError: For a picture of another shape or dtype, a number of labels that is not that of the
            faces, or faces with a number of points that no scheme has.
    """
    if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8:
        raise ValueError(
            f"a picture to draw on must be RGB (H, W, 3) uint8, got {image_rgb.shape} "
            f"{image_rgb.dtype}"
        )
    texts = [label_of(face) for face in faces] if isinstance(labels, bool) else list(labels)
    if len(texts) != len(faces):
        raise ValueError(f"there must be one label per face, got {len(texts)} for {len(faces)}")
    drawn = (
        np.array(image_rgb, order="C") if copy else np.require(image_rgb, requirements=["C", "W"])
    )
    for face, text in zip(faces, texts):
        scheme = scheme_with(len(face.landmarks))
        if not np.isfinite(face.landmarks).all():
            continue
        size = face_size(face.landmarks)
        sureness = sureness_of(face) if uncertainty else None
        if boxes:
            _draw_box_(drawn, face.box, size)
        if contours:
            _draw_contours_(drawn, face.landmarks, scheme, size, sureness)
        # On a small face, outlines of points would hide everything; curves have outlines already.
        rims = not contours or size > SMALL_SIZE
        if points and not (contours and size < TINY_SIZE):
            _draw_points_(drawn, face.landmarks, scheme, size, sureness, rims=rims)
        if axes:
            _draw_axes_(drawn, face, size)
        if indices:
            for index, (x, y) in enumerate(face.landmarks + size * POINT_WIDTH * 0.6):
                _write_(drawn, str(index), (x, y), max(size * INDEX_HEIGHT, 5.0))
        if labels and text:
            _write_label_(drawn, text, face.box, size)
    return drawn


@dataclass(frozen=True)
class Drawing:
    """What is drawn on pictures, as :func:`draw_faces` takes it."""

    points: bool = True
    contours: bool = True
    boxes: bool = False
    axes: bool = False
    indices: bool = False
    labels: bool = False
    uncertainty: bool = False

    @classmethod
    def of(cls, names: Sequence[str] | None) -> Drawing:
        """Options from the names of those that are on; unknown names are ignored."""
        return cls(**{name: name in (names or ()) for name in cls.__dataclass_fields__})

    def __call__(
        self, image_rgb: NDArray[np.uint8], faces: Sequence[Face], *, copy: bool = True
    ) -> NDArray[np.uint8]:
        """The picture ``(H, W, 3)`` with the faces drawn on it: a copy, or if possible the picture itself."""
        return draw_faces(image_rgb, faces, **asdict(self), copy=copy)


def label_of(face: Face) -> str:
    """The face's number, if it has one, and its quality in percent, such as ``#3 95%``."""
    number = "" if face.identity is None else f"#{face.identity} "
    return f"{number}{100 * face.quality:.0f}%"


def sureness_of(face: Face) -> NDArray[np.float32] | None:
    """Certainty of each point ``(L,)``, 0 to 1; None for networks without uncertainty.

    It is 1 up to an expected error of 3 % of the face's size (about the distance of the outer eye
    corners), and 0 from 12 % on.
    """
    if face.point_uncertainty is None:
        return None
    relative = face.point_uncertainty / max(face_size(face.landmarks), 1e-6)
    return np.clip((UNSURE - relative) / (UNSURE - SURE), 0, 1).astype(np.float32)


def _draw_contours_(
    image: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    scheme: LandmarkScheme,
    size: float,
    sureness: NDArray[np.float32] | None,
) -> None:
    width = _whole(size * LINE_WIDTH)
    fixed = _fixed(landmarks)
    curves = CURVES[scheme.name]
    if sureness is not None:
        _draw_segments_(image, fixed, curves, width + _rim(size), sureness)
        return
    for closed in (False, True):
        rims = [fixed[list(run)] for _, run, closes in curves if closes is closed]
        cv2.polylines(image, rims, closed, RIM_COLOR, width + _rim(size), cv2.LINE_AA, _SHIFT)
    for group, run, closed in curves:
        curve = [fixed[list(run)]]
        cv2.polylines(image, curve, closed, GROUP_COLORS[group], width, cv2.LINE_AA, _SHIFT)


def _draw_segments_(
    image: NDArray[np.uint8],
    fixed: NDArray[np.int32],
    curves: Sequence[tuple[str, Sequence[int], bool]],
    width: int,
    sureness: NDArray[np.float32],
) -> None:
    """Curves segment by segment; the width of each follows the certainty of its end points."""
    for group, run, closed in curves:
        starts = list(run) if closed else list(run)[:-1]
        for start, end in zip(starts, (*run, run[0])[1:]):
            sure = float(sureness[[start, end]].mean())
            piece, wide = [fixed[[start, end]]], _whole(width * sure)
            cv2.polylines(image, piece, False, GROUP_COLORS[group], wide, cv2.LINE_AA, _SHIFT)


def _draw_points_(
    image: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    scheme: LandmarkScheme,
    size: float,
    sureness: NDArray[np.float32] | None,
    *,
    rims: bool,
) -> None:
    sure = np.ones(len(landmarks)) if sureness is None else LEAST_DOT + (1 - LEAST_DOT) * sureness
    widths = np.array([_whole(size * POINT_WIDTH * part, least=2) for part in sure])
    dots = _fixed(landmarks)
    for width in np.unique(widths):
        alike = widths == width
        if rims:
            _draw_dots_(image, dots[alike], RIM_COLOR, int(width) + 2)
        for group, run in scheme.groups.items():
            chosen = [index for index in run if alike[index]]
            if chosen:
                _draw_dots_(image, dots[chosen], GROUP_COLORS[group], int(width))


def _draw_dots_(
    image: NDArray[np.uint8], dots: NDArray[np.int32], color: tuple[int, int, int], width: int
) -> None:
    # A curve of one point is a dot; many in one call are three times as fast as circles.
    curves = dots[:, None]
    cv2.polylines(image, curves, True, color, width, cv2.LINE_AA, _SHIFT)  # type: ignore[call-overload]  # an array is as good as a list of curves


def _draw_box_(image: NDArray[np.uint8], box: NDArray[np.float32], size: float) -> None:
    x0, y0, x1, y1 = box
    corners = _fixed(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
    width = _whole(0.7 * size * LINE_WIDTH)
    for color, extra in ((RIM_COLOR, _rim(size)), (TEXT_COLOR, 0)):
        cv2.polylines(image, [corners], True, color, width + extra, cv2.LINE_AA, _SHIFT)


def head_axes(face: Face) -> NDArray[np.float64] | None:
    """The head's axes as lines ``(3, 2, 2)`` from the tip of the nose, in pixels of the picture.

    In the order of :data:`AXIS_COLORS`: to the head's side that is right in an upright picture, up, and
    out of the face. None for points on one line or in one place, which define no pose.
    """
    directions = _axis_directions(face)
    if directions is None:
        return None
    start = face.landmarks[_NOSE_TIP[scheme_with(len(face.landmarks)).name]].astype(np.float64)
    ends = start + AXIS_LENGTH * face_size(face.landmarks) * directions[:, :2]
    return np.stack([np.broadcast_to(start, ends.shape), ends], axis=1)


def _axis_directions(face: Face) -> NDArray[np.float64] | None:
    """Unit vectors ``(3, 3)`` along the head's axes; the third component grows away from the camera."""
    try:
        pose = face.pose
    except ValueError:
        return None
    # Columns are the head's axes in camera axes; its y points down and its z into the head.
    return (rotation_from_angles(np.deg2rad(pose)) * (1, -1, -1)).T


def _draw_axes_(image: NDArray[np.uint8], face: Face, size: float) -> None:
    axes, directions = head_axes(face), _axis_directions(face)
    if axes is None or directions is None:
        return
    width = _whole(1.7 * size * LINE_WIDTH, least=2)
    for axis in np.argsort(-directions[:, 2]):  # the axis that points furthest away first
        line = _fixed(axes[axis])
        for color, extra in ((RIM_COLOR, 2), (AXIS_COLORS[axis], 0)):
            cv2.polylines(image, [line], False, color, width + extra, cv2.LINE_AA, _SHIFT)


def _write_label_(
    image: NDArray[np.uint8], text: str, box: NDArray[np.float32], size: float
) -> None:
    """Above the box, or below its upper edge where there is no room."""
    height = min(max(size * TEXT_HEIGHT, 9.0), 40.0)
    thickness = _stroke(height)
    (width, _), _ = cv2.getTextSize(text, _FONT, height / _FONT_HEIGHT, thickness)
    x = min(max(float(box[0]), 4.0), max(image.shape[1] - width - 4.0, 4.0))
    y = float(box[1]) - height * 0.6
    if y < height + 3:
        y = max(float(box[1]), 0.0) + height * 1.6
    _write_(image, text, (x, y), height)


def _write_(
    image: NDArray[np.uint8], text: str, origin: tuple[float, float], height: float
) -> None:
    """Text with its lower left corner at ``origin`` and capitals of that height, in pixels."""
    x, y = (round(float(np.clip(value, -_FAR, _FAR))) for value in origin)
    thickness = _stroke(height)
    for color, extra in ((RIM_COLOR, 2), (TEXT_COLOR, 0)):
        scale = height / _FONT_HEIGHT
        cv2.putText(image, text, (x, y), _FONT, scale, color, thickness + extra, cv2.LINE_AA)


def _rim(size: float) -> int:
    """How many pixels wider an outline is than the line it surrounds."""
    return 2 if size > SMALL_SIZE else 1


def _stroke(height: float) -> int:
    return max(round(height / 12), 1)


def _whole(width: float, least: int = 1) -> int:
    """A line width as the whole number of pixels that cv2 takes."""
    return min(max(round(width), least), 200)


def _fixed(points: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
    """Points ``(N, 2)`` as cv2's fixed-point numbers ``(N, 1, 2)``, which count from pixels' middles."""
    middles = np.clip(np.asarray(points, dtype=np.float64), -_FAR, _FAR) - 0.5
    return np.rint(middles * (1 << _SHIFT)).astype(np.int32)[:, None]
