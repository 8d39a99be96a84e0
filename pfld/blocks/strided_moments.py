"""Window moments of depthwise 3x3 convolutions of stride 2."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement, product

import torch
import torch.nn.functional as F
from torch import Tensor

from pfld.blocks.depthwise_moments import TAPS, DepthwiseMoments, correlate

_PHASE_PAIRS = tuple(combinations_with_replacement(range(4), 2))


class StridedDepthwiseMoments(DepthwiseMoments):
    """Depthwise 3x3 kernels of stride 2, ``T = 9``.

    The map is split into its four phases (even and odd rows and columns). Each tap walks over one of
    them, so products of taps are correlations between phases. Of the windows outside, only those
    centred just past the bottom or right edge of an even-sized map exist.
    """

    stride = 2

    def _outside(self, size: int) -> tuple[tuple[int, int], ...]:
        return ((0, -1),) if size % 2 == 0 else ()

    def _measure_all(self, x: Tensor) -> tuple[Tensor, Tensor]:
        phases = _phases(x)
        correlations = torch.stack(
            [correlate(phases[i], phases[j], padding=1) for i, j in _PHASE_PAIRS], dim=1
        )
        sums = torch.stack(
            [phase.sum((2, 3)).sum(0, dtype=torch.float64) for phase in phases], dim=1
        )
        tap_phases = [_phase(tap) for tap in TAPS]
        return sums[:, tap_phases], correlations.flatten(1)[:, _phase_table(x.device)]

    def _add_gradient_all_(
        self, grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor
    ) -> None:
        channels = x.shape[1]
        phases = _phases(x)
        kernels = grad_products.new_zeros(channels, 9 * len(_PHASE_PAIRS))
        kernels.index_add_(1, _phase_table(x.device), grad_products.reshape(channels, 81))
        kernels = kernels.view(channels, len(_PHASE_PAIRS), 3, 3)
        grads: dict[int, Tensor] = {}  # by phase

        def add(target: int, source: int, kernel: Tensor, bias: Tensor | None = None) -> None:
            grad = F.conv2d(phases[source], kernel.unsqueeze(1), bias, padding=1, groups=channels)
            grads[target] = grads[target].add_(grad) if target in grads else grad

        for pair, (i, j) in enumerate(_PHASE_PAIRS):
            kernel = kernels[:, pair]
            flipped = kernel.flip(1, 2)
            if i == j:
                taps = [k for k, tap in enumerate(TAPS) if _phase(tap) == i]
                add(i, i, kernel + flipped, grad_sums[:, taps].sum(1))
            else:
                add(i, j, kernel)
                add(j, i, flipped)
        for phase, grad in grads.items():
            target = grad_x[:, :, phase // 2 :: 2, phase % 2 :: 2]
            target += grad[:, :, : target.shape[2], : target.shape[3]]


def _phases(x: Tensor) -> list[Tensor]:
    """Even and odd rows by even and odd columns of ``x``, each contiguous in channels_last.

    An odd map gets the zero row or column that its last windows see anyway.
    """
    x = _pad_to_even(x)
    return [
        x[:, :, y::2, x_::2].contiguous(memory_format=torch.channels_last)
        for y, x_ in product((0, 1), repeat=2)
    ]


def _phase(tap: tuple[int, int]) -> int:
    """Which phase a tap of a stride-2 window walks over; the window's centre is on phase 0."""
    return 2 * abs(tap[0]) + abs(tap[1])


def _pad_to_even(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    return F.pad(x, (0, width % 2, 0, height % 2)) if height % 2 or width % 2 else x


@lru_cache
def _phase_table(device: torch.device) -> Tensor:
    """Where the product of taps a and b, flattened, stands among phase pairs and lags, flattened."""
    table = []
    for a, b in product(TAPS, repeat=2):
        if _phase(a) > _phase(b):
            a, b = b, a
        # Tap -1 sees the odd row before the one that tap +1 sees: one step back on the same phase.
        lag_y, lag_x = (min(b_, 0) - min(a_, 0) for a_, b_ in zip(a, b))
        pair = _PHASE_PAIRS.index((_phase(a), _phase(b)))
        table.append(9 * pair + 3 * (lag_y + 1) + lag_x + 1)
    return torch.tensor(table, device=device)
