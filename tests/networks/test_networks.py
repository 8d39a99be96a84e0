"""Networks: sizes, shapes, published names, re-parameterization, bad arguments."""

import hashlib
from itertools import product

import pytest
import torch
from torch.testing import assert_close

from pfld import build_network, reparameterize
from pfld.blocks import ConvBlock, GhostModule, GhostOneModule, InvertedResidual, MobileOneBlock
from pfld.networks import NETWORKS, AuxiliaryNet
from pfld.weights import load_state, read_state
from support.networks import BLOCKS, pair, randomise

# SHA-256 of the sorted lines "name shape" of published checkpoints, and how many there are.
PUBLISHED = {
    "pfld": (
        255,
        "a16e92a9356e69e058f2300a3394a0f78ca2cb7c357a5748ae7d1b69501a6d0d",
    ),
    "ghostnet": (
        351,
        "ec38dd90a0636604c7fe98e80611e707baaffdcb3ac1199f7d18163385ecfc46",
    ),
    "ghostnet-slim": (
        351,
        "379cf07457bca4c92538059fb48cfc79dabdf240f754770c9744a6553968c6e4",
    ),
    "ghostone": (
        2086,
        "85f3a3a60bd212db05718e9debffd8f47ec0a995f1b247c40059c63ddf758814",
    ),
}
PARAMETERS = {"pfld": 1228132, "ghostnet": 810860, "ghostnet-slim": 741680, "ghostone": 2754488}


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_are_the_published_ones(name):
    network = build_network(name)
    lines = sorted(f"{key} {list(value.shape)}" for key, value in network.state_dict().items())
    assert (len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()) == PUBLISHED[name]
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("width", "landmarks", "size"),
    [(0.25, 68, 96), (0.35, 106, 128), (1.3, 98, 144), (0.5, 5, 160)],
)
def test_any_width_landmark_count_and_input_size(name, width, landmarks, size):
    network = build_network(
        name, width_multiplier=width, num_landmarks=landmarks, input_size=size, num_conv_branches=1
    ).eval()
    points, features = network.forward_with_pose_features(torch.zeros(2, 3, size, size))
    assert points.shape == (2, 2 * landmarks)
    assert AuxiliaryNet.for_network(network).eval()(features).shape == (2, 3)


def test_reparameterized_network_gives_the_same_points():
    torch.manual_seed(0)
    network = build_network("ghostone")
    randomise(network)
    for module in network.modules():  # as in a trained network, maps keep their scale
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.mul_(0.4)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fused = reparameterize(network)
    assert sum(p.numel() for p in fused.parameters()) == 702864
    assert fused.training and all(p.requires_grad for p in fused.parameters())
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in fused.modules())
    assert_close(network.state_dict(), before, rtol=0, atol=0)
    x = torch.rand(2, 3, 112, 112) * 2 - 1
    expected, actual = network.eval()(x), fused.eval()(x)
    pixels = 112 * (expected - actual).abs().max() / expected.abs().max().clamp_min(1)
    assert pixels < 1e-3
    again = reparameterize(fused)
    assert_close(again.state_dict(), fused.state_dict(), rtol=0, atol=0)
    direct = build_network("ghostone", reparameterized=True)
    load_state(direct, fused.state_dict())
    assert_close(direct.eval()(x), actual, rtol=0, atol=0)


@pytest.mark.parametrize("spec", BLOCKS.values(), ids=BLOCKS.keys())
def test_every_block_shape_reparameterizes(spec):
    torch.manual_seed(0)
    block, _ = pair(spec)
    x = torch.randn(2, spec[0], spec[5], spec[6], dtype=torch.float64)
    fused = reparameterize(block)
    assert fused.reparam_conv.weight.dtype == torch.float64
    assert_close(fused(x), block.eval()(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("module", [GhostModule, GhostOneModule])
def test_odd_channel_counts_are_cut(module):
    assert module(5, 33)(torch.zeros(2, 5, 4, 4)).shape == (2, 33, 4, 4)


BAD = {
    "name": (lambda: build_network("resnet"), "pfld, ghostnet, ghostnet-slim, ghostone"),
    "width": (lambda: build_network("pfld", width_multiplier=3), "0.25 to 2"),
    "size": (lambda: build_network("pfld", input_size=100), "96, 112"),
    "landmarks": (lambda: build_network("pfld", num_landmarks=0), "at least 1"),
    "stride": (lambda: InvertedResidual(4, 4, stride=3), "stride"),
    "residual": (lambda: InvertedResidual(4, 8, residual=True), "4 -> 8"),
    "kernel": (lambda: MobileOneBlock(4, 4, 2), "odd"),
    "branches": (lambda: MobileOneBlock(4, 4, 3, num_conv_branches=0), "at least 1"),
    "crop": (lambda: build_network("pfld")(torch.zeros(1, 3, 96, 96)), r"\(B, 3, 112, 112\)"),
    "state": (lambda: load_state(ConvBlock(3, 4, 3), {"a": torch.zeros(1)}), "6 missing.*1 unexp"),
    "shape": (
        lambda: load_state(ConvBlock(3, 4, 3), ConvBlock(3, 5, 3).state_dict()),
        "of another shape",
    ),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD.keys())
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_pickled_code_is_refused(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"w": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="plain PyTorch state dict"):
        read_state(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_every_combination_of_mode_and_memory_format_agrees():
    network = build_network("ghostone", width_multiplier=0.25, num_conv_branches=2).eval()
    x = torch.rand(1, 3, 112, 112)
    expected = network(x)
    for fuse, layout in product((False, True), (torch.contiguous_format, torch.channels_last)):
        model = (reparameterize(network) if fuse else network).to(memory_format=layout)
        assert_close(model(x.contiguous(memory_format=layout)), expected, rtol=1e-4, atol=1e-5)
