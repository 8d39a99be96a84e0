"""Head pose estimation (yaw, pitch, roll) from landmarks, by fitting an average head to them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pfld.head.model import angles_from_rotation, head_points
from pfld.landmarks import IBUG_68, WFLW_98, WFLW_TO_IBUG, scheme_with

# The camera is taken to look at the middle of the points' box, from this many times the box's longer
# side away: about 75 cm, between a selfie and a portrait.
FOCAL_LENGTH_PER_FACE = 6.0

# Points that expressions hardly move and that stay in one place on a turning head: nose and eye
# corners. Mouth, brows and lids move; the contour depends on the view.
RIGID_POINTS = (51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 64, 68, 72)


def head_pose(
    landmarks_px: ArrayLike, *, focal_length_px: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Yaw, pitch and roll ``(N, 3)`` float32 in radians of the faces with these landmarks.

    Yaw is positive when the face turns towards the picture's right, pitch when it looks up, roll when it
    tilts clockwise as seen on screen; a face in the mirror has yaw and roll negated. The angles are those
    of :func:`pfld.head.model.rotation_from_angles`, relative to the line from camera to face, so
    where in the picture the face is plays no role, nor does its size.

    A plain pinhole camera is assumed that looks at the middle of the landmarks' box. An averaged head is
    fitted, so a person whose features differ from it is off by a few degrees, mostly in pitch.

    Args:
        landmarks_px: ``(N, 98, 2)`` or ``(98, 2)`` in pixels, or 68 points likewise. Pixels must be
            square: fractions of a crop are, fractions of an oblong picture are not.
        focal_length_px: One number or ``(N,)``, in the landmarks' unit, where it is known; otherwise
            6 times the longer side of the landmarks' box.

    Raises:
        ValueError: For other shapes, landmarks that are not finite, all in one place or on one line, or a
            focal length that is not positive.
    """
    landmarks = np.asarray(landmarks_px, dtype=np.float64)
    if landmarks.ndim == 2:
        landmarks = landmarks[None]
    if landmarks.ndim != 3 or landmarks.shape[-1] != 2:
        raise ValueError(
            "landmarks must have shape (N, 98, 2), (98, 2) or the same with 68 points, "
            f"got {np.shape(landmarks_px)}"
        )
    scheme = scheme_with(landmarks.shape[1])
    if not np.isfinite(landmarks).all():
        bad = np.flatnonzero(~np.isfinite(landmarks).all(axis=(1, 2)))
        raise ValueError(f"landmarks must be finite; those of face {bad[0]} are not")
    low, high = landmarks.min(axis=1), landmarks.max(axis=1)
    side = (high - low).max(axis=1)
    focal_length = _focal_lengths(focal_length_px, side)

    rigid = _RIGID[scheme.name]
    model = _MODELS[scheme.name][rigid]
    unit = np.maximum(side, 1e-12)
    image = (landmarks[:, rigid] - ((low + high) / 2)[:, None]) / unit[:, None, None]
    image = np.ascontiguousarray(image)
    start = _scaled_orthography(model, image)
    rotations = np.empty((len(image), 3, 3))
    for index, (points, focal) in enumerate(zip(image, focal_length / unit)):
        rotations[index] = _fit(model, points, float(focal), *(part[index] for part in start))
    return angles_from_rotation(rotations).astype(np.float32)


def _rigid_points() -> dict[str, list[int]]:
    of_ibug = {wflw: ibug for ibug, wflw in enumerate(WFLW_TO_IBUG)}
    return {WFLW_98.name: [*RIGID_POINTS], IBUG_68.name: [of_ibug[i] for i in RIGID_POINTS]}


_MODELS = {WFLW_98.name: head_points(), IBUG_68.name: head_points()[list(WFLW_TO_IBUG)]}
_RIGID = _rigid_points()


def _focal_lengths(
    focal_length_px: ArrayLike | None, side: NDArray[np.float64]
) -> NDArray[np.float64]:
    if focal_length_px is None:
        return FOCAL_LENGTH_PER_FACE * side
    given = np.asarray(focal_length_px, dtype=np.float64)
    if given.shape not in ((), side.shape) or not (np.isfinite(given) & (given > 0)).all():
        raise ValueError(
            f"a focal length must be one positive number of pixels, or one for each of {len(side)} "
            f"faces, got {given}"
        )
    return np.broadcast_to(given, side.shape)


def _scaled_orthography(
    model: NDArray[np.float64], image: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Rotations ``(N, 3, 3)``, scales ``(N,)`` and image origins ``(N, 2)`` as seen from very far away.

    Raises:
        ValueError: When a face's points lie on one line or in one place.
    """
    centered = image - image.mean(axis=1, keepdims=True)
    spread = np.linalg.svd(centered, compute_uv=False)
    if (flat := np.flatnonzero(~(spread[:, 1] > 1e-4))).size:
        raise ValueError(
            f"the landmarks of face {flat[0]} lie on one line or in one place, which shows no pose"
        )
    middle = model.mean(axis=0)
    solver = np.linalg.pinv(model - middle)
    rows = np.swapaxes(solver @ centered, 1, 2)
    left, stretch, right = np.linalg.svd(rows, full_matrices=False)
    axes = left @ right
    rotation = np.concatenate([axes, np.cross(axes[:, 0], axes[:, 1])[:, None]], axis=1)
    scale = stretch.mean(axis=1)
    return rotation, scale, image.mean(axis=1) - scale[:, None] * (axes @ middle)


def _fit(
    model: NDArray[np.float64],
    points: NDArray[np.float64],
    focal: float,
    rotation: NDArray[np.float64],
    scale: float,
    origin: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The rotation of least reprojection error for a pinhole camera, from a start close to it."""
    camera = np.array([[focal, 0, 0], [0, focal, 0], [0, 0, 1]])
    distance = focal / scale
    translation = np.array([*(origin / scale), distance])
    turn, _ = cv2.Rodrigues(rotation)
    found, turn, _ = cv2.solvePnP(
        model, points, camera, None, turn, translation, True, cv2.SOLVEPNP_ITERATIVE
    )
    # For points unlike a face the refinement may diverge; the start is the better answer then.
    if not found or not np.isfinite(turn).all():
        return rotation
    return cv2.Rodrigues(turn)[0]
