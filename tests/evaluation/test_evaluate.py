"""Evaluation against answers known in advance, weights of every kind, damaged data, clean output."""

import json
import math
from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
import torch
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, numpy_helper

from pfld.__main__ import main
from pfld.data.annotations import ATTRIBUTES, read_faces
from pfld.data.wflw_writer import write_wflw_layout
from pfld.evaluation.crop_variants import ROBUSTNESS_CURVES
from pfld.evaluation.evaluate import evaluate
from pfld.geometry import FaceCrop
from pfld.landmarks import IBUG_68, WFLW_TO_IBUG
from pfld.preprocess import Preprocessing
from pfld.synthetic.faces import synthetic_faces
from pfld.weights import WeightMetadata, save_weights

SMALL = WeightMetadata("pfld", Preprocessing(96, crop_scale=1.3), width_multiplier=0.25)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    write_wflw_layout(synthetic_faces(5, size=128, seed=3), folder, split="test")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    torch.manual_seed(0)
    save_weights(path, SMALL.build(), SMALL)
    return path


def in_file_order(folder):
    """Faces in the order they are evaluated in, and their crops."""
    faces = sorted(read_faces(folder, "test"), key=lambda face: face.image_path)
    return faces, [FaceCrop.around(face.landmarks_px, scale=1.3) for face in faces]


@pytest.fixture
def any_graph(monkeypatch):
    """Files that know the answers of so many faces only; others with such a graph are refused."""
    monkeypatch.setattr("pfld.runtime.backends.require_harmless", lambda data: None)


def knowing(path, folder, *, shift=0.0):
    """An ONNX file that knows the right crops' answers, moved by ``shift`` sides in x; its path."""
    faces, crops = in_file_order(folder)
    answer = np.stack([crop.to_crop(face.landmarks_px) for face, crop in zip(faces, crops)])
    answer[..., 0] += shift
    averaging_onnx(path, SMALL.to_strings(), answer=answer)
    return path


def sides_per_eye_distance(folder):
    faces, crops = in_file_order(folder)
    eyes = [np.linalg.norm(face.landmarks_px[60] - face.landmarks_px[72]) for face in faces]
    return np.array([crop.side for crop in crops]) / eyes


@pytest.mark.usefixtures("any_graph")
def test_the_right_answer_has_no_error_and_a_moved_one_its_distance(tmp_path, data):
    right = knowing(tmp_path / "right.onnx", data)
    moved = knowing(tmp_path / "moved.onnx", data, shift=0.02)
    assert evaluate(right, data).report.nme < 1e-5
    assert_allclose(evaluate(moved, data).errors, 0.02 * sides_per_eye_distance(data), rtol=1e-4)


def amounts_and_errors(curve):
    return [(point.amount, point.nme) for point in curve]


@pytest.mark.usefixtures("any_graph")
def test_robustness_moves_crops_by_what_it_says(tmp_path, data):
    curves = evaluate(knowing(tmp_path / "a.onnx", data), data, robustness=True).robustness
    assert {kind: [point.amount for point in curve] for kind, curve in curves.items()} == {
        kind: [jitter.amount for jitter in row] for kind, row in ROBUSTNESS_CURVES.items()
    }
    sides = sides_per_eye_distance(data).mean()
    for amount, nme in amounts_and_errors(curves["shift"]):
        assert_allclose(nme, amount * sides, rtol=1e-4, atol=1e-5)
    faces, crops = in_file_order(data)
    reach = [
        np.linalg.norm(f.landmarks_px - (c.center_x, c.center_y), axis=1).mean() / c.side
        for f, c in zip(faces, crops)
    ]
    mean_reach = np.mean(reach * sides_per_eye_distance(data))
    for amount, nme in amounts_and_errors(curves["scale"]):
        assert_allclose(nme, abs(amount - 1) * mean_reach, rtol=1e-4, atol=1e-5)
    for amount, nme in amounts_and_errors(curves["rotation"]):
        chord = 2 * math.sin(math.radians(amount) / 2)
        assert_allclose(nme, chord * mean_reach, rtol=1e-4, atol=1e-5)


def test_subsets_are_the_faces_with_the_attribute(data, weights):
    result = evaluate(weights, data)
    faces, _ = in_file_order(data)
    has = np.stack([face.attributes for face in faces]).astype(bool)
    assert result.subsets
    assert list(result.subsets) == [name for name, any_ in zip(ATTRIBUTES, has.any(0)) if any_]
    for name, subset in result.subsets.items():
        chosen = has[:, ATTRIBUTES.index(name)]
        assert subset.count == chosen.sum()
        assert_allclose(subset.nme, result.errors[chosen].mean())


@pytest.mark.usefixtures("any_graph")
def test_a_network_of_98_points_is_measured_in_68(tmp_path, data):
    faces, _ = in_file_order(data)
    (tmp_path / "test").mkdir()
    for number, face in enumerate(faces):
        picture = tmp_path / "test" / f"{number}.png"
        picture.write_bytes(face.image_path.read_bytes())
        points = face.landmarks_px[list(WFLW_TO_IBUG)]
        lines = "\n".join(f"{x} {y}" for x, y in points)
        picture.with_suffix(".pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
    target, crops = in_file_order(tmp_path)
    assert target[0].scheme == IBUG_68
    known = np.zeros((len(faces), 98, 2), np.float32)
    known[:, WFLW_TO_IBUG] = [c.to_crop(face.landmarks_px) for face, c in zip(target, crops)]
    averaging_onnx(tmp_path / "a.onnx", SMALL.to_strings(), answer=known)
    result = evaluate(tmp_path / "a.onnx", tmp_path)
    assert result.report.nme < 1e-5 and result.scheme == IBUG_68 and not result.subsets


def test_published_checkpoints_take_the_channel_order_given(tmp_path, data):
    torch.manual_seed(0)
    network = SMALL.build()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    network(torch.rand(16, 3, 96, 96) * 2 - 1)  # untrained statistics hide the input
    torch.save(network.state_dict(), tmp_path / "a.pth")
    network.conv1[0].weight.data = network.conv1[0].weight.data.flip(1)
    torch.save(network.state_dict(), tmp_path / "flipped.pth")
    bgr = evaluate(tmp_path / "a.pth", data)
    rgb = evaluate(tmp_path / "a.pth", data, channel_order="rgb")
    flipped = evaluate(tmp_path / "flipped.pth", data, channel_order="rgb")
    assert bgr.metadata.preprocessing == Preprocessing(96, "bgr", crop_scale=1.2)
    assert np.abs(bgr.errors - rgb.errors).max() > 1e-3
    assert_allclose(bgr.errors, flipped.errors, atol=1e-5)


def averaging_onnx(path, strings, *, landmarks=98, answer=None):
    """A network that looks at the mean colour alone: point = mean of (r, g) of its input.

    Or, with an ``answer`` for each of some faces, one that gives these whatever it sees.
    """
    pick = np.zeros((3, 2 * landmarks), np.float32)
    if answer is None:
        answer = np.zeros((1, landmarks, 2))
        pick[0, 0::2] = pick[1, 1::2] = 1
    nodes = [
        helper.make_node("GlobalAveragePool", ["crops"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "pick"], ["row"]),
        helper.make_node("Reshape", ["row", "shape"], ["points"]),
        helper.make_node("Add", ["points", "answer"], ["landmarks"]),
    ]
    constants = {
        "pick": pick,
        "shape": np.array([-1, landmarks, 2]),
        "answer": np.asarray(answer, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "averaging",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["N", 3, 96, 96])],
        [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["N", landmarks, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, strings)
    onnx.save(model, path)


def test_onnx_files_are_fed_as_they_say(tmp_path, data):
    strings = replace(
        SMALL, preprocessing=replace(SMALL.preprocessing, channel_order="bgr")
    ).to_strings()
    averaging_onnx(tmp_path / "a.onnx", strings)
    faces, crops = in_file_order(data)
    images = [cv2.imread(str(face.image_path)) for face in faces]
    means = [c.extract(i, 96).mean((0, 1)) / 127.5 - 1 for c, i in zip(crops, images)]  # BGR
    expected = [
        np.linalg.norm(c.to_image(mean[:2]) - face.landmarks_px, axis=1).mean()
        / np.linalg.norm(face.landmarks_px[60] - face.landmarks_px[72])
        for face, c, mean in zip(faces, crops, means)
    ]
    assert_allclose(evaluate(tmp_path / "a.onnx", data).errors, expected, rtol=1e-4)


def run(*arguments):
    return main(["evaluate", *map(str, arguments)])


def test_json_alone_on_standard_output(tmp_path, data, weights, capfd):
    plot = tmp_path / "plot.png"
    options = ("--json", "-", "--robustness", "--plot", plot)
    assert run("--weights", weights, "--data", data, *options) == 0
    output = capfd.readouterr()
    values = json.loads(output.out)
    assert values["count"] == 5 and values["skipped"] == 0
    assert values["protocol"] == "ground-truth" and values["split"] == "test"
    assert {"nme", "failure_rate", "auc", "p50", "p90", "p95", "groups"} <= set(values)
    assert values["robustness"]["scale"][2] == {"amount": 1.0, "nme": values["nme"], "missed": 0}
    assert "NME" in output.err and "\x1b" not in output.err
    assert cv2.imread(str(plot)).std() > 1
    assert run("--weights", weights, "--data", data, "--json", tmp_path / "a.json") == 0
    assert json.loads((tmp_path / "a.json").read_text())["nme"] == values["nme"]
    assert "NME" in capfd.readouterr().out


def test_unreadable_pictures_are_counted_up_to_what_is_allowed(tmp_path, weights, capsys):
    write_wflw_layout(synthetic_faces(3, size=64), tmp_path, split="test")
    faces, _ = in_file_order(tmp_path)
    faces[0].image_path.write_bytes(b"no picture")
    assert run("--weights", weights, "--data", tmp_path) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and "--allow-missing" in error
    options = ("--json", "-", "--allow-missing", "0.4")
    assert run("--weights", weights, "--data", tmp_path, *options) == 0
    output = capsys.readouterr()
    values = json.loads(output.out)
    assert values["skipped"] == 1 and values["count"] == 2
    assert "skipped: " in output.err and faces[0].image_path.name in output.err
    for face in faces:
        face.image_path.unlink()
    assert run("--weights", weights, "--data", tmp_path, "--allow-missing", "1") == 2
    assert "3 of 3 faces" in capsys.readouterr().err


def test_faces_outside_their_pictures_are_skipped(tmp_path, weights):
    write_wflw_layout(synthetic_faces(3, size=64), tmp_path, split="test")
    faces, _ = in_file_order(tmp_path)
    cv2.imwrite(str(faces[1].image_path), np.zeros((8, 8, 3), np.uint8))
    (reason,) = evaluate(weights, tmp_path, allow_missing=0.5).skipped
    assert "test.txt:2: the face lies outside its picture of 8 x 8 pixels" in reason


def test_what_cannot_be_evaluated_is_refused_in_one_line(tmp_path, data, weights, capsys):
    averaging_onnx(tmp_path / "nameless.onnx", {})
    averaging_onnx(tmp_path / "fewer.onnx", SMALL.to_strings(), landmarks=68)
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    cases = [
        (("--weights", tmp_path / "none.onnx", "--data", data), "none.onnx"),
        (("--weights", tmp_path / "junk.onnx", "--data", data), "damaged"),
        (("--weights", tmp_path / "nameless.onnx", "--data", data), "format version"),
        (("--weights", tmp_path / "fewer.onnx", "--data", data), "[98, 2]"),
        (("--weights", tmp_path / "none.safetensors", "--data", data), "no weights at"),
        (("--weights", weights, "--data", tmp_path / "none"), "none"),
        (("--weights", weights, "--data", data, "--split", "spring"), "spring"),
        (("--weights", weights, "--data", data, "--channel-order", "bgr"), "is rgb"),
        (("--weights", weights, "--data", data, "--plot", "a.bmp"), ".png"),
        (("--weights", weights, "--data", data, "--allow-missing", "2"), "0 to 1"),
    ]
    for arguments, message in cases:
        assert run(*arguments) == 2, arguments
        output = capsys.readouterr()
        assert output.out == "" and message in output.err
        assert output.err.startswith("error: ") and output.err.count("\n") == 1


def test_faces_that_cannot_be_normalised_are_named(tmp_path, weights):
    write_wflw_layout(synthetic_faces(2, size=64), tmp_path, split="test")
    path = next(tmp_path.glob("WFLW_annotations/*/*test.txt"))
    lines = [line.split() for line in path.read_text().splitlines()]
    lines[1][144:146] = lines[1][120:122]
    path.write_text("\n".join(" ".join(line) for line in lines))
    with pytest.raises(ValueError, match=r"test\.txt:2: the outer eye corners coincide"):
        evaluate(weights, tmp_path)
    with pytest.raises(ValueError, match="ground-truth"):
        evaluate(weights, tmp_path, protocol="box")
