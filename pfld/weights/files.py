"""Reading and writing of weight files, with checks. Tensors are named as in published checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pfld.files import write_whole
from pfld.weights.metadata import WeightMetadata, require_channel_order
from pfld.weights.published import published_metadata
from pfld.weights.torch_files import state_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pfld.networks import LandmarkNetwork

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".tar")
MOST_BYTES = 2**30  # of a file; the largest network there is has 400 MB
_LONGEST_HEADER = 8_000_000  # bytes; the largest network's has 2.3 million
_LARGEST_NUMBER = 1e9  # in weights and statistics


def save_weights(path: str | Path, network: nn.Module, metadata: WeightMetadata) -> None:
    """Writes a safetensors file with metadata, atomically.

    Raises:
        ValueError: When ``network`` is not what ``metadata`` describes.
        OSError: If the file cannot be written.
    """
    import torch
    from safetensors.torch import save

    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    with torch.device("meta"):
        described = metadata.build()
    _require_tensors(described, state)
    write_whole(path, save(state, metadata.to_strings()))


def load_weights(
    path: str | Path, *, network: str | None = None, channel_order: str | None = None
) -> tuple[LandmarkNetwork, WeightMetadata]:
    """The network of a weight file in eval mode on the CPU, and its metadata.

    Reads this package's safetensors files, which carry metadata, and published checkpoints, whose network
    is recognised by its tensors. Code in a file is never run.

    Args:
        network: Name of the network expected.
        channel_order: "rgb" or "bgr", for published checkpoints, which do not contain it; default "bgr".

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: For a file that is damaged, not understood, or not what the arguments say.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        state, metadata = _read_safetensors(path)
        require_channel_order(metadata, channel_order, path)
    elif path.suffix in CHECKPOINT_SUFFIXES:
        state = read_state(path)
        metadata = published_metadata(state, path)
        if channel_order:
            preprocessing = replace(metadata.preprocessing, channel_order=channel_order)
            metadata = replace(metadata, preprocessing=preprocessing)
    else:
        known = ", ".join((".safetensors", *CHECKPOINT_SUFFIXES))
        raise ValueError(f"weights end in {known}, got {path}")
    if network and network != metadata.network:
        raise ValueError(f"{path} holds {metadata.network}, not {network}")
    try:
        built = metadata.build()
        load_state(built, state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    for name, tensor in built.state_dict().items():
        _require_sound(name, tensor, path)
    return built.eval(), metadata


def read_metadata(path: str | Path) -> WeightMetadata:
    """The metadata of a safetensors file of this package; its tensors are not read.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: For another file, or metadata that is not understood.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    _require_size(path)
    with path.open("rb") as start:
        length = int.from_bytes(start.read(8), "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"{path} is damaged or no safetensors file: its header has {length} bytes")
    try:
        with safe_open(path, framework="np") as file:
            strings = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors file: {error}") from error
    try:
        return WeightMetadata.from_strings(strings)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], WeightMetadata]:
    from safetensors import safe_open

    metadata = read_metadata(path)
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, metadata


def load_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copies ``state`` into ``model``: all its tensors must be there, with their shapes, and no others.

    Raises:
        ValueError: Saying how many tensors are missing, unexpected or of another shape, with the first
            of each; ``model`` is then unchanged.
    """
    _require_tensors(model, state)
    model.load_state_dict(state)


def _require_sound(name: str, tensor: Tensor, path: Path) -> None:
    """Raises ValueError for numbers that no trained network has."""
    low, high = (value.item() for value in tensor.aminmax()) if tensor.numel() else (0, 0)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{path} holds numbers that are not finite, first in {name}")
    if max(-low, high) > _LARGEST_NUMBER and tensor.is_floating_point():
        raise ValueError(f"{path} holds numbers up to {max(-low, high):.0e}, first in {name}")
    if name.endswith("running_var") and low < 0:
        raise ValueError(f"{path} holds a negative variance, {low:g}, in {name}")


def _require_tensors(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in state.items()}
    missing = [name for name in expected if name not in given]
    unexpected = [name for name in given if name not in expected]
    reshaped = [
        f"{name} {given[name]} instead of {shape}"
        for name, shape in expected.items()
        if name in given and given[name] != shape
    ]
    retyped = [
        f"{name} {str(state[name].dtype).removeprefix('torch.')} instead of float"
        for name, tensor in model.state_dict().items()
        if name in given and tensor.is_floating_point() and not _is_float(state[name])
    ]
    problems = [
        f"{len(names)} {what} (first: {names[0]})"
        for what, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", reshaped),
            ("of another kind", retyped),
        )
        if names
    ]
    if problems:
        raise ValueError(
            f"{type(model).__name__} expects {len(expected)} tensors, the weights hold {len(given)}: "
            f"{'; '.join(problems)}. Build the network these weights were saved from"
        )


def _is_float(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.element_size() > 1


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a PyTorch file, without running code in the file, or unpickling any of it.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file holds anything but named, dense tensors of floats or int64.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    _require_size(path)
    try:
        return state_of(path.read_bytes())
    except ValueError as error:
        raise ValueError(
            f"{path} is not a plain PyTorch state dict: {error}; save one with "
            "torch.save(model.state_dict(), path)"
        ) from error


def _require_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{path} has {size} bytes, more than the weights of any network here")
