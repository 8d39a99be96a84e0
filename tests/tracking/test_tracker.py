"""Tracking: who is followed, who keeps which number, and how often the detector runs.

The landmarker is a fake that knows where the faces of a made-up scene are. What a real one makes of
occluded or blurred faces is not tested here.
"""

import copy
import itertools
import math
from dataclasses import dataclass
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pfld.geometry import FaceCrop, box_overlaps
from pfld.head.model import head_points
from pfld.tracking.assignment import assign
from pfld.tracking.smoothing import LandmarkSmoother
from pfld.tracking.track import plausible
from pfld.tracking.tracker import FaceTracker

SIZE_HW = (240, 320)
FPS = 30
SHAPE = head_points()[:, :2]
SHAPE = (SHAPE - SHAPE.mean(axis=0)) / (SHAPE[:, 1].max() - SHAPE[:, 1].min())  # 1 high
# What is found where there is no face: the crop around it is the crop it was found in.
NO_FACE = (SHAPE - (SHAPE.max(axis=0) + SHAPE.min(axis=0)) / 2) / np.ptp(SHAPE, axis=0).max()


@dataclass
class Person:
    """Someone at ``at(time_s)``: x, y and height in pixels, or None while away; the last is in front."""

    at: object
    color: tuple = (200, 150, 120)
    detectable: bool = True

    def landmarks(self, time_s):
        x, y, height = self.at(time_s)
        return SHAPE * height + (x, y)


class Scene:
    """People in front of a background, and a landmarker that finds them."""

    def __init__(self, *people, noise=0.5, background_quality=0.05):
        self.people = list(people)
        self.noise = noise
        self.background_quality = background_quality
        self.false_boxes = []
        self.blind = False  # whether locate sees background only
        self.creep = (1.0, 0.5)  # pixels that points on the background move from frame to frame
        self.time_s = 0.0
        self.detections = self.located = 0
        self.rng = np.random.default_rng(0)

    def image(self, size_hw=SIZE_HW):
        image = np.full((*size_hw, 3), 60, np.uint8)
        for person in self.present():
            x, y, height = person.at(self.time_s)
            cv2.circle(image, (round(x), round(y)), round(height * 0.6), person.color, -1)
        return image

    def present(self):
        return [person for person in self.people if person.at(self.time_s) is not None]

    def visible(self):
        present = self.present()
        for index, person in enumerate(present):
            x, y, height = person.at(self.time_s)
            fronts = [other.at(self.time_s) for other in present[index + 1 :]]
            if all(math.hypot(x - fx, y - fy) > 0.45 * height for fx, fy, _ in fronts):
                yield person

    def detect(self, image_rgb, thorough=False):
        self.detections += 1
        boxes = list(self.false_boxes)
        for person in self.visible():
            x, y, height = person.at(self.time_s)
            if person.detectable:
                boxes.append((x - height / 2, y - 0.6 * height, x + height / 2, y + 0.4 * height))
        return [SimpleNamespace(box=np.array(b, np.float32), score=0.9, roll=0.0) for b in boxes]

    def crop_of(self, detected):
        return FaceCrop.from_box(detected.box, scale=1.5)

    def crop_around(self, landmarks):
        return FaceCrop.around(landmarks, scale=1.2)

    def locate(self, image_rgb, crops, *, rate=True):
        self.located += len(crops)
        landmarks, quality = [], []
        for crop in crops:
            middle = np.array([crop.center_x, crop.center_y])
            near = [
                (math.dist(middle, person.landmarks(self.time_s).mean(axis=0)), index, person)
                for index, person in enumerate(self.visible())
                if 0.5 < person.at(self.time_s)[2] * 1.2 / crop.side < 2
            ]
            distance, _, person = min(near, default=(np.inf, 0, None))
            if self.blind or distance > 0.6 * crop.side:
                points = NO_FACE * crop.side / 1.2 + middle + self.creep
                quality.append(self.background_quality)
            else:
                points = person.landmarks(self.time_s)
                quality.append(0.95)
            landmarks.append(points + self.rng.normal(0, self.noise, points.shape))
        rated = np.array(quality if rate else [np.nan] * len(quality), np.float32)
        return np.array(landmarks, np.float32), rated, np.full((len(crops), 98), np.nan, np.float32)


def play(tracker, scene, until_s, fps=FPS):
    """Faces of each frame up to a time, going on where the scene is."""
    frames = []
    while scene.time_s < until_s - 1e-9:
        frames.append(tracker(scene.image(), scene.time_s))
        scene.time_s += 1 / fps
    return frames


def identity_of(person, faces, scene):
    """The number of the face within a quarter of a face of a person; None when there is none."""
    x, y, height = person.at(scene.time_s)
    for face in faces:
        if (
            math.dist(face.landmarks.mean(axis=0), person.landmarks(scene.time_s).mean(axis=0))
            < height / 4
        ):
            return face.identity
    return None


def still(x, y=120, height=80):
    return lambda time_s: (x, y, height)


def walk(start, speed, height=80, y=120):
    return lambda time_s: (start + speed * time_s, y, height)


@pytest.mark.parametrize("fps", [1.5, 4, 10])
def test_a_face_that_jumps_between_rare_frames_is_found_in_the_same_frame(fps):
    def leaping(time_s):
        return (100 if round(time_s * fps) % 4 < 2 else 220), 120, 80

    scene = Scene(Person(leaping))
    tracker = FaceTracker(scene)
    for _ in range(24):
        faces = tracker(scene.image(), scene.time_s)
        assert identity_of(scene.people[0], faces, scene) is not None
        scene.time_s += 1 / fps


def test_a_still_face_is_followed_with_a_detection_every_half_second():
    scene = Scene(Person(still(160)))
    frames = play(FaceTracker(scene), scene, 10)
    assert [face.identity for faces in frames for face in faces] == [1] * 300
    assert 18 <= scene.detections <= 21
    assert scene.located <= 300 + 2


def test_the_detector_rests_while_no_other_face_could_be_followed():
    scene = Scene(Person(still(80)), Person(still(240)))
    play(FaceTracker(scene, max_faces=1), scene, 3)
    assert scene.detections <= 2
    scene = Scene(Person(still(160)), background_quality=0.45)
    scene.false_boxes, scene.people, scene.creep = [(110, 85, 180, 155)], [], (0, 0)
    play(FaceTracker(scene, max_faces=1), scene, 3)
    assert scene.detections >= 5  # a doubtful face is to be confirmed


def test_without_faces_it_detects_in_every_frame_and_locates_nothing():
    scene = Scene()
    frames = play(FaceTracker(scene), scene, 1)
    assert frames == [[]] * 30
    assert (scene.detections, scene.located) == (30, 0)


def test_a_new_face_is_found_within_the_interval():
    late = Person(lambda time_s: (250, 120, 60) if time_s > 1.2 else None)
    scene = Scene(Person(still(80)), late)
    frames = play(FaceTracker(scene, detect_every_s=0.5), scene, 2)
    assert [len(faces) for faces in frames[:36]] == [1] * 36
    assert [len(faces) for faces in frames[51:]] == [2] * 9


def test_faces_come_largest_first():
    scene = Scene(Person(still(60, height=50)), Person(still(220, height=110)))
    faces = FaceTracker(scene)(scene.image(), 0.0)
    assert [round(np.ptp(face.landmarks[:, 1])) for face in faces] == pytest.approx(
        [110, 50], abs=4
    )


def test_no_more_faces_than_asked_for_and_the_largest_of_them():
    people = [Person(still(40 + 60 * index, height=30 + 10 * index)) for index in range(4)]
    scene = Scene(*people)
    faces = play(FaceTracker(scene, max_faces=2), scene, 2)[-1]
    assert [identity_of(person, faces, scene) is None for person in people] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("speed", [30, 300, 900])
def test_a_moving_face_keeps_its_number_without_further_detections(speed):
    there_and_back = lambda t: (160 + 90 * math.sin(speed / 90 * t), 120, 80)  # noqa: E731
    scene = Scene(Person(there_and_back))
    frames = play(FaceTracker(scene), scene, 3)
    assert [face.identity for faces in frames for face in faces] == [1] * 90
    assert scene.detections <= 7


def test_a_face_that_speeds_up_is_looked_for_where_it_should_be():
    # In the last frame it moves 70 pixels, more than a crop around where it was would show.
    run = Person(lambda t: (40 + 10 * (10 * t) + 7.5 * (10 * t) * (10 * t - 1), 120, 80))
    scene = Scene(run, noise=0)
    frames = play(FaceTracker(scene, detect_every_s=10), scene, 0.55, fps=10)
    assert [face.identity for faces in frames for face in faces] == [1] * 6
    assert scene.detections == 1


def test_rare_frames_do_not_send_the_crop_beyond_a_face_that_turns_back():
    # Six pixels to either side in 1.5 seconds, as heads do: never further apart than 12 pixels.
    scene = Scene(Person(lambda t: (160 + 6 * math.sin(2 * math.pi * t / 1.5), 120, 80)), noise=0.0)
    tracker, rng, furthest = FaceTracker(scene, max_faces=1), np.random.default_rng(0), 0.0
    crop_around = scene.crop_around

    def watched(landmarks):
        nonlocal furthest
        x = scene.people[0].landmarks(scene.time_s)[:, 0].mean()
        furthest = max(furthest, abs(float(landmarks[:, 0].mean()) - x))
        return crop_around(landmarks)

    scene.crop_around = watched
    for _ in range(300):
        scene.time_s += rng.uniform(0.15, 0.9)
        tracker(scene.image(), scene.time_s)
    assert furthest < 20  # at a constant velocity 29


def test_a_lost_face_is_looked_for_at_once():
    jumper = Person(lambda t: (60, 120, 60) if t < 0.02 else (250, 120, 60))
    scene = Scene(Person(still(160, y=60, height=50)), jumper)
    frames = play(FaceTracker(scene, detect_every_s=10), scene, 0.2)
    assert all(len(faces) == 2 for faces in frames)
    assert identity_of(jumper, frames[5], scene) is not None


def test_two_detections_of_one_face_are_one_face():
    scene = Scene(Person(still(160)))
    scene.false_boxes = [(110, 85, 180, 155)]
    assert [len(faces) for faces in play(FaceTracker(scene), scene, 1)] == [1] * 30


def test_faces_that_walk_side_by_side_keep_their_numbers_when_they_part():
    apart = lambda t: 50 + 200 * max(t - 3, 0)  # noqa: E731
    left = Person(lambda t: (60 + 50 * min(t, 3) - apart(t) / 2, 120, 80))
    right = Person(lambda t: (60 + 50 * min(t, 3) + apart(t) / 2, 120, 80))
    scene = Scene(left, right)
    tracker = FaceTracker(scene)
    first = play(tracker, scene, 0.1)[-1]
    before = [identity_of(person, first, scene) for person in (left, right)]
    last = play(tracker, scene, 3.5)[-1]
    assert sorted(before) == [1, 2]
    assert [identity_of(person, last, scene) for person in (left, right)] == before


def test_a_face_that_jumps_across_the_picture_is_found_within_five_frames():
    jumper = Person(lambda t: (70, 120, 60) if t < 1.02 else (250, 120, 60))
    scene = Scene(jumper)
    frames = play(FaceTracker(scene, detect_every_s=10), scene, 1.5)
    assert all(len(faces) == 1 for faces in frames)
    assert_allclose(frames[35][0].landmarks, jumper.landmarks(1.1), atol=4)


@pytest.mark.parametrize("away_s", [0.3, 0.9])
def test_a_face_that_leaves_and_returns_keeps_its_number(away_s):
    visitor = Person(lambda t: None if 1 <= t < 1 + away_s else (250, 120, 70), (90, 160, 60))
    scene = Scene(Person(still(80)), visitor)
    tracker = FaceTracker(scene)
    before = identity_of(visitor, play(tracker, scene, 0.95)[-1], scene)
    during = play(tracker, scene, 1 + away_s)[6:]
    after = identity_of(visitor, play(tracker, scene, 1.3 + away_s)[-1], scene)
    assert during and all(len(faces) == 1 for faces in during)
    assert before == after is not None


def test_a_face_that_leaves_over_the_edge_returns_there():
    visitor = Person(lambda t: (370 - 120 * abs(t - 1), 120, 70))
    scene = Scene(Person(still(80)), visitor)
    tracker = FaceTracker(scene)
    before = identity_of(visitor, play(tracker, scene, 0.2)[-1], scene)
    assert len(play(tracker, scene, 1.0)[-1]) == 1
    after = identity_of(visitor, play(tracker, scene, 1.8)[-1], scene)
    assert before == after is not None


def test_a_face_that_stays_away_is_forgotten():
    visitor = Person(lambda t: None if 1 <= t < 4 else (160, 120, 70))
    scene = Scene(visitor)
    frames = play(FaceTracker(scene), scene, 4.5)
    assert (frames[0][0].identity, frames[-1][0].identity) == (1, 2)


def test_a_stranger_elsewhere_gets_a_number_of_their_own():
    first = Person(lambda t: (70, 120, 70) if t < 1 else None)
    second = Person(lambda t: (250, 120, 70) if t >= 1.3 else None)
    scene = Scene(first, second)
    frames = play(FaceTracker(scene), scene, 2)
    assert (frames[0][0].identity, frames[-1][0].identity) == (1, 2)


LOOKS = [((200, 150, 120), (200, 150, 120)), ((210, 160, 120), (110, 70, 90))]


@pytest.mark.parametrize("colors", LOOKS, ids=["twins", "two people"])
@pytest.mark.parametrize("older_in_front", [False, True], ids=["older behind", "older in front"])
@pytest.mark.parametrize("speed", [80, 200])
def test_faces_that_cross_keep_their_numbers(speed, older_in_front, colors):
    # The walkers start 240 pixels apart, so both are in view, pass and end where the other began.
    left, right = Person(walk(40, speed), colors[0]), Person(walk(280, -speed), colors[1])
    scene = Scene(*((right, left) if older_in_front else (left, right)))
    tracker = FaceTracker(scene)
    first = play(tracker, scene, 0.1)[-1]
    before = [identity_of(person, first, scene) for person in (left, right)]
    last = play(tracker, scene, 240 / speed - 0.02)[-1]
    assert sorted(before) == [1, 2]
    assert [identity_of(person, last, scene) for person in (left, right)] == before


@pytest.mark.parametrize("in_front", [0, 1])
def test_faces_that_meet_and_turn_back_are_told_apart_by_their_looks(in_front):
    swing = lambda t: 100 - 95 * math.sin(math.pi * t / 2)  # noqa: E731
    left = Person(lambda t: (160 - swing(t), 120, 80), (210, 160, 120))
    right = Person(lambda t: (160 + swing(t), 120, 80), (110, 70, 90))
    scene = Scene(*((left, right) if in_front else (right, left)))
    tracker = FaceTracker(scene)
    first = play(tracker, scene, 0.1)[-1]
    before = [identity_of(person, first, scene) for person in (left, right)]
    last = play(tracker, scene, 2)[-1]
    assert sorted(before) == [1, 2]
    assert [identity_of(person, last, scene) for person in (left, right)] == before


def test_never_two_faces_on_one():
    left, right = Person(walk(60, 60)), Person(walk(260, -60))
    scene = Scene(left, right)
    frames = play(FaceTracker(scene), scene, 3.3)
    assert len(frames[0]) == len(frames[-1]) == 2
    for faces in frames:
        boxes = np.array([face.box for face in faces])
        assert (box_overlaps(boxes, boxes) > 0.8).sum() == len(faces)


@pytest.mark.parametrize(
    "quality, creep, until_s",
    [(0.05, (1, 0.5), 0.2), (0.45, (1, 0.5), 1.7), (0.45, (0, 0), 1.7), (0.95, (1, 0.5), 1.7)],
    ids=["bad", "doubtful", "doubtful and still", "good, but running away"],
)
def test_landmarks_on_the_background_are_dropped(quality, creep, until_s):
    scene = Scene(Person(lambda t: (100, 120, 80) if t < 1 else None), background_quality=quality)
    scene.creep = creep
    frames = play(FaceTracker(scene), scene, 1 + until_s + 0.3)
    assert len(frames[29]) == 1
    assert all(not faces for faces in frames[round((1 + until_s) * FPS) :])


def test_a_face_the_detector_misses_is_followed_while_its_landmarks_are_good():
    person = Person(still(160))
    scene = Scene(person)
    tracker = FaceTracker(scene)
    play(tracker, scene, 0.5)
    person.detectable = False
    assert [len(faces) for faces in play(tracker, scene, 6)] == [1] * 165


@pytest.mark.parametrize("quality", [0.05, 0.45], ids=["bad", "doubtful"])
def test_a_false_detection_does_not_last(quality):
    scene = Scene(Person(still(80)), background_quality=quality)
    scene.false_boxes, scene.creep = [(220, 80, 290, 150)], (0, 0)
    tracker = FaceTracker(scene)
    first = tracker(scene.image(), 0.0)
    scene.false_boxes = []
    scene.time_s = 1 / FPS
    last = play(tracker, scene, 2.5)[-1]
    assert len(first) == (1 if quality < 0.3 else 2)
    assert len(last) == 1


def test_a_face_is_lost_after_some_bad_frames_and_found_again_with_its_number():
    scene = Scene(Person(still(160)))
    tracker = FaceTracker(scene)
    play(tracker, scene, 1)
    scene.blind = True
    dark = play(tracker, scene, 1.2)
    scene.blind = False
    light = play(tracker, scene, 1.4)
    assert [len(faces) for faces in dark][4:] == [0, 0]
    assert len(dark[1]) == 1
    assert [[face.identity for face in faces] for faces in light] == [[1]] * 6


def test_landmarks_that_are_not_finite_lose_the_face_without_an_error():
    scene = Scene(Person(still(160)))
    tracker = FaceTracker(scene)
    play(tracker, scene, 0.2)
    scene.noise = np.nan
    assert play(tracker, scene, 0.4)[-1] == []
    scene.noise = 0.5
    assert len(play(tracker, scene, 0.6)[-1]) == 1


@pytest.mark.parametrize("time_s", [12.5, -5.0], ids=["gap", "back"])
def test_after_a_gap_everything_is_detected_anew(time_s):
    scene = Scene(Person(still(160)))
    tracker = FaceTracker(scene, detect_every_s=100)
    play(tracker, scene, 1)
    before, scene.time_s = scene.detections, time_s
    assert [face.identity for face in tracker(scene.image(), time_s)] == [2]
    assert scene.detections == before + 1


def test_another_picture_size_starts_afresh():
    scene = Scene(Person(still(160)))
    tracker = FaceTracker(scene, detect_every_s=10)
    play(tracker, scene, 1)
    before = scene.detections
    tracker(scene.image((480, 640)), scene.time_s)
    assert scene.detections == before + 1


def test_reset_numbers_from_one_again():
    scene = Scene(Person(still(160)))
    tracker = FaceTracker(scene)
    play(tracker, scene, 0.2)
    scene.time_s = 10
    assert tracker(scene.image(), 10)[0].identity == 2
    tracker.reset()
    assert tracker(scene.image(), 10)[0].identity == 1


@pytest.mark.parametrize("step_s", [0.0, -0.01], ids=["repeated", "back"])
def test_times_that_do_not_advance_are_no_trouble(step_s):
    scene = Scene(Person(still(160)))
    tracker = FaceTracker(scene)
    for index in range(30):
        assert len(tracker(scene.image(), 5 + step_s * index)) == 1


def test_smoothing_steadies_landmarks_and_can_be_turned_off():
    scene = Scene(Person(still(160)))
    tracker = FaceTracker(scene, smoothing=False)
    raw = np.stack([faces[0].landmarks for faces in play(tracker, scene, 1)])
    tracker.smoothing = True
    smooth = np.stack([faces[0].landmarks for faces in play(tracker, scene, 2)])
    steps = [np.linalg.norm(np.diff(part, axis=0), axis=2).mean() for part in (raw, smooth)]
    assert steps[1] < 0.3 * steps[0]


def test_score_quality_and_type_are_those_of_a_face():
    scene = Scene(Person(still(160)))
    (face,) = FaceTracker(scene)(scene.image(), 0.0)
    assert (face.score, face.quality) == (pytest.approx(0.9), pytest.approx(0.95))
    assert face.landmarks.shape == (98, 2) and face.landmarks.dtype == np.float32


def test_a_copy_goes_its_own_way_but_shares_the_landmarker():
    scene = Scene(Person(still(160)))
    tracker = FaceTracker(scene)
    tracker(scene.image(), 0.0)
    twin = copy.deepcopy(tracker)
    tracker.reset()
    assert twin.landmarker is scene
    before = scene.detections
    assert twin(scene.image(), 0.03)[0].identity == 1
    assert scene.detections == before


def state_size(value, seen):
    """How many objects a tracker holds on to."""
    if id(value) in seen or isinstance(value, (Scene, int, float, str, bytes, type(None))):
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return value.size
    if isinstance(value, dict):
        parts = value.values()
    else:
        parts = (
            value
            if isinstance(value, (list, tuple, set))
            else getattr(value, "__dict__", {}).values()
        )
    return 1 + sum(state_size(part, seen) for part in parts)


def test_ten_thousand_frames_do_not_grow():
    # Someone comes and goes, so that faces are lost, remembered and forgotten all the time.
    scene = Scene(Person(lambda t: (240, 120, 70) if t % 5 < 2 else None))
    tracker, image, sizes = FaceTracker(scene), scene.image(), []
    for index in range(10_000):
        scene.time_s = index / FPS
        tracker(image, scene.time_s)
        if index % 150 == 149:
            sizes.append(state_size(tracker.__dict__, set()))
    assert max(sizes) == max(sizes[:3])


@pytest.mark.parametrize(
    "image",
    [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3))],
    ids=["grey", "RGBA", "float"],
)
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match=r"RGB \(H, W, 3\) uint8"):
        FaceTracker(Scene())(image, 0.0)


def test_times_and_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="time_s"):
        FaceTracker(Scene())(np.zeros((5, 5, 3), np.uint8), math.inf)
    with pytest.raises(ValueError, match="detect_every_s"):
        FaceTracker(Scene(), detect_every_s=0)
    with pytest.raises(ValueError, match="max_faces"):
        FaceTracker(Scene(), max_faces=0)


@pytest.mark.parametrize(
    "landmarks, expected, answer",
    [
        (SHAPE * 80 + 120, None, True),
        (SHAPE * 80 + 120, SHAPE * 80 + 110, True),
        (SHAPE * 80 + (5, 120), None, True),
        (SHAPE * 80 + (-15, 120), None, False),
        (SHAPE * 80 + 120, SHAPE * 80 + 70, False),
        (SHAPE * 80 + 120, SHAPE * 45 + 120, False),
        (SHAPE * 45 + 120, SHAPE * 80 + 120, False),
        (SHAPE * (80, 20) + 120, None, False),
        (SHAPE * 5 + 120, None, False),
        (np.full((98, 2), 50.0), None, False),
        (np.full((98, 2), np.nan), None, False),
    ],
    ids=[
        "face", "near by", "at the edge", "outside", "elsewhere", "grown", "shrunk", "flat", "tiny",
        "one place", "not finite",
    ],
)  # fmt: skip
def test_what_can_be_a_face(landmarks, expected, answer):
    assert plausible(landmarks, SIZE_HW, expected) == answer


@pytest.mark.parametrize("shape", [(1, 1), (2, 4), (4, 2), (4, 4)])
def test_assignment_is_the_cheapest_of_all(shape):
    rng = np.random.default_rng(shape[0])
    fewer, more = sorted(shape)
    for _ in range(50):
        costs = rng.normal(size=shape)
        ways = itertools.permutations(range(more), fewer)
        flat = costs if shape[0] <= shape[1] else costs.T
        best = min(sum(flat[row, column] for row, column in enumerate(way)) for way in ways)
        pairs = assign(costs)
        assert len(pairs) == fewer
        assert sum(costs[pair] for pair in pairs) == pytest.approx(best)


def test_assignment_leaves_out_what_is_impossible():
    inf = np.inf
    assert assign([[inf, 1.0], [inf, 0.5]]) == [(1, 1)]
    assert assign([[1.0, 100.0], [inf, inf], [0.0, inf]]) == [(0, 1), (2, 0)]
    assert assign(np.full((2, 3), inf)) == []
    assert assign(np.zeros((0, 3))) == assign(np.zeros((3, 0))) == []


def test_assignment_refuses_what_has_no_order():
    with pytest.raises(ValueError, match="NaN"):
        assign([[np.nan]])


def test_overlaps_are_intersection_over_union():
    found = box_overlaps([[0, 0, 2, 2]], [[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [1, 1, 1, 1]])
    assert_allclose(found, [[1, 1 / 3, 0, 0]])
    assert_array_equal(box_overlaps(np.zeros((0, 4)), np.zeros((2, 4))).shape, (0, 2))


@pytest.mark.parametrize(
    "make", [lambda: FaceTracker(Scene()), LandmarkSmoother], ids=["tracker", "smoother"]
)
@pytest.mark.parametrize(
    ("time_s", "error", "message"),
    [
        (None, TypeError, "a number, got NoneType"),
        ("1", TypeError, "a number, got str"),
        ([1.0], TypeError, "a number, got list"),
        (1j, TypeError, "a number, got complex"),
        (10**400, ValueError, "finite, got a number too large"),
        (-(10**5000), ValueError, "finite, got a number too large"),
        (math.nan, ValueError, "finite, got nan"),
        (np.float32(np.inf), ValueError, "finite, got inf"),
    ],
    ids=["none", "text", "list", "complex", "large", "larger", "nan", "infinite"],
)
def test_a_time_that_is_no_time_is_named(make, time_s, error, message):
    call = make()
    given = SHAPE if isinstance(call, LandmarkSmoother) else np.zeros((*SIZE_HW, 3), np.uint8)
    with pytest.raises(error, match=f"time_s must be {message}"):
        call(given, time_s)
    call(given, np.float32(1))
