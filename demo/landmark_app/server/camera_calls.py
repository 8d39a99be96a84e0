"""Camera frames, answered without the layers of Gradio, which take longer than following a face."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio.to_thread
import gradio as gr
import orjson
from gradio.data_classes import DataWithFiles
from starlette.requests import ClientDisconnect

from landmark_app.server.bodies import Message, Receive

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NAME = "locate"  # what camera views call for each frame
_PATH = "/gradio_api/component_server"
_BOUNDARY = re.compile(r'multipart/form-data;\s*boundary=(?:"([^"]+)"|([^\s;,"]+))', re.IGNORECASE)
_FIELD = re.compile(rb'content-disposition:\s*form-data;\s*name="([^"\r\n\\%]+)"', re.IGNORECASE)


class CameraCalls:
    """An ASGI application before Gradio's, to which everything but forms with a camera frame is passed on.

    It answers as Gradio does: with what the camera view's function returns, as JSON. All threads wait while
    a request passes through Gradio's layers, which was most of what they waited for.

    Args:
        page: Has the camera views.
    """

    def __init__(self, app: App, page: gr.Blocks) -> None:
        self._app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        boundary = _boundary_of(scope)
        if not boundary:
            return await self._app(scope, receive, send)
        body = await _whole(receive)
        fields = fields_of(body, boundary)
        function = self._function(fields) if fields else None
        if fields is None or function is None:
            return await self._app(scope, _again(body, receive), send)
        call = DataWithFiles(data=fields, files=[])
        answer = await anyio.to_thread.run_sync(
            lambda: orjson.dumps(function(call)), limiter=self._page.limiter
        )
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _function(self, fields: dict[str, str]) -> Callable[[DataWithFiles], Any] | None:
        """The function of the camera view that a form names; None if it names another, or none."""
        number = fields.get("component_id", "")
        if fields.get("fn_name") != NAME or "session_hash" not in fields or not number.isdecimal():
            return None
        function = getattr(self._page.blocks.get(int(number)), NAME, None)
        return function if getattr(function, "_is_server_fn", False) else None


def _boundary_of(scope: Scope) -> bytes:
    """The boundary of a form that is sent to a component; empty for other requests."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return b""
    if not scope["path"].rstrip("/").endswith(_PATH):
        return b""
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    found = _BOUNDARY.fullmatch(kinds[0].decode("latin-1")) if len(kinds) == 1 else None
    return (found.group(1) or found.group(2)).encode("latin-1") if found else b""


def fields_of(body: bytes, boundary: bytes) -> dict[str, str] | None:
    """The fields of a form of texts only; None for other forms, which take more to be read.

    Source: RFC 7578 and RFC 2046, section 5.1.
    """
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if first or not parts or parts.pop().strip() != b"--":
        return None
    fields = {}
    for part in parts:
        header, separator, value = part.partition(b"\r\n\r\n")
        found = _FIELD.fullmatch(header[2:])
        if not (separator and header.startswith(b"\r\n") and found):
            return None
        try:
            fields[found.group(1).decode()] = value.decode()
        except UnicodeDecodeError:
            return None
    return fields


async def _whole(receive: Receive) -> bytes:
    """The body of a request.

    Raises:
        ClientDisconnect: When it does not arrive.
    """
    pieces = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read once more, then what comes after it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again
