"""Crops without a face, and a logistic regression that tells them from faces by pooled features.

A landmark network that was trained on faces alone finds one in any crop, with low uncertainty. But
doubtful detections have to be told from faces.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pfld.data.augment import AugmentationConfig, draw_augmentation
from pfld.data.face_set import FaceSet
from pfld.networks import HeatmapHead, LandmarkNetwork
from pfld.networks.reparameterize import reparameterize
from pfld.synthetic.scenery import background, grain
from pfld.training.faces import FaceBatches

FACES = 4000  # used, each with one crop that shows no face
_BATCH = 64
_STRENGTH = 0.6  # of augmentation: crops as inaccurate as from detectors' boxes
_DECAY = 1e-3  # of the classifier's weights, for features of unit variance
_WRONG_WAY = (100.0, 260.0)  # degrees of rotation; such a face cannot be located


def fit_no_face_(
    network: LandmarkNetwork,
    faces: FaceSet,
    batches: FaceBatches,
    indices: NDArray[np.int64],
    *,
    seed: int = 0,
) -> float:
    """Fits a heatmap head's classifier of crops without a face; returns its accuracy, 0..1.

    It is a logistic regression on the pooled features of augmented faces and as many crops without one, at
    the network's present weights. One in five pairs is held out to measure the accuracy.

    Args:
        indices: Indices of the training faces.
    """
    head = network.head
    assert isinstance(head, HeatmapHead)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(indices)[:FACES]
    fused = reparameterize(network).eval()
    with torch.inference_mode():
        seen = [
            torch.cat([_features(fused, batches.normalized(images)) for images in part])
            for part in zip(*_crops(faces, batches, chosen, seed))
        ]
    features = torch.stack([part.clone() for part in seen]).double().cpu()  # (2, N, C)
    held_out = torch.arange(features.shape[1]) % 5 == 0
    weight, bias = _logistic_regression(features[:, ~held_out])
    with torch.no_grad():
        head.no_face.weight.copy_(weight[None])
        head.no_face.bias.copy_(bias[None])
    compared = features[:, held_out] if held_out.any() else features
    right = ((compared @ weight + bias > 0) == torch.tensor([[False], [True]])).double()
    return float(right.mean())


def no_faces(crops: Tensor, rng: np.random.Generator, size: int) -> Tensor:
    """Crops without a face ``(B, 3, size, size)`` in 0..1, from stored crops ``(B, S, S, 3)`` uint8.

    In turns: the surroundings or a small part of a face, twice; a face the wrong way up; a face with its
    parts shuffled; and a drawn picture without a face.
    """
    pixels = crops.permute(0, 3, 1, 2).float().div(255)
    made = []
    for index, face in enumerate(pixels):
        kind = index % 5
        if kind < 2:
            made.append(_beside(face, rng, size))
        elif kind == 2:
            made.append(_wrong_way_up(face, rng, size))
        elif kind == 3:
            made.append(_shuffled(face, rng, size))
        else:
            made.append(_drawn(rng, size).to(face.device))
    return torch.cat(made)


def _beside(face: Tensor, rng: np.random.Generator, size: int) -> Tensor:
    """A square of a fifth to two fifths of the crop, away from its middle."""
    side = rng.uniform(0.2, 0.4)
    angle, reach = rng.uniform(0, 2 * math.pi), rng.uniform(0.25, 0.5)
    middle = np.clip(
        reach * np.array([math.cos(angle), math.sin(angle)]), -0.5 + side / 2, 0.5 - side / 2
    )
    return _cut(
        face, middle, side, rng.uniform(0, 2 * math.pi) if rng.random() < 0.3 else 0.0, size
    )


def _wrong_way_up(face: Tensor, rng: np.random.Generator, size: int) -> Tensor:
    angle = math.radians(rng.uniform(*_WRONG_WAY))
    return _cut(face, rng.uniform(-0.05, 0.05, 2), rng.uniform(0.6, 0.8), angle, size)


def _shuffled(face: Tensor, rng: np.random.Generator, size: int) -> Tensor:
    """The middle of the crop, cut into two to four rows and columns of tiles that change places."""
    parts = int(rng.integers(2, 5))
    side = size // parts * parts
    middle = _cut(face, np.zeros(2), rng.uniform(0.6, 0.75), 0.0, side)[0]
    tiles = middle.unflatten(2, (parts, -1)).unflatten(1, (parts, -1)).permute(1, 3, 0, 2, 4)
    tiles = tiles.flatten(0, 1)[torch.from_numpy(_derangement(parts**2, rng))]
    rows = tiles.unflatten(0, (parts, parts)).permute(2, 0, 3, 1, 4)
    return F.interpolate(rows.flatten(3).flatten(1, 2)[None], (size, size), mode="nearest")


def _drawn(rng: np.random.Generator, size: int) -> Tensor:
    """A drawn picture of patches and shapes, or of soft spots on a plain ground, with noise."""
    if rng.random() < 0.5:
        image = background(rng, size)
    else:
        image = np.full((size, size, 3), rng.uniform(0, 255, 3) ** rng.uniform(0.3, 1), np.uint8)
        for _ in range(int(rng.integers(1, 20))):
            middle = rng.integers(0, size, 2).tolist()
            axes = rng.integers(2, size // 4, 2).tolist()
            color = rng.uniform(0, 255, 3).tolist()
            cv2.ellipse(image, middle, axes, rng.uniform(0, 180), 0, 360, color, -1)
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(1, size / 16))
    pixels = torch.from_numpy(grain(image, rng)).permute(2, 0, 1)[None]
    return pixels.float() / 255


def _derangement(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A permutation in which nothing stays: a shuffled cycle."""
    order = rng.permutation(count)
    moved = np.empty(count, np.int64)
    moved[order] = np.roll(order, 1)
    return moved


def _cut(face: Tensor, middle: NDArray[np.float64], side: float, angle: float, size: int) -> Tensor:
    """A turned square; ``middle`` and ``side`` in sides of the crop, from its middle."""
    cos, sin = side * math.cos(angle), side * math.sin(angle)
    theta = face.new_tensor([[cos, -sin, 2 * middle[0]], [sin, cos, 2 * middle[1]]])[None]
    grid = F.affine_grid(theta, [1, 3, size, size], align_corners=False)
    return F.grid_sample(face[None], grid, padding_mode="reflection", align_corners=False)


def _crops(
    faces: FaceSet, batches: FaceBatches, chosen: NDArray[np.int64], seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Augmented faces, and crops without one, in batches."""
    rng, size = np.random.default_rng((seed, 1)), batches.preprocessing.input_size
    config = replace(AugmentationConfig(), truncation=0.0)
    for start in range(0, len(chosen), _BATCH):
        part = chosen[start : start + _BATCH]
        generator = torch.Generator().manual_seed(seed + start)
        draw = draw_augmentation(len(part), generator, config, strength=_STRENGTH)
        images, _, _ = batches.batch(part, draw)
        stored = torch.from_numpy(np.ascontiguousarray(faces.crops[part]))
        yield images, no_faces(stored, rng, size).to(images.device)


def _features(network: LandmarkNetwork, images: Tensor) -> Tensor:
    located, _ = network.locate(images)
    assert located.features is not None
    return located.features


def _logistic_regression(features: Tensor) -> tuple[Tensor, Tensor]:
    """Weights ``(C,)`` and bias of the logit of being of the second of two classes ``(2, N, C)``."""
    mean, std = features.mean((0, 1)), features.std((0, 1)).clamp_min(1e-6)
    scaled = (features - mean) / std
    target = torch.zeros(scaled.shape[:2], dtype=scaled.dtype)
    target[1] = 1
    weight = torch.zeros(scaled.shape[2], dtype=scaled.dtype, requires_grad=True)
    bias = torch.zeros((), dtype=scaled.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(scaled @ weight + bias, target)
        loss = loss + _DECAY * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    unscaled = (weight / std).detach()
    return unscaled, (bias - (mean * unscaled).sum()).detach()
