"""What of Gradio's server the page uses; everything else is not there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from landmark_app.browser.routes import routes as browser_files
from landmark_app.files.uploads import uploaded

MOST_MESSAGE = 2 * 2**20  # bytes of a call: settings and at most one camera frame
MOST_PARTS = 20  # of one form: files of an upload, fields of a frame
_FORM = 2**16  # bytes that a form has besides its files
_API = "/gradio_api"
_HEARTBEAT = f"{_API}/heartbeat/"


@dataclass(frozen=True)
class Route:
    """A path that the page uses.

    Attributes:
        path: As Gradio writes it; ``{name}`` is one part of a path, ``{name:path}`` any number.
        methods: HTTP methods that the page uses.
        most_bytes: Largest body; None for that of an upload.
    """

    path: str
    methods: tuple[str, ...] = ("GET",)
    most_bytes: int | None = 0

    def takes(self, path: str) -> bool:
        """Whether a request's path is of this route, with or without a slash at its end."""
        pattern = re.sub(
            r"\\{\w+:path\\}", ".*", re.sub(r"\\{\w+\\}", "[^/]+", re.escape(self.path))
        )
        return re.fullmatch(f"{pattern}/?", path, re.DOTALL) is not None


USED = (
    Route("/", ("GET", "HEAD")),
    Route("/config"),
    Route("/theme.css"),
    Route("/favicon.ico"),
    Route("/manifest.json"),
    Route("/robots.txt"),
    Route("/assets/{path:path}"),
    Route("/static/{path:path}"),
    Route("/svelte/{path:path}"),
    Route(f"{_API}/info"),
    Route(f"{_API}/theme.css"),
    Route(f"{_API}/app_id"),
    Route(f"{_HEARTBEAT}{{session_hash}}"),
    Route(f"{_API}/queue/data"),
    Route(f"{_API}/queue/join", ("POST",), MOST_MESSAGE),
    Route(f"{_API}/run/{{api_name}}", ("POST",), MOST_MESSAGE),
    Route(f"{_API}/cancel", ("POST",), MOST_MESSAGE),
    Route(f"{_API}/reset", ("POST",), MOST_MESSAGE),
    Route(f"{_API}/component_server", ("POST",), MOST_MESSAGE),
    Route(f"{_API}/upload", ("POST",), None),
    Route(f"{_API}/upload_progress"),
    Route(f"{_API}/file={{path_or_url:path}}", ("GET", "HEAD")),
    *(Route(file.path) for file in browser_files()),
)
"""Browsers may also ask for the icon and for robots.txt of their own accord."""

_FILE = f"{_API}/file="


class Routes:
    """Finds the route of a request.

    Args:
        files: Folder of uploads and results, of which alone files are served.
        most_upload: Largest upload in bytes.
        sub_path: As of --root-path; requests may have it before their path.
    """

    def __init__(self, files: Path, most_upload: int, sub_path: str = "") -> None:
        self._files = files
        self.most_upload = most_upload + _FORM
        self._sub_path = sub_path if sub_path.startswith("/") else ""

    def inner(self, path: str) -> str:
        """A request's path without the sub-path."""
        if self._sub_path and f"{path}/".startswith(f"{self._sub_path}/"):
            return path[len(self._sub_path) :] or "/"
        return path

    def most_bytes(self, method: str, path: str) -> int | None:
        """The largest body of a request, in bytes; None if there is no such route.

        Args:
            path: As of :meth:`inner`.
        """
        for route in USED:
            if method in route.methods and route.takes(path):
                if path.startswith(_FILE) and not self._is_served(path.removeprefix(_FILE)):
                    return None
                return self.most_upload if route.most_bytes is None else route.most_bytes
        return None

    def page_of(self, path: str) -> str | None:
        """The session of a page that says by this request, as long as it lasts, that it is open."""
        return path[len(_HEARTBEAT) :].rstrip("/") if path.startswith(_HEARTBEAT) else None

    def is_upload(self, path: str) -> bool:
        """Whether files are sent to a path."""
        return path.rstrip("/") == f"{_API}/upload"

    def is_file(self, path: str) -> bool:
        """Whether a path is that of a visitor's file."""
        return path.startswith(_FILE)

    def _is_served(self, name: str) -> bool:
        try:
            uploaded(name, self._files)
        except ValueError:
            return False
        return Path(name).is_absolute()
