"""Int8 files: near the float ones, in the form ONNX Runtime is fast with, saying what they are."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose
from onnx import numpy_helper

from pfld.__main__ import main
from pfld.data.wflw_writer import write_wflw_layout
from pfld.export.calibration import Extremes, calibration_crops, measure_extremes
from pfld.export.concatenations import join_concatenations
from pfld.export.equalization import equalize
from pfld.export.onnx import export_onnx
from pfld.export.onnx_file import landmarks_px
from pfld.export.quantize import quantize_onnx
from pfld.preprocess import Preprocessing
from pfld.runtime.backends import load_own_backend
from pfld.synthetic.faces import synthetic_faces
from pfld.weights import WeightMetadata, save_weights
from support.networks import GHOSTNET, METADATA, PREPROCESSING, settled_network


@pytest.fixture(scope="module")
def crops():
    return synthetic_faces(90, size=96, seed=3).crops


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("float") / "a.onnx"
    export_onnx(settled_network(), path, GHOSTNET)
    return path


@pytest.fixture(scope="module")
def quantized(source, crops):
    target = source.with_name("a-int8.onnx")
    return target, quantize_onnx(source, target, crops)


def found_px(path, crops):
    return 96 * load_own_backend(path).predict(crops)


def test_int8_is_near_float_on_faces_not_seen(source, quantized):
    target, difference = quantized
    unseen = synthetic_faces(40, size=96, seed=9).crops
    in_float, in_int8 = found_px(source, unseen), found_px(target, unseen)
    distances = np.linalg.norm(in_int8 - in_float, axis=2)
    spread = np.linalg.norm(in_float - in_float.mean(axis=0), axis=2).mean()
    assert 0 < distances.mean() < 0.3 * spread
    assert_allclose(difference.mean_px, distances.mean(), rtol=0.3)


def test_difference_is_that_on_the_faces_held_out(source, quantized, crops):
    target, difference = quantized
    distances = np.linalg.norm(found_px(target, crops[::5]) - found_px(source, crops[::5]), axis=2)
    assert difference.faces == len(crops[::5]) == 18
    assert_allclose(difference.mean_px, distances.mean(), rtol=1e-4)
    assert_allclose(difference.largest_px, distances.max(), rtol=1e-4)


def test_points_are_not_moved_all_alike(source, quantized, crops):
    fitted = np.delete(crops, np.s_[::5], axis=0)
    shifts = (found_px(quantized[0], fitted) - found_px(source, fitted)).mean(axis=0)
    assert_allclose(shifts, 0, atol=1e-3)


def test_batches_give_what_single_crops_give(quantized, crops):
    together = found_px(quantized[0], crops[:5])
    alone = np.concatenate([found_px(quantized[0], crops[i : i + 1]) for i in range(5)])
    assert_allclose(together, alone, atol=0.05)


def test_file_says_that_it_is_int8_and_whose_metrics_it_has(quantized):
    target, difference = quantized
    metadata = load_own_backend(target).metadata
    assert metadata == replace(
        GHOSTNET,
        form="reparameterized",
        precision="int8",
        metrics={
            "float32_nme": 0.25,
            "difference_from_float32_px": difference.mean_px,
            "largest_difference_from_float32_px": difference.largest_px,
        },
    )
    assert [path.name for path in target.parent.glob("*int8*")] == [target.name]


def test_stem_and_what_the_head_reads_stay_float(quantized):
    kinds = {}
    for item in onnx.load(quantized[0]).graph.initializer:
        name = re.sub(r"\.part\d", "", item.name.removesuffix("_quantized"))
        if name.endswith("weight"):
            kinds.setdefault(item.data_type, set()).add(name.removeprefix("network."))
            # 7 bits: CPUs without VNNI add two products of 8 bits in 16.
            in_float = item.data_type == onnx.TensorProto.FLOAT
            assert in_float or len(item.dims) < 4 or item.dims[0] % 16 == 0
            assert in_float or np.abs(numpy_helper.to_array(item).astype(int)).max() == 64
    assert kinds.keys() == {onnx.TensorProto.FLOAT, onnx.TensorProto.INT8}
    assert kinds[onnx.TensorProto.FLOAT] == {
        "conv1.0.weight",
        "conv2.0.weight",
        "conv5_4.ghost_conv.2.primary_conv.0.weight",
        "conv5_4.ghost_conv.2.cheap_operation.0.weight",
        "conv8.0.weight",
        "fc.weight",
    }
    assert len(kinds[onnx.TensorProto.INT8]) == 54


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "in_float", "conversions"),
    [("ghostnet", 5, 3), ("ghostone", 5, 2), ("pfld", 4, 1)],
)
def test_onnx_runtime_runs_whole_stretches_in_int8(
    tmp_path, source, quantized, crops, name, in_float, conversions
):
    """A scale out of place would leave convolutions in float, between conversions."""
    target = quantized[0]
    if name != "ghostnet":
        metadata = replace(METADATA, network=name)
        source, target = tmp_path / "a.onnx", tmp_path / "a-int8.onnx"
        export_onnx(settled_network(metadata), source, metadata)
        quantize_onnx(source, target, crops[:40], tolerance_px=9)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(target, options, providers=["CPUExecutionProvider"])
    joined = join_concatenations(onnx.load(source))
    before = Counter(node.op_type for node in joined.graph.node)
    after = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert after["Conv"] == in_float
    assert after["QLinearConv"] == before["Conv"] - in_float
    assert after["QLinearConcat"] + after["QLinearAdd"] > 0
    assert after["QuantizeLinear"] == conversions
    assert after["DequantizeLinear"] <= before["GlobalAveragePool"] + 1


def test_one_large_channel_costs_no_accuracy(tmp_path, source, quantized, crops):
    model = onnx.load(source)
    ghosts = "network.conv4_2.ghost_conv"
    for name, index, factor in (
        (f"{ghosts}.0.primary_conv.0.weight", 0, 100.0),
        (f"{ghosts}.0.primary_conv.0.weight_bias", 0, 100.0),
        (f"{ghosts}.0.cheap_operation.0.weight", 0, 0.01),
        (f"{ghosts}.2.primary_conv.0.weight.part0", (slice(None), 0), 0.01),
    ):
        (item,) = (item for item in model.graph.initializer if item.name == name)
        values = numpy_helper.to_array(item).copy()
        values[index] *= factor
        item.CopyFrom(numpy_helper.from_array(values, name))
    onnx.save(model, tmp_path / "a.onnx")
    assert_allclose(found_px(tmp_path / "a.onnx", crops), found_px(source, crops), atol=1e-3)
    uneven = quantize_onnx(tmp_path / "a.onnx", tmp_path / "b.onnx", crops)
    assert uneven.mean_px < 1.2 * quantized[1].mean_px


def test_joined_maps_share_their_scale(quantized):
    graph = onnx.load(quantized[0]).graph
    producers = {node.output[0]: node for node in graph.node}
    readers = {name: node for node in graph.node for name in node.input}
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    joints = [
        node
        for node in graph.node
        if node.op_type == "Concat" and producers[node.input[0]].op_type == "DequantizeLinear"
    ]
    assert len(joints) == 21
    for joint in joints:
        ends = [producers[name] for name in joint.input] + [readers[joint.output[0]]]
        scales = [(values[end.input[1]], values[end.input[2]]) for end in ends]
        assert all(scale == scales[0] for scale in scales)


def test_equalized_graph_finds_the_same_points_with_even_channels(source, crops):
    model = join_concatenations(onnx.load(source))
    before = model.SerializeToString()
    extremes = measure_extremes(model, crops[:16], PREPROCESSING)
    reach = {name: extreme.channel_reach(1.0) for name, extreme in extremes.items()}
    equal, divisors = equalize(model, reach)
    assert model.SerializeToString() == before
    expected = landmarks_px(before, GHOSTNET, crops[:8])
    assert_allclose(
        landmarks_px(equal.SerializeToString(), GHOSTNET, crops[:8]), expected, atol=2e-3
    )

    after = measure_extremes(equal, crops[:16], PREPROCESSING)
    for name, extreme in after.items():
        predicted = extremes[name].divided(divisors[name])
        assert_allclose(extreme.high, predicted.high, rtol=1e-3, atol=1e-3)
    joined = [node.output[0] for node in model.graph.node if node.op_type == "Concat"][0]
    uneven, even = (np.log(found[joined].channel_reach(1.0)) for found in (extremes, after))
    alive = np.isfinite(even)
    assert alive.sum() > 10
    assert_allclose(even[alive], 0.25 * uneven[alive], atol=1e-3)


def test_ranges_leave_rare_extremes_out_and_hold_zero():
    low = np.array([[1.0, 2.0]] * 9 + [[-50.0, 2.0]])
    high = np.array([[3.0, 4.0]] * 9 + [[3.0, 90.0]])
    extremes = Extremes(low, high)
    assert_allclose(extremes.range(1.0), (-50, 90))
    low_end, high_end = extremes.range(0.8)
    assert low_end == 0 and high_end == pytest.approx(4)
    assert_allclose(extremes.channel_reach(1.0), [50, 90])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tolerance_px": 1e-6}, "move by"),
        ({"float_layers": ("conv1", "conv99")}, "no layer conv99; layers are conv1"),
        ({"crops": 39}, "at least 40 faces, got 39"),
        ({"source": "a-int8.onnx"}, "int8 with normalised-crops"),
        ({"source": "a-uint8.onnx"}, "float32 with uint8-crops"),
        ({"source": "bare.onnx"}, "format version"),
        ({"source": "older.onnx"}, "export it again"),
    ],
    ids=["far-off", "layer", "faces", "int8", "self-contained", "foreign", "older"],
)
def test_what_cannot_be_quantized_is_refused(tmp_path, source, quantized, crops, change, message):
    for name, about in (
        ("a-uint8.onnx", replace(GHOSTNET, interface="uint8-crops").to_strings()),
        ("bare.onnx", {}),
    ):
        model = onnx.load(source)
        onnx.helper.set_model_props(model, about)
        onnx.save(model, source.with_name(name))
    model = onnx.load(source)
    for node in model.graph.node:
        node.op_type = node.op_type.replace("GlobalAveragePool", "ReduceMean")
    onnx.save(model, source.with_name("older.onnx"))
    change = dict(change)
    given = source.with_name(change.pop("source", source.name))
    with pytest.raises(ValueError, match=message):
        quantize_onnx(given, tmp_path / "b.onnx", crops[: change.pop("crops", 45)], **change)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    write_wflw_layout(synthetic_faces(45, size=112), folder, split="train")
    return folder


def test_calibration_takes_evenly_spaced_training_faces(data):
    every = calibration_crops(data, PREPROCESSING, count=100)
    assert every.shape == (45, 96, 96, 3) and every.dtype == np.uint8
    assert (calibration_crops(data, PREPROCESSING, count=3) == every[[0, 22, 44]]).all()
    wider = calibration_crops(data, Preprocessing(96, crop_scale=1.75), count=1)
    assert not (wider[0] == every[0]).all()


@pytest.mark.slow
def test_command_writes_int8_beside_float(tmp_path, data, capfd):
    save_weights(tmp_path / "small.safetensors", settled_network(), GHOSTNET)
    arguments = ["--weights", str(tmp_path / "small.safetensors"), "--out", str(tmp_path / "out")]
    assert main(["export", *arguments, "--int8", "--calibration", str(data)]) == 0
    output = capfd.readouterr()
    assert output.err == "" and "small-int8.onnx" in output.out and "9 held-out faces" in output.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "small-int8.onnx",
        "small.onnx",
    ]


def test_command_without_calibration_faces_writes_nothing(tmp_path, capsys):
    save_weights(tmp_path / "small.safetensors", settled_network(), GHOSTNET)
    arguments = ["--weights", str(tmp_path / "small.safetensors"), "--out", str(tmp_path / "out")]
    assert main(["export", *arguments, "--int8", "--calibration", str(tmp_path / "none")]) == 2
    assert "no folder at" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", [["--int8"], ["--calibration", "."]], ids=["int8", "folder"])
def test_command_wants_int8_and_calibration_together(tmp_path, capsys, option):
    arguments = ["--weights", str(tmp_path / "a.safetensors"), "--out", str(tmp_path / "out")]
    assert main(["export", *arguments, *option]) == 2
    assert "--int8 and --calibration" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_files_from_before_int8_load_and_unknown_kinds_do_not():
    strings = WeightMetadata("ghostone").to_strings()
    older = {k: v for k, v in strings.items() if k not in ("precision", "interface")}
    assert WeightMetadata.from_strings(older) == WeightMetadata("ghostone")
    for name in ("precision", "interface"):
        with pytest.raises(ValueError, match=f"{name} must be one of"):
            WeightMetadata.from_strings(strings | {name: "int3"})


def test_maps_that_nothing_reads_are_left_alone():
    """A convolution may make an output of the graph."""
    nodes = [
        onnx.helper.make_node("Conv", ["crops", "kernel"], ["a"]),
        onnx.helper.make_node("Conv", ["a", "kernel"], ["b"]),
    ]
    ports = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 3, 8, 8])
        for name in ("crops", "b")
    ]
    kernel = onnx.numpy_helper.from_array(np.eye(3, dtype=np.float32)[..., None, None], "kernel")
    graph = onnx.helper.make_graph(nodes, "a", ports[:1], ports[1:], [kernel])
    reach = {name: np.float32([1, 2, 4]) for name in ("crops", "a", "b")}
    _, divisors = equalize(onnx.helper.make_model(graph), reach)
    assert_allclose(divisors["b"], 1)
    assert divisors["a"][2] > divisors["a"][0]
