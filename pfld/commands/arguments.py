"""Argument types that several commands share."""

from __future__ import annotations

import argparse
from typing import TypeAlias

# A quoted name, as the class takes no parameters when it runs.
Subcommands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def positive(text: str) -> int:
    """A whole number of at least 1, for ``type`` of an option.

    Raises:
        argparse.ArgumentTypeError: For a smaller number.
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value
