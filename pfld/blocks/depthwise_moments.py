"""Window moments of depthwise 3x3 convolutions, from the autocorrelation of the map."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement, product

import torch
import torch.nn.functional as F
from torch import Tensor

from pfld.blocks.window_moments import WindowMoments, combine

TAPS = tuple(product((-1, 0, 1), (-1, 0, 1)))  # (y, x) of a 3x3 kernel, in the order of its weights

# Positions summed in single precision before sums are combined in double. A weight gradient adds them
# one by one. With 8192, GhostOne's output on smooth images deviates from double precision three times as
# much as that of the plain branches; with 2048 a third more, for 2 % of a step's time.
_CORRELATION_POSITIONS = 2048


class DepthwiseMoments(WindowMoments):
    """Depthwise 3x3 kernels of stride 1, ``T = 9``.

    Summed over all windows that touch the map, the product of taps a and b depends on b - a alone: it
    is the map's correlation with itself at that lag. Windows centred one pixel outside the map count
    there but not in the convolution. Each of them sees one border row or column, so the products within
    these strips are subtracted, and the corners, subtracted twice, are added back.
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
        """The values under each tap in all three-pixel windows that touch a strip: 3 of ``(B, n, C)``."""
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
        right = correlate(x, F.pad(x, (0, 2, 0, 2)), padding=0)  # lags y 0..2, x 0..2
        left = correlate(x, F.pad(x, (2, 0, 0, 2)), padding=0)  # lags y 0..2, x -2..0
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
    lags = [(b_y - a_y, b_x - a_x) for (a_y, a_x), (b_y, b_x) in product(TAPS, repeat=2)]
    lags = [lag if lag >= (0, 0) else (-lag[0], -lag[1]) for lag in lags]
    return torch.tensor([5 * y + x + 2 for y, x in lags], device=device)


def correlate(signal: Tensor, other: Tensor, *, padding: int) -> Tensor:
    """Per channel, the sum of ``signal[p] * other[p + lag - padding]`` for lags 0..2: ``(C, 3, 3)``.

    This is the weight gradient of a depthwise 3x3 convolution, for which there are fast kernels.
    """
    by_parts = _correlate_images if signal.is_cuda else _correlate_parts
    return combine(by_parts(signal, other, padding)).view(signal.shape[1], 3, 3)


def _correlate_parts(signal: Tensor, other: Tensor, padding: int) -> Tensor:
    """The sums over consecutive parts of the batch, ``(parts, C, 1, 3, 3)``."""
    images = max(1, _CORRELATION_POSITIONS // (signal.shape[2] * signal.shape[3]))
    parts = zip(signal.split(images), other.split(images))
    return torch.stack([_depthwise_weight_gradient(*part, padding) for part in parts])


def _correlate_images(signal: Tensor, other: Tensor, padding: int) -> Tensor:
    """The sums over each image, ``(B, C, 1, 3, 3)``, in one kernel launch: images become channels."""
    shape = signal.shape[:2]
    signal, other = (maps.contiguous().flatten(0, 1).unsqueeze(0) for maps in (signal, other))
    return _depthwise_weight_gradient(signal, other, padding).unflatten(0, shape)


def _depthwise_weight_gradient(signal: Tensor, other: Tensor, padding: int) -> Tensor:
    """``(C, 1, 3, 3)`` summed over all images of the maps ``(B, C, H, W)``."""
    channels = signal.shape[1]
    return torch.ops.aten.convolution_backward(
        signal, other, signal.new_empty(channels, 1, 3, 3), None,
        [1, 1], [padding, padding], [1, 1], False, [0, 0], channels, [False, True, False],
    )[1]  # fmt: skip
