"""The server in a thread of its own: started, watched, ended."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from typing import Any

import uvicorn

from landmark_app.server.certificate import Certificate

START_S = 120.0
END_S = 2.0  # that answers on their way may take at the end
MOST_CONNECTIONS = 1000


class Running:
    """A server that listens until :meth:`end` is called.

    Args:
        app: ASGI application.
        listening: Its socket.
        certificate: For https; None for http.

    Raises:
        RuntimeError: When the server does not start.
    """

    def __init__(
        self,
        app: Any,
        listening: socket.socket,
        start_s: float = START_S,
        certificate: Certificate | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=1,
            ssl_certfile=certificate.chain if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + start_s
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start in {start_s:.0f} s")
            time.sleep(0.01)

    def wait(self) -> None:
        """Waits until the server ends by itself, which it should not."""
        while self._thread.is_alive():
            self._thread.join(1)

    def end(self) -> None:
        """Ends the server, and connections that are still open with it."""
        # Pages that stay open are cut off, which uvicorn would print as an error of each.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
        self._server.should_exit = True
        self._thread.join(END_S / 2)
        self._server.force_exit = True
        self._thread.join(END_S / 2)


def share(listening: socket.socket) -> str:
    """Opens a tunnel to a listening socket through Gradio's servers; its address.

    Raises:
        RuntimeError: When there is none.
    """
    from gradio.networking import setup_tunnel

    host, port = listening.getsockname()[:2]
    try:
        return str(setup_tunnel(host, port, secrets.token_urlsafe(32), None, None))
    except Exception as error:
        raise RuntimeError(f"no public link: {error}") from error
