"""MobileOne block: many linear branches while training, one convolution at run time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from pfld.blocks.conv import make_activation, require_stride
from pfld.blocks.folding import FoldedLayer, folded_convolution


class MobileOneBlock(nn.Module):
    """Parallel convolutions with batch norm, summed; re-parameterizes to a single convolution.

    The branches are ``num_conv_branches`` convolutions of the full kernel, a 1x1 *scale* branch where
    the kernel is larger, and a *skip* branch (batch norm alone) where input and output have one shape.
    Maps ``(B, in_channels, H, W)`` to ``(B, out_channels, ceil(H / stride), ceil(W / stride))``.

    In training mode the branches run folded into one convolution, which gives the same outputs,
    gradients and running statistics for a fraction of the work (:mod:`pfld.blocks.folding`); hooks on
    single branches are not called then. ``set_folded_training(model, enabled=False)`` restores the plain
    branches. If the batch norms are in eval mode (:func:`freeze_statistics_`), the block is folded with
    their running statistics.

    Args:
        kernel_size: Odd; the input is padded by half of it.
        activation: Class of the activation, or None for a linear block.
        reparameterized: Build the single convolution right away, to load fused weights into.

    Raises:
        ValueError: For an even kernel, a stride other than 1 or 2, or no convolution branch.

    Source: Vasu et al. 2023, MobileOne, section 3.2.
    """

    identity: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] | None = nn.ReLU,
        num_conv_branches: int = 6,
        reparameterized: bool = False,
    ) -> None:
        super().__init__()
        require_stride(stride)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}")
        if num_conv_branches < 1:
            raise ValueError(f"num_conv_branches must be at least 1, got {num_conv_branches}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.groups = groups
        self.folded_training = True
        self.synchronized_moments = False
        self.activation = make_activation(activation)
        if reparameterized:
            self.reparam_conv = self._conv(kernel_size, bias=True)
            return
        has_skip = in_channels == out_channels and stride == 1
        self.rbr_skip = nn.BatchNorm2d(in_channels) if has_skip else None
        self.rbr_conv = nn.ModuleList(self._conv_bn(kernel_size) for _ in range(num_conv_branches))
        self.rbr_scale = self._conv_bn(1, _ScaleConv) if kernel_size > 1 else None
        if has_skip:
            identity = _identity_kernel(self._conv_branches[0].conv)
            self.register_buffer("identity", identity, persistent=False)

    @property
    def reparameterized(self) -> bool:
        """Whether the branches have become one convolution."""
        return hasattr(self, "reparam_conv")

    def forward(self, x: Tensor) -> Tensor:
        if self.reparameterized:
            out = self.reparam_conv(x)
        elif self.training and self.folded_training:
            out = self._forward_folded(x)
        else:
            out = self._forward_branches(x)
        return self.activation(out)

    def _forward_branches(self, x: Tensor) -> Tensor:
        out = self.rbr_conv[0](x)
        for branch in (*self.rbr_conv[1:], self.rbr_scale, self.rbr_skip):
            if branch is not None:
                out = out + branch(x)
        return out

    def _forward_folded(self, x: Tensor) -> Tensor:
        kernels, norms = zip(*self._branches())
        if not norms[0].training:
            kernel, bias = self._fused_kernel_and_bias(torch.float32)
            x = x.contiguous(memory_format=torch.channels_last)
            return F.conv2d(x, kernel, bias, self.stride, self.kernel_size // 2, 1, self.groups)
        synchronized = self.synchronized_moments and dist.is_initialized()
        layer = FoldedLayer(
            self.kernel_size,
            self.stride,
            self.groups,
            norms[0].eps,
            dist.group.WORLD if synchronized else None,
        )
        out, mean, var, count = folded_convolution(
            x, kernels, [bn.weight for bn in norms], [bn.bias for bn in norms], layer
        )
        # One value has no variance; batch norms of plain branches raise an error for it.
        unbiased = var * (count / (count - 1).clamp(min=1))
        with torch.no_grad():
            _update_running_statistics_(norms, mean, unbiased)
        return out

    def reparameterize_(self) -> None:
        """Replaces the branches by one convolution with the same output in eval mode.

        Does nothing if the block is re-parameterized already.
        """
        if self.reparameterized:
            return
        weight = self._conv_branches[0].conv.weight
        conv = self._conv(self.kernel_size, bias=True).to(weight.device, weight.dtype)
        conv.train(self.training)
        assert conv.bias is not None
        with torch.no_grad():
            kernel, bias = self._fused_kernel_and_bias(torch.float64)
            conv.weight.copy_(kernel)
            conv.bias.copy_(bias)
        if self.rbr_skip is not None:
            del self.identity
        del self.rbr_conv, self.rbr_scale, self.rbr_skip
        self.reparam_conv = conv

    def _fused_kernel_and_bias(self, precision: torch.dtype) -> tuple[Tensor, Tensor]:
        """Sum over branches of ``W gamma / std`` and ``beta - mean gamma / std``.

        Args:
            precision: Least precision to compute in.
        """
        kernels, norms = zip(*self._branches())
        dtype = torch.promote_types(kernels[0].dtype, precision)

        def stacked(name: str) -> Tensor:
            return torch.stack([getattr(bn, name) for bn in norms]).to(dtype)

        scale = stacked("weight") / (stacked("running_var") + norms[0].eps).sqrt()
        kernel = (torch.stack(kernels).to(dtype) * scale[:, :, None, None, None]).sum(0)
        return kernel, (stacked("bias") - stacked("running_mean") * scale).sum(0)

    @property
    def _conv_branches(self) -> list[_ConvNorm]:
        """``rbr_conv`` with the type of its elements, which ``nn.ModuleList`` does not declare."""
        return [branch for branch in self.rbr_conv if isinstance(branch, _ConvNorm)]

    def _branches(self) -> Iterator[tuple[Tensor, nn.BatchNorm2d]]:
        """Each branch as a kernel of full size and its batch norm."""
        for branch in self._conv_branches:
            yield branch.conv.weight, branch.bn
        if self.rbr_scale is not None:
            margin = self.kernel_size // 2
            yield F.pad(self.rbr_scale.conv.weight, [margin] * 4), self.rbr_scale.bn
        if self.rbr_skip is not None:
            yield self.identity.to(self._conv_branches[0].conv.weight), self.rbr_skip

    def _conv(self, kernel_size: int, *, bias: bool, cls: type[nn.Conv2d] = nn.Conv2d) -> nn.Conv2d:
        return cls(
            self.in_channels,
            self.out_channels,
            kernel_size,
            self.stride,
            padding=kernel_size // 2,
            groups=self.groups,
            bias=bias,
        )

    def _conv_bn(self, kernel_size: int, cls: type[nn.Conv2d] = nn.Conv2d) -> _ConvNorm:
        return _ConvNorm(self._conv(kernel_size, bias=False, cls=cls))


class _ConvNorm(nn.Sequential):
    """A convolution and its batch norm, by the names of published checkpoints."""

    conv: nn.Conv2d
    bn: nn.BatchNorm2d

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(OrderedDict(conv=conv, bn=nn.BatchNorm2d(conv.out_channels)))


class _ScaleConv(nn.Conv2d):
    """1x1 convolution that drops the pixels a stride skips before it convolves.

    The gradient of a strided 1x1 convolution of few channels, in channels_last, is a segmentation
    fault in PyTorch 2.13 on x86 CPUs.
    """

    def forward(self, x: Tensor) -> Tensor:
        step_y, step_x = self.stride
        kept = x[:, :, ::step_y, ::step_x]
        return F.conv2d(kept, self.weight, self.bias, groups=self.groups)


def _identity_kernel(conv: nn.Conv2d) -> Tensor:
    """The kernel of ``conv`` that passes each channel on: 1 at the centre of its own input, else 0."""
    kernel = torch.zeros_like(conv.weight, requires_grad=False)
    channel = torch.arange(len(kernel), device=kernel.device)
    centre = kernel.shape[2] // 2
    kernel[channel, channel % kernel.shape[1], centre, centre] = 1
    return kernel


def _update_running_statistics_(
    norms: Sequence[nn.BatchNorm2d], mean: Tensor, unbiased_var: Tensor
) -> None:
    """Updates as the batch norms would do themselves; both statistics ``(branches, channels)``."""
    counters = [bn.num_batches_tracked for bn in norms if bn.num_batches_tracked is not None]
    torch._foreach_add_(counters, 1)
    momentum = norms[0].momentum
    if momentum is None:  # a plain average over all batches, as in torch.nn.BatchNorm2d
        momentum = 1 / float(counters[0])
    for name, statistic in (("running_mean", mean), ("running_var", unbiased_var)):
        running = [getattr(bn, name) for bn in norms]
        torch._foreach_lerp_(running, list(statistic.to(running[0].dtype).unbind()), momentum)


def set_folded_training(model: nn.Module, *, enabled: bool) -> None:
    """Chooses how all MobileOne blocks of ``model`` train: folded, or branch by branch."""
    for block in _mobileone_blocks(model):
        block.folded_training = enabled


def synchronize_moments(model: nn.Module, *, enabled: bool = True) -> None:
    """Makes folded blocks take their batch statistics over all processes of ``torch.distributed``.

    Synchronised batch norm, at one small all-reduce per block forward and one backward. Has no effect
    while no process group is initialised.
    """
    for block in _mobileone_blocks(model):
        block.synchronized_moments = enabled


def freeze_statistics_(model: nn.Module) -> None:
    """Puts all batch norms of ``model`` into eval mode, to train on with their running statistics.

    ``model.train()`` undoes it. A folded block is then the convolution its branches add up to, with no
    moments to measure, which makes steps of GhostOne more than twice as fast. Use it only
    for trained weights: fresh ones have no useful statistics.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _mobileone_blocks(model: nn.Module) -> Iterator[MobileOneBlock]:
    return (module for module in model.modules() if isinstance(module, MobileOneBlock))
