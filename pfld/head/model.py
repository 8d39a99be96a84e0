"""3-D model of an average head: its 98 landmarks, rotation, projection and visible contour.

Head axes, in centimetres: x to the right of the picture, y down, z away from the camera. The origin is
midway between the outer eye corners, so points that stand out towards the camera have a negative z.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pfld.landmarks import WFLW_98

FloatArray = NDArray[np.float64]

# The image-left half and the points on the middle line; the other half is their mirror image.
_LEFT_HALF = {
    0: (-7.10, -0.60, 6.60), 1: (-7.12, 0.45, 6.50), 2: (-7.08, 1.50, 6.35),
    3: (-7.00, 2.55, 6.10), 4: (-6.85, 3.58, 5.75), 5: (-6.64, 4.60, 5.30),
    6: (-6.36, 5.60, 4.75), 7: (-5.98, 6.55, 4.10), 8: (-5.50, 7.44, 3.40),
    9: (-4.95, 8.24, 2.65), 10: (-4.33, 8.95, 1.90), 11: (-3.66, 9.57, 1.15),
    12: (-2.95, 10.10, 0.45), 13: (-2.22, 10.54, -0.20), 14: (-1.48, 10.88, -0.75),
    15: (-0.74, 11.10, -1.15), 16: (0.00, 11.18, -1.30),
    33: (-5.40, -1.65, 1.10), 34: (-4.70, -2.55, -0.15), 35: (-3.60, -2.95, -1.40),
    36: (-2.35, -2.80, -2.00), 37: (-1.15, -2.40, -2.35), 38: (-1.20, -1.90, -2.30),
    39: (-2.40, -2.20, -1.95), 40: (-3.55, -2.38, -1.35), 41: (-4.60, -2.10, -0.10),
    51: (0.00, 0.15, -2.10), 52: (0.00, 1.45, -2.85), 53: (0.00, 2.75, -3.65), 54: (0.00, 3.95, -4.40),
    55: (-1.60, 4.60, -2.20), 56: (-0.85, 4.98, -2.75), 57: (0.00, 5.15, -3.10),
    60: (-4.50, 0.00, 0.00), 61: (-3.85, -0.46, -0.75), 62: (-3.05, -0.62, -1.10),
    63: (-2.25, -0.42, -1.00), 64: (-1.60, 0.12, -0.70), 65: (-2.30, 0.38, -0.90),
    66: (-3.05, 0.46, -1.00), 67: (-3.85, 0.34, -0.65), 96: (-3.08, -0.06, -1.15),
    76: (-2.50, 7.30, -1.70), 77: (-1.60, 6.78, -2.65), 78: (-0.62, 6.48, -3.20),
    79: (0.00, 6.60, -3.30), 85: (0.00, 8.22, -2.95), 86: (-0.80, 8.14, -2.85),
    87: (-1.70, 7.80, -2.45), 88: (-2.15, 7.30, -1.95), 89: (-0.95, 7.18, -2.80),
    90: (0.00, 7.20, -3.05), 94: (0.00, 7.32, -3.05), 95: (-0.95, 7.32, -2.80),
}  # fmt: skip

# How far forward the cheek reaches from each contour point, as z in centimetres; from ear to chin.
_CHEEK_FRONT = np.interp(np.abs(np.arange(33) - 16), (0, 4, 9, 16), (-1.6, -2.6, -2.9, -3.1))


def head_points() -> FloatArray:
    """The averaged head's points ``(98, 3)`` in centimetres, in WFLW's order; exactly symmetric."""
    points = np.zeros((WFLW_98.num_landmarks, 3))
    for index, position in _LEFT_HALF.items():
        points[index] = position
        points[WFLW_98.mirror[index]] = (-position[0], *position[1:])
    return points


def rotation_from_angles(angles: ArrayLike) -> FloatArray:
    """Rotations ``(..., 3, 3)`` from head to camera axes, for yaw, pitch, roll ``(..., 3)`` in radians.

    Yaw is positive when the face turns towards the picture's right, pitch when it looks up, roll when it
    tilts clockwise as seen on screen. The head turns about its own vertical axis, then nods about the
    camera's horizontal axis, then tilts in the picture plane: turning the picture changes roll alone,
    and the angles are ambiguous only for a face looking straight up or down.

    Raises:
        ValueError: For a last axis other than three.
    """
    values = np.asarray(angles, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] != 3:
        raise ValueError(f"angles are yaw, pitch, roll with shape (..., 3), got {values.shape}")
    (cy, cp, cr), (sy, sp, sr) = (np.moveaxis(part(values), -1, 0) for part in (np.cos, np.sin))
    # Rz(roll) @ Rx(-pitch) @ Ry(-yaw), written out.
    rows = (
        (cr * cy - sr * sp * sy, -sr * cp, -cr * sy - sr * sp * cy),
        (sr * cy + cr * sp * sy, cr * cp, -sr * sy + cr * sp * cy),
        (cp * sy, -sp, cp * cy),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def angles_from_rotation(rotation: ArrayLike) -> FloatArray:
    """Yaw, pitch, roll ``(..., 3)`` in radians of rotations ``(..., 3, 3)`` from head to camera axes.

    The inverse of :func:`rotation_from_angles` for pitch within a quarter turn.

    Raises:
        ValueError: For matrices that are not 3 x 3.
    """
    matrix = np.asarray(rotation, dtype=np.float64)
    if matrix.shape[-2:] != (3, 3):
        raise ValueError(f"rotations have shape (..., 3, 3), got {matrix.shape}")
    yaw = np.arctan2(matrix[..., 2, 0], matrix[..., 2, 2])
    pitch = np.arcsin(np.clip(-matrix[..., 2, 1], -1, 1))
    roll = np.arctan2(-matrix[..., 0, 1], matrix[..., 1, 1])
    return np.stack([yaw, pitch, roll], axis=-1)


def visible_contour(contour: FloatArray, yaw: float, front: FloatArray | None = None) -> FloatArray:
    """The visible contour of a turned head ``(K, 3)``, from its points ``(K, 3)`` in front view.

    Annotators mark the outline they see. On the side that turns away it moves from the jaw forward over
    the cheek; on the near side it stays. A cheek is modelled as a quarter ellipse, at constant height,
    from the contour point to the front of the face.

    Args:
        contour: In head axes and centimetres; the 33 contour points unless ``front`` is given.
        yaw: In radians, as in :func:`rotation_from_angles`.
        front: ``(K,)`` z of the front of the face at each point, in centimetres.
    """
    front_z = _CHEEK_FRONT if front is None else front
    x, y, z = contour.T
    depth = np.maximum(z - front_z, 0)
    # Along the ellipse (x cos t, z - depth sin t) the sideways extent in the picture is largest here.
    side = np.sign(x)
    slide = np.arctan2(depth * np.sin(yaw) * side, np.abs(x) * np.cos(yaw) + 1e-9)
    slide = np.where(side == 0, 0, np.clip(slide, 0, np.pi / 2))
    return np.stack([x * np.cos(slide), y, z - depth * np.sin(slide)], axis=-1)


def project(points: FloatArray, rotation: FloatArray, translation: ArrayLike) -> FloatArray:
    """Points ``(K, 3)`` in head axes as a camera of focal length 1 sees them ``(K, 2)``.

    Args:
        rotation: ``(3, 3)`` from head to camera axes.
        translation: ``(3,)`` the head's origin in camera axes, in centimetres.
    """
    seen = points @ rotation.T + np.asarray(translation)
    return seen[:, :2] / seen[:, 2:]


def facing_translation(points: FloatArray, rotation: FloatArray, distance: float) -> FloatArray:
    """Translation ``(3,)`` of the head such that the camera looks at the middle of its points' box.

    Args:
        points: ``(K, 3)`` in head axes.
        rotation: ``(3, 3)`` from head to camera axes.
        distance: From the camera to the head's origin along the optical axis, in centimetres.
    """
    translation = np.array([0.0, 0.0, distance])
    # Perspective makes the middle depend on the position a little; three rounds converge.
    for _ in range(3):
        seen = project(points, rotation, translation)
        translation[:2] -= (seen.min(axis=0) + seen.max(axis=0)) / 2 * distance
    return translation
