"""What tests in Chromium share: when they are skipped, and a static server of their own."""

import functools
import os
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pfld.weights.shipped import shipped_networks
from support.fake_camera import CHROMIUM


def browser_api(*, weights=True):
    """Playwright's API. Skips the module that calls it where Chromium, Playwright or weights are missing.

    With PFLD_REQUIRE_BROWSER set, a missing Chromium is an error of the tests instead.
    """
    if CHROMIUM is None and not os.environ.get("PFLD_REQUIRE_BROWSER"):
        pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)
    if weights and not shipped_networks("onnx"):
        pytest.skip("needs weights/*.onnx", allow_module_level=True)
    return pytest.importorskip("playwright.sync_api")


class QuietHandler(SimpleHTTPRequestHandler):
    """As ``python -m http.server``, but silent."""

    def log_message(self, *_):
        pass


@contextmanager
def served(folder, handler=QuietHandler):
    """The address at which a folder is served, with a slash at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
