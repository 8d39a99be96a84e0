"""Data augmentation of whole batches on the training device; landmarks are transformed likewise.

Random parameters are drawn first, on the CPU, for the whole global batch from one seed
(:func:`draw_augmentation`). Each process then applies its own rows (:func:`augment`). So a seed gives
the same batches for any number of processes and devices.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from pfld.data.degrade import add_noise, blur, compress, lower_resolution, occlude, truncate
from pfld.landmarks import LandmarkScheme

LUMA = (0.299, 0.587, 0.114)  # weights of R, G, B in brightness; ITU-R BT.601


@dataclass(frozen=True)
class AugmentationConfig:
    """How far augmentation goes at full strength. Probabilities are per face.

    Attributes:
        rotation: Standard deviation in degrees; cut off at three times that.
        scale, aspect: Standard deviation of the logarithm of the crop's side, and of its side ratio.
        shift: Standard deviation of the crop's displacement, as a fraction of its side.
        detector_jitter: Probability of doubled scale and shift, as with detectors' boxes.
        mirror: Probability, at any strength.
        brightness, contrast, saturation, tint: Largest change, as a fraction.
        gamma: Largest factor on the exponent of brightness, less 1.
        noise: Largest standard deviation, for pixels in 0..1.
        blur: Probability of a Gaussian or motion blur.
        low_resolution: Probability of losing a factor of 2 to 4 in resolution.
        occlusion: Probability of something in front of the face.
        truncation: Probability of the picture's edge cutting the face.
        compression: Probability of JPEG artefacts.
        grey: Probability of losing all colour.

    Raises:
        ValueError: For a value that is negative or not finite.
    """

    rotation: float = 14.0
    scale: float = 0.1
    aspect: float = 0.02
    shift: float = 0.05
    detector_jitter: float = 0.15
    mirror: float = 0.5
    brightness: float = 0.25
    contrast: float = 0.3
    saturation: float = 0.4
    tint: float = 0.08
    gamma: float = 0.4
    noise: float = 0.06
    blur: float = 0.12
    low_resolution: float = 0.12
    occlusion: float = 0.25
    truncation: float = 0.08
    compression: float = 0.12
    grey: float = 0.12

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= sys.float_info.max:
                raise ValueError(
                    f"{field.name} must be finite and not negative, got {str(value)[:20]}"
                )


@dataclass(frozen=True)
class AugmentationDraw:
    """Random parameters for ``B`` faces; tensors with ``B`` rows, on the CPU.

    Angles in radians, shifts as fractions of the crop's side; a strength of 0 means "not at all".
    """

    angle: Tensor
    zoom: Tensor  # (B, 2), factors on the crop's side
    shift: Tensor  # (B, 2)
    mirror: Tensor  # bool
    color: Tensor  # (B, 3, 4), RGB after = matrix @ RGB + last column
    gamma: Tensor
    noise: Tensor
    noise_offset: Tensor  # (B, 2), where in the noise bank
    blur: Tensor  # (B, 2), standard deviations in pixels along and across
    blur_angle: Tensor
    reduction: Tensor  # 1, or the factor of resolution lost
    occluder: Tensor  # (B, 8): on, x, y, width, height, angle, roundness, texture
    truncation: Tensor  # (B, 2), depth and side
    quality: Tensor  # JPEG quality, 0 for none

    def rows(self, part: slice) -> AugmentationDraw:
        """The draw for some of the faces."""
        return AugmentationDraw(**{f.name: getattr(self, f.name)[part] for f in fields(self)})

    def to(self, device: torch.device) -> AugmentationDraw:
        """The draw on another device."""
        return AugmentationDraw(
            **{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        )


def draw_augmentation(
    count: int, generator: torch.Generator, config: AugmentationConfig, *, strength: float = 1.0
) -> AugmentationDraw:
    """Draws parameters for ``count`` faces from a CPU generator.

    Args:
        strength: 0..1, scales everything but the probability of mirroring.
    """

    def uniform(*shape: int, low: float = -1.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator).clamp(-3, 3)

    def happens(probability: float) -> Tensor:
        return torch.rand(count, generator=generator) < probability

    strayed = 1 + happens(strength * config.detector_jitter).float()[:, None]
    log_zoom = strength * strayed * config.scale * normal(1)
    log_aspect = strength * config.aspect * normal(1) / 2
    blurred = happens(strength * config.blur)[:, None] * uniform(2, low=0.4, high=2.2)
    blurred[:, 1] *= torch.where(happens(0.5), 1.0, 0.15)  # half of them blur along a line
    occluder = torch.cat(
        [
            happens(strength * config.occlusion).float()[:, None],
            uniform(2, low=0.0, high=1.0),
            uniform(2, low=0.06, high=0.3) * uniform(2, low=0.5, high=1.0),
            uniform(1, low=0.0, high=math.pi),
            uniform(2, low=0.0, high=1.0),
        ],
        dim=1,
    )
    return AugmentationDraw(
        angle=torch.deg2rad(strength * config.rotation * normal()),
        zoom=torch.exp(torch.cat([log_zoom + log_aspect, log_zoom - log_aspect], dim=1)),
        shift=strength * strayed * config.shift * normal(2),
        mirror=happens(config.mirror),
        color=_color_matrices(
            brightness=strength * config.brightness * uniform(),
            contrast=1 + strength * config.contrast * uniform(),
            saturation=(1 + strength * config.saturation * uniform())
            * ~happens(strength * config.grey),
            tint=1 + strength * config.tint * uniform(3),
        ),
        gamma=torch.exp(strength * math.log1p(config.gamma) * uniform()),
        noise=happens(0.5) * uniform(low=0.0, high=1.0).square() * strength * config.noise,
        noise_offset=torch.randint(0, 1 << 16, (count, 2), generator=generator),
        blur=blurred,
        blur_angle=uniform(low=0.0, high=math.pi),
        reduction=torch.where(
            happens(strength * config.low_resolution),
            torch.randint(2, 5, (count,), generator=generator),
            1,
        ),
        occluder=occluder,
        truncation=torch.stack(
            [
                happens(strength * config.truncation) * uniform(low=0.05, high=0.3),
                torch.randint(0, 4, (count,), generator=generator).float(),
            ],
            dim=1,
        ),
        quality=happens(strength * config.compression) * uniform(low=15.0, high=60.0),
    )


def no_augmentation(count: int) -> AugmentationDraw:
    """The draw that changes nothing: upright, centred crops as evaluation uses them."""
    generator = torch.Generator().manual_seed(0)
    config = AugmentationConfig(mirror=0.0)
    return draw_augmentation(count, generator, config, strength=0.0)


def augment(
    crops: Tensor,
    landmarks: Tensor,
    draw: AugmentationDraw,
    *,
    size: int,
    crop_scale: float,
    scheme: LandmarkScheme,
) -> tuple[Tensor, Tensor]:
    """Augmented pixels ``(B, 3, size, size)`` RGB in 0..1, and their landmarks ``(B, L, 2)``.

    Landmarks are fractions of the new crop; those beyond its edge lie outside 0..1.

    Args:
        crops: ``(B, S, S, 3)`` uint8 RGB with room around the face.
        landmarks: ``(B, L, 2)`` as fractions of ``crops``.
        draw: For these ``B`` faces, on the same device.
        size: Side of the result in pixels.
        crop_scale: Side of an undisturbed crop over the longer side of the (turned) landmark box.
    """
    images, landmarks = _warp(crops, landmarks, draw, size, crop_scale, scheme)
    images = truncate(images, draw.truncation)
    images = occlude(images, draw.occluder)
    images = _recolor(images, draw)
    images = lower_resolution(images, draw.reduction)
    images = blur(images, draw.blur, draw.blur_angle)
    images = add_noise(images, draw.noise, draw.noise_offset)
    images = compress(images.clamp_(0, 1), draw.quality)
    return images, landmarks


def _warp(
    crops: Tensor,
    landmarks: Tensor,
    draw: AugmentationDraw,
    size: int,
    crop_scale: float,
    scheme: LandmarkScheme,
) -> tuple[Tensor, Tensor]:
    """One affine map per face: mirror, turn, then the crop around the turned landmark box."""
    cos, sin = draw.angle.cos(), draw.angle.sin()
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # (B, 2, 2)
    flip = torch.where(draw.mirror, -1.0, 1.0)
    turn = torch.stack([turn[:, :, 0] * flip[:, None], turn[:, :, 1]], dim=2)
    turned = (landmarks - 0.5) @ turn.transpose(1, 2)
    low, high = turned.amin(1), turned.amax(1)
    side = (high - low).amax(1, keepdim=True) * crop_scale * draw.zoom  # (B, 2)
    corner = (low + high) / 2 - side / 2 + draw.shift * side
    new_landmarks = (turned - corner[:, None]) / side[:, None]
    mirrored = new_landmarks[:, list(scheme.mirror)]
    new_landmarks = torch.where(draw.mirror[:, None, None], mirrored, new_landmarks)

    # Fractions of the old crop for each pixel of the new one, in grid_sample's -1..1.
    back = turn.transpose(1, 2)  # the inverse: turn is orthogonal
    matrix = 2 * back * (side / 2)[:, None, :]
    offset = 2 * (back @ (corner + side / 2).unsqueeze(2))
    theta = torch.cat([matrix, offset], dim=2)
    grid = F.affine_grid(theta, [len(crops), 3, size, size], align_corners=False)
    pixels = crops.permute(0, 3, 1, 2).float().div_(255)
    # Pixels outside the stored crop are mirrored at its edge instead of black.
    images = F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
    return images, new_landmarks


def _color_matrices(
    *, brightness: Tensor, contrast: Tensor, saturation: Tensor, tint: Tensor
) -> Tensor:
    """``(B, 3, 4)``: saturation, tint, contrast about mid-grey and brightness as one affine map."""
    luma = torch.tensor(LUMA).expand(3, 3)
    mix = saturation[:, None, None] * (torch.eye(3) - luma) + luma
    matrix = contrast[:, None, None] * tint[:, :, None] * mix
    offset = 0.5 * (1 - contrast) + brightness
    return torch.cat([matrix, offset[:, None, None].expand(-1, 3, 1)], dim=2)


def _recolor(images: Tensor, draw: AugmentationDraw) -> Tensor:
    flat = images.flatten(2)
    flat = torch.baddbmm(draw.color[:, :, 3:], draw.color[:, :, :3], flat).clamp_(0, 1)
    # Like a change of exposure. The floor keeps the logarithm finite.
    flat = flat.clamp_min_(1e-3).pow_(draw.gamma[:, None, None])
    return flat.view_as(images)
