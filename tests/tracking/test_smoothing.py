"""Smoothing: what it takes from noise, what it leaves of motion, and the figure for flicker.

Faces are the averaged head, seen from the front, with noise added. How much a trained network's own
flicker is cut is not measured here.
"""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pfld.head.model import head_points, project, rotation_from_angles
from pfld.landmarks import WFLW_98, WFLW_TO_IBUG
from pfld.runtime.face import face_size
from pfld.tracking.jitter import JitterMeter, jitter
from pfld.tracking.smoothing import LandmarkSmoother

EYE_DISTANCE = 100.0
FACE = head_points()[:, :2] / 9 * EYE_DISTANCE + 300
LIDS = [61, 62, 63, 69, 70, 71]
FPS = 30


def smooth(frames, *, fps=FPS, **options):
    smoother = LandmarkSmoother(**options)
    return np.stack([smoother(points, index / fps) for index, points in enumerate(frames)])


def noisy(frames, percent, seed=0):
    """White noise of so many per cent of the eye distance, per axis."""
    noise = np.random.default_rng(seed).normal(0, percent / 100 * EYE_DISTANCE, np.shape(frames))
    return frames + noise


def still(count):
    return np.repeat(FACE[None], count, axis=0)


def mean_step(frames):
    return np.linalg.norm(np.diff(frames, axis=0), axis=2).mean()


@pytest.mark.parametrize("fps, least_cut", [(15, 0.65), (30, 0.8), (60, 0.85)])
@pytest.mark.parametrize("percent", [0.25, 0.5, 0.75, 1.0])
def test_noise_on_a_still_face_is_cut(percent, fps, least_cut):
    frames = noisy(still(120), percent)
    smoothed = smooth(frames, fps=fps)
    assert mean_step(smoothed) < (1 - least_cut) * mean_step(frames)


def test_noise_that_all_points_share_is_cut():
    shake = np.random.default_rng(1).normal(0, 0.005 * EYE_DISTANCE, (120, 1, 2))
    frames = noisy(still(120), 0.5) + shake
    assert mean_step(smooth(frames)) < 0.3 * mean_step(frames)


def test_smoothing_does_not_move_a_still_face():
    middle = smooth(noisy(still(200), 0.75))[50:].mean(axis=0)
    assert_allclose(middle, FACE, atol=0.005 * EYE_DISTANCE)


@pytest.mark.parametrize("percent", [0.0, 0.75])
def test_a_jump_of_the_face_settles_within_three_frames(percent):
    jump = np.array([0.3, -0.4]) * EYE_DISTANCE
    frames = noisy(np.concatenate([still(30), still(10) + jump]), percent)
    smoothed = smooth(frames)[30:]
    error = np.linalg.norm((smoothed - FACE - jump).mean(axis=1), axis=1)
    assert (error[2:] < 0.05 * np.linalg.norm(jump)).all()


def test_a_turn_in_the_picture_settles_within_three_frames():
    cos, sin = np.cos(0.4), np.sin(0.4)
    turned = (FACE - 300) @ [[cos, sin], [-sin, cos]] + 300
    frames = noisy(np.concatenate([still(30), np.repeat(turned[None], 3, axis=0)]), 0.5)
    errors = np.linalg.norm(smooth(frames)[-1] - turned, axis=1)
    assert errors.mean() < 0.05 * np.linalg.norm(turned - FACE, axis=1).mean()


@pytest.mark.parametrize("percent", [0.0, 0.75])
@pytest.mark.parametrize("speed", [0.01, 0.05, 0.2, 1.0, 5.0])  # eye distances a second
def test_a_steadily_moving_face_lags_less_than_half_a_per_cent(speed, percent):
    way = speed * EYE_DISTANCE * np.arange(120)[:, None, None] / FPS * np.array([0.6, 0.8])
    frames = still(120) + way
    behind = (frames - smooth(noisy(frames, percent))).mean(axis=1)[30:]
    assert np.linalg.norm(behind.mean(axis=0)) < 0.004 * EYE_DISTANCE
    # Lag in time: half a frame at a fifth of an eye distance a second, nothing to speak of above.
    if speed >= 0.2:
        assert np.linalg.norm(behind.mean(axis=0)) / (speed * EYE_DISTANCE) < 0.5 / FPS


def test_a_shaking_moving_face_lags_less_than_two_per_cent():
    shake = np.random.default_rng(1).normal(0, 0.01 * EYE_DISTANCE, (150, 1, 2))
    frames = still(150) + np.arange(150)[:, None, None] * [0.01 * EYE_DISTANCE, 0]
    behind = (frames - smooth(noisy(frames, 0.5) + shake)).mean(axis=(0, 1))
    assert abs(behind[0]) < 0.02 * EYE_DISTANCE


@pytest.mark.parametrize("percent", [0.0, 0.5, 1.0])
def test_a_blink_is_followed_within_three_frames(percent):
    shut = FACE.copy()
    shut[LIDS, 1] += 0.08 * EYE_DISTANCE
    frames = np.concatenate([still(30), np.repeat(shut[None], 3, axis=0)])
    reached = []
    for seed in range(12):
        smoothed = smooth(noisy(frames, percent, seed))
        reached.append((smoothed[-1] - FACE)[LIDS, 1].mean())
    assert np.mean(reached) == pytest.approx(0.08 * EYE_DISTANCE, rel=0.1)


def test_a_blink_hardly_moves_the_rest_of_the_face():
    shut = FACE.copy()
    shut[LIDS, 1] += 0.08 * EYE_DISTANCE
    moved = smooth(np.concatenate([still(30), np.repeat(shut[None], 5, axis=0)]))[-1] - FACE
    rest = [i for i in range(98) if i not in WFLW_98.groups["eyes"]]
    assert np.abs(moved[rest]).max() < 0.002 * EYE_DISTANCE


def test_a_turning_head_is_no_worse_smoothed_than_not():
    angles = np.deg2rad([[-30 + 2 * i, 0, 0] for i in range(31)])
    frames = np.stack(
        [
            project(head_points(), rotation_from_angles(turn), [0, 0, 75]) * 75 / 9 * EYE_DISTANCE
            for turn in angles
        ]
    )
    measured = noisy(frames, 0.75)
    error = np.linalg.norm(smooth(measured) - frames, axis=2)[5:].mean()
    assert error < np.linalg.norm(measured - frames, axis=2)[5:].mean()


def test_a_face_twice_as_large_behaves_the_same():
    frames = noisy(still(40) + np.arange(40)[:, None, None] * [0.5, 0], 0.75)
    assert_allclose(smooth(2 * frames), 2 * smooth(frames), rtol=1e-5)


def test_where_the_face_is_plays_no_role():
    frames = noisy(still(40), 0.75)
    assert_allclose(smooth(frames + [500, -200]), smooth(frames) + [500, -200], atol=1e-3)


def test_more_strength_smooths_more_and_none_not_at_all():
    frames = noisy(still(60), 0.75)
    steps = [mean_step(smooth(frames, strength=strength)) for strength in (0, 0.5, 1)]
    assert steps[0] == pytest.approx(mean_step(frames), rel=1e-5)
    assert steps[0] > steps[1] > steps[2]


@pytest.mark.parametrize("later", [1.0, -1.0], ids=["gap", "back in time"])
def test_after_a_gap_it_starts_afresh(later):
    smoother = LandmarkSmoother()
    smoother(FACE, 10)
    smoother(FACE, 10.03)
    nearby = FACE + 0.002 * EYE_DISTANCE
    assert_array_equal(smoother(nearby, 10.03 + later), nearby.astype(np.float32))


@pytest.mark.parametrize(
    "times",
    [np.zeros(60), np.repeat(np.arange(30), 2) / 15, np.arange(60) / 30 + 0.02 * (-1) ** np.arange(60)],
    ids=["standing still", "repeated", "stepping back"],
)  # fmt: skip
def test_odd_times_smooth_as_well(times):
    frames = noisy(still(60), 0.75)
    smoother = LandmarkSmoother()
    smoothed = np.stack([smoother(points, time_s) for points, time_s in zip(frames, times)])
    assert np.isfinite(smoothed).all()
    assert mean_step(smoothed) < 0.35 * mean_step(frames)


def test_a_face_is_followed_while_time_stands_still():
    smoother = LandmarkSmoother()
    for points in noisy(still(20), 0.5):
        smoother(points, 7.0)
    for points in noisy(still(3) + 50, 0.5):
        smoothed = smoother(points, 7.0)
    assert_allclose((smoothed - FACE).mean(axis=0), 50, atol=2)


def test_irregular_frames_of_a_moving_face_are_no_noise():
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.choice([1 / 60, 1 / 30, 1 / 10], 100))
    frames = FACE + times[:, None, None] * [EYE_DISTANCE, 0]
    smoother = LandmarkSmoother()
    smoothed = np.stack([smoother(points, time_s) for points, time_s in zip(frames, times)])
    assert_allclose(smoothed[20:], frames[20:], atol=0.01 * EYE_DISTANCE)


def test_landmarks_are_not_changed_and_come_back_as_float32():
    smoother, points = LandmarkSmoother(), FACE.astype(np.float32)
    first = smoother(points, 0.0)
    second = smoother(points + 1, 0.03)
    first += 1000
    assert second.dtype == np.float32
    assert_array_equal(points, FACE.astype(np.float32))
    assert np.abs(smoother(points, 0.06) - points).max() < 2


def test_points_that_are_not_finite_pass_and_are_forgotten():
    smoother, broken = LandmarkSmoother(), FACE.copy()
    broken[3] = np.nan
    smoother(FACE, 0)
    assert_array_equal(smoother(broken, 0.03), broken.astype(np.float32))
    assert_array_equal(smoother(FACE + 1, 0.06), (FACE + 1).astype(np.float32))


def test_68_points_are_smoothed_as_well():
    frames = noisy(still(90)[:, list(WFLW_TO_IBUG)], 0.75)
    assert mean_step(smooth(frames)) < 0.3 * mean_step(frames)


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.zeros((98, 3)), np.zeros(98)])
def test_other_shapes_are_refused(points):
    with pytest.raises(ValueError, match=r"shape \(L, 2\)"):
        LandmarkSmoother()(points, 0.0)


def test_times_and_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="time_s"):
        LandmarkSmoother()(FACE, float("nan"))
    with pytest.raises(ValueError, match="strength"):
        LandmarkSmoother(strength=-1)
    with pytest.raises(ValueError, match="gap_s"):
        LandmarkSmoother(gap_s=0)


def instructions_of(call):
    """How many instructions of Python a call takes; a whole array is one, however long."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def test_more_points_take_no_more_instructions():
    counts = []
    for times in (1, 10):
        *first, last = np.tile(noisy(still(6), 0.75), (1, times, 1))
        smoother = LandmarkSmoother()
        for index, points in enumerate(first):
            smoother(points, index / FPS)
        counts.append(instructions_of(lambda: smoother(last, 6 / FPS)))  # noqa: B023
    assert 100 < counts[0] == counts[1]


def test_the_size_of_the_averaged_head_is_its_eye_distance():
    assert face_size(FACE) == pytest.approx(EYE_DISTANCE, rel=0.02)
    assert face_size(FACE[list(WFLW_TO_IBUG)]) == pytest.approx(EYE_DISTANCE, rel=0.07)
    assert face_size(np.zeros((0, 2))) == 0


def test_jitter_of_white_noise_is_twice_its_deviation():
    assert jitter(noisy(still(400), 1.0)) == pytest.approx(0.02, rel=0.03)


def test_steady_motion_is_no_jitter():
    frames = still(20) + np.arange(20)[:, None, None] * [3.0, -1.0]
    assert jitter(frames) == pytest.approx(0, abs=1e-9)


def test_jitter_is_relative_to_the_face():
    frames = noisy(still(20), 1.0)
    assert jitter(3 * frames) == pytest.approx(jitter(frames))


@pytest.mark.parametrize(
    "frames",
    [still(2), FACE, np.zeros((5, 98, 2)), np.full((5, 98, 2), np.nan), np.zeros((5, 0, 2))],
    ids=["two frames", "one face", "one place", "not finite", "no points"],
)
def test_jitter_of_nothing_measurable_is_refused(frames):
    with pytest.raises(ValueError):
        jitter(frames)


def test_the_meter_shows_the_jitter_of_the_last_frames():
    meter, frames = (
        JitterMeter(frames=10),
        noisy(still(25), 1.0) * np.linspace(1, 2, 25)[:, None, None],
    )
    values = [meter.add(points) for points in frames]
    assert values[:2] == [0, 0]
    assert values[4] == pytest.approx(jitter(frames[:5]))
    assert values[-1] == pytest.approx(jitter(frames[-10:]))


def test_the_meter_starts_afresh_for_another_scheme_and_on_reset():
    meter = JitterMeter()
    for points in noisy(still(5), 1.0):
        meter.add(points)
    assert meter.value > 0
    assert meter.add(FACE[:68]) == 0
    meter.reset()
    assert meter.value == 0


def test_the_meter_passes_over_points_that_are_not_finite():
    meter = JitterMeter()
    for points in noisy(still(5), 1.0):
        meter.add(points)
    assert meter.add(np.full((98, 2), np.nan)) == 0


def test_a_meter_of_two_frames_is_refused():
    with pytest.raises(ValueError, match="frames=2"):
        JitterMeter(frames=2)
