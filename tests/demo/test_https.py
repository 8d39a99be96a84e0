"""The app over https, with a certificate made for the test."""

import shutil
import socket
import ssl
import subprocess
import urllib.request

import pytest

from landmark_app.server.address import address_of, listen
from landmark_app.server.certificate import read_certificate
from support.browser import browser_api
from support.running_app import launch_chromium, start_app

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs openssl")


def make(folder, name, *options):
    """A self-signed certificate and its key."""
    chain, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    command = [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", *(options or ["-nodes"])]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-days", "2", "-keyout", key, "-out", chain]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return chain, key


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def files(folder):
    return make(folder, "own")


async def hello(scope, receive, send):
    """An ASGI application that answers with the scheme it was asked by."""
    if scope["type"] == "lifespan":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


@pytest.mark.parametrize("together", [False, True], ids=["two files", "one file"])
def test_answers_are_encrypted_with_the_certificate(files, folder, together):
    from landmark_app.server.running import Running

    chain, key = files
    if together:
        (folder / "both.pem").write_bytes(chain.read_bytes() + key.read_bytes())
        chosen = read_certificate(folder / "both.pem", None)
    else:
        chosen = read_certificate(chain, key)
    listening = listen("127.0.0.1", 0)
    running = Running(hello, listening, certificate=chosen)
    try:
        address = address_of(listening, "https")
        trusting = ssl.create_default_context(cafile=chain)
        with urllib.request.urlopen(address, context=trusting, timeout=20) as answer:
            assert answer.read() == b"https"
        with socket.create_connection(listening.getsockname(), timeout=20) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert not plain.recv(1000).startswith(b"HTTP")
    finally:
        running.end()


def test_without_the_options_there_is_none():
    assert read_certificate(None, None) is None


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("key alone", "also needs --ssl-certfile"),
        ("missing", "--ssl-certfile .*none.pem is no file"),
        ("missing key", "--ssl-keyfile .*none.pem is no file"),
        ("no key", "its key is not beside it"),
        ("another key", "its key is not in --ssl-keyfile"),
        ("text", "is no certificate in PEM"),
        ("password", "has a password"),
    ],
)
def test_what_cannot_be_used_is_said(files, folder, case, words):
    chain, key = files
    text = folder / "text.pem"
    text.write_text("no certificate")
    chosen = {
        "key alone": lambda: (None, key),
        "missing": lambda: (folder / "none.pem", key),
        "missing key": lambda: (chain, folder / "none.pem"),
        "no key": lambda: (chain, None),
        "another key": lambda: (chain, make(folder, "other")[1]),
        "text": lambda: (text, key),
        "password": lambda: make(folder, "locked", "-passout", "pass:word"),
    }[case]()
    with pytest.raises(ValueError, match=words):
        read_certificate(*chosen)


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_works_over_https_where_browsers_allow_the_camera(files, tmp_path):
    sync_api = browser_api()
    process, address = start_app(
        tmp_path / "log.txt", "--ssl-certfile", files[0], "--ssl-keyfile", files[1]
    )
    try:
        assert address.startswith("https://127.0.0.1:")
        with sync_api.sync_playwright() as playwright:
            browser = launch_chromium(playwright)
            page = browser.new_context(ignore_https_errors=True).new_page()
            page.set_default_timeout(60_000)
            page.goto(address)
            page.click("#live-view .pf-film")  # its frames are sent to the app
            page.wait_for_function(
                "() => document.querySelector('#live-view .pf-live').live.faces > 0"
            )
            assert page.evaluate("() => window.isSecureContext && location.protocol") == "https:"
            browser.close()
    finally:
        process.terminate()
        process.wait(30)
