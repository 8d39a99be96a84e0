"""The page's title, icon, and what chats and social networks show of a link to it, in place of Gradio's."""

from __future__ import annotations

import re

from gradio.route_utils import get_root_url
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landmark_app.browser.routes import PREFIX
from pfld.web.link_preview import PICTURE, TITLE, preview_tags

# Relative addresses are below the page's base, as Gradio writes it.
_FOLDER = PREFIX.removeprefix("/")
_HEAD = (
    f"<title>{TITLE}</title>\n  "
    f'<link rel="icon" href="{_FOLDER}/icon.svg" type="image/svg+xml">\n  '
    f'<link rel="apple-touch-icon" href="{_FOLDER}/icon.png">'
)
_GRADIOS = re.compile(rb"\s*<meta\s+(?:property|name)=\"(?:og|twitter):[^>]*>")


class SocialCard:
    """ASGI middleware that changes the head of the page.

    Args:
        root_path: Where a reverse proxy has the app, as Gradio takes it.
    """

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path
        below = root_path if root_path.startswith("/") else ""
        self._pages = {"/", below, f"{below}/"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["method"] == "GET"
        if not is_page or scope["path"] not in self._pages:
            await self._app(scope, receive, send)
            return
        address = get_root_url(Request(scope), "/", self._root_path) + "/"
        start: Message = {}
        page = bytearray()

        async def hold(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                page.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    changed = with_card(bytes(page), address)
                    MutableHeaders(raw=start["headers"])["content-length"] = str(len(changed))
                    await send(start)
                    await send({"type": "http.response.body", "body": changed})
            else:
                await send(message)

        await self._app(scope, receive, hold)


def with_card(page: bytes, address: str) -> bytes:
    """A page's HTML with the app's own title, icon and tags; Gradio's tags of that kind are taken out.

    Args:
        address: Of the page, with a slash at its end.
    """
    tags = preview_tags(address, f"{_FOLDER}/{PICTURE.name}")
    own = f"<head>\n  {_HEAD}\n  {tags}".encode()
    return _GRADIOS.sub(b"", page).replace(b"<head>", own, 1)
