"""Size of a network: parameters, multiply-accumulates, bytes of its weight file."""

from __future__ import annotations

from dataclasses import dataclass

from pfld.benchmark.backends import network_size
from pfld.runtime.backends import Backend


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


def model_facts(backend: Backend) -> ModelFacts:
    """The size of a loaded network."""
    return ModelFacts(*network_size(backend), backend.path.stat().st_size)
