"""What a run minimises: a landmark loss in pixels of the crop, and what may be added to it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pfld.data.pose import head_pose
from pfld.losses import calibration_loss, pfld_loss, smooth_l1_loss, wing_loss
from pfld.networks import AuxiliaryNet, LandmarkNetwork
from pfld.networks.heads import Located
from pfld.training.config import TrainingConfig


class TrainedModule(nn.Module):
    """A network and, where the loss wants poses, the auxiliary net: all that is optimised.

    ``forward`` gives what the head located, in fractions, and angles ``(B, 3)`` in radians or None. One
    module, so that everything passes through the wrapper of a distributed run.
    """

    def __init__(self, network: LandmarkNetwork, *, with_pose: bool) -> None:
        super().__init__()
        self.network = network
        self.auxiliary = AuxiliaryNet.for_network(network) if with_pose else None

    def forward(self, images: Tensor) -> tuple[Located, Tensor | None]:
        located, features = self.network.locate(images)
        return located, None if self.auxiliary is None else self.auxiliary(features)


def wants_pose(config: TrainingConfig) -> bool:
    return config.loss in ("pfld", "pfld-original")


def landmark_loss(
    config: TrainingConfig,
    located: Located,
    angles: Tensor | None,
    target: Tensor,
    attributes: Tensor,
    *,
    face_weights: Tensor | None = None,
    wing_width: float | None = None,
) -> Tensor:
    """The configured loss, per coordinate; a scalar. Parts of the answer and the calibration of its
    uncertainty have theirs added.

    Args:
        located: Fractions of the crop.
        angles: ``(B, 3)`` radians from the auxiliary net; None where the loss wants none.
        target: ``(B, L, 2)``, fractions of the crop.
        attributes: ``(B, 6)`` of 0 or 1.
        face_weights: How much each face counts, ``(B,)``. The PFLD loss has weights of its own.
        wing_width: Another than ``config``'s.
    """
    unit = 1.0 if config.fraction_units else float(config.input_size)
    target_px = target.flatten(1) * config.input_size

    def loss_of(points: Tensor) -> Tensor:
        prediction, wanted = points.flatten(1).float() * unit, target.flatten(1) * unit
        if config.loss == "wing":
            width, epsilon = wing_width or config.wing_width, config.wing_epsilon
            return wing_loss(
                prediction, wanted, width=width, epsilon=epsilon, face_weights=face_weights
            )
        if config.loss == "smooth-l1":
            return smooth_l1_loss(prediction, wanted, beta=config.beta, face_weights=face_weights)
        assert angles is not None  # the losses that are left want poses
        loss, _ = pfld_loss(
            prediction,
            wanted,
            angles.float(),
            _pose_labels(target_px),
            attributes,
            original_weighting=config.loss == "pfld-original",
        )
        return loss

    loss = loss_of(located.landmarks)
    if config.parts_weight:
        loss = loss + config.parts_weight * sum(map(loss_of, located.parts))
    loss = loss / target_px.shape[1]
    if located.uncertainty is not None:
        error = (located.landmarks - target).norm(dim=2)
        loss = loss + calibration_loss(located.uncertainty, error)
    return loss


def _pose_labels(target_px: Tensor) -> Tensor:
    """Yaw, pitch, roll ``(B, 3)`` in radians of the faces as augmented, from their landmarks."""
    points = target_px.detach().unflatten(1, (-1, 2)).cpu().numpy()
    angles = np.nan_to_num(head_pose(points))
    return torch.from_numpy(angles).to(target_px.device, torch.float32)
