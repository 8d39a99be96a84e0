"""Weight files: read, written, and found by name."""

from pfld.weights.files import (
    load_state,
    load_weights,
    read_metadata,
    read_state,
    save_weights,
)
from pfld.weights.metadata import WeightMetadata

__all__ = [
    "WeightMetadata",
    "load_state",
    "load_weights",
    "read_metadata",
    "read_state",
    "save_weights",
]
