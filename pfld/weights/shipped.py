"""The weights that come with the package, by name and backend."""

from __future__ import annotations

import os
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]
# The folder that a wheel brings; a checkout has none.
_INSTALLED = Path(__file__).parents[1] / "installed"
SHIPPED = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT / "weights"
PORTRAIT = (
    _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT / "demo" / "examples"
) / "astronaut.jpg"
DEFAULT_WEIGHTS = "ghostone-heatmap"  # the most accurate that are shipped
# Backends by name, with the ending of the weight files each reads.
BACKENDS = {
    "train-time": ".safetensors",
    "reparameterized": ".safetensors",
    "onnx": ".onnx",
    "onnx-int8": "-int8.onnx",
    "openvino": ".onnx",
}


def find_weights(weights: str | os.PathLike[str], backend: str) -> Path:
    """The weight file for a backend: the file named, or the shipped one of that name.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: For an unknown backend, or a file it does not read.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    path = Path(weights)
    if path.is_file():
        if (path.suffix == ".onnx") != (BACKENDS[backend].endswith(".onnx")):
            raise ValueError(f"the {backend} backend cannot read {path}")
        return path
    if path.suffix or path.name != os.fspath(weights):
        raise FileNotFoundError(f"no weight file at {path}")
    shipped = SHIPPED / (path.name + BACKENDS[backend])
    if not shipped.is_file():
        names = shipped_networks(backend)
        have = f"there are {', '.join(names)}" if names else "there are none here"
        if BACKENDS[backend] == ".safetensors" and SHIPPED == _INSTALLED:
            have += "; the PyTorch weights are in the project's repository, pass their path"
        raise FileNotFoundError(f"no {path} weights for the {backend} backend; {have}")
    return shipped


def shipped_networks(backend: str = "onnx") -> tuple[str, ...]:
    """Names of the weights that come with the package for a backend."""
    ending = BACKENDS[backend]
    names = (path.name.removesuffix(ending) for path in SHIPPED.glob("*" + ending))
    # "ghostone-int8.onnx" ends in ".onnx", too.
    return tuple(sorted(name for name in names if not name.endswith("-int8")))
