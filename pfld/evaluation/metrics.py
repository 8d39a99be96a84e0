"""Landmark metrics: normalised mean error (NME), failure rate, AUC and bootstrap intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pfld.landmarks import LandmarkScheme

FAILURE_THRESHOLD = 0.10  # x distance between the outer eye corners


@dataclass(frozen=True)
class LandmarkReport:
    """Errors of many faces, as fractions of the distance between the outer eye corners.

    Attributes:
        count: Faces.
        nme: Mean over faces of the mean over points.
        nme_interval: 95 % bootstrap confidence interval of ``nme``.
        failure_rate: Part of faces, 0..1, whose mean error is above 0.10.
        auc: Area under the cumulative error distribution up to 0.10, over that of a perfect one; 0..1.
        p50, p90, p95: Percentiles of the faces' mean errors.
        groups: Mean error over the points of each group.
    """

    count: int
    nme: float
    nme_interval: tuple[float, float]
    failure_rate: float
    auc: float
    p50: float
    p90: float
    p95: float
    groups: dict[str, float]

    def to_json(self) -> dict[str, object]:
        """The attributes as plain values."""
        return asdict(self)


def normalized_mean_errors(
    predicted_px: ArrayLike, target_px: ArrayLike, scheme: LandmarkScheme
) -> NDArray[np.float64]:
    """Mean error of each face ``(N,)`` over the distance between its annotated outer eye corners.

    Args:
        predicted_px: ``(N, L, 2)`` in any unit of length, pixels of the picture as a rule.
        target_px: The same shape and unit.

    Raises:
        ValueError: As :func:`normalized_point_errors`.
    """
    return normalized_point_errors(predicted_px, target_px, scheme).mean(axis=1)


def normalized_point_errors(
    predicted_px: ArrayLike, target_px: ArrayLike, scheme: LandmarkScheme
) -> NDArray[np.float64]:
    """Error of each point ``(N, L)`` over the distance between its face's outer eye corners.

    Args:
        predicted_px: ``(N, L, 2)`` in any unit of length, pixels of the picture as a rule.
        target_px: The same shape and unit.

    Raises:
        ValueError: For other shapes, numbers that are not finite, or faces whose annotated outer eye
            corners coincide, naming the faces.
    """
    predicted = np.asarray(predicted_px, dtype=np.float64)
    target = np.asarray(target_px, dtype=np.float64)
    expected = (scheme.num_landmarks, 2)
    if predicted.shape != target.shape or target.ndim != 3 or target.shape[1:] != expected:
        raise ValueError(
            f"landmarks of {scheme.name} must be (N, {scheme.num_landmarks}, 2), got "
            f"{predicted.shape} predicted and {target.shape} annotated"
        )
    for name, points in (("predicted", predicted), ("annotated", target)):
        broken = np.logical_not(np.isfinite(points)).sum(axis=(1, 2)) > 0
        _require_none(broken, f"{name} landmarks are not finite")
    left, right = scheme.outer_eye_corners
    distance = np.linalg.norm(target[:, left] - target[:, right], axis=1)
    _require_none(distance == 0, "the annotated outer eye corners coincide")
    return np.linalg.norm(predicted - target, axis=2) / distance[:, None]


def _require_none(faces: NDArray[np.bool_], problem: str) -> None:
    if faces.any():
        indices = np.flatnonzero(faces)
        shown = ", ".join(map(str, indices[:10])) + (", ..." if len(indices) > 10 else "")
        raise ValueError(f"{problem} in {len(indices)} of {len(faces)} faces: {shown}")


def failure_rate(errors: ArrayLike, threshold: float = FAILURE_THRESHOLD) -> float:
    """Part of faces, 0..1, whose error is above ``threshold``.

    Raises:
        ValueError: For no errors.
    """
    return float((_some(errors) > threshold).mean())


def area_under_curve(errors: ArrayLike, threshold: float = FAILURE_THRESHOLD) -> float:
    """Area under the cumulative error distribution from 0 to ``threshold``, over ``threshold``; 0..1.

    Exact: a face with error ``e`` adds a step from ``e`` on, ``threshold - e`` wide.

    Raises:
        ValueError: For no errors.
    """
    return float(np.clip(1 - _some(errors) / threshold, 0, None).mean())


def bootstrap_interval(
    values: ArrayLike, *, confidence: float = 0.95, samples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap confidence interval of the mean of ``values``, by percentiles.

    To compare two networks on the same faces, pass the differences of their errors: if the interval
    contains 0, neither is shown to be better.

    Args:
        confidence: Confidence level, 0..1.
        samples: Number of bootstrap samples; the same ``seed`` draws the same ones.

    Raises:
        ValueError: For no values, or a confidence out of range.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    drawn_from = _some(values)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    rng = np.random.default_rng(seed)
    count = len(drawn_from)
    means = [drawn_from[rng.integers(0, count, count)].mean() for _ in range(samples)]
    low, high = np.quantile(means, ((1 - confidence) / 2, (1 + confidence) / 2))
    return float(low), float(high)


def summarize(point_errors: ArrayLike, scheme: LandmarkScheme) -> LandmarkReport:
    """The report of faces' :func:`normalized_point_errors` ``(N, L)``.

    Raises:
        ValueError: For no faces, or another number of points.
    """
    points = _some(point_errors)
    if points.ndim != 2 or points.shape[1] != scheme.num_landmarks:
        raise ValueError(f"errors must be (N, {scheme.num_landmarks}), got {points.shape}")
    faces = points.mean(axis=1)
    p50, p90, p95 = (float(value) for value in np.percentile(faces, (50, 90, 95)))
    return LandmarkReport(
        count=len(faces),
        nme=float(faces.mean()),
        nme_interval=bootstrap_interval(faces),
        failure_rate=failure_rate(faces),
        auc=area_under_curve(faces),
        p50=p50,
        p90=p90,
        p95=p95,
        groups={name: float(points[:, group].mean()) for name, group in scheme.groups.items()},
    )


def _some(errors: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(errors, dtype=np.float64)
    if not len(values):
        raise ValueError("there are no faces to measure; at least one is required")
    return values
