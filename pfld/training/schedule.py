"""Schedules over a run: learning rate, augmentation, Wing width, precision, order of faces."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pfld.data.annotations import ATTRIBUTES
from pfld.training.config import TrainingConfig

FIRST_STEP = 1e-3  # of a run; the warm-up starts from here, so that no learning rate is 0


def learning_rate(config: TrainingConfig, progress: float) -> float:
    """Learning rate: rises linearly (warm-up), then falls along a half cosine.

    Args:
        progress: The part of the run that is done, 0 to 1.

    Source: Loshchilov and Hutter 2017.
    """
    if progress < config.warmup:
        return config.lr * (progress + FIRST_STEP) / (config.warmup + FIRST_STEP)
    fallen = (progress - config.warmup) / max(1e-9, 1 - config.warmup)
    low = config.lr * config.final_lr_fraction
    return low + (config.lr - low) * 0.5 * (1 + math.cos(math.pi * fallen))


def augmentation_strength(config: TrainingConfig, progress: float) -> float:
    """Strength of augmentation, which changes linearly over the first part of the run.

    A new network learns faster from easy faces. A trained one becomes most accurate on real faces if it
    is trained on faces that are hardly changed.

    Args:
        progress: The part of the run that is done, 0 to 1.
    """
    done = 1.0
    if config.augmentation_until > 0:
        done = min(1.0, progress / config.augmentation_until)
    start = config.augmentation_start
    return config.augmentation * (start + (1 - start) * done)


def wing_width(config: TrainingConfig, progress: float) -> float:
    """Wing's width, which changes geometrically to ``wing_width_end``: late errors are small."""
    if not config.wing_width_end:
        return config.wing_width
    return config.wing_width ** (1 - progress) * config.wing_width_end**progress


def in_float32(config: TrainingConfig, progress: float) -> bool:
    """Whether the run is in full precision at ``progress``, 0 to 1."""
    return config.precision == "no" or progress >= 1 - config.float32_end


class FaceOrder:
    """The faces of each batch: shuffled passes over all faces, one after the other without a gap.

    The batch of a step follows from seed and step alone, so a resumed run needs no stored state.
    """

    def __init__(self, num_faces: int, batch_size: int, seed: int) -> None:
        self.num_faces = num_faces
        self.batch_size = batch_size
        self.seed = seed
        self._epoch = -1
        self._shuffled: NDArray[np.int64] = np.empty(0, np.int64)

    def batch(self, step: int) -> NDArray[np.int64]:
        """Indices ``(batch_size,)`` of the global batch."""
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, offsets = np.divmod(places, self.num_faces)
        indices = np.empty(self.batch_size, np.int64)
        for epoch in np.unique(epochs):
            indices[epochs == epoch] = self._pass(int(epoch))[offsets[epochs == epoch]]
        return indices

    def _pass(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            self._shuffled = np.random.default_rng((self.seed, epoch)).permutation(self.num_faces)
            self._epoch = epoch
        return self._shuffled


def repeated(
    faces: NDArray[np.int64], attributes: NDArray[np.uint8], pose_repeats: int
) -> NDArray[np.int64]:
    """``faces``, indices into ``attributes`` ``(N, 6)``, with those in large pose repeated."""
    posed = faces[attributes[faces, ATTRIBUTES.index("pose")] > 0]
    return np.concatenate([faces, *[posed] * (pose_repeats - 1)])


def rows_of_process(batch_size: int, process: int, processes: int) -> slice:
    """The part of a global batch one process works on.

    Raises:
        ValueError: When the batch cannot be shared out evenly.
    """
    if batch_size % processes:
        raise ValueError(f"--batch-size {batch_size} cannot be shared by {processes} processes")
    share = batch_size // processes
    return slice(process * share, (process + 1) * share)
