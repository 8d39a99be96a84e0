"""Optimizer setup: weight decay, learning rates, and a floor against dead units of ``conv8``."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from pfld.blocks import GlobalConvBlock
from pfld.training.config import TrainingConfig
from pfld.training.objective import TrainedModule
from pfld.training.schedule import learning_rate


def make_optimizer(
    module: TrainedModule, config: TrainingConfig, *, fused: bool
) -> torch.optim.AdamW:
    """AdamW over all parameters: kernels and matrices decay, biases and batch norms do not.

    The learning rate of the head is ``head_rate`` times that of the others. A regression head needs a low
    one: no batch norm follows it, and the averages it reads are never negative, so Adam's equal steps
    add up. At the full rate one step moves all points by half a crop, which disturbs every layer below.
    Frozen parameters are left out.

    Args:
        fused: Use PyTorch's fused implementation, for devices that have one.
    """
    head = {id(parameter) for parameter in module.network.head.parameters()}
    groups = []
    for in_head, fraction in ((False, 1.0), (True, config.head_rate)):
        parameters = [
            p for p in module.parameters() if p.requires_grad and (id(p) in head) == in_head
        ]
        for decays, weight_decay in ((True, config.weight_decay), (False, 0.0)):
            members = [p for p in parameters if (p.ndim > 1) == decays]
            if members:
                group = {"params": members, "weight_decay": weight_decay, "lr_fraction": fraction}
                groups.append(group)
    return torch.optim.AdamW(groups, lr=config.lr, fused=fused)


def hold_rates_(
    optimizer: torch.optim.Optimizer, *, capturable: bool, device: torch.device
) -> None:
    """Stores the learning rates where steps read them; also needed after loading a checkpoint.

    Args:
        capturable: Whether steps are captured as CUDA graphs, which read rates from the device.
    """
    for group in optimizer.param_groups:
        rate = float(group["lr"])
        group["capturable"] = capturable
        group["lr"] = torch.tensor(rate, device=device) if capturable else rate


def set_learning_rate_(
    optimizer: torch.optim.Optimizer, config: TrainingConfig, progress: float
) -> None:
    """Sets every group's learning rate: its fraction of the schedule's rate at ``progress``, 0 to 1."""
    for group in optimizer.param_groups:
        rate = group["lr_fraction"] * learning_rate(config, progress)
        if isinstance(group["lr"], Tensor):  # the one a captured step reads
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


class FloorOfGlobalConv:
    """Prevents dead units in ``conv8``, a global convolution with ReLU but without bias or batch norm.

    Its inputs are never negative, so a few steps that lower all 1,568 weights of a kernel, such as the
    first steps of a new network, make its output negative for every face. Then ReLU returns zero, and the
    gradients of the kernel and of the layers that only it reads stay zero. Here each kernel whose output
    for the batch's mean map is below zero is moved back to zero by the least change, which is along that
    map. So a kernel that is inactive for some faces stays active for others.

    Args:
        network: The network with the :class:`GlobalConvBlock` to watch.
    """

    def __init__(self, network: nn.Module) -> None:
        (block,) = (m for m in network.modules() if isinstance(m, GlobalConvBlock))
        (self._kernel,) = block.parameters()
        self._mean_map: Tensor | None = None
        block.register_forward_pre_hook(self._see)

    def _see(self, block: nn.Module, inputs: tuple[Tensor]) -> None:
        if block.training:
            self._mean_map = inputs[0].detach().mean(0).to(self._kernel.dtype)

    @torch.no_grad()
    def lift_(self, accelerator: Accelerator) -> None:
        """Applies the floor; every process calls it after every step. The mean is over the whole batch."""
        mean_map = accelerator.reduce(self._mean_map, reduction="mean")
        direction = mean_map / mean_map.norm().clamp(min=1e-12)
        answers = (self._kernel * direction).sum((1, 2, 3), keepdim=True)
        self._kernel.sub_(answers.clamp(max=0) * direction)
