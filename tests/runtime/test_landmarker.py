"""FaceLandmarker: the geometry with a network that knows the answer, the portrait with shipped weights."""

import math
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from pfld import FaceLandmarker
from pfld.geometry import FaceCrop
from pfld.head.model import head_points
from pfld.landmarks import WFLW_98
from pfld.runtime.backends import Backend, Prediction
from pfld.runtime.detector import DetectedFace
from pfld.weights.metadata import WeightMetadata
from support.paths import PORTRAIT
from support.portrait import EYES, turned_portrait

SHAPE = head_points()[:, :2]
SHAPE = (SHAPE - (SHAPE.min(axis=0) + SHAPE.max(axis=0)) / 2) / np.ptp(SHAPE, axis=0).max()


def turned(points, degrees):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return points @ np.array([[cos, sin], [-sin, cos]])


class Constant(Backend):
    """Answers the same shape whatever it sees, moved by ``bias`` in x."""

    def __init__(self, bias=0.0):
        super().__init__("constant", Path(), WeightMetadata("ghostone"))
        self.bias = bias
        self.seen = []

    def _run(self, batch):
        self.seen.append(batch)
        answer = np.tile(SHAPE / 1.2 + 0.5, (len(batch), 1, 1)).astype(np.float32)
        answer[..., 0] += self.bias
        return Prediction.of(answer)


class Fixed:
    def __init__(self, *faces):
        self.faces = list(faces)

    def __call__(self, image, thorough=False):
        return self.faces


def detected(x, y, side, degrees=0.0, score=0.9):
    eyes = turned(np.array([[-0.2, -0.15], [0.2, -0.15]]), degrees) * side + (x, y)
    half = side / 2
    box = np.array([x - half, y - half, x + half, y + half], np.float32)
    return DetectedFace(box, score, eyes.astype(np.float32))


@pytest.fixture(scope="module")
def landmarker():
    return FaceLandmarker.from_pretrained()


def pupils(face):
    return face.landmarks[[96, 97]]


@pytest.mark.parametrize("degrees", [0, 30, 90, 179, -120])
def test_crops_are_turned_as_faces_are(degrees):
    landmarker = FaceLandmarker(Constant(), Fixed())
    crop = landmarker.crop_of(detected(300, 200, 100, degrees))
    assert math.degrees(crop.angle) == pytest.approx(degrees, abs=1e-3)
    points = (turned(SHAPE, degrees) * 150 + (300, 200)).astype(np.float32)
    around = landmarker.crop_around(points)
    assert math.degrees(around.angle) == pytest.approx(degrees, abs=1e-3)
    assert around.side == pytest.approx(1.2 * 150, rel=1e-3)
    assert_allclose((around.center_x, around.center_y), (300, 200), atol=0.1)


def test_landmarks_come_in_pixels_of_the_picture_largest_face_first():
    faces = [detected(100, 100, 60), detected(400, 240, 150)]
    found = FaceLandmarker(Constant(), Fixed(*faces))(np.zeros((480, 640, 3), np.uint8))
    assert [face.score for face in found] == [0.9, 0.9]
    sizes = [np.ptp(face.landmarks, axis=0).max() for face in found]
    assert sizes[0] > 2 * sizes[1]
    assert_allclose(found[0].landmarks.mean(axis=0), (400, 250), atol=15)
    assert found[0].landmarks.dtype == np.float32 and found[0].landmarks.shape == (98, 2)


def test_a_mirror_takes_a_bias_out_and_lowers_the_quality():
    image, face = np.zeros((480, 640, 3), np.uint8), detected(320, 240, 150)
    (straight,) = FaceLandmarker(Constant(), Fixed(face))(image)
    biased = FaceLandmarker(Constant(bias=0.03), Fixed(face))
    crop = FaceCrop(320, 240, 200)
    landmarks, quality, _ = biased.locate(image, [crop])
    assert_allclose(landmarks[0].mean(axis=0)[0], 320 + 0.03 * 200, atol=0.1)
    assert straight.quality > 0.99 and quality[0] < 0.01
    (faced,) = biased.refine(image, [face])
    # The first look alone is biased, which moves the crop of the second.
    assert abs(faced.landmarks.mean(axis=0)[0] - 320) < 0.04 * 200


def test_mirrored_pixels_are_what_the_network_sees_second():
    backend = Constant()
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    FaceLandmarker(backend, Fixed()).locate(image, [FaceCrop(56, 56, 112)])
    straight, mirrored = backend.seen[0]
    assert_allclose(mirrored, straight[:, :, ::-1])
    FaceLandmarker(backend, Fixed()).locate(image, [FaceCrop(56, 56, 112)], rate=False)
    assert len(backend.seen[1]) == 1


def test_mirror_pairs_are_those_of_the_scheme():
    symmetric = SHAPE[list(WFLW_98.mirror)] * (-1, 1)
    assert_allclose(symmetric, SHAPE, atol=1e-9)


def test_no_crops_and_no_faces_give_none():
    landmarker = FaceLandmarker(Constant(), Fixed())
    image = np.zeros((50, 60, 3), np.uint8)
    landmarks, quality, uncertainty = landmarker.locate(image, [])
    assert landmarks.shape == (0, 98, 2) and quality.shape == (0,)
    assert uncertainty.shape == (0, 98)
    assert landmarker(image) == [] and landmarker.refine(image, []) == []


def test_the_portrait_has_its_landmarks_where_its_eyes_are(landmarker, portrait):
    (face,) = landmarker(portrait)
    assert_allclose(pupils(face), EYES, atol=7)
    assert face.quality > 0.7 and 0.5 < face.score <= 1
    assert abs(face.pose.yaw) < 40 and abs(face.pose.pitch) < 30


@pytest.mark.parametrize("degrees", range(0, 360, 45))
def test_a_tilted_head_does_as_well_as_an_upright_one(landmarker, portrait, degrees):
    image, expected = turned_portrait(portrait, degrees)
    (face,) = landmarker(image)
    assert_allclose(pupils(face), expected, atol=7)
    roll = math.remainder(face.pose.roll - degrees, 360)
    assert abs(roll) < 20


@pytest.mark.parametrize("kind", ["grey", "channel", "alpha", "16 bit", "strided"])
def test_pictures_of_any_kind_are_understood(landmarker, portrait, kind):
    grey = cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)
    image = {
        "grey": grey,
        "channel": grey[..., None],
        "alpha": np.dstack([portrait, np.full(grey.shape, 255, np.uint8)]),
        "16 bit": portrait.astype(np.uint16) * 257,
        "strided": np.asfortranarray(portrait),
    }[kind]
    (face,) = landmarker(image)
    assert_allclose(pupils(face), EYES, atol=7)


@pytest.mark.parametrize(
    "image",
    [np.full((4, 4, 3), 300.0), np.zeros((4, 4, 2), np.uint8), np.zeros(7, np.uint8), None, "face"],
)
def test_what_is_no_picture_is_refused(landmarker, image):
    with pytest.raises(ValueError, match="picture"):
        landmarker(image)


def test_no_torch_is_needed():
    code = (
        "import sys, numpy as np\n"
        "from pfld import FaceLandmarker\n"
        "from pfld.media.pictures import read_picture\n"
        "landmarker = FaceLandmarker.from_pretrained('ghostone', backend='onnx')\n"
        f"(face,) = landmarker(read_picture({str(PORTRAIT)!r}))\n"
        "assert face.to_dict()['pose']\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Networks that know how unsure they are


class Unsure(Constant):
    """Knows its expected error: ``error`` of the crop's side at every point."""

    def __init__(self, error, bias=0.0):
        super().__init__(bias)
        self.metadata = WeightMetadata("ghostone", head="heatmap")
        self.error = error

    def _run(self, batch):
        found = super()._run(batch)
        return Prediction(found.landmarks, np.full((len(batch), 98), self.error, np.float32))


def test_uncertainty_comes_in_pixels_and_quality_from_it_without_a_mirror():
    image, crop = np.zeros((480, 640, 3), np.uint8), FaceCrop(320, 240, 200)
    eyes = np.linalg.norm(SHAPE[60] - SHAPE[72]) / 1.2
    for error, expected in ((0.03 * eyes, 0.99), (0.1 * eyes, 0.5), (0.3 * eyes, 0.02)):
        backend = Unsure(error, bias=0.03)
        landmarker = FaceLandmarker(backend, Fixed())
        located = landmarker.locate(image, [crop])
        assert_allclose(located.uncertainty, error * 200, rtol=1e-5)
        assert_allclose(located.quality, expected, atol=0.02)
        assert_allclose(landmarker.locate(image, [crop], rate=False).quality, located.quality)
        assert [len(batch) for batch in backend.seen] == [1, 1]


def test_faces_carry_their_points_uncertainty():
    image, face = np.zeros((480, 640, 3), np.uint8), detected(320, 240, 150)
    (found,) = FaceLandmarker(Unsure(0.01), Fixed(face))(image)
    side = 1.2 * np.ptp(found.landmarks, axis=0).max()
    assert_allclose(found.point_uncertainty, 0.01 * side, rtol=0.01)
    assert found.to_dict()["point_uncertainty"] == [round(0.01 * side, 2)] * 98
    (without,) = FaceLandmarker(Constant(), Fixed(face))(image)
    assert without.point_uncertainty is None and "point_uncertainty" not in without.to_dict()


@pytest.mark.parametrize(
    ("error", "score", "found"),
    [(0.01, 0.35, 1), (0.2, 0.35, 0), (0.2, 0.9, 1), (0.01, 0.9, 1), (0.2, 0.55, 0)],
    ids=["sure-points", "unsure-points", "sure-detector", "both", "neither"],
)
def test_what_the_detector_doubts_is_a_face_where_its_points_are_sure(error, score, found):
    image, face = np.zeros((480, 640, 3), np.uint8), detected(320, 240, 150, score=score)
    landmarker = FaceLandmarker(Unsure(error), Fixed(face))
    assert len(landmarker(image)) == found
    assert len(landmarker.detect(image)) == (score > 0.5)
    assert len(landmarker.detect(image, doubtful=True)) == 1


def test_a_high_least_score_leaves_no_room_for_doubt():
    image = np.zeros((480, 640, 3), np.uint8)
    faces = Fixed(detected(320, 240, 150, score=0.7), detected(100, 240, 90, score=0.9))
    (face,) = FaceLandmarker(Unsure(0.01), faces, min_score=0.8)(image)
    assert face.score == 0.9
    assert FaceLandmarker(Unsure(0.01), min_score=0.8).detector.min_score == 0.8
    assert FaceLandmarker(Unsure(0.01)).detector.min_score == 0.3
    assert FaceLandmarker(Constant()).detector.min_score == 0.5


def test_without_uncertainty_the_detector_alone_decides():
    image, face = np.zeros((480, 640, 3), np.uint8), detected(320, 240, 150, score=0.35)
    assert FaceLandmarker(Constant(), Fixed(face))(image) == []


def test_what_is_no_face_takes_no_faces_place():
    image = np.zeros((480, 640, 3), np.uint8)
    faces = Fixed(detected(320, 240, 200, score=0.35), detected(100, 240, 90, score=0.9))
    landmarker = FaceLandmarker(Unsure(0.2), faces)
    landmarker.max_faces = 1
    (face,) = landmarker(image)
    assert face.score == 0.9
    (only,) = landmarker.detect(image)
    assert only.score == 0.9


def test_impossible_numbers_of_faces_are_refused():
    with pytest.raises(ValueError, match="max_faces"):
        FaceLandmarker.from_pretrained(max_faces=0)


# Several detections in one picture


class UnsureWhereBright(Unsure):
    """Knows that it is wrong in crops with anything bright."""

    def __init__(self):
        super().__init__(0.01)

    def _run(self, batch):
        found = super()._run(batch)
        found.uncertainty[batch.max(axis=(1, 2, 3)) > 0.1] = 0.3
        return found


SURE = detected(160, 240, 150)


@pytest.mark.parametrize(
    ("second", "bright", "found"),
    [
        (detected(480, 240, 150, 180), True, 1),
        (detected(480, 240, 150, 180), False, 2),
        (detected(480, 240, 150, 40), True, 2),
        (detected(665, 240, 150), True, 1),
        (detected(665, 240, 150), False, 2),
        (detected(180, 250, 140), False, 1),
    ],
    ids=["upside-down", "sure-upside-down", "tilted", "outside", "sure-outside", "same"],
)
def test_what_is_unlikely_beside_a_sure_face_must_be_sure_too(second, bright, found):
    image = np.zeros((480, 640, 3), np.uint8)
    image[:, 320:] = 255 * bright
    assert len(FaceLandmarker(UnsureWhereBright(), Fixed(SURE, second))(image)) == found
    assert len(FaceLandmarker(UnsureWhereBright(), Fixed(second))(image)) == 1


def test_a_face_with_sure_landmarks_is_right_against_one_that_only_the_detector_is_sure_of():
    image = np.zeros((480, 640, 3), np.uint8)
    image[:, 320:] = 255
    doubted, wrong = detected(160, 240, 150, score=0.35), detected(480, 240, 150, 180)
    (face,) = FaceLandmarker(UnsureWhereBright(), Fixed(wrong, doubted))(image)
    assert face.score == doubted.score


def test_of_two_detections_of_a_face_the_better_stays():
    image = np.zeros((480, 640, 3), np.uint8)
    worse = detected(170, 245, 160, score=0.85)
    (face,) = FaceLandmarker(UnsureWhereBright(), Fixed(worse, SURE))(image)
    assert face.score == SURE.score


def test_a_face_that_the_edge_cuts_gets_more_looks():
    image = np.zeros((480, 640, 3), np.uint8)
    looks = []
    for x in (320, 630):
        backend = Unsure(0.01)
        FaceLandmarker(backend, Fixed()).refine(image, [detected(x, 240, 150)])
        looks.append([len(batch) for batch in backend.seen])
    assert looks == [[1, 2], [1, 1, 1, 1, 2]]
