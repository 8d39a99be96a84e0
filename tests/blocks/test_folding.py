"""Folded training against the plain branches, in float64 and over whole networks."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from pfld import build_network
from pfld.blocks import (
    GlobalConvBlock,
    MobileOneBlock,
    freeze_statistics_,
    set_folded_training,
)
from pfld.blocks.depthwise_moments import _correlate_images, _correlate_parts
from pfld.blocks.folding import FoldedLayer, folded_convolution
from pfld.losses import wing_loss
from support.networks import BLOCKS, pair


@pytest.mark.parametrize("spec", BLOCKS.values(), ids=BLOCKS.keys())
def test_output_gradients_and_statistics_equal_the_branches(spec):
    torch.manual_seed(0)
    folded, plain = pair(spec)
    x = torch.randn(3, spec[0], spec[5], spec[6], dtype=torch.float64) + 1
    results = []
    for block in (folded, plain):
        block_x = x.clone().requires_grad_()
        out = block(block_x)
        (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
        results.append((out, block_x.grad))
    assert_close(results[0], results[1], rtol=1e-9, atol=1e-9)
    for (name, a), b in zip(folded.named_parameters(), plain.parameters()):
        assert_close(a.grad, b.grad, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}")
    assert_close(folded.state_dict(), plain.state_dict(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("spec", BLOCKS.values(), ids=BLOCKS.keys())
def test_with_frozen_statistics_output_and_gradients_equal_the_branches(spec):
    torch.manual_seed(0)
    blocks = pair(spec)
    x = torch.randn(3, spec[0], spec[5], spec[6], dtype=torch.float64)
    results = []
    for block in blocks:
        freeze_statistics_(block.train())
        statistics = copy.deepcopy(dict(block.named_buffers()))
        block_x = x.clone().requires_grad_()
        out = block(block_x)
        out.square().sum().backward()
        assert_close(dict(block.named_buffers()), statistics, rtol=0, atol=0)
        results.append((out, block_x.grad, *(p.grad for p in block.parameters())))
    assert_close(results[0], results[1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("kernel", "stride", "groups"), [(1, 1, 1), (3, 1, 3), (3, 2, 3), (3, 2, 1)]
)
def test_gradcheck(kernel, stride, groups):
    torch.manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    x = draw(2, 3, 4, 4)
    parameters = [draw(3, 3 // groups, kernel, kernel) for _ in range(2)]
    parameters += [draw(3) for _ in range(4)]
    layer = FoldedLayer(kernel, stride, groups, eps=1e-3)
    assert torch.autograd.gradcheck(
        lambda x, *p: folded_convolution(x, p[:2], p[2:4], p[4:], layer)[0], (x, *parameters)
    )


def test_optimiser_steps_follow_the_branches():
    torch.manual_seed(0)
    curves = []
    network = build_network("ghostone", width_multiplier=0.25, num_conv_branches=2).double()
    x = torch.randn(4, 3, 112, 112, dtype=torch.float64)
    target = torch.rand(4, 196, dtype=torch.float64)
    for enabled in (True, False):
        model = copy.deepcopy(network)
        set_folded_training(model, enabled=enabled)
        optimiser = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
        losses = []
        for _ in range(4):
            loss = (model(x) - target).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.detach())
        curves.append(torch.stack(losses))
    assert_close(curves[0], curves[1], rtol=1e-8, atol=0)
    assert curves[0][-1] < curves[0][0]


@pytest.mark.slow
def test_whole_network_gradients_in_float32_are_as_good_as_inputs_known_to_a_millionth():
    # Which ReLUs let through what hangs on the last digits, and so do a few thousandths of the gradient,
    # by chance: the plain branches in float32 are from 0.001 to 0.009 off, so are folded ones.
    folded, moved = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        network = build_network("ghostone")
        x, target = torch.randn(8, 3, 112, 112), torch.rand(8, 196)

        def gradient(x: torch.Tensor, *, fold: bool) -> torch.Tensor:
            model = copy.deepcopy(network).to(x.dtype)  # noqa: B023
            set_folded_training(model, enabled=fold)
            (model(x) - target.to(x.dtype)).abs().mean().backward()  # noqa: B023
            return torch.cat([p.grad.double().flatten() for p in model.parameters()])

        exact = gradient(x.double(), fold=False)
        assert_close(gradient(x.double(), fold=True), exact, rtol=0, atol=1e-9)
        beside = x.double() + 1e-6 * torch.randn_like(x)
        folded.append((gradient(x, fold=True) - exact).norm() / exact.norm())
        moved.append((gradient(beside, fold=False) - exact).norm() / exact.norm())
    assert sum(folded) < sum(moved)


def smooth_crops(count: int) -> torch.Tensor:
    """Blobs in -1..1, as strongly correlated from pixel to pixel as photographs are."""
    coarse = torch.randn(count, 3, 8, 8)
    fine = 0.1 * torch.randn(count, 3, 56, 56)
    return sum(
        F.interpolate(noise, size=112, mode="bicubic", align_corners=False)
        for noise in (coarse, fine)
    ).tanh()


class RecordedReLU(nn.Module):
    """ReLU the first time; from then on whatever passed then passes again."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.mask is None:
            self.mask = x > 0
        return x * self.mask


@pytest.mark.parametrize("activation", [RecordedReLU, nn.SiLU])
def test_whole_network_gradients_in_float32_agree_to_1e_3_where_no_relu_flips(activation):
    # Rounding moves some inputs of ReLU across zero, and each takes its share of the gradient along:
    # in float32 the plain branches alone are 2e-3 to 8e-3 from double precision, and as far from
    # themselves with the input moved by 1e-7. Without that the folding's own error is left.
    torch.manual_seed(0)
    network = build_network("ghostone")
    for module in list(network.modules()):
        if isinstance(module, (MobileOneBlock, GlobalConvBlock)):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.ReLU):
                    setattr(module, name, activation())
    x, target = smooth_crops(8), 112 * torch.rand(8, 196)
    gradients = []
    for folded in (False, True):
        set_folded_training(network, enabled=folded)
        network.zero_grad()
        wing_loss(112 * network(x), target).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    assert (gradients[1] - gradients[0]).norm() < 1e-3 * gradients[0].norm()


def test_output_on_smooth_images_is_as_exact_as_the_branches():
    torch.manual_seed(0)
    network = build_network("ghostone")
    x = smooth_crops(16)

    @torch.no_grad()
    def predict(*, folded: bool, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        model = copy.deepcopy(network).to(dtype)
        set_folded_training(model, enabled=folded)
        return model(x.to(dtype)).double()

    exact = predict(folded=False, dtype=torch.float64)
    folded, plain = ((predict(folded=f) - exact).norm() for f in (True, False))
    assert folded < 2 * plain


def test_branches_step_in_channels_last():
    # The strided scale branch of the stem is what a plain convolution crashes on.
    torch.manual_seed(0)
    block = MobileOneBlock(3, 64, 3, stride=2, num_conv_branches=1)
    x = torch.randn(8, 3, 112, 112)
    set_folded_training(block, enabled=False)
    gradients = []
    for layout in (torch.contiguous_format, torch.channels_last):
        copied = copy.deepcopy(block).to(memory_format=layout)
        copied(x.contiguous(memory_format=layout)).square().mean().backward()
        gradients.append([p.grad for p in copied.parameters()])
    assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)


def test_large_means_keep_the_variance():
    torch.manual_seed(0)
    block = MobileOneBlock(16, 8, 1, num_conv_branches=2, activation=None)
    reference = copy.deepcopy(block).double()
    set_folded_training(reference, enabled=False)
    x = torch.randn(8, 16, 32, 32) + 10
    assert_close(block(x).double(), reference(x.double()), rtol=0, atol=1e-2)


@pytest.mark.parametrize("spec", [BLOCKS["pointwise"], BLOCKS["depthwise, odd map"]])
def test_autocast_convolves_in_bfloat16_and_keeps_statistics_wide(spec):
    torch.manual_seed(0)
    folded = pair(spec)[0].float()
    x = torch.randn(4, spec[0], spec[5], spec[6], requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = folded(x)
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    assert x.grad.dtype == torch.float32 and torch.isfinite(x.grad).all()
    assert folded.rbr_conv[0].bn.running_mean.dtype == torch.float32


@pytest.mark.parametrize("spec", [BLOCKS["pointwise"], BLOCKS["depthwise, odd map"]])
def test_autocast_gives_what_branches_give_to_bfloat16s_digits(spec):
    torch.manual_seed(0)
    folded, plain = (block.float() for block in pair(spec))
    x = torch.randn(4, spec[0], spec[5], spec[6])
    results = []
    for block in (folded, plain):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = block(x).float()
        out.square().mean().backward()
        gradient = torch.cat([conv.conv.weight.grad.flatten() for conv in block.rbr_conv])
        results.append((out.detach(), gradient))
    for one, other in zip(*results):
        assert (one - other).norm() < 0.03 * other.norm()


def test_eval_mode_and_state_dict_are_untouched():
    folded, plain = pair(BLOCKS["dense"])
    x = torch.randn(2, 4, 5, 5, dtype=torch.float64)
    assert_close(folded.eval()(x), plain.eval()(x), rtol=0, atol=0)
    assert list(folded.state_dict()) == list(plain.state_dict())


def test_images_as_channels_correlate_as_images_after_another():
    """The first is for GPUs, whose launches are dear."""
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(5, 4, 9, 7, dtype=torch.float64, generator=generator)
    other = F.pad(signal, (0, 2, 0, 2))
    found = [
        by_parts(signal, other, 0).sum(0) for by_parts in (_correlate_parts, _correlate_images)
    ]
    assert found[0].shape == (4, 1, 3, 3)
    assert_close(found[0], found[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
def test_a_single_window_leaves_statistics_finite(size):
    """One face on a map of one pixel: there is no variance to learn."""
    block = MobileOneBlock(4, 4, 3, stride=2, num_conv_branches=2).train()
    block(torch.randn(1, 4, size, size)).sum().backward()
    for name, tensor in block.state_dict().items():
        assert tensor.isfinite().all(), name
