"""Backends: one call, the same points, clear errors; the ONNX ones without PyTorch."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
import torch
from numpy.testing import assert_allclose

from pfld.export.onnx import export_onnx
from pfld.runtime.backends import load_backend, load_own_backend, torch_threads
from pfld.weights import save_weights
from pfld.weights.shipped import BACKENDS, find_weights
from support.networks import METADATA

OWN = ("train-time", "reparameterized", "onnx")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """A folder with small.safetensors and small.onnx."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    network = METADATA.build()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 1.5)
    save_weights(folder / "small.safetensors", network.eval(), METADATA)
    export_onnx(network, folder / "small.onnx", METADATA)
    return folder


@pytest.fixture
def as_shipped(monkeypatch, shipped):
    monkeypatch.setattr("pfld.weights.shipped.SHIPPED", shipped)


def crops(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 96, 96, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [0, 1, 5, 70])
def test_all_backends_find_the_same_points(as_shipped, count):
    answers = [load_backend("small", name).predict(crops(count)) for name in OWN]
    assert answers[0].shape == (count, 98, 2) and answers[0].dtype == np.float32
    for answer in answers[1:]:
        assert_allclose(answer, answers[0], atol=1e-5)
    if count > 1:  # the faces are not all alike
        assert np.abs(answers[0][0] - answers[0][1]).max() > 1e-4


@pytest.mark.parametrize("name", OWN)
def test_a_call_takes_what_preprocessing_makes(as_shipped, name):
    backend = load_backend("small", name)
    batch = backend.metadata.preprocessing(crops(3))
    assert_allclose(backend(batch), backend.predict(crops(3)))
    for wrong in (batch[0], batch[:, :1], batch.astype(np.float64), crops(1), None):
        with pytest.raises(ValueError, match=r"\(N, 3, 96, 96\)"):
            backend(wrong)


@pytest.mark.parametrize("name", OWN)
def test_threads_may_share_a_backend(as_shipped, name):
    backend = load_backend("small", name)
    inputs = [crops(2, seed) for seed in range(12)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(backend.predict, inputs))
    for given, answer in zip(inputs, together):
        assert_allclose(answer, backend.predict(given), atol=1e-6)


def test_threads_of_pytorch_stay_as_they_were(as_shipped):
    before = torch.get_num_threads()
    load_backend("small", "reparameterized", threads=before + 1).predict(crops(1))
    assert torch.get_num_threads() == before


def test_files_are_taken_for_what_they_are(shipped):
    assert load_own_backend(shipped / "small.onnx").name == "onnx"
    assert load_own_backend(shipped / "small.safetensors").name == "train-time"
    for name, file in (("onnx", "small.safetensors"), ("train-time", "small.onnx")):
        with pytest.raises(ValueError, match=f"the {name} backend cannot read"):
            find_weights(shipped / file, name)


def test_a_reparameterized_file_has_no_train_time_form(shipped, tmp_path):
    from dataclasses import replace

    fused = load_backend(shipped / "small.safetensors", "reparameterized")
    path = tmp_path / "fused.safetensors"
    save_weights(path, fused.network, replace(METADATA, form="reparameterized"))
    assert_allclose(load_own_backend(path).predict(crops(2)), fused.predict(crops(2)), atol=1e-6)
    with pytest.raises(ValueError, match="not a train-time one"):
        load_backend(path, "train-time")


def test_unknown_names_say_what_there_is(as_shipped, tmp_path):
    with pytest.raises(ValueError, match=f"{', '.join(BACKENDS)}, got 'tensorrt'"):
        load_backend("small", "tensorrt")
    with pytest.raises(FileNotFoundError, match="there are small"):
        load_backend("large", "onnx")
    with pytest.raises(FileNotFoundError, match="onnx-int8 backend; there are none"):
        load_backend("small", "onnx-int8")
    with pytest.raises(FileNotFoundError, match="no weight file"):
        load_backend(tmp_path / "nothing.onnx")
    with pytest.raises(ValueError, match="threads"):
        load_backend("small", threads=0)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(ValueError, match="broken.onnx is damaged or no ONNX file"):
        load_backend(path)


@pytest.mark.parametrize("place", ["weights.bin", "../secret", "/etc/hostname"])
def test_tensors_in_other_files_are_not_read(shipped, tmp_path, place):
    model = onnx.load(shipped / "small.onnx")
    onnx.external_data_helper.convert_model_to_external_data(model, location="weights.bin")
    onnx.save(model, tmp_path / "folder.onnx")
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place
    (tmp_path / "face.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="other files"):
        load_backend(str(tmp_path / "face.onnx"), "onnx")


def of_one_crop(model):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def of_doubles(model):
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("ReduceMean", ["crops", "axes"], ["mean"], keepdims=1),
            onnx.helper.make_node("Squeeze", ["mean", "last"], ["flat"]),
            onnx.helper.make_node("Mul", ["flat", "ones"], ["landmarks"]),
        ],
        "doubles",
        model.graph.input,
        model.graph.output,
        [
            onnx.numpy_helper.from_array(value, name)
            for name, value in (
                ("axes", np.array([1, 2, 3])),
                ("last", np.array([3])),
                ("ones", np.ones((1, 98, 2))),
            )
        ],
    )
    model.graph.CopyFrom(graph)


def nameless(model):
    model.metadata_props[0].value = "latin"


@pytest.mark.parametrize(
    "change, message",
    [
        (of_one_crop, "face.onnx cannot be run: .*Expected: 1"),
        (of_doubles, "face.onnx must take and return .*double"),
        (nameless, "face.onnx: .*decode"),
    ],
    ids=["one crop", "doubles", "no text"],
)
def test_a_graph_that_does_not_do_as_it_says_is_named(shipped, tmp_path, capfd, change, message):
    model = onnx.load(shipped / "small.onnx")
    change(model)
    data = model.SerializeToString().replace(b"latin", b"lat\xefn")
    (tmp_path / "face.onnx").write_bytes(data)
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        load_backend(tmp_path / "face.onnx").predict(crops(2))
    assert capfd.readouterr() == ("", "")


def test_onnx_needs_no_torch(shipped):
    code = (
        "import sys, numpy as np\n"
        "from pfld.runtime.backends import load_backend\n"
        f"backend = load_backend({str(shipped / 'small.onnx')!r})\n"
        "assert backend.predict(np.zeros((1, 96, 96, 3), np.uint8)).shape == (1, 98, 2)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_openvino_agrees_where_it_is_installed(shipped):
    pytest.importorskip("openvino")
    path = shipped / "small.onnx"
    expected = load_backend(path).predict(crops(5))
    assert_allclose(load_backend(path, "openvino").predict(crops(5)), expected, atol=1e-4)


def test_without_openvino_the_message_says_what_to_install(shipped, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match="pip install openvino"):
        load_backend(shipped / "small.onnx", "openvino")


def test_threads_are_as_before_once_overlapping_uses_have_ended():
    before = torch.get_num_threads()
    first, second = torch_threads(before + 1), torch_threads(before + 2)
    first.__enter__()
    assert torch.get_num_threads() == before + 1
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.get_num_threads() == before + 2
    second.__exit__(None, None, None)
    assert torch.get_num_threads() == before
