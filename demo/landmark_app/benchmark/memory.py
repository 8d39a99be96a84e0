"""Peak memory of a network, measured in a process of its own: ``python memory.py NETWORK MODE``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading

_CALLS = 5  # of the network
_GIVEN_UP_S = 120  # seconds for the whole process


def measure_memory(network: str, mode: str) -> float | None:
    """Peak resident memory in MiB of a process that only runs this network; None if that fails."""
    command = [sys.executable, __file__, network, mode, "--with-input"]
    theirs, ours = os.pipe()  # however this process ends, ours is closed then, and the other ends
    try:
        output = subprocess.run(
            command,
            check=True,
            stdin=theirs,
            stdout=subprocess.PIPE,
            timeout=_GIVEN_UP_S,
            text=True,
        ).stdout
    except (subprocess.SubprocessError, OSError):
        return None
    finally:
        os.close(theirs)
        os.close(ours)
    return float(output) if output.strip() else None


def _end_with_input() -> None:
    os.read(0, 1)
    os._exit(1)


def main(argv: list[str] | None = None) -> int:
    """Runs a network a few times and prints this process's peak resident memory in MiB."""
    parser = argparse.ArgumentParser(prog="memory.py", description=main.__doc__)
    parser.add_argument("network", help="name of shipped weights")
    parser.add_argument("mode", help="backend")
    parser.add_argument(
        "--with-input", action="store_true", help="end when standard input ends (default: no)"
    )
    arguments = parser.parse_args(argv)
    if arguments.with_input:
        threading.Thread(target=_end_with_input, daemon=True).start()
    from pfld.benchmark.backends import random_batch
    from pfld.benchmark.memory import peak_memory_mib
    from pfld.runtime.backends import load_backend

    backend = load_backend(arguments.network, arguments.mode)
    batch = random_batch(backend)[:1]
    for _ in range(_CALLS):
        backend(batch)
    peak = peak_memory_mib()
    if peak is not None:
        print(peak)
    return 0


if __name__ == "__main__":
    sys.exit(main())
