"""Load test of the app with many visitors: ``python tools/stress/load_app.py --clients 20 --minutes 10``.

Starts demo/app.py, lets many pages send camera frames at once, each with a face at its own place, and
prints one line per fact: shares, latencies, refusals, memory, and how the app ends after SIGTERM while
all pages still send. Afterwards every page's frames are processed again without the other pages, and must
give the same answers. The exit status is 1 if any fact is not as required.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from load_replay import replay_all
from load_visitors import Visit, attend, visits

APP = Path(__file__).parents[2] / "demo" / "app.py"
START_S = 180.0
END_S = 10.0  # longest time the app may take to end
SMALLEST_SHARE = 0.5  # of an equal share of answered frames, for the visitor with the fewest
GROWTH_MIB = 50.0  # most growth of memory from SETTLED_S to the end
SETTLED_S = 60.0  # after which memory should not grow


@dataclass
class Load:
    """Measurements of the app.

    Attributes:
        seconds: How long the cameras were on.
        memory: Samples of seconds since the start, MiB resident with child processes, and threads.
        end_s: Seconds from SIGTERM to the end; None if the app had to be killed.
        status: Exit status; None if it had to be killed.
        left: Files and processes that outlived the app.
        complaints: Unexpected lines of its output.
    """

    seconds: float = 0.0
    memory: list[tuple[float, float, int]] = field(default_factory=list)
    end_s: float | None = None
    status: int | None = None
    left: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


async def load(all_visits: list[Visit], places: int, seconds: float, folder: Path) -> Load:
    """Starts the app, runs all visits, and ends the app.

    Raises:
        RuntimeError: When the app does not start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, log = f"http://127.0.0.1:{port}", folder / "log.txt"
    kept = folder / "kept"
    kept.mkdir()
    command = [sys.executable, str(APP), "--port", str(port), "--max-live", str(places)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | {"TMPDIR": str(kept)}
        )
    try:
        await _ready(process, log, address)
        return await _watch(process, all_visits, seconds, address, log, kept)
    finally:
        process.kill()


async def _ready(process: subprocess.Popen[bytes], log: Path, address: str) -> None:
    deadline = time.monotonic() + START_S
    while f"Open {address}" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the app does not start: {log.read_text()}")
        await asyncio.sleep(0.2)


async def _watch(
    process: subprocess.Popen[bytes],
    all_visits: list[Visit],
    seconds: float,
    address: str,
    log: Path,
    kept: Path,
) -> Load:
    found, app = Load(seconds), psutil.Process(process.pid)
    start = time.monotonic()
    ended = asyncio.Event()
    tasks = [asyncio.create_task(attend(visit, address, ended)) for visit in all_visits]
    while time.monotonic() < start + seconds and process.poll() is None:
        memory = sum(p.memory_info().rss for p in (app, *app.children(recursive=True)))
        found.memory.append((time.monotonic() - start, memory / 2**20, app.num_threads()))
        await asyncio.sleep(min(5.0, seconds / 20))
    children = app.children(recursive=True) if process.poll() is None else []
    told = time.monotonic()
    ended.set()  # while all visitors wait for answers
    process.send_signal(signal.SIGTERM)
    while process.poll() is None and time.monotonic() < told + 3 * END_S:
        await asyncio.sleep(0.02)
    found.status = process.poll()
    found.end_s = time.monotonic() - told if found.status is not None else None
    await asyncio.gather(*tasks)
    found.left = [str(path.relative_to(kept)) for path in kept.iterdir()]
    found.left += [f"process {child.pid}" for child in children if child.is_running()]
    usual = ("Open http", "loaded ", "Keyboard interruption")
    lines = filter(str.strip, log.read_text().splitlines())
    found.complaints = [line for line in lines if not any(words in line for words in usual)]
    return found


def report(all_visits: list[Visit], polite: int, places: int, found: Load) -> list[str]:
    """Prints all facts; returns the names of those that are not as required.

    Args:
        polite: Number of visitors, the first ones, who wait for answers; the others are greedy.
        places: The app's --max-live.
    """
    wrong = []

    def tell(name: str, text: object, *, holds: bool = True) -> None:
        print(f"{name}: {text}{'' if holds else '  <- must not be'}")
        if not holds:
            wrong.append(name)

    counts = np.array([len(visit.answers) for visit in all_visits[:polite]])
    served = counts > 0.01 * max(counts.max(), 1)
    answers = [answer for visit in all_visits[:polite] for answer in visit.answers]
    latencies = [1000 * (answer.answered_s - answer.sent_s) for answer in answers] or [0.0]
    shares = counts[served] / max(counts[served].mean(), 1)
    tell("visitors", f"{polite}, places {places}, greedy {len(all_visits) - polite}")
    tell("answered", f"{counts.sum()} frames, {counts.sum() / found.seconds:.1f} frames/s in all")
    per_visitor = counts[served] / found.seconds
    expected = min(places - (len(all_visits) - polite), polite)
    tell("served visitors", int(served.sum()), holds=bool(served.sum() >= expected))
    tell("per served visitor", f"{per_visitor.min():.2f} to {per_visitor.max():.2f} frames/s")
    tell(
        "shares",
        f"{shares.min():.2f} to {shares.max():.2f} of an equal one",
        holds=bool(shares.min() >= SMALLEST_SHARE or served.sum() > places),
    )
    p50, p95 = np.percentile(latencies, (50, 95))
    tell("latency", f"median {p50:.0f} ms, p95 {p95:.0f} ms, longest {max(latencies):.0f} ms")
    refused = sum(visit.refused for visit in all_visits)
    tell("politely refused", f"{refused} frames", holds=(refused > 0) == (len(all_visits) > places))
    tell("passed over as late", f"{sum(visit.late for visit in all_visits)} frames")
    misplaced = sum(visit.misplaced for visit in all_visits)
    furthest = max(visit.furthest_px for visit in all_visits)
    tell("out of place", f"{misplaced} faces; furthest {furthest:.1f} px", holds=misplaced == 0)
    tell("without a face", f"{sum(not answer.faces for answer in answers)} frames")
    again = replay_all(all_visits)
    tell(
        "the same without the others",
        f"{again.answers - again.different} of {again.answers} answers, to {again.largest_px:.2f} px",
        holds=again.answers > 0 and not again.different,
    )
    numbers = [set(visit.identities) for visit in all_visits]
    counted = all(found == set(range(1, len(found) + 1)) for found in numbers)
    tell("face numbers of one visitor", f"1 to {max(map(len, numbers))}", holds=counted)
    problems = sum((visit.problems for visit in all_visits), Counter())
    tell("other errors", dict(problems) or "none", holds=not problems)
    _report_memory(found, tell)
    in_time = found.end_s is not None and found.end_s < END_S
    took = "killed" if found.end_s is None else f"{found.end_s:.1f} s, status {found.status}"
    tell("end after SIGTERM", took, holds=in_time and found.status == 0)
    tell("left behind", ", ".join(found.left) or "nothing", holds=not found.left)
    tell("app complained", found.complaints[-12:] or "of nothing", holds=not found.complaints)
    return wrong


def _report_memory(found: Load, tell: Callable[..., None]) -> None:
    settled = [sample for sample in found.memory if sample[0] >= SETTLED_S] or found.memory[-1:]
    first, last = settled[0], found.memory[-1]
    tell("memory at the start", f"{found.memory[0][1]:.0f} MiB, {found.memory[0][2]} threads")
    tell(f"memory after {first[0]:.0f} s", f"{first[1]:.0f} MiB, {first[2]} threads")
    grown = last[1] - first[1]
    tell(
        "memory at the end",
        f"{last[1]:.0f} MiB, {last[2]} threads, at most {max(m for _, m, _ in found.memory):.0f} MiB",
        holds=grown < GROWTH_MIB,
    )


def main(argv: list[str] | None = None) -> int:
    """Loads the app and prints the facts; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=20, help="pages (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="length (default: %(default)s)")
    parser.add_argument("--places", type=int, help="the app's --max-live (default: room for all)")
    parser.add_argument(
        "--greedy",
        type=int,
        default=0,
        help="further pages with 50 frames on their way (default: 0)",
    )
    arguments = parser.parse_args(argv)
    all_visits = visits(arguments.clients, arguments.greedy)
    places = arguments.places or len(all_visits)
    with tempfile.TemporaryDirectory(prefix="load-app-") as folder:
        found = asyncio.run(load(all_visits, places, 60 * arguments.minutes, Path(folder)))
    return int(bool(report(all_visits, arguments.clients, places, found)))


if __name__ == "__main__":
    sys.exit(main())
