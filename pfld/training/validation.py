"""Validation: errors on held-out faces, of the averaged and re-parameterized network."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from pfld.evaluation.metrics import normalized_mean_errors
from pfld.networks import LandmarkNetwork
from pfld.networks.reparameterize import reparameterize
from pfld.training.faces import FaceBatches

_BATCH = 128


@torch.inference_mode()
def validate(
    network: LandmarkNetwork, faces: FaceBatches, indices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean error of each face over the distance of its outer eye corners, ``(len(indices),)``."""
    fused = reparameterize(network).eval()
    errors = []
    for start in range(0, len(indices), _BATCH):
        images, landmarks, _ = faces.batch(indices[start : start + _BATCH])
        predicted = fused(faces.normalized(images)).view_as(landmarks)
        errors.append(
            normalized_mean_errors(
                predicted.float().cpu().numpy(), landmarks.cpu().numpy(), faces.scheme
            )
        )
    return np.concatenate(errors)
