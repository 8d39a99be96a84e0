"""What a network costs before it runs: parameters, multiplications, bytes."""

from __future__ import annotations

from dataclasses import dataclass

from pfld.benchmark.backends import network_size
from pfld.runtime.backends import Backend


@dataclass(frozen=True)
class ModelFacts:
    """Size of a network in the form that is run.

    Attributes:
        parameters: Numbers that were learned.
        macs: Multiply-accumulates for one face.
        file_bytes: Of the weight file; a re-parameterized network is folded from the train-time file.
    """

    parameters: int
    macs: int
    file_bytes: int


def model_facts(backend: Backend) -> ModelFacts:
    """The facts of a loaded network."""
    return ModelFacts(*network_size(backend), backend.path.stat().st_size)
