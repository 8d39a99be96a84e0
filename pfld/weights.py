"""State dicts in and out, checked. The networks' own names are those of published checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn


def load_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copies ``state`` into ``model``; every tensor has to be there, with its shape, and no other.

    Raises:
        ValueError: Saying how many tensors are missing, unexpected or of another shape, with the first
            of each; ``model`` is then unchanged.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in state.items()}
    missing = [name for name in expected if name not in given]
    unexpected = [name for name in given if name not in expected]
    reshaped = [
        f"{name} {given[name]} instead of {shape}"
        for name, shape in expected.items()
        if name in given and given[name] != shape
    ]
    problems = [
        f"{len(names)} {what} (first: {names[0]})"
        for what, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", reshaped),
        )
        if names
    ]
    if problems:
        raise ValueError(
            f"{type(model).__name__} expects {len(expected)} tensors, the weights hold {len(given)}: "
            f"{'; '.join(problems)}. Build the network these weights were saved from"
        )
    model.load_state_dict(state)


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a PyTorch file, without running code a file may carry.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file holds anything but named tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"{path} is not a plain PyTorch state dict; save one with "
            "torch.save(model.state_dict(), path)"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"{path} must hold named tensors, got {type(state).__name__}")
    return state
