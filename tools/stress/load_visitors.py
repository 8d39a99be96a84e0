"""Simulated visitors for the load test: the frames each one sends, and the answers it gets."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray

FACE_XY = (226.0, 128.0)  # mean of the portrait's landmarks, in pixels
SIZE_HW = (480, 640)
FRAME_S = 1 / 30
IN_FLIGHT = 2  # frames of one page on their way at once, as in live.js
SLOW_S = 0.4  # after an answer that took longer, one frame is sent at a time, as in live.js
PAUSE_S = 1.0  # after a refusal, as in live.js
CIRCLE_PX = 6.0  # each face moves on a circle of this radius
PORTRAIT = Path(__file__).parents[2] / "demo" / "examples" / "astronaut.jpg"
FRAMES = 45  # of a circle
SURE = 0.1  # quality below which a face is not checked for its place


@dataclass(frozen=True)
class Answer:
    """The app's answer to a frame.

    Attributes:
        frame: Index of the frame in :func:`frames_of`.
        sent_s: The time of the frame that the app was told, in seconds.
        answered_s: When the answer came, in seconds.
        faces: Number and points, x0, y0, x1 ... in pixels, of each face.
    """

    frame: int
    sent_s: float
    answered_s: float
    faces: tuple[tuple[int, NDArray[np.float32]], ...]


@dataclass
class Visit:
    """One page with its camera on, and the answers it got.

    Attributes:
        place_xy: Middle of the circle on which the visitor's face moves, in pixels.
        tolerance_px: A face further from its place than this belongs to another visitor, or is none.
        in_flight: Most frames on their way at once.
        on_way: Frames not answered yet.
        settings: The page's settings, as the app gave them.
        answers: In the order in which they came.
        late, refused: Numbers of frames.
        misplaced: Number of faces further from their place than tolerated.
        furthest_px: Largest distance of a face from its place.
        identities: How often each face number was seen.
        problems: How often each error was seen.
    """

    number: int
    place_xy: tuple[float, float]
    tolerance_px: float
    in_flight: int = IN_FLIGHT
    on_way: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    late: int = 0
    refused: int = 0
    misplaced: int = 0
    furthest_px: float = 0.0
    identities: Counter[int] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)

    def waits(self) -> bool:
        """Whether the page waits for an answer before it sends a frame, because the app is slow."""
        last = self.answers[-1] if self.answers else None
        slow = last is not None and last.answered_s - last.sent_s > SLOW_S
        return slow and self.on_way > 0 and self.in_flight == IN_FLIGHT

    def note(
        self, said: dict[str, Any], frame: int, sent_xy: tuple[float, float], sent_s: float
    ) -> None:
        """Notes the app's answer to a frame."""
        if said.get("late"):
            self.late += 1
        elif "cameras are on already" in said.get("error", ""):
            self.refused += 1
        elif "error" in said:
            self.problems[said["error"]] += 1
        else:
            faces = tuple(faces_of(said))
            self.answers.append(Answer(frame, sent_s, time.monotonic(), faces))
            for face, (identity, points) in zip(said["faces"], faces):
                self.identities[identity] += 1
                if face["quality"] >= SURE:
                    distance = float(np.hypot(*(points.reshape(-1, 2).mean(axis=0) - sent_xy)))
                    self.furthest_px = max(self.furthest_px, distance)
                    self.misplaced += distance > self.tolerance_px


def faces_of(said: dict[str, Any]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Number and points of every face in an answer."""
    return ((face["id"], np.array(face["points"], np.float32)) for face in said["faces"])


def visits(count: int, greedy: int = 0, greed: int = 50) -> list[Visit]:
    """Visitors with their faces in different places: polite ones, then greedy ones.

    Args:
        count: Number of visitors who wait for answers as live.js does.
        greedy: Number of visitors who do not.
        greed: Frames on their way at once of a greedy visitor.
    """
    total = count + greedy
    columns = math.ceil(math.sqrt(total * 4 / 3))
    rows = math.ceil(total / columns)
    step_xy = (460 / max(columns - 1, 1), 290 / max(rows - 1, 1))
    return [
        Visit(
            number,
            (90 + step_xy[0] * (number % columns), 95 + step_xy[1] * (number // columns)),
            tolerance_px=0.5 * min(step_xy),
            in_flight=IN_FLIGHT if number < count else greed,
        )
        for number in range(total)
    ]


def frames_of(visit: Visit) -> list[tuple[str, tuple[float, float]]]:
    """The frames of a visitor's camera: JPEG data URLs, and where the face is in each."""
    portrait, frames = cv2.imread(str(PORTRAIT)), []
    for index in range(FRAMES):
        angle = 2 * math.pi * index / FRAMES
        x = visit.place_xy[0] + CIRCLE_PX * math.cos(angle)
        y = visit.place_xy[1] + CIRCLE_PX * math.sin(angle)
        matrix = np.array([[1, 0, x - FACE_XY[0]], [0, 1, y - FACE_XY[1]]])
        image = cv2.warpAffine(
            portrait, matrix, SIZE_HW[::-1], borderMode=cv2.BORDER_CONSTANT, borderValue=(90,) * 3
        )
        jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
        frames.append(("data:image/jpeg;base64," + base64.b64encode(jpeg).decode(), (x, y)))
    return frames


async def attend(visit: Visit, address: str, ended: asyncio.Event) -> None:
    """Opens the page and sends frames as demo/landmark_app/camera/live.js does, until the app is told to end.

    Raises:
        httpx.HTTPError: When the page cannot be opened.
    """
    frames = frames_of(visit)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        (await client.get("/")).raise_for_status()
        components = (await client.get("/config")).json()["components"]
        (view,) = (c for c in components if c["props"].get("elem_id") == "live-view")
        settings = view["props"]["props"]["settings"]
        visit.settings = settings | {"mode": settings["runtime"]}  # as switch.js asks
        form = {
            "component_id": str(view["id"]),
            "fn_name": "locate",
            "session_hash": uuid.uuid4().hex,
            "settings": json.dumps(visit.settings),
        }
        heartbeat = asyncio.create_task(_stay(client, form["session_hash"]))
        slots = [_slot(visit, client, frames, form, ended, i) for i in range(visit.in_flight)]
        await asyncio.gather(*slots)
        heartbeat.cancel()
        await asyncio.gather(heartbeat, return_exceptions=True)


async def _stay(client: httpx.AsyncClient, session: str) -> None:
    """Keeps the stream open by which Gradio knows that the page is open."""
    try:
        async with client.stream("GET", f"/gradio_api/heartbeat/{session}", timeout=None) as beats:
            async for _ in beats.aiter_raw():
                pass
    except httpx.HTTPError:
        pass  # the app has ended


async def _slot(
    visit: Visit,
    client: httpx.AsyncClient,
    frames: list[tuple[str, tuple[float, float]]],
    form: dict[str, str],
    ended: asyncio.Event,
    slot: int,
) -> None:
    """Sends one frame after another, each once the one before is answered."""
    failures = 0
    await asyncio.sleep(slot * FRAME_S)
    while not ended.is_set() and failures < 4:
        if visit.waits():
            await asyncio.sleep(FRAME_S)
            continue
        sent_s = time.monotonic()
        number = int(sent_s / FRAME_S) % FRAMES
        frame, place_xy = frames[number]
        body = {name: (None, value) for name, value in form.items()}
        body |= {"frame": (None, frame), "time_s": (None, str(sent_s))}
        refused = visit.refused
        visit.on_way += 1
        try:
            response = await client.post("/gradio_api/component_server/", files=body)
            response.raise_for_status()
            visit.note(response.json(), number, place_xy, sent_s)
        except httpx.HTTPError as error:
            if not ended.is_set():
                failures += 1
                visit.problems[type(error).__name__] += 1
        finally:
            visit.on_way -= 1
        wait_s = PAUSE_S if visit.refused > refused else 0.0
        await asyncio.sleep(max(wait_s, FRAME_S - (time.monotonic() - sent_s)))
