"""Image degradations for augmentation: occlusion, truncation, resolution, blur, noise, JPEG.

Each function takes ``(B, 3, S, S)`` in 0..1 with one row of settings per face, and changes only the
faces whose settings ask for it. None moves the content of a picture, so landmarks stay valid.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

_BLUR_RADIUS = 4  # pixels
_NOISE_SIDE = 512

_LUMA_STEPS = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA_STEPS = (17, 18, 24, 47, 18, 21, 26, 66, 24, 26, 56, 99, 47, 66, 99, 99)  # the rest: 99


def occlude(images: Tensor, occluder: Tensor) -> Tensor:
    """Puts a turned box or ellipse in front of a face: plain, striped, or copied from the same crop.

    Args:
        occluder: ``(B, 8)``: on (0 or 1); centre x, y, half width and height as fractions of the side;
            angle in radians; roundness (above 0.5 an ellipse); texture in 0..1.
    """
    rows = _rows(occluder[:, 0])
    if not len(rows):
        return images
    x, y, width, height, angle, roundness, texture = (
        value[:, None, None] for value in occluder[rows, 1:].unbind(1)
    )
    axis = _pixel_centers(images)
    dx, dy = axis[None, None, :] - x, axis[None, :, None] - y
    u = (dx * angle.cos() + dy * angle.sin()) / width
    v = (dy * angle.cos() - dx * angle.sin()) / height
    inside = (
        torch.where(roundness > 0.5, u.square() + v.square(), torch.maximum(u.abs(), v.abs())) < 1
    )
    stripes = 0.5 + 0.5 * torch.sin(8 * u * (1 + 2 * roundness))
    # Colours out of the texture number, so that one draw is enough.
    color = torch.cat([(texture * factor) % 1 for factor in (7.0, 31.0, 113.0)], dim=1)[..., None]
    plain = color.expand(-1, -1, *images.shape[2:])
    striped = color * stripes[:, None]
    # Its own pixels: those of another face would make it depend on the rest of the batch.
    other = images[rows].roll(images.shape[3] // 3, dims=3).flip(2)
    kind = texture[:, None]
    cover = torch.where(kind < 0.4, plain, torch.where(kind < 0.6, striped, other))
    covered = torch.where(inside[:, None], cover, images[rows])
    return images.index_copy(0, rows, covered)


def truncate(images: Tensor, truncation: Tensor) -> Tensor:
    """Blackens a face from one side, as at the edge of a picture.

    Args:
        truncation: ``(B, 2)``: depth as a fraction of the side, 0 for none; side 0..3 for left, top,
            right, bottom.
    """
    rows = _rows(truncation[:, 0])
    if not len(rows):
        return images
    depth, side = truncation[rows].unbind(1)
    axis = _pixel_centers(images)
    across = torch.where((side % 2 == 0)[:, None, None], axis[None, None, :], axis[None, :, None])
    distance = torch.where((side >= 2)[:, None, None], 1 - across, across)
    seen = (distance >= depth[:, None, None])[:, None]
    return images.index_copy(0, rows, images[rows] * seen)


def lower_resolution(images: Tensor, reduction: Tensor) -> Tensor:
    """Shrinks faces by whole factors ``(B,)`` and enlarges them again; 1 leaves them alone."""
    for factor in (2, 3, 4):
        rows = _rows(reduction == factor)
        if len(rows):
            size = images.shape[3]
            small = F.interpolate(images[rows], size=(size // factor,) * 2, mode="area")
            large = F.interpolate(small, size=(size, size), mode="bilinear", align_corners=False)
            images = images.index_copy(0, rows, large)
    return images


def blur(images: Tensor, sigmas: Tensor, angle: Tensor) -> Tensor:
    """Blurs by a turned Gaussian; a thin one looks like motion.

    Args:
        sigmas: ``(B, 2)``, standard deviations in pixels along and across ``angle``; 0, 0 for none.
        angle: ``(B,)`` in radians.
    """
    rows = _rows(sigmas[:, 0])
    if not len(rows):
        return images
    axis = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, device=images.device, dtype=images.dtype)
    cos, sin = angle[rows].cos()[:, None, None], angle[rows].sin()[:, None, None]
    along = axis[None, None, :] * cos + axis[None, :, None] * sin
    across = axis[None, :, None] * cos - axis[None, None, :] * sin
    widths = sigmas[rows].clamp_min(0.3)[:, :, None, None]
    kernels = torch.exp(-0.5 * ((along / widths[:, 0]).square() + (across / widths[:, 1]).square()))
    kernels = (kernels / kernels.sum((1, 2), keepdim=True)).repeat_interleave(3, dim=0)
    padded = F.pad(images[rows], [_BLUR_RADIUS] * 4, mode="replicate")
    blurred = F.conv2d(padded.flatten(0, 1)[None], kernels[:, None], groups=len(kernels))
    return images.index_copy(0, rows, blurred[0].unflatten(0, (-1, 3)))


def add_noise(images: Tensor, sigma: Tensor, offset: Tensor) -> Tensor:
    """Adds normal noise of standard deviation ``sigma`` ``(B,)``, cut from one large noise picture.

    Args:
        offset: ``(B, 2)`` non-negative integers: where to cut.
    """
    rows = _rows(sigma)
    if not len(rows):
        return images
    size = images.shape[3]
    bank = _noise_bank(images.device)
    start = offset[rows] % (_NOISE_SIDE - size)
    axis = torch.arange(size, device=images.device)
    y, x = start[:, :1] + axis, start[:, 1:] + axis
    noise = bank[:, y[:, :, None], x[:, None, :]].transpose(0, 1)
    return images.index_add(0, rows, noise * sigma[rows, None, None, None])


def compress(images: Tensor, quality: Tensor) -> Tensor:
    """JPEG's artefacts at a quality ``(B,)`` of 1..100; 0 leaves a face alone.

    Only the lossy step of JPEG: 8x8 cosine transform, rounding, and back, without subsampled colour.

    Raises:
        ValueError: For a side that is no multiple of 8.

    Source: ITU-T T.81, annex K for the quantisation tables; libjpeg for their scaling by quality.
    """
    rows = _rows(quality)
    if not len(rows):
        return images
    size = images.shape[3]
    if size % 8:
        raise ValueError(f"the side must be a multiple of 8 pixels, got {size}")
    to_ycc, tables, transform = _jpeg_constants(images.device)
    level = quality[rows].clamp(1, 100)
    scale = torch.where(level < 50, 50 / level, 2 - level / 50)
    ycc = torch.einsum("ij,bjyx->biyx", to_ycc, images[rows] - 0.5)
    blocks = ycc.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)  # (b, 3, Y, X, 8, 8)
    waves = transform @ blocks @ transform.T
    steps = (tables * scale[:, None, None, None]).round().clamp_min(1)[:, :, None, None] / 255
    blocks = transform.T @ ((waves / steps).round() * steps) @ transform
    ycc = blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    degraded = torch.einsum("ij,bjyx->biyx", torch.linalg.inv(to_ycc), ycc) + 0.5
    return images.index_copy(0, rows, degraded.clamp(0, 1))


def _rows(setting: Tensor) -> Tensor:
    return setting.nonzero().squeeze(1)


def _pixel_centers(images: Tensor) -> Tensor:
    size = images.shape[3]
    return (torch.arange(size, device=images.device, dtype=images.dtype) + 0.5) / size


@lru_cache(maxsize=4)
def _noise_bank(device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, _NOISE_SIDE, _NOISE_SIDE, generator=generator).to(device)


@lru_cache(maxsize=4)
def _jpeg_constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """RGB to YCbCr ``(3, 3)``, quantisation steps per channel ``(3, 8, 8)``, cosine transform ``(8, 8)``."""
    to_ycc = torch.tensor(
        [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    )
    luma = torch.tensor(_LUMA_STEPS, dtype=torch.float32).view(8, 8)
    chroma = torch.full((8, 8), 99.0)
    chroma[:4, :4] = torch.tensor(_CHROMA_STEPS, dtype=torch.float32).view(4, 4)
    wave, place = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    transform = 0.5 * torch.cos((2 * place + 1) * wave * math.pi / 16)
    transform[0] *= math.sqrt(0.5)
    tables = torch.stack([luma, chroma, chroma])
    return to_ycc.to(device), tables.to(device), transform.to(device)
