"""What several commands read from their command lines."""

from __future__ import annotations

import argparse
from typing import TypeAlias

# A quoted name, as the class takes no parameters when it runs.
Subcommands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def positive(text: str) -> int:
    """A count of at least one."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value
