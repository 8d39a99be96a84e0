"""ONNX files equal PyTorch, say what they are, and are written whole or not at all."""

import copy
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose
from test_folding import randomise

from pfld import build_network, export
from pfld.__main__ import main
from pfld.export import export_onnx
from pfld.preprocess import Preprocessing
from pfld.weights import WeightMetadata, save_weights

METADATA = WeightMetadata(
    "ghostone", Preprocessing(96), width_multiplier=0.25, num_conv_branches=2, metrics={"nme": 0.25}
)


def network_of(metadata=METADATA):
    torch.manual_seed(0)
    network = metadata.build()
    randomise(network)
    # As in a trained network, maps keep their scale.
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.mul_(0.4)
    return network.eval()


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


def test_graph_has_no_batch_norm_and_a_free_batch(exported):
    graph = onnx.load(exported[1]).graph
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param


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
    assert main(["export", *arguments]) == 0
    output = capfd.readouterr()
    assert "small.onnx" in output.out and output.err == ""
    graph = onnx.load(tmp_path / "out" / "small.onnx").graph
    assert "BatchNormalization" not in {node.op_type for node in graph.node}


def test_command_refuses_in_one_line(tmp_path, capsys):
    torch.save(build_network("pfld", width_multiplier=0.25).fc.state_dict(), tmp_path / "a.pth")
    assert main(["export", "--weights", str(tmp_path / "a.pth"), "--out", str(tmp_path)]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("error: ") and output.err.count("\n") == 1
