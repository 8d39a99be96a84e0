"""The ``pfld`` command, ``python -m pfld`` as well: predict, evaluate, export, benchmark."""

from __future__ import annotations

import argparse
import sys
import warnings

from pfld import __version__
from pfld.commands import benchmark, evaluate, export, predict


def main(argv: list[str] | None = None) -> int:
    """Parses the command line and runs one command; returns the exit status.

    Bad input makes one line on standard error and status 2.
    """
    parser = argparse.ArgumentParser(prog="pfld", description=__doc__)
    parser.add_argument("--version", action="version", version=f"pfld {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (predict, evaluate, export, benchmark):
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
    try:
        with warnings.catch_warnings():
            # What Pillow warns of is either refused or does no harm.
            warnings.filterwarnings("ignore", module="PIL")
            return arguments.run(arguments)
    except (ValueError, OSError, ImportError) as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
