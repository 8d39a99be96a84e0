"""ONNX files equal PyTorch, say what they are, and are written whole or not at all."""

import copy
from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose

from pfld import build_network, reparameterize
from pfld.__main__ import main
from pfld.export import onnx as export
from pfld.export.onnx import export_onnx
from pfld.preprocess import Preprocessing
from pfld.runtime.backends import load_backend, load_own_backend
from pfld.synthetic.faces import synthetic_faces
from pfld.weights import WeightMetadata, save_weights
from support.networks import METADATA, network_of, predict_landmarks


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network, left in training mode before it is exported, and its file."""
    network = network_of().train()
    path = tmp_path_factory.mktemp("onnx") / "a.onnx"
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert export_onnx(network, path, METADATA) < 1e-3
    assert network.training and all(
        torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items()
    )
    return network.eval(), path


@pytest.mark.parametrize("count", [1, 5])
def test_file_gives_the_points_of_the_train_time_network(exported, count):
    network, path = exported
    crops = np.random.default_rng(9).uniform(-1, 1, (count, 3, 96, 96)).astype(np.float32)
    (actual,) = onnxruntime.InferenceSession(path).run(["landmarks"], {"crops": crops})
    with torch.inference_mode():
        expected = network(torch.from_numpy(crops)).numpy().reshape(count, 98, 2)
    assert_allclose(actual * 96, expected * 96, atol=1e-3, rtol=0)


def test_file_says_what_it_is_and_nothing_about_this_machine(exported):
    _, path = exported
    props = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    assert WeightMetadata.from_strings(props) == replace(METADATA, form="reparameterized")
    assert b"site-packages" not in path.read_bytes() and b"/pfld/" not in path.read_bytes()
    assert [file.name for file in path.parent.iterdir()] == ["a.onnx"]


def test_graph_has_the_convolutions_of_the_fused_network_in_whole_blocks(exported):
    network, path = exported
    graph = onnx.load(path).graph
    kinds = Counter(node.op_type for node in graph.node)
    fused = reparameterize(network).modules()
    kernels = [item for item in graph.initializer if len(item.dims) == 4]
    whole = {item.name.split(".part")[0] for item in kernels}  # some are split by input channels
    assert len(whole) == sum(isinstance(module, torch.nn.Conv2d) for module in fused)
    assert not {"BatchNormalization", "ReduceMean", "Slice"} & set(kinds)
    assert len(kernels) == kinds["Conv"] and all(item.dims[0] % 4 == 0 for item in kernels)
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param


UNEVEN = replace(METADATA, preprocessing=Preprocessing(96, "bgr", (0.4, 0.5, 0.6), (0.2, 0.3, 0.5)))


@pytest.fixture(scope="module")
def self_contained(tmp_path_factory):
    path = tmp_path_factory.mktemp("pixels") / "a-uint8.onnx"
    other = path.with_name("a.onnx")
    assert export_onnx(network_of(UNEVEN), other, UNEVEN, self_contained=path) < 1e-3
    return path


def test_self_contained_file_takes_pictures_and_gives_pixels(self_contained):
    crops = synthetic_faces(5, size=96).crops
    session = onnxruntime.InferenceSession(self_contained)
    (actual,) = session.run(["landmarks_px"], {"crops_rgb": crops})
    expected = 96 * predict_landmarks(network_of(UNEVEN), crops, UNEVEN.preprocessing)
    assert actual.dtype == np.float32
    assert_allclose(actual, expected, atol=1e-3, rtol=0)


def test_self_contained_file_says_so_and_is_predicted_with(self_contained):
    crops = synthetic_faces(3, size=96).crops
    backend = load_own_backend(self_contained)
    assert backend.metadata == replace(UNEVEN, form="reparameterized", interface="uint8-crops")
    expected = predict_landmarks(network_of(UNEVEN), crops, UNEVEN.preprocessing)
    assert_allclose(backend.predict(crops), expected, atol=1e-5, rtol=0)
    assert backend.predict(crops[:0]).shape == (0, 98, 2)
    with pytest.raises(ValueError, match="uint8"):
        backend.predict(crops.astype(np.float32))
    with pytest.raises(ValueError, match="use predict"):
        load_backend(self_contained)(UNEVEN.preprocessing(crops))


@pytest.mark.parametrize("interface", ["normalised-crops", "uint8-crops"])
def test_file_that_is_not_what_it_says_is_refused(tmp_path, exported, self_contained, interface):
    model = onnx.load(self_contained if interface == "normalised-crops" else exported[1])
    strings = replace(METADATA, form="reparameterized", interface=interface).to_strings()
    onnx.helper.set_model_props(model, strings)
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(ValueError, match="must take and return"):
        load_own_backend(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (METADATA, "differs from the network by 0.0"),
        (replace(METADATA, landmark_scheme="ibug-68"), "68 landmarks"),
        (replace(METADATA, preprocessing=Preprocessing(112)), "112 pixels"),
    ],
    ids=["other-weights", "landmarks", "size"],
)
def test_what_does_not_match_is_not_written(tmp_path, monkeypatch, exported, metadata, message):
    network, path = exported
    network = copy.deepcopy(network)
    network.fc.bias.data[0] += 1e-3  # 0.096 pixels
    monkeypatch.setattr(export, "_traced", lambda *_: onnx.load(path))
    with pytest.raises(ValueError, match=message):
        export_onnx(network, tmp_path / "a.onnx", metadata)
    assert not list(tmp_path.iterdir())


def test_command_exports_without_chatter(tmp_path, capfd):
    metadata = replace(METADATA, network="ghostnet")  # has plain batch norms to fold
    save_weights(tmp_path / "small.safetensors", network_of(metadata), metadata)
    arguments = ["--weights", str(tmp_path / "small.safetensors"), "--out", str(tmp_path / "out")]
    assert main(["export", *arguments, "--self-contained"]) == 0
    output = capfd.readouterr()
    assert "small.onnx" in output.out and "small-uint8.onnx" in output.out and output.err == ""
    for name in ("small.onnx", "small-uint8.onnx"):
        graph = onnx.load(tmp_path / "out" / name).graph
        assert "BatchNormalization" not in {node.op_type for node in graph.node}


def test_command_refuses_in_one_line(tmp_path, capsys):
    torch.save(build_network("pfld", width_multiplier=0.25).fc.state_dict(), tmp_path / "a.pth")
    assert main(["export", "--weights", str(tmp_path / "a.pth"), "--out", str(tmp_path)]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("error: ") and output.err.count("\n") == 1
