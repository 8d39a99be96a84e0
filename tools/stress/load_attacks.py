"""The app under attack beside visitors: ``python tools/stress/load_attacks.py --clients 20 --minutes 10``.

Starts demo/app.py and lets pages send camera frames, while 200 pages stay open and others upload photos.
For three of every four minutes, videos are started and cancelled, and two attackers from addresses of
their own send photos that take long to decode, frames with thousands of scans, calls that are too large,
and uploads without end. Rates of the visitors with attackers are compared with those without, of the same
run. At the end the app gets SIGTERM; another one is killed, and a third one started. Prints one line per
fact; the exit status is 1 if any is not as required. The attackers' addresses need Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import itertools
import os
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image

from load_app import APP, END_S
from load_visitors import PORTRAIT, Visit, attend, visits
from pfld.media.video import VideoWriter

OPEN_PAGES = 200
STORED_MB = 60  # the app's limit
GROWTH_MIB = 100.0  # most growth of memory from the middle of the run to its end
KEPT_RATE = 0.8  # smallest part of its rate that a visitor keeps under attack
PERIOD_S = 240.0  # of which the first quarter is quiet
SETTLING_S = 10.0  # after a change, which count for neither rate
BOMB_SCANS = 90  # within the app's limit
BOMB_PX = 7000
API = "/gradio_api"


class Weather:
    """When attackers attack; all times are of ``time.monotonic``."""

    def __init__(self) -> None:
        self.start_s = time.monotonic()
        self.ended = asyncio.Event()

    def phase(self, now_s: float) -> str:
        """``quiet``, ``attack``, or ``settling`` between the two."""
        in_period_s = (now_s - self.start_s) % PERIOD_S
        quiet = in_period_s < PERIOD_S / 4
        since_s = in_period_s if quiet else in_period_s - PERIOD_S / 4
        return "settling" if since_s < SETTLING_S else "quiet" if quiet else "attack"

    async def attack(self) -> bool:
        """Waits for the next attack, or the end; whether it is an attack."""
        while not self.ended.is_set() and self.phase(time.monotonic()) == "quiet":
            await asyncio.sleep(0.2)
        return not self.ended.is_set()


async def idle_page(address: str, ended: asyncio.Event) -> None:
    """A page that is open and does nothing."""
    async with httpx.AsyncClient(base_url=address, timeout=None) as client:
        try:
            async with client.stream("GET", f"{API}/heartbeat/{uuid.uuid4().hex}") as beats:
                await asyncio.wait([asyncio.ensure_future(ended.wait())])
                await beats.aclose()
        except httpx.HTTPError:
            pass


class Page:
    """A page that uploads files and starts jobs on them."""

    def __init__(
        self, client: httpx.AsyncClient, config: dict[str, Any], done: Counter[str]
    ) -> None:
        self.client = client
        self.done = done
        self._config = config
        self._parts = {part["id"]: part for part in config["components"]}
        self._ids = {part["props"].get("elem_id"): number for number, part in self._parts.items()}

    @classmethod
    async def open(cls, client: httpx.AsyncClient, done: Counter[str]) -> Page:
        """Opens a page."""
        return cls(client, (await client.get("/config")).json(), done)

    def id_of(self, elem_id: str) -> int:
        """The number of a component."""
        return int(self._ids[elem_id])

    async def upload(self, name: str, data: bytes) -> str | None:
        """Uploads a file; its path, or None if it is refused."""
        sent = await self.client.post(f"{API}/upload", files={"files": (name, data)})
        self.done[f"upload {sent.status_code}"] += 1
        return str(sent.json()[0]) if sent.status_code == 200 else None

    async def start(self, file_in: str, out: str, path: str) -> dict[str, Any] | None:
        """Starts what the page does with a file; what is needed to cancel it, or None if refused."""
        call = next(
            call
            for call in self._config["dependencies"]
            if self._ids[file_in] in call["inputs"] and self._ids[out] in call["outputs"]
        )
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        values = [self._parts[number]["props"].get("value") for number in call["inputs"]]
        values[call["inputs"].index(self._ids[file_in])] = file
        about = {"fn_index": call["id"], "session_hash": uuid.uuid4().hex}
        joined = await self.client.post(f"{API}/queue/join", json={"data": values, **about})
        self.done[f"job {joined.status_code}"] += 1
        return {**about, **joined.json()} if joined.status_code == 200 else None


async def cancel_videos(address: str, video: bytes, done: Counter[str], weather: Weather) -> None:
    """Starts videos and cancels each after a moment."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        page = await Page.open(client, done)
        while await weather.attack():
            path = await page.upload("a.mp4", video)
            job = await page.start("video-in", "video-out", path) if path else None
            await asyncio.sleep(0.5)
            if job:
                answer = await client.post(f"{API}/cancel", json=job)
                done[f"cancel {answer.status_code}"] += 1


async def upload_photos(address: str, done: Counter[str], weather: Weather) -> None:
    """Uploads an honest photo every ten seconds."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        page = await Page.open(client, done)
        while not weather.ended.is_set():
            await page.upload("a.jpg", PORTRAIT.read_bytes() + os.urandom(1000))
            await asyncio.sleep(10)


async def attack(address: str, number: int, done: Counter[str], weather: Weather) -> None:
    """Sends what takes long, is too large, or fills the disk."""
    scans, bomb = _many_scans(5000), _slow_photo()
    frame = "data:image/jpeg;base64," + base64.b64encode(scans).decode()
    own = httpx.AsyncHTTPTransport(local_address=f"127.0.0.{2 + number}")
    async with httpx.AsyncClient(base_url=address, timeout=60, transport=own) as client:
        page = await Page.open(client, done)
        form = {"component_id": page.id_of("live-view"), "fn_name": "locate", "settings": "{}"}
        for time_s in itertools.count():
            if not await weather.attack():
                return
            form |= {"session_hash": uuid.uuid4().hex, "frame": frame, "time_s": time_s}
            calls: tuple[tuple[str, dict[str, Any]], ...] = (
                ("component_server/", {"files": {k: (None, str(v)) for k, v in form.items()}}),
                ("run/x", {"content": b'{"data":["' + b"a" * 5_000_000}),
                ("process_recording", {"files": {"video": ("v.mp4", b"#EXTM3U")}}),
            )
            try:
                for path, options in calls:
                    answer = await client.post(f"{API}/{path}", **options)
                    done[f"{path} {answer.status_code}"] += 1
                await page.upload("c.jpg", scans + os.urandom(10**6))
                bomb_path = await page.upload("b.jpg", bomb + os.urandom(1000))
                if bomb_path:
                    await page.start("photo", "photo-out", bomb_path)
            except httpx.HTTPError as error:
                done[type(error).__name__] += 1
            await asyncio.sleep(0.2)


def _many_scans(count: int) -> bytes:
    data = PORTRAIT.read_bytes()
    at = data.index(b"\xff\xda")
    header = data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    return data[:at] + header * count + data[at + len(header) :]


def _slow_photo() -> bytes:
    """A large progressive photo whose last scan comes again and again."""
    whole = io.BytesIO()
    Image.new("L", (BOMB_PX, BOMB_PX), 90).save(whole, "JPEG", progressive=True)
    data = whole.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (BOMB_SCANS - data.count(b"\xff\xda")) + data[-2:]


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
        """Waits until the page is there.

        Raises:
            RuntimeError: When the app does not start.
        """
        while "Open http" not in (said := self.log.read_text()):
            if self.process.poll() is not None:
                raise RuntimeError(f"the app does not start: {said}")
            await asyncio.sleep(0.2)
        return said.split("Open ")[1].split()[0]

    async def end(self, number: int) -> tuple[float, list[str]]:
        """Sends a signal; the seconds until the end, and the processes left then."""
        children = self.process.children(recursive=True)
        told = time.monotonic()
        self.process.send_signal(number)
        await asyncio.to_thread(self.process.wait, 3 * END_S)
        took_s = time.monotonic() - told
        await asyncio.sleep(1)
        return took_s, [f"process {child.pid}" for child in children if child.is_running()]


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
    weather, all_visits = Weather(), visits(clients)
    honest, hostile = Counter[str](), Counter[str]()
    tasks = [attend(visit, address, weather.ended) for visit in all_visits]
    tasks += [idle_page(address, weather.ended) for _ in range(OPEN_PAGES)]
    tasks += [attack(address, number, hostile, weather) for number in range(2)]
    tasks.append(cancel_videos(address, video.read_bytes(), hostile, weather))
    tasks.append(upload_photos(address, honest, weather))
    running = [asyncio.ensure_future(task) for task in tasks]
    memory, sizes = [], []
    while time.monotonic() < weather.start_s + seconds and app.process.poll() is None:
        memory.append(app.process.memory_info().rss / 2**20)
        sizes.append(size_of(app.kept))
        if len(memory) % 60 == 0:
            tell(f"memory after {len(memory)} samples", f"{memory[-1]:.0f} MiB")
        await asyncio.sleep(1)
    weather.ended.set()
    end_s = time.monotonic()
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
    tell("honest uploads", dict(honest), holds=set(honest) == {"upload 200"})
    for name, count in sorted(hostile.items()):
        tell(f"hostile, {name}", count)
    grown = max(memory[-len(memory) // 4 :]) - max(memory[: len(memory) // 2])
    tell("memory at most", f"{max(memory):.0f} MiB")
    tell(
        "growth from the first half to the last quarter",
        f"{grown:.0f} MiB",
        holds=grown < GROWTH_MIB,
    )
    tell(
        "files at most", f"{max(sizes):.1f} MiB of {STORED_MB}", holds=max(sizes) < 1.1 * STORED_MB
    )
    said = app.log.read_text()
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
