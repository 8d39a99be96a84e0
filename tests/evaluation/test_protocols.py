"""Evaluation with the detector's faces: matched, missed, turned."""

import json

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from pfld import FaceLandmarker
from pfld.__main__ import main
from pfld.commands.evaluate import format_evaluation
from pfld.data.annotations import read_faces
from pfld.evaluation.evaluate import evaluate
from pfld.media.pictures import read_picture
from pfld.weights.shipped import find_weights
from support.paths import PORTRAIT

WEIGHTS = find_weights("ghostone", "onnx")


def line(landmarks, name, attributes="0 0 0 0 0 0"):
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    box = " ".join(f"{value:.0f}" for value in (*low, *high))
    points = " ".join(f"{value:.4f}" for value in landmarks.ravel())
    return f"{points} {box} {attributes} {name}\n"


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    """The portrait, annotated with what is found in it, moved by a hundredth of its eye distance, and a
    picture of noise with the same annotation.
    """
    folder = tmp_path_factory.mktemp("protocols")
    (folder / "WFLW_images").mkdir()
    lists = folder / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    lists.mkdir(parents=True)
    portrait = read_picture(PORTRAIT)
    (face,) = FaceLandmarker.from_pretrained(WEIGHTS)(portrait)
    eyes = np.linalg.norm(face.landmarks[60] - face.landmarks[72])
    noise = np.random.default_rng(0).integers(90, 130, portrait.shape, dtype=np.uint8)
    cv2.imwrite(str(folder / "WFLW_images" / "portrait.png"), portrait[..., ::-1])
    cv2.imwrite(str(folder / "WFLW_images" / "noise.png"), noise)
    moved = face.landmarks + np.float32([0.01 * eyes, 0])
    (lists / "list_98pt_rect_attr_test.txt").write_text(
        line(moved, "portrait.png", "0 0 0 0 0 1") + line(moved, "noise.png", "1 0 0 0 0 0")
    )
    return folder


def test_detected_faces_are_compared_and_missed_ones_counted(annotated):
    evaluation = evaluate(WEIGHTS, annotated, protocol="detector")
    assert (evaluation.report.count, evaluation.missed) == (1, 1)
    assert evaluation.report.nme == pytest.approx(0.01, rel=0.1)
    assert set(evaluation.subsets) == {"blur"}
    assert evaluation.to_json()["missed"] == 1
    assert "1 more not detected" in format_evaluation(evaluation)


def test_turned_pictures_give_answers_in_the_picture_as_it_is(annotated):
    evaluation = evaluate(WEIGHTS, annotated, protocol="detector", robustness=True)
    (curve,) = evaluation.robustness.values()
    degrees, errors = [point.amount for point in curve], [point.nme for point in curve]
    assert degrees == [0, 30, 60, 90, 120, 150, 180]
    assert all(point.missed == 1 for point in curve)
    assert_allclose(errors[0], 0.01, rtol=0.1)
    assert max(errors) < 0.1


def test_the_detector_is_handed_the_very_picture_that_was_read(annotated, monkeypatch):
    read, given = [], []

    def read_and_note(path):
        read.append(read_picture(path))
        return read[-1]

    def detect_and_note(self, image_rgb, thorough=False, doubtful=False):
        given.append(image_rgb)
        return []

    monkeypatch.setattr("pfld.evaluation.protocols.read_image", read_and_note)
    monkeypatch.setattr(FaceLandmarker, "detect", detect_and_note)
    with pytest.raises(ValueError, match="none of the 2"):
        evaluate(WEIGHTS, annotated, protocol="detector")
    assert len(given) == len(read) == 2
    assert all(theirs is mine for theirs, mine in zip(given, read))


def test_a_roll_at_which_no_face_is_found_is_no_number(annotated, monkeypatch, tmp_path):
    detect = FaceLandmarker.detect
    upright = read_picture(PORTRAIT).shape
    monkeypatch.setattr(
        FaceLandmarker,
        "detect",
        lambda self, image, thorough=False, doubtful=False: (
            detect(self, image, thorough) if image.shape == upright else []
        ),
    )
    file, plot = tmp_path / "evaluation.json", tmp_path / "plot.png"
    arguments = ["evaluate", "--weights", WEIGHTS, "--data", annotated, "--protocol", "detector"]
    arguments += ["--robustness", "--json", file, "--plot", plot]
    assert main([str(argument) for argument in arguments]) == 0
    curve = json.loads(file.read_text())["robustness"]["roll"]
    assert [point["missed"] for point in curve] == [1, 2, 2, 2, 2, 2, 2]
    assert curve[0]["nme"] == pytest.approx(0.01, rel=0.1)
    assert all(point["nme"] is None for point in curve[1:])


def test_pictures_without_any_detected_face_are_an_error(annotated, tmp_path):
    lists = annotated / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    noise = (lists / "list_98pt_rect_attr_test.txt").read_text().splitlines(keepends=True)[1]
    (lists / "list_98pt_rect_attr_noise.txt").write_text(noise)
    with pytest.raises(ValueError, match="none of the 1 annotated faces was detected"):
        evaluate(WEIGHTS, annotated, "noise", protocol="detector")


@pytest.mark.parametrize(("shift", "factor"), [(0.45, 1.0), (0.0, 0.4), (0.3, 1.6)])
def test_another_face_beside_or_inside_an_annotated_one_is_no_answer(annotated, shift, factor):
    landmarks = read_faces(annotated, "test")[0].landmarks_px
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    middle, side = (low + high) / 2, (high - low).max()
    other = (landmarks - middle) * factor + middle + (shift * side, 0)
    lists = annotated / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    (lists / "list_98pt_rect_attr_other.txt").write_text(
        line(landmarks, "portrait.png") + line(other, "portrait.png")
    )
    evaluation = evaluate(WEIGHTS, annotated, "other", protocol="detector")
    assert (evaluation.report.count, evaluation.missed) == (1, 1)
    assert evaluation.report.nme < 0.02
