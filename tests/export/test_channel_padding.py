"""Padded graphs compute what the graphs they come from compute."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, numpy_helper

from pfld import reparameterize
from pfld.export import onnx as export
from pfld.export.channel_padding import pad_channels
from support.networks import METADATA, network_of


def landmarks(model):
    crops = np.random.default_rng(1).uniform(-1, 1, (3, 3, 96, 96)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(["landmarks"], {"crops": crops})[0]


@pytest.mark.slow
@pytest.mark.parametrize("head", ["regression", "heatmap"])
@pytest.mark.parametrize("name", ["pfld", "ghostnet", "ghostone"])
def test_padded_graph_finds_the_same_points(name, head):
    # At this width Ghost modules make a channel too many and cut it off.
    metadata = replace(METADATA, network=name, head=head, width_multiplier=0.35)
    model = export._with_pooling(export._traced(reparameterize(network_of(metadata)), 96))
    kinds = {node.op_type for node in model.graph.node}
    assert name == "pfld" or "Slice" in kinds
    before = model.SerializeToString()
    padded = pad_channels(model)
    assert model.SerializeToString() == before
    kernels = [
        item.dims[0]
        for item in padded.graph.initializer
        if len(item.dims) == 4 and item.name != "network.heatmap.maps.weight"
    ]
    assert kernels and not any(channels % 4 for channels in kernels)
    scale = np.abs(landmarks(model)).max()
    assert_allclose(landmarks(padded) / scale, landmarks(model) / scale, atol=1e-5, rtol=0)
    assert pad_channels(padded) == padded


def test_unknown_operators_between_convolutions_are_refused():
    kernel = numpy_helper.from_array(np.zeros((5, 3, 1, 1), np.float32), "kernel")
    second = numpy_helper.from_array(np.zeros((2, 5, 1, 1), np.float32), "second")
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["y"]),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, 8, 8])
        for name, channels in (("x", 3), ("y", 2))
    ]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [kernel, second])
    with pytest.raises(ValueError, match="Sigmoid"):
        pad_channels(helper.make_model(graph))


def test_what_follows_the_last_convolution_sees_it_unpadded():
    kernel = numpy_helper.from_array(np.ones((5, 3, 1, 1), np.float32), "kernel")
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"]),
        helper.make_node("Softmax", ["a"], ["y"], axis=1),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, 8, 8])
        for name, channels in (("x", 3), ("y", 5))
    ]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [kernel])
    padded = pad_channels(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))
    assert padded.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 5
