"""The app under attack beside visitors: ``python tools/stress/load_attacks.py --clients 20 --minutes 10``.

Starts demo/app.py and lets pages send camera frames, while 200 pages stay open and a visitor has photos
looked at. For three of every four minutes, videos are started and cancelled, and two attackers from addresses
of their own send photos that take long to decode, frames with thousands of scans, calls that are too large,
and uploads without end (load_hostile.py). Rates of the visitors with attackers are compared with those
without, of the same run. At the end the app gets SIGTERM; another one is killed, and a third one started.

Prints one line per fact, and what the app wrote to its log; the exit status is 1 if any is not as required.
Attackers and visitors compute on the same cores as the app, where real ones have computers of their own, so
what they used is told as well. The addresses need Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil

from load_app import APP, END_S
from load_hostile import API, Page, Weather, own_address
from load_visitors import PORTRAIT, Visit, attend, visits
from pfld.media.video import VideoWriter

HOSTILE = str(Path(__file__).with_name("load_hostile.py"))
OPEN_PAGES = 200
STORED_MB = 60  # the app's limit
GROWTH = 1.05  # most that memory's median is in the last quarter, to that of the second quarter
KEPT_RATE = 0.8  # smallest part of its rate that a visitor keeps under attack
PERIOD_S = 240.0  # of which the first quarter is quiet; no longer than the run
LOADING_S = 5.0  # longest time for one network
LOG_LINES = 60  # that are printed
PHOTO_S = 10.0  # between photos of the honest visitor


async def idle_page(address: str, ended: asyncio.Event) -> None:
    """A page that is open and does nothing."""
    async with httpx.AsyncClient(base_url=address, timeout=None) as client:
        try:
            async with client.stream("GET", f"{API}/heartbeat/{uuid.uuid4().hex}") as beats:
                await asyncio.wait([asyncio.ensure_future(ended.wait())])
                await beats.aclose()
        except httpx.HTTPError:
            pass


async def look_at_photos(
    address: str, done: Counter[str], took: list[tuple[float, float]], weather: Weather
) -> None:
    """Has an honest photo looked at every ten seconds; notes when each was sent, and the seconds it took."""
    own = own_address(99)
    async with httpx.AsyncClient(base_url=address, timeout=120, transport=own) as client:
        page = await Page.open(client, done)
        while not weather.ended.is_set():
            sent_s = time.monotonic()
            path = await page.upload("a.jpg", PORTRAIT.read_bytes() + os.urandom(1000))
            job = await page.start("photo", "photo-out", path) if path else None
            if job:
                try:
                    found = "1 face in" in await page.result(job)
                except httpx.HTTPError:
                    if weather.ended.is_set():  # the app has ended
                        return
                    raise
                done["face found" if found else "no face found"] += 1
                took.append((sent_s, time.monotonic() - sent_s))
            await asyncio.sleep(max(PHOTO_S - (time.monotonic() - sent_s), 0))


def size_of(folder: Path) -> float:
    """MiB of all files in a folder."""
    total = 0
    for place, _, names in os.walk(folder):  # which passes over folders that are removed meanwhile
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                pass
    return total / 2**20


@dataclass(frozen=True)
class Sample:
    """What the app takes at a time.

    Attributes:
        time_s: Of ``time.monotonic``.
        memory: MiB resident of the app, and of the processes that it has started.
        computed_s: Seconds of one core used so far, by who has used them.
        stored: MiB of its files.
    """

    time_s: float
    memory: tuple[float, float]
    computed_s: dict[str, float]
    stored: float


class App:
    """demo/app.py in a process of its own, which keeps its files in ``kept``."""

    def __init__(self, folder: Path, clients: int) -> None:
        self.kept, self.log = folder / "kept", folder / "log.txt"
        self.kept.mkdir(exist_ok=True)
        command = [sys.executable, str(APP), "--port", "0", "--max-live", str(clients + 2)]
        command += ["--max-stored-mb", str(STORED_MB)]
        with self.log.open("w") as output:
            self.process = psutil.Popen(
                command, stdout=output, stderr=output, env=os.environ | {"TMPDIR": str(self.kept)}
            )

    async def address(self) -> str:
        """Waits until the page is there, and the networks that are loaded afterwards.

        Raises:
            RuntimeError: When the app does not start.
        """
        said, since_s = "", time.monotonic()
        while "Open http" not in said or time.monotonic() < since_s + LOADING_S:
            if self.process.poll() is not None:
                raise RuntimeError(f"the app does not start: {said}")
            await asyncio.sleep(0.2)
            if (now := self.log.read_text()) != said:
                said, since_s = now, time.monotonic()
        return said.split("Open ")[1].split()[0]

    async def end(self, number: int) -> tuple[float, list[str]]:
        """Sends a signal; the seconds until the end, and the processes left then."""
        children = self.process.children(recursive=True)
        told = time.monotonic()
        self.process.send_signal(number)
        await asyncio.to_thread(self.process.wait, 3 * END_S)
        took_s = time.monotonic() - told
        await asyncio.sleep(1)
        return took_s, [f"process {child.pid}" for child in children if _runs(child)]

    def sample(self, attackers: psutil.Process) -> Sample:
        """What the app takes now, and what attackers and visitors compute."""
        others, times = 0, self.process.cpu_times()
        computed_s = {
            "app": times.user + times.system,
            "decoders": times.children_user + times.children_system,  # of those that have ended
            "visitors": time.process_time(),
            "attackers": sum(attackers.cpu_times()[:2]),
        }
        for child in self.process.children(recursive=True):
            try:
                others += child.memory_info().rss
                computed_s["decoders"] += sum(child.cpu_times()[:2])
            except psutil.Error:  # it has ended
                pass
        memory = self.process.memory_info().rss / 2**20, others / 2**20
        return Sample(time.monotonic(), memory, computed_s, size_of(self.kept))


def _runs(process: psutil.Process) -> bool:
    """Whether a process runs; ended ones whose parent has ended stay listed for a while."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tell_memory(memory: list[tuple[float, float]], tell: Callable[..., None]) -> None:
    """Tells how much memory was used at most, and whether it levels off, by medians of quarters."""
    own, others = np.array(memory).T
    second, last = (
        float(np.median(own[len(own) * n // 4 : len(own) * (n + 1) // 4])) for n in (1, 3)
    )
    tell("memory at most", f"{own.max():.0f} MiB, with decoders {(own + others).max():.0f} MiB")
    tell(
        "memory levels off" if last <= GROWTH * second else "memory grows",
        f"median {second:.0f} MiB in the second quarter, {last:.0f} MiB in the last",
        holds=last <= GROWTH * second,
    )


def cores(samples: list[Sample], weather: Weather, phase: str) -> dict[str, float]:
    """How many cores were used in a phase, in the mean, by who used them."""
    pairs = [(a, b) for a, b in zip(samples, samples[1:]) if weather.phase(a.time_s) == phase]
    seconds = max(sum(b.time_s - a.time_s for a, b in pairs), 1e-9)
    return {
        who: sum(b.computed_s[who] - a.computed_s[who] for a, b in pairs) / seconds
        for who in samples[0].computed_s
    }


def unusual(log: str) -> list[str]:
    """The lines of the app's log but those that every start has."""
    usual = ("Open http", "loaded ")
    return [line for line in log.splitlines() if line.strip() and not any(w in line for w in usual)]


def rates(all_visits: list[Visit], weather: Weather, end_s: float) -> dict[str, list[float]]:
    """Answers a second of each visitor, by phase."""
    seconds: Counter[str] = Counter()
    for tenth in range(int(10 * (end_s - weather.start_s))):
        seconds[weather.phase(weather.start_s + tenth / 10)] += 1
    counts = [Counter(weather.phase(a.answered_s) for a in v.answers) for v in all_visits]
    return {
        phase: [10 * count[phase] / max(seconds[phase], 1) for count in counts]
        for phase in ("quiet", "attack")
    }


async def load(clients: int, seconds: float, folder: Path) -> list[str]:
    """Starts and ends the apps; prints the facts, and returns the names of those not as required."""
    wrong = []

    def tell(name: str, text: object, *, holds: bool = True) -> None:
        print(f"{name}: {text}{'' if holds else '  <- must not be'}", flush=True)
        if not holds:
            wrong.append(name)

    video = folder / "a.mp4"
    with VideoWriter(video, (240, 320), 15) as writer:
        for index in range(150):
            writer.write(np.full((240, 320, 3), index, np.uint8), index / 15)
    app = App(folder, clients)
    address = await app.address()
    weather = Weather(time.monotonic(), min(PERIOD_S, seconds))
    all_visits, honest, photos = visits(clients), Counter[str](), list[tuple[float, float]]()
    hostile = subprocess.Popen(
        [sys.executable, HOSTILE, address, video, str(weather.start_s), str(weather.period_s)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    attackers = psutil.Process(hostile.pid)
    tasks = [attend(visit, address, weather.ended) for visit in all_visits]
    tasks += [idle_page(address, weather.ended) for _ in range(OPEN_PAGES)]
    tasks.append(look_at_photos(address, honest, photos, weather))
    running = [asyncio.ensure_future(task) for task in tasks]
    samples: list[Sample] = []
    while time.monotonic() < weather.start_s + seconds and app.process.poll() is None:
        samples.append(app.sample(attackers))
        minutes, rest_s = divmod(samples[-1].time_s - weather.start_s, 60)
        if minutes and rest_s < 1:
            own, others = np.median([s.memory for s in samples[-30:]], axis=0)
            tell(f"memory after {minutes:.0f} min", f"{own:.0f} MiB, decoders {others:.0f} MiB")
        await asyncio.sleep(1)
    weather.ended.set()
    end_s = time.monotonic()
    ended = asyncio.ensure_future(asyncio.to_thread(hostile.communicate))
    took_s, left = await app.end(signal.SIGTERM)
    for end in await asyncio.gather(*running, return_exceptions=True):
        if end is not None:
            tell("a task failed", repr(end), holds=False)
    by_phase = rates(all_visits, weather, end_s)
    for phase, found in by_phase.items():
        tell(
            f"frames/s of each visitor, {phase}",
            f"{min(found):.2f} to {max(found):.2f}, {sum(found):.1f} in all",
        )
        busy = cores(samples, weather, phase)
        tell(
            f"cores used, {phase}",
            ", ".join(f"{who} {count:.2f}" for who, count in busy.items())
            + f"; the app {1000 * busy['app'] / max(sum(found), 1e-9):.1f} ms for each frame",
        )
    part = sum(by_phase["attack"]) / max(sum(by_phase["quiet"]), 1e-9)
    tell("kept under attack", f"{part:.2f} of the rate", holds=part >= KEPT_RATE)
    latencies = [1000 * (a.answered_s - a.sent_s) for visit in all_visits for a in visit.answers]
    p50, p95 = np.percentile(latencies or [0.0], (50, 95))
    tell(
        "latency",
        f"median {p50:.0f} ms, p95 {p95:.0f} ms, longest {max(latencies, default=0):.0f} ms",
    )
    problems = sum((visit.problems for visit in all_visits), Counter[str]())
    tell("errors of visitors", dict(problems) or "none")
    wanted = {"upload 200", "job 200", "face found"}
    tell("honest photos", dict(honest), holds=set(honest) == wanted)
    for phase in ("quiet", "attack"):
        seconds_each = [took for sent, took in photos if weather.phase(sent) == phase] or [0.0]
        tell(
            f"seconds until a photo's faces, {phase}",
            f"median {np.median(seconds_each):.1f}, longest {max(seconds_each):.1f}",
        )
    for name, count in sorted(json.loads((await ended)[0]).items()):
        tell(f"hostile, {name}", count, holds=not name.startswith(("failed", "upload 500")))
    tell_memory([sample.memory for sample in samples], tell)
    largest = max(sample.stored for sample in samples)
    tell("files at most", f"{largest:.1f} MiB of {STORED_MB}", holds=largest < 1.1 * STORED_MB)
    said = app.log.read_text()
    for line in unusual(said)[:LOG_LINES]:
        print(f"log: {line}")
    tell("tracebacks", said.count("Traceback"), holds="Traceback" not in said)
    status = app.process.poll()
    tell(
        "end after SIGTERM",
        f"{took_s:.1f} s, status {status}",
        holds=took_s < END_S and status == 0,
    )
    left += [path.name for path in app.kept.iterdir()]
    tell("left after SIGTERM", ", ".join(left) or "nothing", holds=not left)
    left = await kill_and_start(folder, clients)
    tell("left after kill -9 and another start", ", ".join(left) or "nothing", holds=not left)
    return wrong


async def kill_and_start(folder: Path, clients: int) -> list[str]:
    """Kills an app that holds an upload, then starts and ends another one; what is left of both."""
    for number in (signal.SIGKILL, signal.SIGTERM):
        app = App(folder, clients)
        async with httpx.AsyncClient(base_url=await app.address(), timeout=60) as client:
            page = await Page.open(client, Counter())
            path = await page.upload("a.jpg", PORTRAIT.read_bytes())
            if path:
                await page.start("photo", "photo-out", path)
        _, left = await app.end(number)
    return [*left, *(path.name for path in app.kept.iterdir())]


def main(argv: list[str] | None = None) -> int:
    """Loads the app and prints the facts; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=20, help="pages (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="length (default: %(default)s)")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="load-attacks-") as folder:
        wrong = asyncio.run(load(arguments.clients, 60 * arguments.minutes, Path(folder)))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
