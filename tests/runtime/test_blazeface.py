"""The two face detection models: what they find, against MediaPipe's own answers where it is installed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pfld.geometry import FaceCrop
from pfld.runtime.blazeface import FULL, SHORT, BlazeFace, _merged
from support.portrait import EYES

SIZES = pytest.mark.parametrize("size", [SHORT, FULL])
# What MediaPipe 0.10.21 answers for the portrait, in the order of mp.solutions.face_detection: score, then
# left, top, width and height of the box, in fractions of the picture.
MEDIAPIPE = {
    SHORT: (0.92338, 0.34747, 0.15783, 0.18394, 0.18394),
    FULL: (0.90419, 0.33639, 0.12941, 0.20602, 0.20601),
}


def whole(picture, size):
    return FaceCrop(picture.shape[1] / 2, picture.shape[0] / 2, float(max(picture.shape))).extract(
        picture, size
    )


@SIZES
def test_the_portrait_has_what_mediapipe_finds_there(portrait, size):
    (face,) = BlazeFace(size)(whole(portrait, size))
    score, *box = MEDIAPIPE[size]
    assert face.score == pytest.approx(score, abs=1e-4)
    found = [*(face.center - face.size / 2), *face.size]
    assert_allclose(found, box, atol=0.1 / size)
    assert_allclose(face.eyes * 512, EYES, atol=5)


@SIZES
def test_mediapipe_itself_finds_the_same_faces(portrait, size):
    face_detection = pytest.importorskip("mediapipe.python.solutions.face_detection")
    model = BlazeFace(size)
    with face_detection.FaceDetection(0.5, [SHORT, FULL].index(size)) as theirs:
        for picture in (portrait, portrait[:, ::-1], portrait[40:, 90:400]):
            pixels = whole(picture, size)
            found = theirs.process(pixels).detections or ()
            faces = model(pixels)
            assert len(faces) == len(found) > 0
            for face, other in zip(faces, found):
                box = other.location_data.relative_bounding_box
                expected = [box.xmin, box.ymin, box.width, box.height]
                assert_allclose(face.score, other.score[0], atol=1e-4)
                assert_allclose(
                    [*(face.center - face.size / 2), *face.size], expected, atol=0.1 / size
                )


@SIZES
def test_nothing_is_found_in_black_or_in_noise(size):
    rng = np.random.default_rng(0)
    for picture in (np.zeros((size, size, 3)), rng.integers(0, 256, (size, size, 3))):
        assert BlazeFace(size)(picture.astype(np.uint8)) == []


def places(x, y, side):
    """A box with all its points in its middle."""
    points = np.full((8, 2), (x, y), np.float32)
    points[1] = side
    return points


def test_boxes_that_overlap_become_one_at_their_mean_weighted_by_score():
    scores = np.array([0.6, 0.9, 0.8], np.float32)
    near = [places(0.30, 0.3, 0.2), places(0.32, 0.3, 0.2), places(0.8, 0.7, 0.1)]
    first, second = _merged(scores, np.stack(near))
    assert (first.score, second.score) == (pytest.approx(0.9), pytest.approx(0.8))
    assert_allclose(first.center, [(0.6 * 0.30 + 0.9 * 0.32) / 1.5, 0.3], rtol=1e-5)
    assert_allclose(second.center, [0.8, 0.7], rtol=1e-6)


def test_no_boxes_are_no_faces():
    assert _merged(np.zeros(0, np.float32), np.zeros((0, 8, 2), np.float32)) == []
