"""Gradio's server for the page, without what the page does not need."""

from __future__ import annotations

import sys
from typing import Any

import fastapi
import gradio as gr
from fastapi.responses import JSONResponse

from landmark_app.browser.routes import serve
from landmark_app.camera.frames import require_small
from landmark_app.server.guard import where
from landmark_app.server.jobs import share_jobs
from landmark_app.server.sessions import OpenPages, bound_sessions
from landmark_app.server.shares import Shares
from landmark_app.server.social_card import SocialCard

_WRONG = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
_WORDS = "This cannot be answered."


def make_app(
    page: gr.Blocks,
    options: dict[str, Any],
    shares: Shares,
    open_pages: OpenPages,
    *,
    root_path: str,
    most_upload: int,
    max_threads: int,
) -> fastapi.FastAPI:
    """The page as an ASGI application.

    Args:
        options: As of ``Blocks.launch``: theme, style sheets and the like.
        shares: Bounds what is computed for each visitor.
        open_pages: Those whose sessions are kept.
        root_path: Where a reverse proxy has the app.
        most_upload: Largest file in bytes.
        max_threads: Most calls answered at once.
    """
    mounted = {name: value for name, value in options.items() if name not in _OF_LAUNCH}
    page.state_session_capacity = options.get("state_session_capacity", 500)
    page.max_threads = max_threads
    page._queue.max_thread_count = max_threads
    answer_in_words(page)
    share_jobs(page, shares)
    bound_streams(page)
    handlers: Any = dict.fromkeys(_WRONG, _refuse)
    outer = fastapi.FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, exception_handlers=handlers
    )
    serve(outer)
    outer.add_middleware(SocialCard, root_path=root_path)
    gr.mount_gradio_app(
        outer,
        page,
        path="/",
        root_path=root_path,
        max_file_size=most_upload,
        run_history=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        app_kwargs={"exception_handlers": handlers, "openapi_url": None},
        **mounted,
    )
    page.has_launched = (
        True  # as launch() does; else Gradio copies any file that a page names into its folder
    )
    bound_sessions(page, open_pages)
    return outer


_OF_LAUNCH = ("quiet", "state_session_capacity")


def answer_in_words(page: gr.Blocks) -> None:
    """Makes a call that fails, as with values of a wrong type, a message to the page and one log line."""
    inner = page.process_api

    async def process_api(*args: Any, **kwargs: Any) -> Any:
        try:
            return await inner(*args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            print(f"  a call failed: {where(error)}", file=sys.stderr, flush=True)
            raise gr.Error(_WORDS, print_exception=False) from error

    page.process_api = process_api  # type: ignore[method-assign]


def bound_streams(page: gr.Blocks) -> None:
    """Has pictures that are streamed checked before they are decoded."""
    for block in page.blocks.values():
        if isinstance(block, gr.Image) and block.streaming:
            block.preprocess = _bounded(block.preprocess)  # type: ignore[method-assign]


def _bounded(inner: Any) -> Any:
    def preprocess(payload: Any) -> Any:
        if payload is not None:
            try:
                require_small(payload.url or "", formats=("JPEG", "PNG", "WEBP"))
            except ValueError as error:
                raise gr.Error(str(error), print_exception=False) from error
        return inner(payload)

    return preprocess


def _refuse(request: fastapi.Request, error: Exception) -> JSONResponse:
    print(f"  {request.method} {request.url.path!r}: {where(error)}", file=sys.stderr, flush=True)
    return JSONResponse({"detail": _WORDS}, status_code=400)
