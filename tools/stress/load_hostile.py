"""Attackers of load_attacks.py, in a process of their own: ``load_hostile.py ADDRESS VIDEO START PERIOD``.

Each has an address of its own, which needs Linux. They attack while :class:`Weather` says so, until their
standard input ends, and print then as JSON how often each answer came.
"""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
import json
import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from load_visitors import PORTRAIT

SETTLING_S = 10.0  # after a change, which count for neither rate
BOMB_SCANS = 90  # within the app's limit
BOMB_PX = 7000
API = "/gradio_api"


class Weather:
    """When attackers attack: for three of four quarters of a period, of which the first is quiet.

    Args:
        start_s: Beginning of the first period, of ``time.monotonic`` as all times.
        period_s: Its length.
    """

    def __init__(self, start_s: float, period_s: float) -> None:
        self.start_s = start_s
        self.period_s = period_s
        self.ended = asyncio.Event()

    def phase(self, now_s: float) -> str:
        """``quiet``, ``attack``, or ``settling`` between the two."""
        in_period_s = (now_s - self.start_s) % self.period_s
        quiet = in_period_s < self.period_s / 4
        since_s = in_period_s if quiet else in_period_s - self.period_s / 4
        return "settling" if since_s < SETTLING_S else "quiet" if quiet else "attack"

    async def attack(self) -> bool:
        """Waits for the next attack, or the end; whether it is an attack."""
        while not self.ended.is_set():
            if (time.monotonic() - self.start_s) % self.period_s >= self.period_s / 4:
                return True
            await asyncio.sleep(0.2)
        return False


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
        failed = f", {sent.text[:100]!r}" if sent.status_code == 500 else ""
        self.done[f"upload {sent.status_code}{failed}"] += 1
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

    async def result(self, job: dict[str, Any]) -> str:
        """Waits for the end of a job; its last message, as JSON."""
        params = {"session_hash": job["session_hash"]}
        async with self.client.stream("GET", f"{API}/queue/data", params=params) as messages:
            async for line in messages.aiter_lines():
                if "process_completed" in line:
                    return line
        return ""


def own_address(number: int) -> httpx.AsyncHTTPTransport:
    """Connections from the address 127.0.0.``number``."""
    return httpx.AsyncHTTPTransport(local_address=f"127.0.0.{number}")


async def cancel_videos(address: str, video: bytes, done: Counter[str], weather: Weather) -> None:
    """Starts videos and cancels each after a moment."""
    async with httpx.AsyncClient(base_url=address, timeout=60, transport=own_address(9)) as client:
        page = await Page.open(client, done)
        while await weather.attack():
            path = await page.upload("a.mp4", video)
            job = await page.start("video-in", "video-out", path) if path else None
            await asyncio.sleep(0.5)
            if job:
                answer = await client.post(f"{API}/cancel", json=job)
                done[f"cancel {answer.status_code}"] += 1


async def attack(address: str, number: int, done: Counter[str], weather: Weather) -> None:
    """Sends what takes long, is too large, or fills the disk."""
    scans, bomb = _many_scans(5000), _slow_photo()
    frame = "data:image/jpeg;base64," + base64.b64encode(scans).decode()
    own = own_address(2 + number)
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


async def main(address: str, video: str, start_s: str, period_s: str) -> None:
    """Attacks until standard input ends."""
    weather, done = Weather(float(start_s), float(period_s)), Counter[str]()
    tasks: list[Awaitable[None]] = [attack(address, number, done, weather) for number in range(2)]
    tasks.append(cancel_videos(address, Path(video).read_bytes(), done, weather))
    running = [asyncio.ensure_future(task) for task in tasks]
    await asyncio.to_thread(sys.stdin.read)
    weather.ended.set()
    for end in await asyncio.gather(*running, return_exceptions=True):
        if end is not None and not isinstance(end, httpx.HTTPError):
            done[f"failed, {end!r}"] += 1
    print(json.dumps(done))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
