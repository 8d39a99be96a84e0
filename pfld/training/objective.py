"""Training objective: a landmark loss in pixels of the crop, and terms that may be added to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pfld.head.pose import head_pose
from pfld.losses import calibration_loss, pfld_loss, smooth_l1_loss, wing_loss
from pfld.networks import AuxiliaryNet, LandmarkNetwork
from pfld.networks.heads import Located, RegressionHead
from pfld.training.config import TrainingConfig
from pfld.training.likelihood import ResidualLogLikelihood


class TrainedModule(nn.Module):
    """All that is optimised: a network and, if the loss needs it, an auxiliary net or a density of errors.

    It is one module, so that everything passes through the wrapper of a distributed run.

    Raises:
        ValueError: For the loss "rle" and a head that is no regression.
    """

    def __init__(self, network: LandmarkNetwork, loss: str = "wing") -> None:
        super().__init__()
        self.network = network
        wants_pose = loss in ("pfld", "pfld-original")
        self.auxiliary = AuxiliaryNet.for_network(network) if wants_pose else None
        self.likelihood: ResidualLogLikelihood | None = None
        if loss == "rle":
            if not isinstance(network.head, RegressionHead):
                raise ValueError("--loss rle goes with --head regression")
            features = network.head.in_features
            self.likelihood = ResidualLogLikelihood(features, network.num_landmarks)

    def forward(self, images: Tensor, target: Tensor | None = None) -> Answer:
        """The predictions that the loss is computed from.

        Args:
            images: ``(B, 3, S, S)``, normalised.
            target: ``(B, L, 2)``, fractions of the crop; needed for the loss "rle".
        """
        located, pose_features = self.network.locate(images)
        angles = None if self.auxiliary is None else self.auxiliary(pose_features)
        unlikelihood = None
        if self.likelihood is not None:
            assert target is not None and located.features is not None
            unlikelihood = self.likelihood(located.landmarks, target, located.features)
        return Answer(located, angles, unlikelihood)


class Answer(NamedTuple):
    """The output of a :class:`TrainedModule` for B faces.

    Attributes:
        located: What the head found, in fractions of the crop.
        angles: Yaw, pitch, roll ``(B, 3)`` in radians; None if the loss does not need them.
        unlikelihood: Negative log-likelihood of each face's errors ``(B,)``; None for other losses.
    """

    located: Located
    angles: Tensor | None = None
    unlikelihood: Tensor | None = None


def landmark_loss(
    config: TrainingConfig,
    answer: Answer,
    target: Tensor,
    attributes: Tensor,
    *,
    face_weights: Tensor | None = None,
    wing_width: float | None = None,
) -> Tensor:
    """The configured loss, per coordinate; a scalar.

    The losses of a heatmap head's parts and of the calibration of its uncertainty are added.

    Args:
        target: ``(B, L, 2)``, fractions of the crop.
        attributes: ``(B, 6)`` of 0 or 1.
        face_weights: Weight of each face ``(B,)``. The PFLD loss has weights of its own.
        wing_width: Used instead of that of ``config``.
    """
    unit = 1.0 if config.fraction_units else float(config.input_size)
    located, angles, unlikelihood = answer
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
        assert angles is not None  # the other losses need poses
        loss, _ = pfld_loss(
            prediction,
            wanted,
            angles.float(),
            _pose_labels(target_px),
            attributes,
            original_weighting=config.loss == "pfld-original",
        )
        return loss

    if unlikelihood is not None:
        faces = unlikelihood if face_weights is None else unlikelihood * face_weights
        return faces.mean() / target_px.shape[1]
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
