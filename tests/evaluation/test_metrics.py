"""Errors computed by hand, the edges of the thresholds, wrong shapes and impossible faces."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pfld.evaluation.metrics import (
    area_under_curve,
    bootstrap_interval,
    failure_rate,
    normalized_mean_errors,
    normalized_point_errors,
    summarize,
)
from pfld.landmarks import IBUG_68, SCHEMES, WFLW_98


def faces(scheme=WFLW_98, count=2):
    """Outer eye corners 50 pixels apart, along (3, 4)."""
    points = np.random.default_rng(0).uniform(0, 100, (count, scheme.num_landmarks, 2))
    left, right = scheme.outer_eye_corners
    points[:, right] = points[:, left] + (30, 40)
    return points


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_errors_are_in_distances_between_outer_eye_corners(scheme):
    target = faces(scheme)
    predicted = target.copy()
    predicted[1] += (6, 8)
    assert_allclose(normalized_mean_errors(predicted, target, scheme), [0, 0.2], atol=1e-12)
    predicted[0, 3] -= (5, 0)
    errors = normalized_point_errors(predicted, target, scheme)
    assert_allclose(errors[0], np.eye(scheme.num_landmarks)[3] * 0.1, atol=1e-12)


def test_normaliser_is_the_annotated_face():
    target = faces()
    assert_allclose(normalized_mean_errors(target * 0, target * 2, WFLW_98),
                    normalized_mean_errors(target * 0, target, WFLW_98))  # fmt: skip


def test_a_failure_is_above_the_threshold_not_at_it():
    assert failure_rate([0.05, 0.10, 0.1001, 0.3]) == 0.5


def test_area_is_that_under_the_steps():
    # 0 up to 0.02, 1/3 up to 0.06, 2/3 up to 0.10; the third face is a failure.
    assert_allclose(area_under_curve([0.06, 0.02, 0.5]), (0.04 / 3 + 0.04 * 2 / 3) / 0.10)
    assert area_under_curve([0, 0]) == 1 and area_under_curve([0.1, 7]) == 0


def test_area_is_the_limit_of_a_fine_sum():
    errors = np.random.default_rng(1).gamma(2, 0.03, 500)
    grid = (np.arange(100_000) + 0.5) / 1e6
    curve = np.searchsorted(np.sort(errors), grid, side="right") / len(errors)
    assert_allclose(area_under_curve(errors), curve.mean(), atol=1e-5)


def test_report_counts_groups_and_percentiles():
    errors = np.zeros((11, 98))
    errors += np.arange(11)[:, None] / 100
    errors[:, list(WFLW_98.groups["mouth"])] += 0.98
    report = summarize(errors, WFLW_98)
    shift = 0.98 * len(WFLW_98.groups["mouth"]) / 98
    assert report.count == 11 and report.failure_rate == 1 and report.auc == 0
    assert_allclose([report.nme, report.p50, report.p90, report.p95],
                    np.array([0.05, 0.05, 0.09, 0.095]) + shift)  # fmt: skip
    assert_allclose(report.groups["mouth"], 1.03)
    assert_allclose([report.groups[name] for name in ("contour", "brows", "nose", "eyes")], 0.05)
    assert json.loads(json.dumps(report.to_json()))["groups"]["eyes"] == report.groups["eyes"]


def flat_face():
    target = faces(count=3)
    target[1:, 72] = target[1:, 60]
    return target


def lost_face():
    predicted = faces()
    predicted[1, 5, 0] = np.nan
    return predicted


BAD = {
    "no-errors": (lambda: failure_rate([]), "no faces"),
    "no-area": (lambda: area_under_curve([]), "no faces"),
    "no-faces": (lambda: summarize(np.zeros((0, 98)), WFLW_98), "no faces"),
    "points": (lambda: summarize(np.zeros((2, 68)), WFLW_98), r"\(N, 98\)"),
    "scheme": (lambda: normalized_mean_errors(faces(), faces(), IBUG_68), r"\(N, 68, 2\)"),
    "shape": (lambda: normalized_mean_errors(faces(count=1), faces(), WFLW_98), "1, 98, 2"),
    "eyes": (lambda: normalized_mean_errors(flat_face(), flat_face(), WFLW_98), "2 of 3 .*: 1, 2"),
    "nan": (
        lambda: normalized_mean_errors(lost_face(), faces(), WFLW_98),
        "predicted.*1 of 2.*: 1",
    ),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(1).exponential(0.05, 400)
    low, high = bootstrap_interval(values)
    reach = 1.96 * values.std() / np.sqrt(len(values))
    assert_allclose([low, high], values.mean() + np.array([-reach, reach]), rtol=0.03)
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(values, confidence=0.5)[0] > low
    assert bootstrap_interval([0.07]) == (0.07, 0.07)


def test_intervals_of_differences_tell_what_is_shown():
    rng = np.random.default_rng(2)
    errors = rng.exponential(0.05, 200)
    assert bootstrap_interval(0.02 * errors + rng.normal(0, 0.0005, 200))[0] > 0
    low, high = bootstrap_interval(rng.normal(0.0, 0.01, 200))
    assert low < 0 < high


@pytest.mark.parametrize(("values", "confidence"), [([], 0.95), ([0.1], 1.0), ([0.1], 0.0)])
def test_intervals_of_nothing_are_refused(values, confidence):
    with pytest.raises(ValueError, match="at least one|between 0 and 1"):
        bootstrap_interval(values, confidence=confidence)
