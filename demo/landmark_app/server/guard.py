"""The guard before Gradio's server: refuses what the page does not ask for, and bounds what it does."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
from typing import Any

from starlette.requests import ClientDisconnect

from landmark_app.server.bodies import Body, Message, Receive, too_large
from landmark_app.server.home import Home
from landmark_app.server.password import FAILED_S, Password
from landmark_app.server.policy import headers as policy_headers
from landmark_app.server.routes import Routes
from landmark_app.server.sessions import OpenPages
from landmark_app.server.shares import Shares
from landmark_app.server.visitors import Visitors, visitor_of

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# With these, a client would tell Gradio where it is; or the page would come compressed.
_DROPPED = (b"x-gradio-server", b"x-forwarded-prefix")
_UPLOAD_RATE = 40e6  # bytes that are taken in by one core in a second


class Guard:
    """An ASGI application before another one.

    Args:
        shares, open_pages: Are told who is here.
        password: Asked for if there is one.
    """

    def __init__(
        self,
        app: App,
        visitors: Visitors,
        routes: Routes,
        home: Home,
        shares: Shares,
        open_pages: OpenPages,
        password: Password | None,
    ) -> None:
        self._app = app
        self._visitors = visitors
        self._routes = routes
        self._home = home
        self._shares = shares
        self._open_pages = open_pages
        self._password = password
        self._arriving: Counter[str] = Counter()  # bytes of each visitor's uploads on their way
        self._making_room = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        path = self._routes.inner(scope["path"])
        answer = Answer(send, self._visitors.framers, is_file=self._routes.is_file(path))
        try:
            await self._check(scope, receive, answer, path, found)
        except asyncio.CancelledError:  # the server does not wait any longer
            await answer.refuse(503, "The app has ended.")
            raise

    async def _check(
        self, scope: Scope, receive: Receive, answer: Answer, path: str, found: dict[str, str]
    ) -> None:
        """Refuses a request, or passes it on.

        Args:
            path: As of :meth:`Routes.inner`.
            found: Its headers.
        """
        method = scope["method"]
        why = self._visitors.refusal(method, path, found)
        if why:
            return await answer.refuse(403, why)
        if self._password and not self._password.opens(found.get("authorization", "")):
            if "authorization" in found:
                await asyncio.sleep(FAILED_S)
            return await answer.refuse(401, "The app has a password.")
        most_bytes = self._routes.most_bytes(method, path)
        if most_bytes is None:
            return await answer.refuse(404, "Not found.")
        length = found.get("content-length", "")
        declared = int(length) if length.isdecimal() else most_bytes
        if declared > most_bytes:
            return await answer.refuse(*too_large(most_bytes))
        answer.is_page = path == "/" and method == "GET"
        answer.is_packed = "gzip" in found.get("accept-encoding", "")
        dropped = (*_DROPPED, b"accept-encoding") if answer.is_page else _DROPPED
        kept = [(name, value) for name, value in scope["headers"] if name not in dropped]
        body = Body(receive, most_bytes, found.get("content-type", ""))
        visitor = visitor_of(scope)
        self._shares.see(visitor)
        if self._routes.is_file(path):
            self._home.claim([path.partition("file=")[2]], visitor)
        if self._routes.is_upload(path):
            return await self._take_in({**scope, "headers": kept}, body, answer, visitor, declared)
        session = self._routes.page_of(path)
        with self._open_pages.connected(session) if session else nullcontext():
            await self._pass_on({**scope, "headers": kept}, body, answer, answer.send)

    async def _take_in(
        self, scope: Scope, body: Body, answer: Answer, visitor: str, declared: int
    ) -> None:
        """Passes an upload on if there is room, and notes whose its files are and what it took."""
        why = self._shares.refusal(visitor, 0)
        if why:
            return await answer.refuse(429, why)
        self._shares.spend(visitor, declared / _UPLOAD_RATE)
        if not self._is_modest(visitor, declared):
            return await answer.refuse(507, "Too many uploads at once. Try again in some minutes.")
        self._arriving[visitor] += declared
        try:
            if not await self._is_room(visitor, declared):
                return await answer.refuse(
                    507, "The app's folder is full. Try again in some minutes."
                )
            said = bytearray()

            async def send(message: Message) -> None:
                said.extend(message.get("body", b""))
                await answer.send(message)

            await self._pass_on(scope, body, answer, send)
            self._home.claim(_paths_in(said), visitor, uploaded=True)
        finally:
            self._arriving[visitor] -= declared
            self._arriving += Counter()  # drops those with nothing on the way

    def _is_modest(self, visitor: str, declared: int) -> bool:
        """Whether a visitor leaves others half of the room, or has nothing else on the way."""
        own = self._arriving[visitor]
        others = self._arriving.total() - own
        return not own or own + declared <= (self._home.most_bytes - others) / 2

    async def _is_room(self, visitor: str, declared: int) -> bool:
        async with self._making_room:
            needed = self._arriving.total()
            return await asyncio.to_thread(self._home.make_room, needed, visitor, declared)

    async def _pass_on(self, scope: Scope, body: Body, answer: Answer, send: Send) -> None:
        answer.body = body
        try:
            await self._app(scope, body.receive, send)
        except ClientDisconnect:
            pass
        except Exception as error:
            if not body.refused:
                print(f"  {scope['method']} {scope['path']!r}: {where(error)}", file=sys.stderr)
        if body.refused:
            await answer.refuse(*body.refused)
        else:
            await answer.refuse(500, "This cannot be answered.")


def _paths_in(said: bytearray) -> list[str]:
    """The paths in the answer to an upload; none if it was refused."""
    try:
        paths = json.loads(said)
    except ValueError:
        return []
    return [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []


class Answer:
    """An answer on its way to the client, with the headers that all answers have.

    Attributes:
        is_page: Whether it is the page, whose scripts the headers name.
        is_packed: Whether the page is sent with gzip.
        body: The request's body. If that is refused, so is the request, whatever the app says.
    """

    def __init__(self, send: Send, framers: tuple[str, ...], *, is_file: bool) -> None:
        self._send = send
        self._framers = framers
        self._is_file = is_file
        self._begun = False
        self._held: Message | None = None
        self._page = b""
        self.is_page = False
        self.is_packed = False
        self.body: Body | None = None

    async def send(self, message: Message) -> None:
        """Sends a message of the app."""
        if self.body is not None and self.body.refused:
            return await self.refuse(*self.body.refused)
        if message["type"] == "http.response.start":
            self._held = message
            if not self.is_page:
                await self._begin(None)
        elif self._held is not None and message["type"] == "http.response.body":
            self._page += message.get("body", b"")
            if not message.get("more_body", False):
                data = gzip.compress(self._page, 5) if self.is_packed else self._page
                self._held["headers"] = [
                    *(pair for pair in self._held["headers"] if pair[0] != b"content-length"),
                    (b"content-length", b"%d" % len(data)),
                    *([(b"content-encoding", b"gzip")] if self.is_packed else []),
                ]
                await self._begin(self._page)
                await self._send({"type": "http.response.body", "body": data})
        elif self._begun:
            await self._send(message)

    async def refuse(self, status: int, words: str) -> None:
        """Answers with a status and words instead, if no answer has begun."""
        if self._begun:
            return
        data = json.dumps({"detail": words}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
        if status == 401:
            headers.append((b"www-authenticate", b'Basic realm="PFLD landmarks", charset="UTF-8"'))
        self._held = {"type": "http.response.start", "status": status, "headers": headers}
        await self._begin(None)
        await self._send({"type": "http.response.body", "body": data})

    async def _begin(self, page: bytes | None) -> None:
        assert self._held is not None
        start, self._held, self._begun = self._held, None, True
        added = policy_headers(is_file=self._is_file, framers=self._framers, page=page)
        names = {name.encode() for name in added}
        kept = [pair for pair in start.get("headers", []) if pair[0].lower() not in names]
        own = [(name.encode(), value.encode()) for name, value in added.items()]
        await self._send({**start, "headers": [*kept, *own]})


def where(error: BaseException) -> str:
    """An error's kind and the place it came from, for the log; nothing that a client sent."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
