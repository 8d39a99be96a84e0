"""Padded graphs compute what the graphs they come from compute."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto, helper
from test_export import METADATA, network_of

from pfld import export, reparameterize
from pfld.channel_padding import pad_channels


def landmarks(model):
    crops = np.random.default_rng(1).uniform(-1, 1, (3, 3, 96, 96)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(["landmarks"], {"crops": crops})[0]


@pytest.mark.parametrize("name", ["pfld", "ghostnet", "ghostone"])
def test_padded_graph_finds_the_same_points(name):
    # At this width Ghost modules make a channel too many and cut it off.
    metadata = replace(METADATA, network=name, width_multiplier=0.35)
    model = export._with_pooling(export._traced(reparameterize(network_of(metadata)), 96))
    kinds = {node.op_type for node in model.graph.node}
    assert name == "pfld" or "Slice" in kinds
    before = model.SerializeToString()
    padded = pad_channels(model)
    assert model.SerializeToString() == before
    kernels = [item.dims[0] for item in padded.graph.initializer if len(item.dims) == 4]
    assert kernels and not any(channels % 16 for channels in kernels)
    scale = np.abs(landmarks(model)).max()
    assert_allclose(landmarks(padded) / scale, landmarks(model) / scale, atol=1e-5, rtol=0)
    assert pad_channels(padded) == padded


def test_unknown_operators_are_refused():
    maps = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, 8, 8]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "g", maps[:1], maps[1:])
    with pytest.raises(ValueError, match="Sigmoid"):
        pad_channels(helper.make_model(graph))
