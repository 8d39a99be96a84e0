"""Command line: ``python -m pfld COMMAND``."""

from __future__ import annotations

import argparse

from pfld import benchmark


def main(argv: list[str] | None = None) -> int:
    """Parses the command line and runs one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pfld", description="PFLD landmarks")
    commands = parser.add_subparsers(dest="command", required=True)
    benchmark.add_parser(commands)
    arguments = parser.parse_args(argv)
    return arguments.run(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
