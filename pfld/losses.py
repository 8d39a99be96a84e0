"""Landmark losses: Wing, SmoothL1, PFLD, and a loss that calibrates uncertainty.

The first three take the prediction first and check that the result is finite.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def wing_loss(
    prediction_px: Tensor,
    target_px: Tensor,
    *,
    width: float = 10.0,
    epsilon: float = 2.0,
    face_weights: Tensor | None = None,
) -> Tensor:
    """Wing loss, summed over coordinates and averaged over faces; a scalar.

    ``width * ln(1 + |x| / epsilon)`` where ``|x| < width``, else ``|x| - C``, continuous at ``width``.

    Args:
        prediction_px: ``(B, 2 * N)`` or ``(B, N, 2)`` in **pixels of the crop**. On fractions of the
            crop every error is far below ``width`` and the loss is about a scaled L1.
        target_px: The same shape and unit.
        width: Where the logarithm ends, in pixels.
        epsilon: Curvature of the logarithm, in pixels.
        face_weights: Weight of each face ``(B,)``; None weighs all alike.

    Raises:
        ValueError: For shapes that differ, non-positive parameters, or non-finite coordinates.

    Source: Feng et al. 2018, Wing Loss, equation 5.
    """
    if width <= 0 or epsilon <= 0:
        raise ValueError(f"width and epsilon must be positive, got {width} and {epsilon}")
    error = _difference(prediction_px, target_px).abs()
    offset = width - width * math.log1p(width / epsilon)
    loss = torch.where(error < width, width * torch.log1p(error / epsilon), error - offset)
    mean = _mean_over_faces(loss, face_weights)
    return _finite(mean, prediction=prediction_px, target=target_px)


def smooth_l1_loss(
    prediction: Tensor, target: Tensor, *, beta: float = 1.0, face_weights: Tensor | None = None
) -> Tensor:
    """SmoothL1 loss, summed over coordinates and averaged over faces; a scalar.

    ``x^2 / (2 beta)`` where ``|x| < beta``, else ``|x| - beta / 2``.

    Args:
        prediction: ``(B, 2 * N)`` or ``(B, N, 2)``, in the unit of ``beta``.
        target: The same shape and unit.
        face_weights: Weight of each face ``(B,)``; None weighs all alike.

    Raises:
        ValueError: For shapes that differ, a non-positive ``beta``, or non-finite coordinates.

    Source: Girshick 2015, Fast R-CNN, equation 3, with the changeover at ``beta``.
    """
    if beta <= 0:
        raise ValueError(f"beta must be positive, got {beta}")
    _difference(prediction, target)
    loss = torch.nn.functional.smooth_l1_loss(prediction, target, beta=beta, reduction="none")
    return _finite(_mean_over_faces(loss, face_weights), prediction=prediction, target=target)


def pfld_loss(
    prediction: Tensor,
    target: Tensor,
    angles: Tensor,
    target_angles: Tensor,
    attributes: Tensor,
    *,
    original_weighting: bool = False,
) -> tuple[Tensor, Tensor]:
    """PFLD's loss, and the unweighted loss for monitoring; two scalars.

    The first is the mean over faces of (sum of attribute weights) x (sum over yaw, pitch and roll of
    1 - cos of the error) x (sum of squared distances); the second the mean sum of squared distances.
    An attribute weighs 1 / its frequency in the batch.

    Args:
        prediction: ``(B, 2 * N)`` or ``(B, N, 2)``.
        target: The same shape and unit.
        angles: Predicted yaw, pitch, roll ``(B, 3)`` in radians.
        target_angles: The same shape and unit.
        attributes: ``(B, 6)`` of 0 or 1 in WFLW's order: pose, expression, illumination, make-up,
            occlusion, blur.
        original_weighting: Weigh as the first public implementations do: they leave the pose column
            out, and a face with no attribute weighs 0 and has no effect. By default all six count, and
            faces without any form a class of their own, like the paper's frontal class.

    Raises:
        ValueError: For shapes that do not fit or non-finite values.

    Source: Guo et al. 2019, PFLD, equations 1 and 2.
    """
    batch = len(prediction)
    for name, tensor, shape in (
        ("angles", angles, (batch, 3)),
        ("target_angles", target_angles, (batch, 3)),
        ("attributes", attributes, (batch, 6)),
    ):
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
    squared = _difference(prediction, target).square().flatten(1).sum(1)
    classes = attributes.to(squared.dtype)
    if original_weighting:
        classes = classes[:, 1:]
    else:
        classes = torch.cat([classes, (classes.sum(1, keepdim=True) == 0).to(classes)], dim=1)
    # A class that is absent from the batch multiplies zeros only; the clamp keeps it finite.
    attribute_weight = (classes / classes.mean(0).clamp_min(1 / batch)).sum(1)
    angle_weight = (1 - torch.cos(angles - target_angles)).sum(1)
    loss = (attribute_weight * angle_weight * squared).mean()
    inputs = {
        "prediction": prediction,
        "target": target,
        "angles": angles,
        "target_angles": target_angles,
        "attributes": attributes,
    }
    return _finite(loss, **inputs), squared.mean()


def calibration_loss(uncertainty: Tensor, error: Tensor) -> Tensor:
    """Mean of ``error / uncertainty + ln(uncertainty)``; a scalar.

    It is least where ``uncertainty`` is the expected ``error``: it is the negative log-likelihood of
    exponentially distributed errors. Only ``uncertainty`` gets a gradient.

    Args:
        uncertainty: Expected errors ``(B, N)``, positive.
        error: Distances from the truth ``(B, N)``, in the same unit.
    """
    return (error.detach() / uncertainty + uncertainty.log()).mean()


def _mean_over_faces(loss: Tensor, weights: Tensor | None) -> Tensor:
    faces = loss.flatten(1).sum(1)
    return (faces if weights is None else faces * weights).mean()


def _difference(prediction: Tensor, target: Tensor) -> Tensor:
    if prediction.shape != target.shape or prediction.ndim not in (2, 3) or not len(prediction):
        raise ValueError(
            "prediction and target must share one shape, (B, 2 * N) or (B, N, 2) with B of at least 1, "
            f"got {tuple(prediction.shape)} and {tuple(target.shape)}"
        )
    return prediction - target


def _finite(loss: Tensor, **inputs: Tensor) -> Tensor:
    if loss.is_cuda and torch.cuda.is_current_stream_capturing():
        return loss  # a captured step cannot wait for the value; its caller checks the loss
    if not torch.isfinite(loss):
        culprits = [name for name, value in inputs.items() if not torch.isfinite(value).all()]
        raise ValueError(
            f"the loss is {loss.item()}: non-finite values in {' and '.join(culprits)}; "
            "lower the learning rate or check the annotations"
            if culprits
            else f"the loss overflows to {loss.item()} although its inputs are finite"
        )
    return loss
