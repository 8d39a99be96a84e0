"""Weight files: reading, writing, metadata, and finding them by name."""

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
