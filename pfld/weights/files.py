"""Reading and writing of weight files, with checks. Tensors are named as in published checkpoints."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from pfld.files import write_whole
from pfld.weights.metadata import WeightMetadata, require_channel_order
from pfld.weights.published import published_metadata

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pfld.networks import LandmarkNetwork

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".tar")


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
    broken = [name for name, tensor in built.state_dict().items() if not tensor.isfinite().all()]
    if broken:
        raise ValueError(f"{path} holds numbers that are not finite, first in {broken[0]}")
    return built.eval(), metadata


def read_metadata(path: str | Path) -> WeightMetadata:
    """The metadata of a safetensors file of this package; its tensors are not read.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: For another file, or metadata that is not understood.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"no weights at {path}")
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


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a PyTorch file, without running code in the file.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file holds anything but named tensors.
    """
    import torch

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    content = path.read_bytes()
    try:
        _require_stored(content)
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can go wrong in any way
        raise ValueError(
            f"{path} is not a plain PyTorch state dict; save one with "
            "torch.save(model.state_dict(), path)"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ValueError(f"{path} must hold named tensors, got {type(state).__name__}")
    strange = [name for name, tensor in state.items() if not _is_plain(name, tensor)]
    if strange:
        raise ValueError(f"{path} must hold named tensors of numbers, not {strange[0]!r} as it is")
    return state


def _require_stored(content: bytes) -> None:
    """Raises ValueError for an archive that unpacks to more than its size: PyTorch never compresses."""
    if not zipfile.is_zipfile(BytesIO(content)):
        return
    with zipfile.ZipFile(BytesIO(content)) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > len(content):
        raise ValueError(f"it would grow to {unpacked} bytes")


def _is_plain(name: object, tensor: Tensor) -> bool:
    """Whether an entry can be a tensor of a network: named, dense, real and on the CPU."""
    import torch

    return (
        isinstance(name, str)
        and not tensor.is_nested
        and tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and not (tensor.is_quantized or tensor.is_complex())
    )
