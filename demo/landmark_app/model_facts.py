"""Size of a network: parameters, multiply-accumulates, bytes of its weight file."""

from __future__ import annotations

from dataclasses import dataclass

from pfld.benchmark.backends import network_size
from pfld.runtime.backends import Backend

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class ModelFacts:
    """Size of a network in the form that is run.

    Attributes:
        parameters: Number of weights.
        macs: Multiply-accumulates for one face.
        file_bytes: Size of the weight file. A re-parameterized network is made from the train-time file.
    """

    parameters: int
    macs: int
    file_bytes: int


def weights_mb(mode: str, parameters: int, file_bytes: int) -> float:
    """Size of a network's weights in MB; if it is made from the train-time file, that after folding."""
    return (parameters * _FLOAT_BYTES if mode == "reparameterized" else file_bytes) / 1e6


def model_facts(backend: Backend) -> ModelFacts:
    """The size of a loaded network."""
    return ModelFacts(*network_size(backend), backend.path.stat().st_size)
