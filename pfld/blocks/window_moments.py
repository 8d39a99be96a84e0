"""Mean and covariance of what a convolution kernel sees, and their gradient.

A kernel at one output position sees a window ``u`` of its input: ``T = C_in / groups * K * K`` numbers,
zeros where the window reaches over the edge. Every branch of a re-parameterizable block is linear in
``u``, so the sums of ``u`` and of ``u u^T`` over batch and positions hold all that the branches' batch
norms need. Three ways to get them, each exact:

- :class:`PointwiseMoments` for 1x1 kernels: one matrix product.
- :class:`DepthwiseMoments` for depthwise 3x3 kernels: correlations of the map with itself, less a
  border term in closed form.
- :class:`UnfoldedMoments` for the rest: the windows written out.

Gradients are in the dtype of ``x``, measured sums in float64; ``x`` has to be in channels_last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from itertools import combinations_with_replacement, product

import torch
import torch.nn.functional as F
from torch import Tensor

# Positions summed in single precision before sums are combined in double: longer sums cost the
# gradients of a whole network a digit.
_BLOCK_ROWS = 1024
_CORRELATION_POSITIONS = 8192
_TAPS = tuple(product((-1, 0, 1), repeat=2))  # (y, x) of a 3x3 kernel, in the order of its weights


class WindowMoments(ABC):
    """Sums over all windows of one layer, and the way back to its input.

    Each group of input channels has its own: sums ``(groups, T)`` and products ``(groups, T, T)``.
    """

    @abstractmethod
    def measure(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of ``u`` and of ``u u^T`` over batch and positions of ``x``; in float64."""

    @abstractmethod
    def add_gradient_(
        self, grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor
    ) -> None:
        """Adds to ``grad_x`` what the loss owes to ``x`` through the moments.

        ``grad_products`` has to be symmetric in its last two axes.
        """


def moments_for(x: Tensor, kernel_size: int, stride: int, groups: int) -> WindowMoments:
    """The cheapest exact moments for a convolution of ``x`` padded by half its kernel."""
    if kernel_size == 1 and stride == 1 and groups == 1:
        return PointwiseMoments()
    # Border strips of a map under two pixels would overlap; so small, it costs nothing written out.
    if kernel_size == 3 and groups == x.shape[1] and min(x.shape[2:]) > 1:
        return DepthwiseMoments() if stride == 1 else StridedDepthwiseMoments()
    return UnfoldedMoments(kernel_size, stride, groups)


class PointwiseMoments(WindowMoments):
    """1x1 kernels: the window is the pixel, ``T = C``."""

    def measure(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = _rows(x)
        # Short single-precision sums, combined in double, keep the variance's digits where the mean
        # is many times the standard deviation. They are also faster: blocks share out over threads.
        blocks = max(1, len(rows) // _BLOCK_ROWS)
        while len(rows) % blocks:
            blocks -= 1
        blocked = rows.view(blocks, -1, rows.shape[1])
        products = torch.bmm(blocked.transpose(1, 2), blocked)
        return _combine(blocked.sum(1)).unsqueeze(0), _combine(products).unsqueeze(0)

    def add_gradient_(
        self, grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor
    ) -> None:
        _rows(grad_x).addmm_(_rows(x), 2 * grad_products[0]).add_(grad_sums)


class UnfoldedMoments(WindowMoments):
    """Any kernel, stride and grouping, with every window written out."""

    def __init__(self, kernel_size: int, stride: int, groups: int) -> None:
        self.unfold = {"kernel_size": kernel_size, "padding": kernel_size // 2, "stride": stride}
        self.groups = groups

    def _windows(self, x: Tensor) -> Tensor:
        """``(B, groups, T, L)``."""
        return F.unfold(x, **self.unfold).unflatten(1, (self.groups, -1))

    def measure(self, x: Tensor) -> tuple[Tensor, Tensor]:
        windows = self._windows(x)
        return _combine(windows.sum(-1)), _combine(windows @ windows.transpose(-1, -2))

    def add_gradient_(
        self, grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor
    ) -> None:
        grad_windows = 2 * grad_products @ self._windows(x) + grad_sums.unsqueeze(-1)
        grad_x += F.fold(grad_windows.flatten(1, 2), x.shape[2:], **self.unfold)


class DepthwiseMoments(WindowMoments):
    """Depthwise 3x3 kernels of stride 1, ``T = 9``.

    Summed over all windows that touch the map, the product of taps a and b depends on b - a alone: it
    is the map's correlation with itself at that lag. Windows centred one pixel outside the map count
    there but not in the convolution. They see one border row or column each, so the products of those
    strips with themselves are taken off again, and the corners, taken off twice, put back.
    """

    stride = 1

    def _outside(self, size: int) -> tuple[tuple[int, int], ...]:
        """Of windows centred outside an axis: which tap is inside, and the row or column it sees."""
        return (2, 0), (0, -1)

    def measure(self, x: Tensor) -> tuple[Tensor, Tensor]:
        sums, products = _tap_grid(*self._measure_all(x))
        outside_y, outside_x = (self._outside(size) for size in x.shape[2:])
        for axis, outside in ((1, outside_y), (2, outside_x)):
            if not outside:
                continue
            taps = self._strip_taps(_strips(x, axis, outside))
            strip_sums = torch.stack([tap.contiguous().sum((0, 1)) for tap in taps], dim=1)
            strip_products = strip_sums.new_empty(*strip_sums.shape, 3)
            for a, b in combinations_with_replacement(range(3), 2):
                strip_products[:, a, b] = strip_products[:, b, a] = (taps[a] * taps[b]).sum((0, 1))
            sides = zip(outside, strip_sums.chunk(len(outside)), strip_products.chunk(len(outside)))
            for (tap, _), side_sums, side_products in sides:
                sums.select(axis, tap).sub_(side_sums)
                _same_tap(products, axis, tap).sub_(side_products)
        for (tap_y, y), (tap_x, x_) in product(outside_y, outside_x):
            corner = x[:, :, y, x_]
            sums[:, tap_y, tap_x] += corner.sum(0)
            products[:, tap_y, tap_x, tap_y, tap_x] += corner.square().sum(0)
        return sums.flatten(1), products.view(-1, 9, 9)

    def add_gradient_(
        self, grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor
    ) -> None:
        self._add_gradient_all_(grad_x, x, grad_sums, grad_products)
        grad_sums, grad_products = _tap_grid(grad_sums, grad_products)
        outside_y, outside_x = (self._outside(size) for size in x.shape[2:])
        for axis, outside in ((1, outside_y), (2, outside_x)):
            if not outside:
                continue
            strips = _strips(x, axis, outside)
            strip_sums = torch.cat([grad_sums.select(axis, tap) for tap, _ in outside])
            strip_products = torch.cat([_same_tap(grad_products, axis, tap) for tap, _ in outside])
            grad_strips = self._strip_gradient(strips, strip_sums, strip_products)
            for (_, index), side in zip(outside, grad_strips.chunk(len(outside), dim=2)):
                grad_x.select(axis + 1, index).sub_(side.transpose(1, 2))
        for (tap_y, y), (tap_x, x_) in product(outside_y, outside_x):
            grad_square = grad_products[:, tap_y, tap_x, tap_y, tap_x]
            grad_x[:, :, y, x_] += 2 * grad_square * x[:, :, y, x_] + grad_sums[:, tap_y, tap_x]

    def _strip_taps(self, strips: Tensor) -> list[Tensor]:
        """What each tap sees over all three-pixel windows that touch a strip: 3 of ``(B, n, C)``."""
        return self._tap_views(F.pad(strips, (0, 0, 3 - self.stride, 2)))

    def _tap_views(self, padded: Tensor) -> list[Tensor]:
        windows = (padded.shape[1] - 3) // self.stride + 1
        return [padded[:, tap :: self.stride][:, :windows] for tap in range(3)]

    def _strip_gradient(self, strips: Tensor, grad_sums: Tensor, grad_products: Tensor) -> Tensor:
        taps = self._strip_taps(strips)
        length = strips.shape[1]
        grad = strips.new_zeros(len(strips), length + 5 - self.stride, strips.shape[2])
        # Coefficients with channels innermost, like the strips: strided ones are many times slower.
        constants = grad_sums.t().contiguous()
        factors = (2 * grad_products).permute(1, 2, 0).contiguous()
        for a, grad_tap in enumerate(self._tap_views(grad)):
            grad_tap += (
                torch.addcmul(constants[a], taps[0], factors[a, 0])
                .addcmul_(taps[1], factors[a, 1])
                .addcmul_(taps[2], factors[a, 2])
            )
        return grad[:, 3 - self.stride : 3 - self.stride + length]

    def _measure_all(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Sums ``(C, 9)`` and products ``(C, 81)`` over all windows that touch the map."""
        right = _correlate(x, F.pad(x, (0, 2, 0, 2)), padding=0)  # lags y 0..2, x 0..2
        left = _correlate(x, F.pad(x, (2, 0, 0, 2)), padding=0)  # lags y 0..2, x -2..0
        lags = torch.cat([left, right[:, :, 1:]], dim=2).flatten(1)  # y 0..2, x -2..2
        sums = x.sum((2, 3)).sum(0, dtype=torch.float64).unsqueeze(1).repeat(1, 9)
        return sums, lags[:, _lag_table(x.device)]

    def _add_gradient_all_(
        self, grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor
    ) -> None:
        channels = x.shape[1]
        lags = grad_products.new_zeros(channels, 15)
        lags.index_add_(1, _lag_table(x.device), grad_products.reshape(channels, 81))
        kernel = lags.new_zeros(channels, 5, 5)
        kernel[:, 2:] = lags.view(channels, 3, 5)
        kernel += kernel.flip(1, 2)
        grad_x += F.conv2d(x, kernel.unsqueeze(1), grad_sums.sum(1), padding=2, groups=channels)


def _strips(x: Tensor, axis: int, outside: tuple[tuple[int, int], ...]) -> Tensor:
    """Border rows (axis 1) or columns (axis 2) side by side: ``(B, N, sides * C)``."""
    return torch.cat([x.select(axis + 1, i).transpose(1, 2) for _, i in outside], dim=2)


def _tap_grid(sums: Tensor, products: Tensor) -> tuple[Tensor, Tensor]:
    """Sums ``(C, y, x)`` and products ``(C, y_a, x_a, y_b, x_b)`` of the taps a, b of a 3x3 window."""
    return sums.view(-1, 3, 3), products.view(-1, 3, 3, 3, 3)


def _same_tap(products: Tensor, axis: int, tap: int) -> Tensor:
    """The part ``(C, 3, 3)`` of a tap grid in which both taps stand at ``tap`` along ``axis``."""
    return products.select(axis + 2, tap).select(axis, tap)


@lru_cache
def _lag_table(device: torch.device) -> Tensor:
    """Where the product of taps a and b, flattened, stands among lags y 0..2, x -2..2, flattened."""
    lags = [(b_y - a_y, b_x - a_x) for (a_y, a_x), (b_y, b_x) in product(_TAPS, repeat=2)]
    lags = [lag if lag >= (0, 0) else (-lag[0], -lag[1]) for lag in lags]
    return torch.tensor([5 * y + x + 2 for y, x in lags], device=device)


def _correlate(signal: Tensor, other: Tensor, *, padding: int) -> Tensor:
    """Per channel, the sum of ``signal[p] * other[p + lag - padding]`` for lags 0..2: ``(C, 3, 3)``.

    This is the weight gradient of a depthwise 3x3 convolution, for which there are fast kernels.
    """
    channels = signal.shape[1]
    weight = signal.new_empty(channels, 1, 3, 3)
    images = max(1, _CORRELATION_POSITIONS // (signal.shape[2] * signal.shape[3]))
    parts = [
        torch.ops.aten.convolution_backward(
            signal_part, other_part, weight, None,
            [1, 1], [padding, padding], [1, 1], False, [0, 0], channels, [False, True, False],
        )[1]
        for signal_part, other_part in zip(signal.split(images), other.split(images))
    ]  # fmt: skip
    return _combine(torch.stack(parts)).view(channels, 3, 3)


def _rows(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` in channels_last, seen as ``(B * H * W, C)``."""
    return x.permute(0, 2, 3, 1).view(-1, x.shape[1])


def _combine(blocks: Tensor) -> Tensor:
    return blocks.sum(0, dtype=torch.float64)


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
            [_correlate(phases[i], phases[j], padding=1) for i, j in _PHASE_PAIRS], dim=1
        )
        sums = torch.stack(
            [phase.sum((2, 3)).sum(0, dtype=torch.float64) for phase in phases], dim=1
        )
        tap_phases = [_phase(tap) for tap in _TAPS]
        return sums[:, tap_phases], correlations.flatten(1)[:, _phase_table(x.device)]

    def _add_gradient_all_(
        self, grad_x: Tensor, x: Tensor, grad_sums: Tensor, grad_products: Tensor
    ) -> None:
        channels = x.shape[1]
        phases = _phases(x)
        kernels = grad_products.new_zeros(channels, 9 * len(_PHASE_PAIRS))
        kernels.index_add_(1, _phase_table(x.device), grad_products.reshape(channels, 81))
        kernels = kernels.view(channels, len(_PHASE_PAIRS), 3, 3)
        grads: list[Tensor | None] = [None] * 4

        def add(target: int, source: int, kernel: Tensor, bias: Tensor | None = None) -> None:
            grad = F.conv2d(phases[source], kernel.unsqueeze(1), bias, padding=1, groups=channels)
            grads[target] = grad if grads[target] is None else grads[target].add_(grad)

        for pair, (i, j) in enumerate(_PHASE_PAIRS):
            kernel = kernels[:, pair]
            flipped = kernel.flip(1, 2)
            if i == j:
                taps = [k for k, tap in enumerate(_TAPS) if _phase(tap) == i]
                add(i, i, kernel + flipped, grad_sums[:, taps].sum(1))
            else:
                add(i, j, kernel)
                add(j, i, flipped)
        for index, grad in enumerate(grads):
            target = grad_x[:, :, index // 2 :: 2, index % 2 :: 2]
            target += grad[:, :, : target.shape[2], : target.shape[3]]


_PHASE_PAIRS = tuple(combinations_with_replacement(range(4), 2))


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
    for a, b in product(_TAPS, repeat=2):
        if _phase(a) > _phase(b):
            a, b = b, a
        # Tap -1 sees the odd row before the one that tap +1 sees: one step back on the same phase.
        lag_y, lag_x = (min(b_, 0) - min(a_, 0) for a_, b_ in zip(a, b))
        pair = _PHASE_PAIRS.index((_phase(a), _phase(b)))
        table.append(9 * pair + 3 * (lag_y + 1) + lag_x + 1)
    return torch.tensor(table, device=device)
