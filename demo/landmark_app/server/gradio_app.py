"""Gradio's server for the page, without what the page does not need."""

from __future__ import annotations

import html
import sys
from typing import Any

import fastapi
import gradio as gr
from fastapi.responses import JSONResponse

from landmark_app.browser.routes import serve
from landmark_app.server.camera_calls import CameraCalls
from landmark_app.server.guard import where
from landmark_app.server.jobs import share_jobs
from landmark_app.server.sessions import OpenPages, bound_sessions
from landmark_app.server.shares import Shares
from landmark_app.server.social_card import SocialCard

_WRONG = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
_WORDS = "This cannot be answered."
_LONGEST = 500  # letters of a message
# Between looks for jobs. Gradio's are 1 ms apart, and all threads wait for each.
QUEUE_S = 0.02


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
    page._queue.sleep_when_free = QUEUE_S
    answer_in_words(page)
    share_jobs(page, shares)
    handlers: Any = dict.fromkeys(_WRONG, _refuse)
    outer = fastapi.FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, exception_handlers=handlers
    )
    serve(outer)
    outer.add_middleware(SocialCard, root_path=root_path)
    outer.add_middleware(CameraCalls, page=page)
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
    # As launch() does; else Gradio copies any file that a page names into its folder.
    page.has_launched = True
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
            # Gradio's own repeat the value that they refuse, and pages show them as HTML.
            said = str(error.message)[:_LONGEST].encode(errors="replace").decode()
            error.message = html.escape(said, quote=False)
            raise
        except Exception as error:
            print(f"  a call failed: {where(error)}", file=sys.stderr, flush=True)
            raise gr.Error(_WORDS, print_exception=False) from error

    page.process_api = process_api  # type: ignore[method-assign]


def _refuse(request: fastapi.Request, error: Exception) -> JSONResponse:
    print(f"  {request.method} {request.url.path!r}: {where(error)}", file=sys.stderr, flush=True)
    return JSONResponse({"detail": _WORDS}, status_code=400)
