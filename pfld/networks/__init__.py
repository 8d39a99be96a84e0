"""Landmark networks by name: PFLD, GhostNet, GhostNet-Slim and GhostOne."""

from __future__ import annotations

from typing import Any

from pfld.networks.auxiliary import AuxiliaryNet
from pfld.networks.ghost import PFLDGhostNet, PFLDGhostNetSlim, PFLDGhostOne
from pfld.networks.heads import HeatmapHead, LandmarkHead, RegressionHead
from pfld.networks.landmark_network import LandmarkNetwork
from pfld.networks.pfld import PFLD
from pfld.weights.metadata import BRANCHED, HEADS

__all__ = [
    "HEADS",
    "NETWORKS",
    "PFLD",
    "AuxiliaryNet",
    "HeatmapHead",
    "LandmarkHead",
    "LandmarkNetwork",
    "PFLDGhostNet",
    "PFLDGhostNetSlim",
    "PFLDGhostOne",
    "RegressionHead",
    "build_network",
]

NETWORKS: dict[str, type[LandmarkNetwork]] = {
    "pfld": PFLD,
    "ghostnet": PFLDGhostNet,
    "ghostnet-slim": PFLDGhostNetSlim,
    "ghostone": PFLDGhostOne,
}


def build_network(
    name: str,
    *,
    head: str = "regression",
    width_multiplier: float = 1.0,
    num_landmarks: int = 98,
    input_size: int = 112,
    num_conv_branches: int = 6,
    reparameterized: bool = False,
) -> LandmarkNetwork:
    """A freshly initialised network, in training mode.

    Args:
        name: One of ``pfld``, ``ghostnet``, ``ghostnet-slim``, ``ghostone``.
        head: ``regression`` as published: coordinates from pooled features. ``heatmap``: soft-argmax of
            a heatmap for each point, more accurate after the same number of training faces.
        width_multiplier: Scales every channel count; 0.25 to 2.
        num_landmarks: Points to find.
        input_size: Side of the crop in pixels: 96, 112, 128, 144 or 160.
        num_conv_branches: Convolutions per block of ``ghostone`` while training; the others have one.
        reparameterized: Build ``ghostone`` fused, to load fused weights into; the others always are.

    Raises:
        ValueError: For an unknown name or a value out of range, naming what is accepted.
    """
    if name not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {name!r}")
    if head not in HEADS:
        raise ValueError(f"head must be one of {', '.join(HEADS)}, got {head!r}")
    if not 0.25 <= width_multiplier <= 2:
        raise ValueError(f"width_multiplier must be within 0.25 to 2, got {width_multiplier}")
    options: dict[str, Any] = {
        "head": head,
        "width_multiplier": width_multiplier,
        "num_landmarks": num_landmarks,
        "input_size": input_size,
    }
    if name in BRANCHED:
        options |= {"num_conv_branches": num_conv_branches, "reparameterized": reparameterized}
    return NETWORKS[name](**options)
