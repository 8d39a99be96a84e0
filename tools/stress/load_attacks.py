"""The app under attack beside visitors: ``python tools/stress/load_attacks.py --clients 20 --minutes 3``.

Starts demo/app.py and lets pages send camera frames. Meanwhile 200 pages stay open, 50 videos are started
and cancelled one after another, and two attackers send frames and photos that take long to decode, calls
that are too large, and uploads without end. Prints one line per fact; the exit status is 1 if any is not as
required.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
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

from load_app import APP, END_S
from load_visitors import PORTRAIT, attend, visits
from pfld.media.video import VideoWriter

OPEN_PAGES = 200
VIDEOS = 50
STORED_MB = 60  # the app's limit
GROWTH_MIB = (
    300.0  # most growth of memory after the first quarter; processes that decode come and go
)
API = "/gradio_api"


async def idle_page(address: str, ended: asyncio.Event) -> None:
    """A page that is open and does nothing."""
    async with httpx.AsyncClient(base_url=address, timeout=None) as client:
        try:
            async with client.stream("GET", f"{API}/heartbeat/{uuid.uuid4().hex}") as beats:
                await asyncio.wait([asyncio.ensure_future(ended.wait())])
                await beats.aclose()
        except httpx.HTTPError:
            pass


async def cancel_videos(
    address: str, video: Path, done: Counter[str], ended: asyncio.Event
) -> None:
    """Starts videos and cancels each after a moment."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        config = (await client.get("/config")).json()
        parts = {part["id"]: part for part in config["components"]}
        names = {part["props"].get("elem_id"): part["id"] for part in parts.values()}
        (run,) = (
            call
            for call in config["dependencies"]
            if names["video-in"] in call["inputs"] and names["video-out"] in call["outputs"]
        )
        for _ in range(VIDEOS):
            if ended.is_set():
                return
            sent = await client.post(
                f"{API}/upload", files={"files": ("a.mp4", video.read_bytes())}
            )
            if sent.status_code != 200:
                done["uploads refused"] += 1
                await asyncio.sleep(1)
                continue
            file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
            values = [parts[number]["props"].get("value") for number in run["inputs"]]
            values[run["inputs"].index(names["video-in"])] = file
            session = uuid.uuid4().hex
            call = {"data": values, "fn_index": run["id"], "session_hash": session}
            joined = await client.post(f"{API}/queue/join", json=call)
            if joined.status_code == 200:
                await asyncio.sleep(0.5)
                cancel = {"session_hash": session, "fn_index": run["id"], **joined.json()}
                answer = await client.post(f"{API}/cancel", json=cancel)
                done["videos cancelled"] += answer.status_code == 200
            else:
                done["videos refused"] += 1


async def attack(address: str, done: Counter[str], ended: asyncio.Event) -> None:
    """Sends what takes long, is too large, or fills the disk."""
    bomb = _many_scans(5000)
    frame = "data:image/jpeg;base64," + base64.b64encode(bomb).decode()
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        components = (await client.get("/config")).json()["components"]
        (view,) = (c for c in components if c["props"].get("elem_id") == "live-view")
        for number in itertools.count():
            if ended.is_set():
                return
            form = {
                "component_id": view["id"],
                "fn_name": "locate",
                "session_hash": uuid.uuid4().hex,
            }
            form |= {"settings": "{}", "frame": frame, "time_s": number}
            calls: tuple[tuple[str, dict[str, Any]], ...] = (
                ("component_server/", {"files": {k: (None, str(v)) for k, v in form.items()}}),
                ("run/x", {"content": b'{"data":["' + b"a" * 5_000_000}),
                ("upload", {"files": {"files": ("b.jpg", bomb + os.urandom(10**6))}}),
                ("process_recording", {"files": {"video": ("v.mp4", b"#EXTM3U")}}),
            )
            for path, options in calls:
                try:
                    answer = await client.post(f"{API}/{path}", **options)
                    done[f"{path} {answer.status_code}"] += 1
                except httpx.HTTPError as error:
                    done[f"{path} {type(error).__name__}"] += 1
            await asyncio.sleep(0.2)


def _many_scans(count: int) -> bytes:
    data = PORTRAIT.read_bytes()
    at = data.index(b"\xff\xda")
    header = data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    return data[:at] + header * count + data[at + len(header) :]


def size_of(folder: Path) -> float:
    """MiB of all files in a folder."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except OSError:  # removed meanwhile
            pass
    return total / 2**20


async def load(clients: int, seconds: float, folder: Path) -> list[str]:
    """Starts and ends the app; prints the facts, and returns the names of those not as required."""
    wrong = []

    def tell(name: str, text: object, *, holds: bool = True) -> None:
        print(f"{name}: {text}{'' if holds else '  <- must not be'}")
        if not holds:
            wrong.append(name)

    kept, log, video = folder / "kept", folder / "log.txt", folder / "a.mp4"
    kept.mkdir()
    with VideoWriter(video, (240, 320), 15) as writer:
        for index in range(150):
            writer.write(np.full((240, 320, 3), index, np.uint8), index / 15)
    command = [sys.executable, str(APP), "--port", "0", "--max-live", str(clients + 2)]
    command += ["--max-stored-mb", str(STORED_MB)]
    with log.open("w") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, env=os.environ | {"TMPDIR": str(kept)}
        )
    while "Open http" not in log.read_text():
        if process.returncode is not None:
            raise RuntimeError(f"the app does not start: {log.read_text()}")
        await asyncio.sleep(0.2)
    address = log.read_text().split("Open ")[1].split()[0]
    ended, done, all_visits = asyncio.Event(), Counter[str](), visits(clients)
    tasks = [attend(visit, address, ended) for visit in all_visits]
    tasks += [idle_page(address, ended) for _ in range(OPEN_PAGES)]
    tasks += [attack(address, done, ended) for _ in range(2)]
    tasks.append(cancel_videos(address, video, done, ended))
    running = [asyncio.ensure_future(task) for task in tasks]
    app, memory, sizes = psutil.Process(process.pid), [], []
    start = time.monotonic()
    while time.monotonic() < start + seconds and process.returncode is None:
        memory.append(app.memory_info().rss / 2**20)
        sizes.append(size_of(kept))
        await asyncio.sleep(1)
    children = app.children(recursive=True)
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status = await asyncio.wait_for(process.wait(), 3 * END_S)
    end_s = time.monotonic() - told
    ended.set()
    ends = await asyncio.gather(*running, return_exceptions=True)
    for end in ends:
        if end is not None and not isinstance(end, httpx.HTTPError):
            tell("a task failed", repr(end), holds=False)
    await asyncio.sleep(1)
    counts = [len(visit.answers) for visit in all_visits]
    tell(
        "answered frames of each visitor", f"{min(counts)} to {max(counts)}", holds=min(counts) > 0
    )
    latencies = [1000 * (a.answered_s - a.sent_s) for visit in all_visits for a in visit.answers]
    p50, p95 = np.percentile(latencies or [0.0], (50, 95))
    tell(
        "latency",
        f"median {p50:.0f} ms, p95 {p95:.0f} ms, longest {max(latencies, default=0):.0f} ms",
    )
    problems = sum((visit.problems for visit in all_visits), Counter[str]())
    tell("errors of visitors", dict(problems) or "none")
    for name, count in sorted(done.items()):
        tell(name, count)
    settled = memory[len(memory) // 4]
    tell("memory after a quarter", f"{settled:.0f} MiB")
    grown = memory[-1] - settled
    tell(
        "memory at the end",
        f"{memory[-1]:.0f} MiB, at most {max(memory):.0f}",
        holds=grown < GROWTH_MIB,
    )
    tell(
        "files at most", f"{max(sizes):.1f} MiB of {STORED_MB}", holds=max(sizes) < 1.1 * STORED_MB
    )
    said = log.read_text()
    tell("log", f"{len(said)} letters")
    tell("tracebacks", said.count("Traceback"), holds="Traceback" not in said)
    if "Traceback" in said:
        print(said[said.index("Traceback") :][:3000])
    tell(
        "end after SIGTERM", f"{end_s:.1f} s, status {status}", holds=end_s < END_S and status == 0
    )
    left = [path.name for path in kept.iterdir()]
    left += [f"process {child.pid}" for child in children if child.is_running()]
    tell("left behind", ", ".join(left) or "nothing", holds=not left)
    return wrong


def main(argv: list[str] | None = None) -> int:
    """Loads the app and prints the facts; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=20, help="pages (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=3, help="length (default: %(default)s)")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="load-attacks-") as folder:
        wrong = asyncio.run(load(arguments.clients, 60 * arguments.minutes, Path(folder)))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
