"""Fuzzing of all readers of foreign files and messages: ``python tools/stress/fuzz.py --seconds 300``.

If Atheris is installed (``pip install atheris``), half of each target's time goes to it and half to
Hypothesis, else all to Hypothesis. Atheris is guided by code coverage in Python. Any exception but
ValueError and OSError is a finding, as are crashes and hangs: its input is saved, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from pathlib import Path
from typing import NoReturn

from fuzz_targets import TARGETS, seeds_of
from pfld.commands.arguments import positive

ROOT = Path(__file__).parents[2]
FOUND = 1  # exit status
_HANGS_S = 30  # an input that takes longer counts as a hang
_IMPORTS_S = 300  # for imports, the seeds, and an end after the last input
LONGEST = 250_000  # bytes of an input
_GUIDED_BY = ("pfld", "PIL", "landmark_app")  # packages whose coverage is measured


class Watched:
    """A target that saves each input before it runs, and raises AssertionError for a hang.

    Attributes:
        calls: Number of inputs so far.
        limit_s: Seconds an input may take; 0, as at first, is no limit: imports may take long.
    """

    def __init__(self, name: str, folder: Path, saved: Path) -> None:
        self.calls = 0
        self.limit_s = 0.0
        self._target = TARGETS[name]
        self._folder = folder
        self._saved = saved
        signal.signal(signal.SIGALRM, _hang)

    def __call__(self, data: bytes) -> None:
        self.calls += 1
        self._saved.write_bytes(data)
        signal.setitimer(signal.ITIMER_REAL, self.limit_s)
        try:
            self._target(data, self._folder)
        except (ValueError, OSError):
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _hang(*_: object) -> NoReturn:
    raise AssertionError(f"not done after {_HANGS_S} s")


def fuzz_with_hypothesis(watched: Watched, seeds: list[bytes], seconds: float) -> None:
    """Runs edited seeds and random bytes; Hypothesis makes a failing input as small as it can.

    Raises:
        Exception: What the target raises.
    """
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    edit = st.tuples(st.floats(0, 1), st.integers(0, 8), st.binary(max_size=8))
    edits = st.tuples(
        st.sampled_from(seeds), st.lists(edit, min_size=1, max_size=12), st.floats(0.3, 1.5)
    )
    inputs = edits.map(lambda parts: edited(*parts)) | st.binary(max_size=300)
    end = time.monotonic() + seconds
    for number in count(time.time_ns()):
        if time.monotonic() > end:
            return

        @seed(number)
        @settings(
            max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )  # fmt: skip
        @given(inputs)
        def run(data: bytes) -> None:
            watched(data)

        run()


def edited(data: bytes, edits: list[tuple[float, int, bytes]], kept: float) -> bytes:
    """The bytes with parts replaced, then cut off at a fraction ``kept`` of their length.

    Args:
        edits: For each, where as a fraction of the length, how many bytes, and those put in their place.
    """
    for place, length, put in edits:
        start = int(place * len(data))
        data = data[:start] + put + data[start + length :]
    return data[: int(kept * len(data))]


def fuzz_with_atheris(
    watched: Watched, seeds: list[bytes], seconds: float, folder: Path
) -> NoReturn:
    """Runs Atheris, which keeps and varies input that reaches new code; it ends the process."""
    import atheris

    corpus = folder / "corpus"
    corpus.mkdir()
    for index, data in enumerate(seeds):
        (corpus / str(index)).write_bytes(data)
    options = [
        f"-max_total_time={max(round(seconds), 1)}",
        f"-max_len={LONGEST}",
        "-rss_limit_mb=6000",
    ]
    options += [f"-artifact_prefix={folder}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], watched)
    atheris.Fuzz()
    raise AssertionError("Atheris ends the process")


def work(name: str, engine: str, seconds: float, saved: Path) -> int:
    """Fuzzes one target in this process; returns the exit status. The current input is in ``saved``."""
    warnings.simplefilter("ignore")
    sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "tests")]
    guided: AbstractContextManager[None] = nullcontext()
    if engine == "atheris":
        import atheris

        guided = atheris.instrument_imports(include=list(_GUIDED_BY))
    with tempfile.TemporaryDirectory() as folder, guided:
        own = Path(folder) / "target"
        own.mkdir()
        seeds = seeds_of(name, Path(folder))
        watched = Watched(name, own, saved)
        for data in seeds:  # imports the packages whose coverage guides Atheris
            watched(data)
        watched.limit_s = _HANGS_S
        if engine == "atheris":
            fuzz_with_atheris(watched, seeds, seconds, Path(folder))
        try:
            fuzz_with_hypothesis(watched, seeds, seconds)
        except Exception:
            traceback.print_exc()
            return FOUND
        print(f"Done {watched.calls} runs")
    saved.unlink()
    return 0


def fuzz(name: str, engine: str, seconds: float, out: Path) -> bool:
    """Fuzzes one target in a process of its own and prints the result; whether something was found."""
    out.mkdir(parents=True, exist_ok=True)
    saved = out / f"{name}-{engine}-{time.time_ns()}"
    command = [sys.executable, __file__, "--seconds", str(seconds), "--target", name]
    command += ["--engine", engine, "--saved", str(saved)]
    start = time.monotonic()
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=seconds + _IMPORTS_S,
        )  # fmt: skip
        status, said = done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        status, said = None, "no end"
    runs = re.findall(r"Done (\d+) runs", said)
    about = f"{name:12} {engine:11} {time.monotonic() - start:5.0f} s  "
    if status == 0 and runs:
        print(f"{about}{runs[-1]:>8} runs, nothing found", flush=True)
        saved.unlink(missing_ok=True)
        return False
    print(f"{about}FOUND, status {status}, input in {saved}\n{said[-3000:]}", flush=True)
    return True


def main(argv: list[str] | None = None) -> int:
    """Fuzzes the chosen targets one after the other; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tools/stress/fuzz.py", description=__doc__)
    parser.add_argument(
        "--seconds", type=positive, default=300, help="seconds in total (default 300)"
    )
    parser.add_argument(
        "--target",
        action="append",
        choices=TARGETS,
        help="what to fuzz; may be repeated (default all)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/fuzz"),
        help="folder for findings (default runs/fuzz)",
    )
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--saved", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.saved:
        return work(arguments.target[0], arguments.engine, arguments.seconds, arguments.saved)
    engines = ["hypothesis"]
    if importlib.util.find_spec("atheris"):
        engines.append("atheris")
    jobs = [(name, engine) for name in arguments.target or TARGETS for engine in engines]
    seconds = max(arguments.seconds // len(jobs), 1)
    found = [fuzz(name, engine, seconds, arguments.out) for name, engine in jobs]
    return FOUND if any(found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
