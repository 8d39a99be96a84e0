"""Around the app: web proxies in the environment, a reverse proxy that has it at a sub-path, odd locales."""

import argparse
import os
import re
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

import app
from landmark_app.server.options import sub_path
from pfld.weights.shipped import shipped_networks
from support.paths import PORTRAIT
from support.running_app import start_app

pytestmark = pytest.mark.slow

DEAD = "http://127.0.0.1:9"
PROXIES = [f"{kind}_proxy" for kind in ("http", "https", "all", "no")]

if not shipped_networks("onnx"):
    pytest.skip("needs weights/*.onnx", allow_module_level=True)


@contextmanager
def started(folder, *options, **variables):
    """The address of an app in an environment, and the file of what it says."""
    said = folder / "said.txt"
    own = {k: v for k, v in os.environ.items() if k.lower() not in PROXIES}
    environment = own | {"TMPDIR": str(folder)} | variables
    process, address = start_app(said, *options, cwd=folder, env=environment)
    try:
        yield address.rstrip("/"), said
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def serving(handler):
    """The address of a server in a thread."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Unavailable(BaseHTTPRequestHandler):
    """A web proxy that lets nothing through."""

    def do_GET(self):
        self.send_error(503)

    do_HEAD = do_CONNECT = do_GET

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("name, kind", [("http_proxy", "dead"), ("HTTP_PROXY", "503")])
def test_the_app_starts_behind_a_proxy(tmp_path, name, kind):
    with serving(Unavailable) as unavailable:
        proxy = DEAD if kind == "dead" else unavailable
        with started(tmp_path, **{name: proxy, "HTTPS_PROXY": proxy}) as (_, said):
            assert "Traceback" not in said.read_text() and "prox" not in said.read_text()


def test_a_proxy_that_cannot_be_used_does_not_matter(tmp_path):
    with started(tmp_path, ALL_PROXY="socks9://me:secret@127.0.0.1:9") as (_, said):
        text = said.read_text()
    assert "secret" not in text and "Traceback" not in text


def test_a_start_that_fails_is_one_line(models, monkeypatch, capsys):
    def fail(*_, **__):
        raise RuntimeError("the page\nis not there")

    monkeypatch.setattr(tempfile, "tempdir", tempfile.gettempdir())  # main sets it
    monkeypatch.setattr("landmark_app.server.running.Running.__init__", fail)
    monkeypatch.setattr(app.signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    assert app.main(["--network", "face"]) == 1
    assert capsys.readouterr().err == "demo/app.py: the page is not there\n"


def test_no_place_for_files_is_one_line(models, monkeypatch, capsys):
    def fail(*_, **__):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "mkdtemp", fail)
    monkeypatch.setattr(app.signal, "signal", lambda *_: None)
    assert app.main(["--network", "face"]) == 2
    err = capsys.readouterr().err
    assert err == "demo/app.py: [Errno 2] No usable temporary directory found\n"


class Stripping(BaseHTTPRequestHandler):
    """A reverse proxy that has the app at /face, and hands it what follows."""

    app = ""

    def do_GET(self):
        if not self.path.startswith("/face/"):
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        address = self.app + self.path.removeprefix("/face")
        headers = {k: v for k, v in self.headers.items() if k.lower() != "accept-encoding"}
        answer = httpx.request(
            self.command, address, content=body, headers=headers, trust_env=False
        )
        self.send_response(answer.status_code)
        for name in ("content-type", "location"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)

    do_POST = do_HEAD = do_GET

    def log_message(self, *_):
        pass


def test_the_app_can_be_at_a_sub_path(tmp_path):
    variables = {
        "PYTHONIOENCODING": "ascii",
        "HOME": "/nowhere",
    }  # nor do these keep it from starting
    with (
        started(tmp_path, "--root-path", "face/", **variables) as (address, _),
        serving(Stripping) as outside,
    ):
        Stripping.app = address
        with httpx.Client(base_url=outside, trust_env=False) as client:
            page = client.get("/face/")
            assert page.status_code == 200 and f'"root":"{outside}/face"' in page.text
            found = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
            assets = {str(page.url.join(name)) for name in found if not name.startswith("data:")}
            own = [name for name in assets if name.startswith(outside)]
            own.remove(f"{outside}/manifest.json")  # for installing, always at the top
            assert len(own) > 2 and all(name.startswith(f"{outside}/face/") for name in own)
            assert {name: client.get(name).status_code for name in own} == dict.fromkeys(own, 200)
            picture = PORTRAIT.read_bytes()
            sent = client.post("/face/gradio_api/upload", files={"files": ("a.jpg", picture)})
            (path,) = sent.json()
            assert client.get(f"/face/gradio_api/file={path}").content == picture


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/face", "/face"),
        ("face/", "/face"),
        ("/a/b/", "/a/b"),
        ("/", ""),
        ("https://a.org/face/", "https://a.org/face"),
    ],
)
def test_sub_paths_are_taken_with_and_without_slashes(text, path):
    assert sub_path(text) == path


@pytest.mark.parametrize("text", ["/a b", "/a?b", "/a/../b", "//a"])
def test_what_is_no_sub_path_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        sub_path(text)
