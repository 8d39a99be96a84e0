"""Files that the app serves besides Gradio's: a fixed list, for reading only.

They are for landmarks in the visitor's browser, and the pictures of a link to the page.

What a request asks for is looked up among these paths; no path of a file is made from it.

A content security policy of the page and of these answers must have ``script-src 'self'
'wasm-unsafe-eval'`` (WebAssembly), ``worker-src 'self'`` (the networks run in a worker) and ``connect-src
'self'`` (which loads the ONNX files). Nothing from elsewhere is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import fastapi
from fastapi.responses import FileResponse

from pfld.web import link_files, runtime_files
from pfld.weights.shipped import PORTRAIT

PREFIX = "/pfld-browser"
OFFER = f"{PREFIX}/offer.js"
FILM = f"{PREFIX}/example.jpg".removeprefix("/")  # relative; Live shows it where there is no camera
# Loads the script that offers it to Live; relative, so that it works behind a sub-path as well.
HEAD = (
    f'<link rel="preload" as="image" href="{FILM}">'
    f'<script type="module" src="{OFFER.removeprefix("/")}"></script>'
)
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_OTHER_TYPE = "text/plain; charset=utf-8"


class BrowserFile(NamedTuple):
    """A file and where it is served.

    Attributes:
        path: Path of the request, without a sub-path of the app.
        file: Where it lies.
        content_type: For the header of that name.
    """

    path: str
    file: Path
    content_type: str


def routes() -> list[BrowserFile]:
    """Everything that is served."""
    own = {"offer.js": Path(__file__).with_name("offer.js"), "example.jpg": PORTRAIT}
    files = {**own, **link_files(), **runtime_files()}
    return [
        BrowserFile(f"{PREFIX}/{name}", file, _TYPES.get(file.suffix, _OTHER_TYPE))
        for name, file in files.items()
    ]


def serve(app: fastapi.FastAPI) -> None:
    """Adds :func:`routes` to an application; before others that would take their paths."""
    for path, file, content_type in routes():
        answer = _Answer(file, content_type)
        app.add_api_route(path, answer, include_in_schema=False, response_class=FileResponse)


class _Answer:
    """Answers with one file, whatever the request."""

    def __init__(self, file: Path, content_type: str) -> None:
        self._file = file
        self._content_type = content_type

    async def __call__(self) -> FileResponse:
        return FileResponse(self._file, media_type=self._content_type)
