"""Graphs without concatenations compute what the graphs they come from compute."""

from collections import Counter
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto, checker, helper, numpy_helper, shape_inference

from pfld import reparameterize
from pfld.export import onnx as export
from pfld.export.channel_padding import pad_channels
from pfld.export.concatenations import join_concatenations, split_concatenations
from support.networks import METADATA, network_of


def outputs(model, shape=(3, 3, 96, 96)):
    crops = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: crops})


def kinds(model):
    return Counter(node.op_type for node in model.graph.node)


def readers_of_concatenations(model):
    joined = {node.output[0] for node in model.graph.node if node.op_type == "Concat"}
    return Counter(node.op_type for node in model.graph.node if joined.intersection(node.input))


def graph_of(nodes, weights, outputs):
    """A checked graph of eight-pixel maps, from ``x`` of 4 channels to outputs of these channels."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, 8, 8])
        for name, channels in (("x", 4), *outputs.items())
    ]
    initializers = [numpy_helper.from_array(np.float32(w), name) for name, w in weights.items()]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    model = shape_inference.infer_shapes(model, strict_mode=True)
    checker.check_model(model, full_check=True)
    return model


def kernels(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("head", ["regression", "heatmap"])
@pytest.mark.parametrize("name", ["ghostnet", "ghostone"])
def test_networks_find_the_same_points_without_concatenations_and_with_them_again(name, head):
    metadata = replace(METADATA, network=name, head=head, width_multiplier=0.35)
    traced = export._with_pooling(export._traced(reparameterize(network_of(metadata)), 96))
    padded = pad_channels(traced)
    before = padded.SerializeToString()
    split = split_concatenations(padded)
    joined = join_concatenations(split)
    assert padded.SerializeToString() == before
    assert "Conv" in readers_of_concatenations(padded)
    assert readers_of_concatenations(split).keys() <= {"Add", "Flatten", "Gemm"}
    assert "Conv" in readers_of_concatenations(joined)
    convolutions = [node for node in joined.graph.node if node.op_type == "Conv"]
    dense = sum(all(a.name != "group" or a.i == 1 for a in node.attribute) for node in convolutions)
    padded_dense = [n for n in padded.graph.node if n.op_type == "Conv"]
    assert dense == sum(
        all(a.name != "group" or a.i == 1 for a in n.attribute) for n in padded_dense
    )
    for expected, *others in zip(outputs(padded), outputs(split), outputs(joined)):
        for other in others:
            assert_allclose(
                other / np.abs(expected).max(), expected / np.abs(expected).max(), atol=1e-5
            )


def test_a_strided_depthwise_convolution_keeps_the_parts_apart():
    half, depthwise, last = kernels((2, 4, 1, 1), (6, 1, 3, 3), (5, 6, 1, 1))
    nodes = [
        helper.make_node("Conv", ["x", "half"], ["p"]),
        helper.make_node("Concat", ["p", "x"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "dw", "dw_bias"], ["wide"], group=6, pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["wide"], ["kept"]),
        helper.make_node("Conv", ["kept", "last", "last_bias"], ["y"]),
    ]
    weights = {
        **{"half": half, "dw": depthwise, "last": last},
        **{"dw_bias": np.arange(6), "last_bias": np.arange(5)},
    }
    model = graph_of(nodes, weights, {"y": 5})
    split = split_concatenations(model)
    assert kinds(split) == {"Conv": 5, "Relu": 2, "Add": 1}
    assert_allclose(outputs(split, (2, 4, 8, 8)), outputs(model, (2, 4, 8, 8)), atol=1e-4)
    joined = join_concatenations(split)
    assert kinds(joined) == {"Conv": 4, "Relu": 2, "Concat": 1}
    assert_allclose(outputs(joined, (2, 4, 8, 8)), outputs(model, (2, 4, 8, 8)), atol=1e-4)


def test_nested_concatenations_become_one_sum():
    first, last = kernels((2, 4, 1, 1), (3, 10, 3, 3))
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["p"]),
        helper.make_node("Concat", ["p", "x"], ["inner"], axis=1),
        helper.make_node("Concat", ["x", "inner"], ["outer"], axis=1),
        helper.make_node("Conv", ["outer", "last"], ["y"], pads=[1, 1, 1, 1]),
    ]
    model = graph_of(nodes, {"first": first, "last": last}, {"y": 3})
    split = split_concatenations(model)
    assert kinds(split) == {"Conv": 4, "Add": 2}
    assert_allclose(outputs(split, (2, 4, 8, 8)), outputs(model, (2, 4, 8, 8)), atol=1e-4)
    joined = join_concatenations(split)
    assert kinds(joined)["Conv"] == 2
    assert_allclose(outputs(joined, (2, 4, 8, 8)), outputs(model, (2, 4, 8, 8)), atol=1e-4)


def test_a_concatenation_that_another_operator_reads_is_written_once():
    first, last = kernels((2, 4, 1, 1), (3, 6, 1, 1))
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["p"]),
        helper.make_node("Concat", ["p", "x"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "last"], ["y"]),
        helper.make_node("Sigmoid", ["both"], ["s"]),
        helper.make_node("Tanh", ["both"], ["t"]),
    ]
    model = graph_of(nodes, {"first": first, "last": last}, {"y": 3, "s": 6, "t": 6})
    split = split_concatenations(model)
    assert kinds(split) == {"Conv": 3, "Add": 1, "Concat": 1, "Sigmoid": 1, "Tanh": 1}
    for made, expected in zip(outputs(split, (2, 4, 8, 8)), outputs(model, (2, 4, 8, 8))):
        assert_allclose(made, expected, atol=1e-4)


def test_sums_that_are_read_elsewhere_or_differ_in_stride_are_not_joined():
    first, second, third = kernels((3, 4, 1, 1), (3, 4, 1, 1), (3, 4, 3, 3))
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"]),
        helper.make_node("Conv", ["x", "second"], ["b"]),
        helper.make_node("Conv", ["x", "third"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["a", "b"], ["y"]),  # "a" is an output as well
        helper.make_node("Add", ["b", "c"], ["z"]),  # "b" is read twice, sizes differ
    ]
    weights = {"first": first, "second": second, "third": third}
    model = graph_of(nodes, weights, {"a": 3, "y": 3, "z": 3})
    assert kinds(join_concatenations(model)) == kinds(model)


def test_a_concatenation_can_be_an_output_of_the_graph():
    first, last = kernels((2, 4, 1, 1), (3, 6, 1, 1))
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["p"]),
        helper.make_node("Concat", ["p", "x"], ["both"], axis=1),
        helper.make_node("Relu", ["both"], ["r"]),
        helper.make_node("Conv", ["r", "last"], ["y"]),
    ]
    model = graph_of(nodes, {"first": first, "last": last}, {"y": 3, "both": 6})
    split = split_concatenations(model)
    for made, expected in zip(outputs(split, (2, 4, 8, 8)), outputs(model, (2, 4, 8, 8))):
        assert_allclose(made, expected, atol=1e-4)
