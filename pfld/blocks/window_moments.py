"""Window moments: mean and covariance of the input windows of a convolution, and their gradient.

A kernel at one output position sees a window ``u`` of its input: ``T = C_in / groups * K * K`` numbers,
zeros where the window reaches over the edge. Every branch of a re-parameterizable block is linear in
``u``, so the sums of ``u`` and of ``u u^T`` over batch and positions hold all that the branches' batch
norms need. Three ways to get them, each exact:

- :class:`PointwiseMoments` for 1x1 kernels: one matrix product.
- :mod:`pfld.blocks.depthwise_moments` for depthwise 3x3 kernels: correlations of the map with itself,
  less a border term in closed form.
- :class:`UnfoldedMoments` for the rest: the windows unfolded.

Gradients are in the dtype of ``x``, measured sums in float64; ``x`` has to be in channels_last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

_BLOCK_ROWS = 1024  # positions summed in single precision before sums are combined in double


class WindowMoments(ABC):
    """Sums over all windows of one layer, and their gradient.

    Each group of input channels has its own sums: sums ``(groups, T)`` and products ``(groups, T, T)``.
    """

    @abstractmethod
    def measure(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of ``u`` and of ``u u^T`` over batch and positions of ``x``; in float64."""

    @abstractmethod
    def add_gradient_(
        self, grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor
    ) -> None:
        """Adds to ``grad_x`` the gradient of the loss with respect to ``x`` through the moments.

        ``grad_products`` has to be symmetric in its last two axes.
        """


class PointwiseMoments(WindowMoments):
    """1x1 kernels: the window is the pixel, ``T = C``."""

    def measure(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = _rows(x)
        # Short single-precision sums, combined in double, keep the variance's digits where the mean
        # is many times the standard deviation. They are also faster: threads share the blocks.
        blocks = max(1, len(rows) // _BLOCK_ROWS)
        while len(rows) % blocks:
            blocks -= 1
        blocked = rows.view(blocks, -1, rows.shape[1])
        products = torch.bmm(blocked.transpose(1, 2), blocked)
        return combine(blocked.sum(1)).unsqueeze(0), combine(products).unsqueeze(0)

    def add_gradient_(
        self, grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor
    ) -> None:
        _rows(grad_x).addmm_(_rows(x), 2 * grad_products[0]).add_(grad_sums)


class UnfoldedMoments(WindowMoments):
    """Any kernel, stride and grouping, with the windows unfolded."""

    def __init__(self, kernel_size: int, stride: int, groups: int) -> None:
        self.unfold = {"kernel_size": kernel_size, "padding": kernel_size // 2, "stride": stride}
        self.groups = groups

    def _windows(self, x: Tensor) -> Tensor:
        """``(B, groups, T, L)``."""
        return F.unfold(x, **self.unfold).unflatten(1, (self.groups, -1))

    def measure(self, x: Tensor) -> tuple[Tensor, Tensor]:
        windows = self._windows(x)
        return combine(windows.sum(-1)), combine(windows @ windows.transpose(-1, -2))

    def add_gradient_(
        self, grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor
    ) -> None:
        grad_windows = 2 * grad_products @ self._windows(x) + grad_sums.unsqueeze(-1)
        grad_x += F.fold(grad_windows.flatten(1, 2), x.shape[2:], **self.unfold)


def _rows(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` in channels_last, seen as ``(B * H * W, C)``."""
    return x.permute(0, 2, 3, 1).view(-1, x.shape[1])


def combine(blocks: Tensor) -> Tensor:
    """The sum over blocks of single-precision sums, in float64."""
    return blocks.sum(0, dtype=torch.float64)
