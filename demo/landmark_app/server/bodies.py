"""Bodies of requests: bounded in bytes, in parts of a form, and in the time they take."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from landmark_app.server.routes import MOST_PARTS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

PATIENCE_S = 60.0  # without a further byte
_GONE: Message = {"type": "http.disconnect"}


class Body:
    """The body of a request as it arrives. To the app, one that is refused looks broken off.

    Args:
        most_bytes: Largest size.
        content_type: The request's header.

    Attributes:
        refused: Status and words of an answer, once there is something wrong with the body.
    """

    def __init__(self, receive: Receive, most_bytes: int, content_type: str) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._bytes = self._parts = 0
        self._tail = b""
        self._ended = False
        self.refused: tuple[int, str] | None = None
        found = re.search(r"boundary=(?:\"([^\"]+)\"|([^\s;,]+))", content_type, re.IGNORECASE)
        boundary = (found.group(1) or found.group(2)) if found else ""
        self._boundary = f"--{boundary}".encode("latin-1") if boundary else b""

    async def receive(self) -> Message:
        """The next message, as ASGI has it."""
        if self.refused:
            return _GONE
        if self._ended:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), PATIENCE_S)
        except (asyncio.TimeoutError, TimeoutError):
            self.refused = 408, "The request did not arrive."
            return _GONE
        data = message.get("body", b"")
        self._ended = not message.get("more_body", False)
        self._bytes += len(data)
        if self._bytes > self._most_bytes:
            self.refused = too_large(self._most_bytes)
        elif self._boundary and self._count_parts(data) > MOST_PARTS:
            self.refused = 413, f"At most {MOST_PARTS} files or fields at once."
        return _GONE if self.refused else message

    def _count_parts(self, data: bytes) -> int:
        """Parts seen so far: the last boundary, of the end, may be one too many."""
        joined = self._tail + data
        self._parts += joined.count(self._boundary)
        self._tail = joined[-(len(self._boundary) - 1) :]
        return self._parts - 1


def too_large(most_bytes: int) -> tuple[int, str]:
    """Status and words for a body that is too large."""
    size = f"{most_bytes / 2**20:.0f} MB" if most_bytes >= 2**20 else f"{most_bytes} bytes"
    return 413, f"Too large: at most {size}."
