"""FaceDetector on a public-domain portrait, turned, scaled and repeated."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from pfld.runtime import blazeface
from pfld.runtime import detector as module
from pfld.runtime.detector import DetectedFace, FaceDetector
from support.portrait import EYES, turned_portrait


@pytest.fixture(scope="module")
def detector():
    detector = FaceDetector()
    yield detector
    detector.close()


def noise(height, width):
    values = np.random.default_rng(0).normal(120, 20, (height, width, 3))
    return np.clip(values, 0, 255).astype(np.uint8)


def pasted(portrait, spots, *, height=768, width=1024):
    """Heads of the portrait, each ``spots`` row x, y, size, on noise."""
    picture = noise(height, width)
    for x, y, size in spots:
        head = cv2.resize(portrait[20:220, 126:326], (size, size), interpolation=cv2.INTER_AREA)
        picture[y : y + size, x : x + size] = head
    return picture


@pytest.mark.parametrize("thorough", [False, True])
def test_the_portrait_has_one_face_with_its_eyes_where_they_are(detector, portrait, thorough):
    (face,) = detector(portrait, thorough=thorough)
    assert_allclose(face.eyes, EYES, atol=5)
    assert (face.box[:2] < EYES.min(axis=0)).all() and (face.box[2:] > EYES.max(axis=0)).all()
    assert face.box.dtype == face.eyes.dtype == np.float32
    assert 60 < face.box[2] - face.box[0] < 130
    assert 0.8 < face.score <= 1


@pytest.mark.parametrize("degrees", range(0, 360, 30))
def test_thorough_finds_a_head_at_any_roll_the_right_way_up(detector, portrait, degrees):
    turned, expected = turned_portrait(portrait, degrees)
    (face,) = detector(turned, thorough=True)
    assert_allclose(face.eyes, expected, atol=8)
    own_roll = math.atan2(*(EYES[1] - EYES[0])[::-1])
    difference = math.remainder(face.roll - own_roll - math.radians(degrees), math.tau)
    assert abs(math.degrees(difference)) < 12


def test_thorough_finds_a_crowd_of_every_size(detector, portrait):
    sizes = [90, 100, 110, 120, 130, 140, 150, 160, 170, 180]
    spots = [
        (20 + 195 * (i % 5), 10 + 190 * (i // 5), size) for i, size in enumerate(sizes + sizes)
    ]
    faces = detector(pasted(portrait, spots), thorough=True)
    assert len(faces) == 20
    middles = np.array([(face.box[:2] + face.box[2:]) / 2 for face in faces])
    for x, y, size in spots:
        away = np.abs(middles - (x + size / 2, y + size / 2)).max(axis=1)
        assert away.min() < size / 5


def test_faces_come_largest_first_and_max_faces_keeps_the_largest(detector, portrait):
    picture = pasted(portrait, [(30, 40, 160), (600, 300, 380), (250, 400, 250)])
    faces = detector(picture, thorough=True)
    sides = [face.box[2] - face.box[0] for face in faces]
    assert len(faces) == 3 and sides == sorted(sides, reverse=True)
    largest = FaceDetector(max_faces=1)(picture, thorough=True)
    assert [face.box.tolist() for face in largest] == [faces[0].box.tolist()]


@pytest.mark.parametrize("thorough", [False, True])
def test_a_large_picture_gives_the_same_places_scaled(detector, portrait, thorough):
    large = cv2.resize(portrait, None, fx=9, fy=9)
    (face,) = detector(large, thorough=thorough)
    assert_allclose(face.eyes, EYES * 9, atol=45)


@pytest.mark.parametrize("thorough", [False, True])
def test_folds_of_cloth_are_no_faces(detector, portrait, thorough):
    assert len(detector(cv2.resize(portrait, (640, 480)), thorough=thorough)) == 1


def test_the_eye_on_the_left_of_an_upright_picture_comes_first_in_a_mirror_too(detector, portrait):
    (face,) = detector(portrait[:, ::-1])
    assert_allclose(face.eyes, [(512 - x, y) for x, y in EYES[::-1]], atol=9)


def test_a_box_may_reach_over_the_edge(detector, portrait):
    (face,) = detector(portrait[80:, 200:])
    assert face.box[0] < 0


def test_a_surer_detector_finds_less(portrait):
    assert FaceDetector(min_score=0.99)(portrait) == []
    assert FaceDetector(min_score=0.99)(portrait, thorough=True) == []


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((0, 7, 3), np.uint8),
        np.full((1, 3000, 3), 255, np.uint8),
        np.full((3000, 1, 3), 255, np.uint8),
        np.zeros((480, 640, 3), np.uint8),
        noise(480, 640),
    ],
    ids=["pixel", "empty", "row", "column", "black", "noise"],
)
def test_no_face_gives_an_empty_list(detector, picture, thorough):
    assert detector(picture, thorough=thorough) == []


@pytest.mark.parametrize(
    ("picture", "given"),
    [
        (None, "NoneType"),
        ([[1, 2], [3, 4]], "list"),
        (np.zeros((4, 4), np.uint8), r"\(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
    ],
    ids=["none", "list", "grey", "alpha", "float"],
)
def test_what_is_no_picture_is_refused_by_name(detector, picture, given):
    with pytest.raises(ValueError, match=given):
        detector(picture)


@pytest.mark.parametrize("limits", [{"min_score": 0}, {"min_score": 1.5}, {"max_faces": 0}])
def test_limits_out_of_range_are_refused(limits):
    with pytest.raises(ValueError, match="min_score must be in 0..1, max_faces"):
        FaceDetector(**limits)


def test_any_memory_layout_is_read_and_left_as_it_is(detector, portrait):
    expected = detector(portrait)[0].box
    strided = np.asfortranarray(portrait)
    strided.flags.writeable = False
    assert_allclose(detector(strided)[0].box, expected)
    assert_allclose(strided, portrait)


def test_calls_from_several_threads_and_in_any_order_agree(detector, portrait):
    pictures = [portrait, portrait[:, ::-1], noise(300, 300)] * 8
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector, pictures))
    for picture, faces in zip(pictures, together):
        assert [face.box.tolist() for face in faces] == [
            face.box.tolist() for face in detector(picture)
        ]


def test_a_closed_detector_can_be_called_again(portrait):
    detector = FaceDetector()
    before = detector(portrait)[0].box
    detector.close()
    assert_allclose(detector(portrait)[0].box, before)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux does")
def test_a_detector_computes_in_the_thread_that_calls_it(portrait):
    before = len(os.listdir("/proc/self/task"))
    FaceDetector()(portrait)
    assert len(os.listdir("/proc/self/task")) <= before


def test_a_detector_keeps_its_models_after_an_error(monkeypatch, portrait):
    detector = FaceDetector()
    expected = detector(portrait)[0].box
    with monkeypatch.context() as patched:
        patched.setattr(module, "_glance", lambda models, image: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            detector(portrait)
    monkeypatch.setattr(blazeface, "open_session", None)  # there is nothing to load again
    assert_allclose(detector(portrait)[0].box, expected)


def test_roll_is_clockwise_and_covers_the_whole_turn():
    def roll(*eyes):
        return DetectedFace(np.zeros(4, np.float32), 1.0, np.array(eyes, np.float32)).roll

    assert roll((0, 0), (10, 0)) == 0
    assert roll((0, 0), (10, 10)) == pytest.approx(math.pi / 4)
    assert roll((0, 0), (0, -10)) == pytest.approx(-math.pi / 2)
    assert abs(roll((10, 0), (0, 0))) == pytest.approx(math.pi)


def test_importing_is_light_and_detecting_is_silent_without_torch():
    code = (
        "import sys; from pfld.runtime.detector import FaceDetector\n"
        "assert not {'onnxruntime', 'cv2', 'torch'} & set(sys.modules)\n"
        "import numpy as np; FaceDetector()(np.zeros((99, 99, 3), np.uint8), thorough=True)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def found_by_glance_and_close_look(monkeypatch, glance_score, found, shift=(0, 0, 0, 0)):
    """The search's faces where a glance sees one, and close looks find ``found`` there."""
    box, eyes = np.array([0, 0, 100, 100], np.float32), np.array([[30, 40], [70, 40]], np.float32)
    box += np.float32(shift)
    glance = DetectedFace(box, glance_score, eyes)
    seen = [DetectedFace(box + 10, score, eyes[::-1]) for score in found]
    monkeypatch.setattr(module, "_glance", lambda models, image: [glance])
    monkeypatch.setattr(module, "_views", lambda height, width: [])
    monkeypatch.setattr(module, "_look_closer", lambda models, image, candidate: seen)
    return module._search(SimpleNamespace(min_score=0.3), noise(100, 100))


@pytest.mark.parametrize(("glanced", "kept"), [(0.8, 0.8), (0.6, 0.4)])
def test_a_glance_that_no_close_look_confirms_stays_with_a_score_for_that(
    monkeypatch, glanced, kept
):
    (face,) = found_by_glance_and_close_look(monkeypatch, glanced, [])
    assert face.score == pytest.approx(kept) and face.roll == 0


SHIFTS = {
    "left": (-12, 0, -12, 0),
    "top": (0, -12, 0, -12),
    "right": (12, 0, 12, 0),
    "bottom": (0, 12, 0, 12),
}


@pytest.mark.parametrize("found", [[], [0.35]], ids=["not confirmed", "doubtful"])
@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS.keys())
def test_a_face_that_the_border_cuts_keeps_its_score_at_first_glance(monkeypatch, found, shift):
    (face,) = found_by_glance_and_close_look(monkeypatch, 0.6, found, shift)
    assert face.score == 0.6 and [other.score for other in face.others] == [0.6] * len(found)


def test_a_face_that_the_border_cuts_has_a_better_score_of_a_close_look(monkeypatch):
    (face,) = found_by_glance_and_close_look(monkeypatch, 0.55, [0.65], SHIFTS["top"])
    assert face.score == pytest.approx(0.65)


def test_a_face_that_is_not_certain_has_what_the_glance_saw_there_as_an_alternative(monkeypatch):
    (doubtful,) = found_by_glance_and_close_look(monkeypatch, 0.6, [0.35])
    (other,) = doubtful.others
    assert doubtful.score == other.score == 0.35 and other.roll == 0 and abs(doubtful.roll) > 3
    (certain,) = found_by_glance_and_close_look(monkeypatch, 0.6, [0.75])
    assert certain.score == 0.75 and certain.others == ()
