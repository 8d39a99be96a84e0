"""Folded training: a block of linear branches, each with its batch norm, run as one convolution.

Given the batch statistics every branch is linear in its input, and the statistics themselves follow
from the mean ``m`` and covariance ``S`` of the windows a kernel sees. For branch i with kernel ``W_i``,
batch norm scale ``gamma_i`` and shift ``beta_i``:

    mean_i = W_i m                          var_i = diag(W_i S W_i^T)
    s_i    = gamma_i / sqrt(var_i + eps)
    kernel = sum_i s_i W_i                  bias  = sum_i (beta_i - s_i mean_i)

One convolution with ``kernel`` and ``bias`` equals the sum of the branches with their batch norms in
training mode exactly, including gradients and running statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from pfld.blocks.depthwise_moments import DepthwiseMoments
from pfld.blocks.strided_moments import StridedDepthwiseMoments
from pfld.blocks.window_moments import PointwiseMoments, UnfoldedMoments, WindowMoments


@dataclass(frozen=True)
class FoldedLayer:
    """Settings of a layer for :func:`folded_convolution`.

    Attributes:
        process_group: Average the moments over these processes (synchronised batch norm), or None.
    """

    kernel_size: int
    stride: int
    groups: int
    eps: float
    process_group: dist.ProcessGroup | None = None


def folded_convolution(
    x: Tensor,
    weight: Sequence[Tensor],
    gamma: Sequence[Tensor],
    beta: Sequence[Tensor],
    layer: FoldedLayer,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sum over branches of batch norm (training mode) of convolution, as one convolution.

    Args:
        x: ``(B, C, H, W)``.
        weight: Per branch ``(O, C / groups, K, K)``, all of the same size.
        gamma, beta: Per branch ``(O,)``, the batch norms' affine parameters.

    Returns:
        Output ``(B, O, H', W')``; without gradient, each branch's mean and biased variance,
        ``(branches, O)``, and the number of windows they were taken over (a scalar tensor).

    Source: the module's docstring; the batch norm is Ioffe and Szegedy 2015.
    """
    return _FoldedConvolution.apply(x, layer, len(weight), *weight, *gamma, *beta)


class _FoldedConvolution(Function):
    """Inside, branches are laid out ``(G, n, o, T)``: groups, branches, outputs of a group, window."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, layer: FoldedLayer, branches: int, *parameters: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = x.contiguous(memory_format=torch.channels_last)
        compute_dtype, wide_dtype = _dtypes(x, parameters[0])

        def stack(index: int) -> Tensor:
            stacked = torch.stack(parameters[index * branches : (index + 1) * branches])
            return stacked.to(wide_dtype).unflatten(1, (layer.groups, -1)).transpose(0, 1)

        kernels, gamma, beta = stack(0).flatten(3), stack(1), stack(2)
        with torch.autocast(x.device.type, enabled=False):
            mean_window, covariance, count = _measure(x.to(wide_dtype), layer)
            flat = kernels.flatten(1, 2)
            projected = (flat @ covariance).view_as(kernels)
            mean = (flat @ mean_window.unsqueeze(-1)).view_as(gamma)
            var = torch.linalg.vecdot(projected, kernels).clamp_min(0)
            inv_std = (var + layer.eps).rsqrt()
            scale = gamma * inv_std
            kernel = torch.linalg.vecdot(scale.unsqueeze(-1), kernels, dim=1)
            kernel = kernel.view(parameters[0].shape).to(compute_dtype)
            bias = (beta - scale * mean).sum(1).flatten().to(compute_dtype)
            x = x.to(compute_dtype)
            out = F.conv2d(x, kernel, bias, layer.stride, layer.kernel_size // 2, 1, layer.groups)
        ctx.save_for_backward(
            x, kernels, kernel, gamma, inv_std, mean, projected, mean_window, count
        )
        ctx.layer, ctx.parameter_dtype = layer, parameters[0].dtype
        mean, var = (t.transpose(0, 1).flatten(1) for t in (mean, var))
        ctx.mark_non_differentiable(mean, var, count)
        return out, mean, var, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        layer = ctx.layer
        x, kernels, kernel, gamma, inv_std, mean, projected, mean_window, count = ctx.saved_tensors
        grad_x, grad_kernel, grad_bias = torch.ops.aten.convolution_backward(
            grad_out.contiguous(memory_format=torch.channels_last), x, kernel, [len(kernel)],
            [layer.stride] * 2, [layer.kernel_size // 2] * 2, [1, 1], False, [0, 0], layer.groups,
            [ctx.needs_input_grad[0], True, True],
        )  # fmt: skip
        grad_kernel = grad_kernel.to(kernels.dtype).reshape(layer.groups, 1, *kernels.shape[2:])
        grad_bias = grad_bias.to(kernels.dtype).view(layer.groups, 1, -1)

        scale = gamma * inv_std
        grad_gamma = (torch.linalg.vecdot(kernels, grad_kernel) - grad_bias * mean) * inv_std
        grad_mean = -scale * grad_bias
        grad_var = -0.5 * grad_gamma * scale * inv_std
        grad_kernels = (scale.unsqueeze(-1) * grad_kernel).addcmul_(
            grad_var.unsqueeze(-1), projected, value=2
        )
        grad_kernels.addcmul_(grad_mean.unsqueeze(-1), mean_window[:, None, None])

        if grad_x is not None:
            flat, grad_mean, grad_var = (t.flatten(1, 2) for t in (kernels, grad_mean, grad_var))
            grad_covariance = (grad_var.unsqueeze(-1) * flat).transpose(1, 2) @ flat
            grad_window = grad_mean.unsqueeze(1) @ flat
            grad_window -= 2 * mean_window.unsqueeze(1) @ grad_covariance
            grad_x = _add_moment_gradient(
                grad_x, x, grad_window.squeeze(1) / count, grad_covariance / count, layer
            )

        def unstack(stacked: Tensor) -> Tensor:
            return stacked.to(ctx.parameter_dtype).transpose(0, 1).flatten(1, 2).contiguous()

        return (
            grad_x, None, None,
            *unstack(grad_kernels).view(-1, *kernel.shape).unbind(),
            *unstack(grad_gamma).unbind(),
            *unstack(grad_bias.repeat(1, gamma.shape[1], 1)).unbind(),
        )  # fmt: skip


def _dtypes(x: Tensor, parameter: Tensor) -> tuple[torch.dtype, torch.dtype]:
    """The dtype to convolve in, following autocast, and the dtype to fold in, at least float32."""
    device = x.device.type
    autocast = torch.is_autocast_enabled(device)
    compute = torch.get_autocast_dtype(device) if autocast else x.dtype
    return compute, torch.promote_types(parameter.dtype, torch.float32)


def _measure(x: Tensor, layer: FoldedLayer) -> tuple[Tensor, Tensor, Tensor]:
    """Mean ``(G, T)`` and covariance ``(G, T, T)`` of the windows, and how many there were."""
    sums, products = _moments(x, layer).measure(x)
    height, width = (-(-size // layer.stride) for size in x.shape[2:])
    count = sums.new_full((), x.shape[0] * height * width)
    if layer.process_group is not None:
        sums, products, count = _all_reduce((sums, products, count), layer.process_group)
    mean = sums / count
    # In double precision, because the subtraction cancels digits.
    covariance = products / count - mean.unsqueeze(-1) * mean.unsqueeze(-2)
    return mean.to(x.dtype), covariance.to(x.dtype), count.to(x.dtype)


def _add_moment_gradient(
    grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor, layer: FoldedLayer
) -> Tensor:
    if layer.process_group is not None:
        grad_sums, grad_products = _all_reduce((grad_sums, grad_products), layer.process_group)
    wide = grad_x.to(grad_sums.dtype).contiguous(memory_format=torch.channels_last)
    wide_x = x.to(grad_sums.dtype)
    _moments(x, layer).add_gradient_(wide, wide_x, grad_sums, grad_products)
    return wide.to(grad_x.dtype)


def _moments(x: Tensor, layer: FoldedLayer) -> WindowMoments:
    """The cheapest exact moments for the layer's convolution of ``x``."""
    if (layer.kernel_size, layer.stride, layer.groups) == (1, 1, 1):
        return PointwiseMoments()
    # Border strips of a map under two pixels would overlap; unfolding such a small map costs nothing.
    if layer.kernel_size == 3 and layer.groups == x.shape[1] and min(x.shape[2:]) > 1:
        return DepthwiseMoments() if layer.stride == 1 else StridedDepthwiseMoments()
    return UnfoldedMoments(layer.kernel_size, layer.stride, layer.groups)


def _all_reduce(tensors: tuple[Tensor, ...], group: dist.ProcessGroup) -> list[Tensor]:
    """The tensors summed over all processes, sent as one message."""
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat, group=group)
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors)]
