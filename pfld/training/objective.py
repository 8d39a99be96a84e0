"""What a run minimises: a landmark loss in pixels of the crop, and what may be added to it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pfld.data.pose import head_pose
from pfld.losses import pfld_loss, smooth_l1_loss, wing_loss
from pfld.networks import AuxiliaryNet, LandmarkNetwork
from pfld.training.config import TrainingConfig


class TrainedModule(nn.Module):
    """A network and, where the loss wants poses, the auxiliary net: all that is optimised.

    ``forward`` gives landmarks ``(B, 2 * L)`` and angles ``(B, 3)`` in radians or None. One module, so
    that everything passes through the wrapper of a distributed run.
    """

    def __init__(self, network: LandmarkNetwork, *, with_pose: bool) -> None:
        super().__init__()
        self.network = network
        self.auxiliary = AuxiliaryNet.for_network(network) if with_pose else None

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        landmarks, features = self.network.forward_with_pose_features(images)
        return landmarks, None if self.auxiliary is None else self.auxiliary(features)


def wants_pose(config: TrainingConfig) -> bool:
    return config.loss in ("pfld", "pfld-original")


def landmark_loss(
    config: TrainingConfig,
    prediction: Tensor,
    angles: Tensor | None,
    target: Tensor,
    attributes: Tensor,
    *,
    face_weights: Tensor | None = None,
    wing_width: float | None = None,
) -> Tensor:
    """The configured loss, per coordinate; a scalar.

    Args:
        prediction: ``(B, 2 * L)``, fractions of the crop.
        angles: ``(B, 3)`` radians from the auxiliary net; None where the loss wants none.
        target: ``(B, L, 2)``, fractions of the crop.
        attributes: ``(B, 6)`` of 0 or 1.
        face_weights: How much each face counts, ``(B,)``. The PFLD loss has weights of its own.
        wing_width: Another than ``config``'s.
    """
    unit = 1.0 if config.fraction_units else float(config.input_size)
    prediction, target = prediction.float() * unit, target.flatten(1) * unit
    coordinates = target.shape[1]
    if config.loss == "wing":
        width, epsilon = wing_width or config.wing_width, config.wing_epsilon
        loss = wing_loss(
            prediction, target, width=width, epsilon=epsilon, face_weights=face_weights
        )
        return loss / coordinates
    if config.loss == "smooth-l1":
        loss = smooth_l1_loss(prediction, target, beta=config.beta, face_weights=face_weights)
        return loss / coordinates
    assert angles is not None  # the losses that are left want poses
    loss, _ = pfld_loss(
        prediction,
        target,
        angles.float(),
        _pose_labels(target / unit * config.input_size),
        attributes,
        original_weighting=config.loss == "pfld-original",
    )
    return loss / coordinates


def _pose_labels(target_px: Tensor) -> Tensor:
    """Yaw, pitch, roll ``(B, 3)`` in radians of the faces as augmented, from their landmarks."""
    points = target_px.detach().unflatten(1, (-1, 2)).cpu().numpy()
    angles = np.nan_to_num(head_pose(points))
    return torch.from_numpy(angles).to(target_px.device, torch.float32)


def start_at_mean_shape_(network: LandmarkNetwork, mean_shape: Tensor) -> None:
    """Makes a fresh network answer ``mean_shape`` ``(L, 2)`` to whatever it sees, nearly."""
    with torch.no_grad():
        network.fc.weight.mul_(0.1)
        network.fc.bias.copy_(mean_shape.flatten())
