"""The heatmap head: what it computes, and its whole way from weights to files and backends."""

import math
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from numpy.testing import assert_allclose
from torch.testing import assert_close

from pfld import build_network, reparameterize
from pfld.benchmark.backends import count_macs
from pfld.blocks import MobileOneBlock
from pfld.export.onnx import export_onnx
from pfld.export.quantize import quantize_onnx
from pfld.losses import calibration_loss
from pfld.networks import NETWORKS
from pfld.runtime.backends import load_backend, load_own_backend
from pfld.synthetic.faces import synthetic_faces
from pfld.training.transfer import freeze_layers_, start_from_
from pfld.weights import load_weights, save_weights
from pfld.weights.metadata import WeightMetadata
from support.networks import METADATA, network_of, settled_network

HEATMAP = replace(METADATA, head="heatmap")
# What the head reads of the network at a quarter of its width.
ZEROS = {
    name: torch.zeros(1, channels, side, side)
    for name, channels, side in (
        ("conv2", 16, 56), ("conv3_3", 20, 28), ("conv4_3", 24, 14), ("conv5_4", 36, 7),
        ("conv8", 32, 1),
    )
}  # fmt: skip
POINTS = torch.tensor([[0.3, 0.2], [0.5, 0.5], [0.9, 0.7]])


def small(**options):
    torch.manual_seed(0)
    return build_network("ghostone", head="heatmap", width_multiplier=0.25, **options)


def crops(count=4, size=96):
    return synthetic_faces(count, size=size, seed=2).crops


# What it computes


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_the_head(name):
    network = build_network(name, head="heatmap", width_multiplier=0.25, num_landmarks=5)
    landmarks, uncertainty = network.eval().forward_with_uncertainty(torch.zeros(2, 3, 112, 112))
    assert landmarks.shape == (2, 10) and uncertainty.shape == (2, 5)
    assert (uncertainty > 0).all()


def test_regression_knows_no_uncertainty():
    network = build_network("ghostone", width_multiplier=0.25).eval()
    assert network.forward_with_uncertainty(torch.zeros(1, 3, 112, 112))[1] is None


@pytest.mark.parametrize("size", [96, 112, 160])
def test_all_but_plain_convolutions_fold_to_the_same_points(size):
    network = network_of(
        replace(HEATMAP, preprocessing=replace(HEATMAP.preprocessing, input_size=size))
    )
    fused = reparameterize(network)
    assert not any(
        isinstance(module, MobileOneBlock) and not module.reparameterized
        for module in fused.modules()
    )
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused.modules())
    pixels = torch.from_numpy(METADATA.preprocessing.__class__(size)(crops(size=size)))
    with torch.inference_mode():
        for mine, theirs in zip(
            network.forward_with_uncertainty(pixels), fused.forward_with_uncertainty(pixels)
        ):
            assert_close(mine * size, theirs * size, atol=1e-3, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precision_of_the_decoding_is_single_at_least(dtype):
    network = settled_network(HEATMAP)
    pixels = torch.from_numpy(METADATA.preprocessing(crops()))
    with torch.inference_mode():
        expected = network(pixels)
        found, uncertainty = network.to(dtype).forward_with_uncertainty(pixels.to(dtype))
    wide = torch.promote_types(dtype, torch.float32)
    assert found.dtype == uncertainty.dtype == wide
    assert_close(found.float(), expected, atol=0.03, rtol=0)


def test_a_fresh_head_answers_the_mean_shape():
    network = small(num_landmarks=3).eval()
    network.head.start_at_mean_shape_(POINTS)
    torch.nn.init.zeros_(network.head.maps.weight)
    torch.nn.init.zeros_(network.head.maps.bias)
    located, _ = network.locate(torch.zeros(1, 3, 112, 112))
    regressed, expected = located.parts
    assert_close(regressed[0], POINTS, atol=0.1, rtol=0)
    # A map that ends at the crop's edge has its mean a little further in.
    assert_close(expected[0], POINTS, atol=0.02, rtol=0)


def test_a_sharp_heatmap_is_a_place_with_a_small_spread():
    head = small(num_landmarks=1).head.eval()
    logits = torch.full((1, 14, 14), -50.0)
    logits[0, 3, 9] = 50.0
    with torch.no_grad():
        head.prior.copy_(logits)
        head.trust.fill_(50.0)  # the heatmap alone
        head.maps.weight.zero_(), head.maps.bias.zero_()
        sharp = head.locate(ZEROS)
        head.prior[0, 3, 5] = 50.0
        double = head.locate(ZEROS)
    cell = 1.2 / 14
    place = torch.tensor([9.5, 3.5]) * cell - 0.1
    assert_close(sharp.landmarks[0, 0], place)
    assert_close(double.landmarks[0, 0], place - torch.tensor([2 * cell, 0]))
    assert_close(sharp.uncertainty, expected_error(sharp, variance=0.0), rtol=1e-3, atol=0)
    assert_close(double.uncertainty, expected_error(double, (2 * cell) ** 2), rtol=1e-3, atol=0)


def expected_error(located, variance):
    """Of a fresh head."""
    regressed, expected = located.parts
    apart = (regressed - expected).norm(dim=2)
    return (math.exp(-3) * variance + math.exp(-2) * apart**2 + math.exp(-10)).sqrt()


def test_landmarks_lie_between_the_two_answers():
    head = small(num_landmarks=1).head.eval()
    with torch.no_grad():
        head.trust.fill_(0.0)  # half and half
        located = head.locate(ZEROS)
    assert_close(located.landmarks, (located.parts[0] + located.parts[1]) / 2)


def test_calibration_teaches_the_uncertainty_and_nothing_else():
    network = small(num_landmarks=3)
    located, _ = network.locate(torch.randn(4, 3, 112, 112))
    error = (located.landmarks - POINTS).norm(dim=2)
    calibration_loss(located.uncertainty, error).backward()
    taught = {name for name, p in network.named_parameters() if p.grad is not None}
    assert taught == {
        f"heatmap.{name}" for name in ("error_of_spread", "error_of_distance", "least_error")
    }


def test_a_spread_heatmap_weighs_less_where_that_was_learnt():
    head = small(num_landmarks=1).head.eval()
    weights = []
    with torch.no_grad():
        head.trust.fill_(0.0)
        head.trust_slope.fill_(2.0)
        head.maps.weight.zero_(), head.maps.bias.zero_()
        for width in (0.02, 0.3):
            distance = torch.cdist(torch.tensor([[0.3, 0.6]]), head.moments[:, :2])
            head.prior.copy_((-0.5 * (distance / width).square()).view(1, 14, 14))
            located = head.locate(ZEROS)
            regressed, expected = located.parts
            weights.append((located.landmarks - regressed) / (expected - regressed))
    assert (weights[0] > 0.7).all() and (weights[1] < 0.3).all()


def test_size_and_multiplications_are_counted():
    network = small().eval()
    with torch.device("meta"):
        shapes = small().eval()
    macs = count_macs(shapes, torch.zeros(1, 3, 112, 112, device="meta"))
    assert macs == count_macs(network, torch.zeros(1, 3, 112, 112)) > 1e6


# Files and backends


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the network's weights, its ONNX file and a self-contained one."""
    folder = tmp_path_factory.mktemp("heatmap")
    network = network_of(HEATMAP)
    save_weights(folder / "a.safetensors", network, HEATMAP)
    pixels = folder / "a-uint8.onnx"
    assert export_onnx(network, folder / "a.onnx", HEATMAP, self_contained=pixels) < 1e-3
    return folder


@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_all_backends_agree_on_points_and_uncertainty(files, count):
    pixels = crops(max(count, 1))[:count]
    expected = load_backend(files / "a.safetensors", "train-time").predict_with_uncertainty(pixels)
    assert expected.landmarks.shape == (count, 98, 2)
    assert expected.uncertainty.shape == (count, 98)
    assert np.isfinite(expected.uncertainty).all()
    others = [
        load_backend(files / "a.safetensors", "reparameterized"),
        load_backend(files / "a.onnx"),
        load_own_backend(files / "a-uint8.onnx"),
    ]
    for backend in others:
        found = backend.predict_with_uncertainty(pixels)
        assert_allclose(found.landmarks * 96, expected.landmarks * 96, atol=2e-3)
        assert_allclose(found.uncertainty * 96, expected.uncertainty * 96, atol=2e-3)


def test_files_say_which_head_they_have(files):
    network, metadata = load_weights(files / "a.safetensors")
    assert metadata.head == network.head.name == "heatmap"
    assert load_backend(files / "a.onnx").metadata.architecture == "ghostone-heatmap"


def test_files_from_before_there_were_heads_have_a_regression_head():
    strings = METADATA.to_strings()
    del strings["head"]
    assert WeightMetadata.from_strings(strings).head == "regression"
    with pytest.raises(ValueError, match="head must be one of regression, heatmap"):
        WeightMetadata.from_strings(METADATA.to_strings() | {"head": "hat"})


def test_a_file_whose_metadata_names_another_head_is_refused(tmp_path):
    with pytest.raises(ValueError, match="says a heatmap head, the network has fc"):
        export_onnx(network_of(METADATA), tmp_path / "a.onnx", HEATMAP)
    assert not any(tmp_path.iterdir())


def test_int8_keeps_the_head_in_float(tmp_path):
    source, target = tmp_path / "a.onnx", tmp_path / "a-int8.onnx"
    export_onnx(settled_network(HEATMAP), source, HEATMAP)
    faces = synthetic_faces(60, size=96, seed=3).crops
    difference = quantize_onnx(source, target, faces, tolerance_px=9)
    weights = {item.name: item.data_type for item in onnx.load(target).graph.initializer}
    head = {name: kind for name, kind in weights.items() if "heatmap" in name}
    assert len(head) > 8 and set(head.values()) == {onnx.TensorProto.FLOAT}
    assert list(weights.values()).count(onnx.TensorProto.INT8) > 40
    found = load_backend(target, "onnx-int8").predict_with_uncertainty(faces)
    expected = load_backend(source).predict_with_uncertainty(faces)
    distances = np.linalg.norm(found.landmarks - expected.landmarks, axis=2) * 96
    assert distances.mean() < 3 * difference.mean_px + 0.1
    assert_allclose(found.uncertainty.mean(), expected.uncertainty.mean(), rtol=0.2)


# Starting from a trained network


def test_a_regression_network_gives_all_it_has(tmp_path):
    given = network_of(METADATA)
    save_weights(tmp_path / "a.safetensors", given, METADATA)
    network = HEATMAP.build().eval()
    assert start_from_(network, tmp_path / "a.safetensors", "ghostone")
    pixels = torch.from_numpy(METADATA.preprocessing(crops()))
    with torch.inference_mode():
        located, _ = network.locate(pixels)
        assert_close(located.parts[0].flatten(1), given(pixels))


def test_a_heatmap_network_starts_whole_and_is_not_cut(tmp_path):
    given = network_of(HEATMAP)
    save_weights(tmp_path / "a.safetensors", given, HEATMAP)
    network = HEATMAP.build().eval()
    assert not start_from_(network, tmp_path / "a.safetensors", "ghostone")
    for mine, theirs in zip(network.state_dict().values(), given.state_dict().values()):
        assert torch.equal(mine, theirs)
    with pytest.raises(ValueError, match="has a heatmap head; pass --head heatmap"):
        start_from_(METADATA.build(), tmp_path / "a.safetensors", "ghostone")


def test_frozen_layers_get_no_gradient():
    network = small()
    layers = freeze_layers_(network, "conv3_2")
    assert layers == [network.conv1, network.conv2, network.conv3_1, network.conv3_2]
    network(torch.zeros(2, 3, 112, 112)).sum().backward()
    assert network.conv3_2.ghost_conv[0].primary_conv.rbr_conv[0].conv.weight.grad is None
    assert network.conv3_3.ghost_conv[0].primary_conv.rbr_conv[0].conv.weight.grad is not None
    assert freeze_layers_(network, "") == []
    with pytest.raises(ValueError, match="must name one of conv1, conv2"):
        freeze_layers_(network, "conv99")
