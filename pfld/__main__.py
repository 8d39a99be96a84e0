"""The ``pfld`` command, ``python -m pfld`` as well: predict, evaluate, export, benchmark, site."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import warnings

from pfld import __version__
from pfld.commands import benchmark, evaluate, export, predict, site
from pfld.files import visible

# Modules that a base installation lacks, and the extra that installs each.
_EXTRAS = {
    "torch": "train",
    "safetensors": "train",
    "onnx": "export",
    "onnxscript": "export",
    "pyarrow": "parquet",
    "ray": "ray",
}
_PIPE_CLOSED = 141  # exit status, as shells have it for what SIGPIPE ends


def main(argv: list[str] | None = None) -> int:
    """Parses the command line and runs one command; returns the exit status.

    Bad input prints one line on standard error and gives status 2.
    """
    # Matplotlib tells at length of a home that it cannot write into.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files are printed in any locale.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            return _run(argv)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_output()
        return _PIPE_CLOSED
    except OSError as error:  # of the output itself
        _let_go_of_output()
        print("error:", error, file=sys.stderr)
        return 2


def _run(argv: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="pfld", description=__doc__)
    parser.add_argument("--version", action="version", version=f"pfld {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (predict, evaluate, export, benchmark, site):
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
    try:
        with warnings.catch_warnings():
            # What Pillow warns of is either rejected or harmless.
            warnings.filterwarnings("ignore", module="PIL")
            return arguments.run(arguments)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        hint = f"; pip install 'pfld[{extra}]'" if extra else ""
        print(f"error: {error}{hint}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ImportError) as error:
        print("error:", visible(" ".join(str(error).split())), file=sys.stderr)
        return 2


def _let_go_of_output() -> None:
    """Directs output that cannot be written to nowhere, so that Python does not complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    raise SystemExit(main())
