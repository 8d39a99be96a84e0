"""Transfer learning: starting from a trained network, also under a new head, and freezing layers."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from pfld.networks import HeatmapHead, LandmarkNetwork
from pfld.weights import load_state, load_weights


def start_from_(network: LandmarkNetwork, path: str | Path, name: str) -> bool:
    """Loads weights of a file into ``network``; returns whether part of its head stays as it was.

    That is so if ``network`` has a heatmap head and the file a regression head, which is part of it.

    Args:
        name: The architecture that the file must hold.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: As :func:`pfld.weights.load_weights`, for tensors of other shapes, and for a file with
            a heatmap head if ``network`` has none.
    """
    start, _ = load_weights(path, network=name)
    if start.head.name == network.head.name:
        load_state(network, start.state_dict())
        return False
    if not isinstance(network.head, HeatmapHead):
        raise ValueError(f"{path} has a {start.head.name} head; pass --head {start.head.name}")
    load_state(network.head.regression, start.head.state_dict())
    for layer in network.layer_names:
        load_state(network.get_submodule(layer), start.get_submodule(layer).state_dict())
    return True


def freeze_layers_(network: LandmarkNetwork, last: str) -> list[nn.Module]:
    """Freezes the layers up to ``last`` and returns them; none for an empty name.

    Raises:
        ValueError: For a name that is no layer of the network.
    """
    if not last:
        return []
    if last not in network.layer_names:
        known = ", ".join(network.layer_names)
        raise ValueError(f"--frozen-layers must name one of {known}, got {last!r}")
    names = network.layer_names[: network.layer_names.index(last) + 1]
    return [network.get_submodule(name).requires_grad_(False) for name in names]
