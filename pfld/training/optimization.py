"""How parameters move: which decay, which move slowly, and what keeps ``conv8`` alive."""

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

    The head moves at ``head_rate`` times the others' rate. A regression head wants a low one: no batch
    norm follows it, and the averages it reads are never negative, so Adam's equal steps add up over
    them: at the full rate one step moves all points by half a crop, and every layer below pays for it.
    Frozen parameters are left out.

    Args:
        fused: Take PyTorch's fused implementation, for devices that have one.
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
    """Puts the learning rates where steps look for them, also after a checkpoint was loaded.

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
    """Gives every group its fraction of the rate the schedule has at that part of the run."""
    for group in optimizer.param_groups:
        rate = group["lr_fraction"] * learning_rate(config, progress)
        if isinstance(group["lr"], Tensor):  # the one a captured step reads
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


class FloorOfGlobalConv:
    """Keeps a ReLU without bias or batch norm awake: ``conv8``, which sees the whole map at once.

    Its inputs are never negative, so a few steps that lower a kernel's 1,568 weights together, as a new
    network's first steps do, put its answer below zero for every face. Its gradient is zero from then
    on, and so is that of the layers which only it reads. Here each kernel whose answer to the batch's
    mean map has fallen below zero is lifted back to zero by the least change: along that map. Then a
    kernel that lets some faces down still answers to others.

    Args:
        network: Whose :class:`GlobalConvBlock` is watched.
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
        """To be called after every step, by every process: the mean is that of the whole batch."""
        mean_map = accelerator.reduce(self._mean_map, reduction="mean")
        direction = mean_map / mean_map.norm().clamp(min=1e-12)
        answers = (self._kernel * direction).sum((1, 2, 3), keepdim=True)
        self._kernel.sub_(answers.clamp(max=0) * direction)
