"""The ``pfld`` command, ``python -m pfld`` as well: predict, evaluate, export, benchmark."""

from __future__ import annotations

import argparse
import sys
import warnings

from pfld import __version__
from pfld.commands import benchmark, evaluate, export, predict

# Modules that a base installation lacks, and the extra that installs each.
_EXTRAS = {"torch": "train", "safetensors": "train", "onnx": "export", "onnxscript": "export"}


def main(argv: list[str] | None = None) -> int:
    """Parses the command line and runs one command; returns the exit status.

    Bad input prints one line on standard error and gives status 2.
    """
    parser = argparse.ArgumentParser(prog="pfld", description=__doc__)
    parser.add_argument("--version", action="version", version=f"pfld {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (predict, evaluate, export, benchmark):
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
    try:
        with warnings.catch_warnings():
            # What Pillow warns of is either rejected or harmless.
            warnings.filterwarnings("ignore", module="PIL")
            return arguments.run(arguments)
    except ModuleNotFoundError as error:
        hint = f"; pip install 'pfld[{_EXTRAS[error.name]}]'" if error.name in _EXTRAS else ""
        print(f"error: {error}{hint}", file=sys.stderr)
        return 2
    except (ValueError, OSError, ImportError) as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
