"""The static page's folder, the app's list of files for browsers, and facts that scripts take from Python."""

import hashlib
import re

import pytest

from landmark_app.browser.routes import PREFIX, routes
from pfld.__main__ import main
from pfld.web import WEB, link_files, runtime_files, site_files
from pfld.weights.shipped import shipped_networks

VENDOR = WEB / "vendor" / "onnxruntime-web"
TEXTS = [path for path in WEB.rglob("*") if path.suffix in (".html", ".css", ".js", ".svg")]

needs_weights = pytest.mark.skipif(not shipped_networks("onnx"), reason="needs weights/*.onnx")


@needs_weights
def test_the_command_writes_all_that_the_page_needs(tmp_path, capsys):
    name = shipped_networks("onnx")[0]
    assert main(["site", "--out", str(tmp_path / "site"), "--networks", name]) == 0
    written = {
        path.relative_to(tmp_path / "site").as_posix()
        for path in (tmp_path / "site").rglob("*")
        if path.is_file()
    }
    assert written == {"index.html", *site_files([name])}
    assert f'data-networks="{name}"' in (tmp_path / "site" / "index.html").read_text()
    assert "index.html" in capsys.readouterr().out


@needs_weights
@pytest.mark.parametrize(
    ("address", "picture"),
    [
        ((), "preview.jpg"),
        (("--address", "https://example.org/faces"), "https://example.org/faces/preview.jpg"),
        (("--address", "https://example.org/faces/"), "https://example.org/faces/preview.jpg"),
    ],
    ids=["unknown", "known", "with a slash"],
)
def test_a_link_to_the_page_has_a_title_and_a_picture(tmp_path, address, picture):
    name = shipped_networks("onnx")[0]
    assert main(["site", "--out", str(tmp_path), "--networks", name, *address]) == 0
    page = (tmp_path / "index.html").read_text()
    tags = dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)"', page))
    assert tags["og:image"] == picture and (tmp_path / "preview.jpg").is_file()
    assert tags["og:title"] and tags["og:description"] and tags["twitter:card"]
    assert ("og:url" in tags) == bool(address)


@needs_weights
@pytest.mark.parametrize(
    "address", ["example.org", "javascript:alert(1)", "https://", "//a.example"]
)
def test_what_is_no_address_of_a_page_is_refused(tmp_path, capsys, address):
    assert main(["site", "--out", str(tmp_path / "site"), "--address", address]) == 2
    assert "https://" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


@needs_weights
def test_an_address_cannot_leave_its_place(tmp_path):
    main(["site", "--out", str(tmp_path), "--address", 'https://example.org/"><b>'])
    assert "<b>" not in (tmp_path / "index.html").read_text()


@needs_weights
def test_an_unknown_network_is_refused_in_words_and_nothing_is_written(tmp_path, capsys):
    assert main(["site", "--out", str(tmp_path / "site"), "--networks", "../secret"]) == 2
    assert "no ONNX weights of ../secret" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


@needs_weights
def test_files_for_browsers_exist_and_are_of_the_package_or_the_weights():
    for name, path in {**site_files(), **runtime_files()}.items():
        assert path.is_file(), name
        assert not name.startswith("/") and ".." not in name


@needs_weights
def test_the_app_serves_a_fixed_list_below_one_path():
    served = routes()
    assert {route.path for route in served} == {
        f"{PREFIX}/{name}" for name in ("offer.js", "example.jpg", *link_files(), *runtime_files())
    }
    types = {route.path.rpartition(".")[2]: route.content_type for route in served}
    assert types["wasm"] == "application/wasm" and types["js"] == types["mjs"] == "text/javascript"


@needs_weights
def test_the_app_answers_with_files_of_the_list_only():
    fastapi = pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    from landmark_app.browser.routes import serve

    app = fastapi.FastAPI()
    serve(app)
    client = TestClient(app)
    for route in routes():
        answer = client.get(route.path, params={"file": "/etc/passwd"})
        assert answer.content == route.file.read_bytes(), route.path
        assert answer.headers["content-type"].startswith(route.content_type)
    for path in ("/../../setup.py", "/modules/", "/modules/..%2f..%2f..%2fsetup.py", "/none.js"):
        assert client.get(PREFIX + path).status_code == 404
    assert client.post(f"{PREFIX}/offer.js").status_code == 405


def test_vendored_files_are_those_whose_hashes_are_noted():
    noted = dict(re.findall(r"`([\w.-]+)` \| `([0-9a-f]{64})`", (VENDOR / "README.md").read_text()))
    assert set(noted) == {
        path.name for path in VENDOR.iterdir() if path.suffix in (".mjs", ".wasm")
    }
    for name, digest in noted.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_pages_and_scripts_refer_to_no_other_host(path):
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]+", text) == []
    assert re.findall(r"""(?:src|href)=["']/""", text) == []  # would leave a sub-path


def test_pages_have_no_inline_script_or_style():
    for page in (WEB / "site").glob("*.html"):
        text = page.read_text()
        assert "Content-Security-Policy" in text
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text) == []


@needs_weights
def test_facts_in_scripts_are_those_of_the_package():
    pytest.importorskip("torch")
    browser_facts = pytest.importorskip("browser_facts")
    assert browser_facts.FACTS.read_text() == browser_facts.facts()
