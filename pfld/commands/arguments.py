"""Options and argument types that several commands share."""

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


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds ``--json`` for results as a file or on standard output."""
    parser.add_argument(
        "--json", metavar="FILE", help="write results there, - for stdout alone (default none)"
    )


def add_channel_order(parser: argparse.ArgumentParser) -> None:
    """Adds ``--channel-order`` for published checkpoints, which do not say theirs."""
    parser.add_argument(
        "--channel-order",
        choices=("rgb", "bgr"),
        help="that a published checkpoint was trained on (default bgr); other files contain it",
    )
