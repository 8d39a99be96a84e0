"""The optimiser: rates of the head and of everything else, and a last convolution that stays alive."""

import pytest
import torch
from accelerate import Accelerator
from torch.testing import assert_close

from pfld.losses import wing_loss
from pfld.networks import build_network
from pfld.training.config import TrainingConfig
from pfld.training.objective import TrainedModule
from pfld.training.optimization import (
    FloorOfGlobalConv,
    make_optimizer,
    set_learning_rate_,
)


def small_module(*, with_pose=False):
    torch.manual_seed(0)
    network = build_network("ghostnet", width_multiplier=0.25, num_landmarks=10)
    return TrainedModule(network, "pfld" if with_pose else "wing")


def rates_and_decays(module, optimizer):
    """Learning rate and weight decay by name of parameter."""
    of = {
        id(p): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }
    return {name: of[id(p)] for name, p in module.named_parameters()}


def test_the_head_moves_slowly_and_only_kernels_and_matrices_decay():
    config = TrainingConfig(lr=0.01, warmup=0.0, head_lr_fraction=0.25, weight_decay=0.3)
    module = small_module(with_pose=True)
    optimizer = make_optimizer(module, config, fused=False)
    set_learning_rate_(optimizer, config, 0)
    seen = rates_and_decays(module, optimizer)
    assert seen["network.fc.weight"] == pytest.approx((0.0025, 0.3))
    assert seen["network.fc.bias"] == pytest.approx((0.0025, 0.0))
    assert seen["network.conv8.0.weight"] == pytest.approx((0.01, 0.3))
    for name, (rate, decay) in seen.items():
        assert rate == pytest.approx(0.0025 if name.startswith("network.fc.") else 0.01)
        assert (decay == 0) == (dict(module.named_parameters())[name].ndim == 1)


def test_only_kernels_whose_mean_answer_is_negative_are_lifted_and_only_to_zero():
    network = small_module().network.double().train()
    floor = FloorOfGlobalConv(network)
    maps = []
    network.conv8.register_forward_pre_hook(lambda block, inputs: maps.append(inputs[0].detach()))
    network(torch.rand(4, 3, 112, 112, dtype=torch.double))
    kernel = network.conv8[0].weight.detach()

    def answers():
        return (kernel * maps[0].mean(0)).sum((1, 2, 3))

    before, start = answers(), kernel.clone()
    assert (before < 0).any() and (before > 0).any()
    floor.lift_(Accelerator(cpu=True))
    assert_close(answers(), before.clamp(min=0), rtol=0, atol=1e-12)
    assert_close(kernel[before > 0], start[before > 0], rtol=0, atol=0)
    moved = (kernel - start)[before < 0]
    assert_close(
        torch.cosine_similarity(moved.flatten(1), maps[0].mean(0).flatten()[None]),
        torch.ones(len(moved), dtype=torch.double),
    )


def test_validation_between_steps_does_not_change_what_is_lifted():
    network = small_module().network
    floor = FloorOfGlobalConv(network)
    faces, others = torch.rand(2, 4, 3, 112, 112)
    network.train()(faces)
    start = network.conv8[0].weight.detach().clone()
    floor.lift_(Accelerator(cpu=True))
    lifted = network.conv8[0].weight.detach().clone()
    with torch.no_grad():
        network.conv8[0].weight.copy_(start)
        network.eval()(others)
    floor.lift_(Accelerator(cpu=True))
    assert_close(network.conv8[0].weight.detach(), lifted, rtol=0, atol=0)


def units_alive_after_training(**options):
    """Part of conv8's channels that some face of the last batch wakes, after steps at a high rate."""
    config = TrainingConfig(faces=30 * 16, batch_size=16, lr=0.02, **options)
    module = small_module()
    optimizer = make_optimizer(module, config, fused=False)
    floor = FloorOfGlobalConv(module.network)
    awake = []
    module.network.conv8.register_forward_hook(lambda *call: awake.append(call[2] > 0))
    for step in range(config.steps):
        generator = torch.Generator().manual_seed(step)
        images = torch.rand(16, 3, 112, 112, generator=generator) * 2 - 1
        target = images.mean((2, 3)).repeat(1, 7)[:, :20] + 0.5
        set_learning_rate_(optimizer, config, step / config.steps)
        points = module(images).located.landmarks.flatten(1)
        wing_loss(points * 112, target * 112).backward()
        optimizer.step()
        optimizer.zero_grad()
        if not config.no_floor:
            floor.lift_(Accelerator(cpu=True))
    return awake[-1].any(dim=0).float().mean().item()


@pytest.fixture
def two_threads():
    """Which few units survive hangs on the last digits, and these on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_conv8_survives_a_rough_start(two_threads):
    assert units_alive_after_training(no_floor=True, head_lr_fraction=1.0) < 0.1
    assert units_alive_after_training() > 0.9
