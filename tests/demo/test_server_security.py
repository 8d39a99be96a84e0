"""The app's server before Gradio: what is not there, who may not ask, what is too much, what is left."""

import asyncio
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from types import SimpleNamespace

import pytest

from landmark_app.browser.routes import PREFIX
from landmark_app.camera.frames import MOST_SCANS, decode_frame
from landmark_app.server import bodies
from landmark_app.server.address import listen
from landmark_app.server.home import Home
from landmark_app.server.options import host_name, origin, parser, port
from landmark_app.server.password import Password, read_password
from landmark_app.server.policy import headers as policy_headers
from landmark_app.server.sessions import MOST_CLOSED
from landmark_app.server.variables import prepare
from landmark_app.server.visitors import Visitors, visitor_of
from support.paths import PORTRAIT, ROOT
from support.running_app import start_app

gradio = pytest.importorskip("gradio")
API = "/gradio_api"
HERE = "http://127.0.0.1:7860"
MB = 2**20

# Routes that Gradio has and the page does not use. A new one must be looked at, and written down here or
# in landmark_app.server.routes.
UNUSED = {
    "/login", "/logout", "/pwa_icon", "/pwa_icon/{size}",
    "/monitoring", "/monitoring/summary", "/monitoring/{key}",
    *(API + path for path in (
        "/deep_link", "/user", "/login_check", "/token", "/dev/reload", "/openapi.json", "/startup-events",
        "/custom_component/{id}/{environment}/{type}/{file_name}", "/proxy={url_path:path}",
        "/stream/{session_hash}/{run}/{component_id}/playlist.m3u8",
        "/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}",
        "/stream/{session_hash}/{run}/{component_id}/playlist-file", "/file/{path:path}",
        "/api/{api_name}", "/call/v2/{api_name}", "/call/{api_name}", "/call/{api_name}/{event_id}",
        "/call/v2/{api_name}/{event_id}", "/queue/status", "/process_recording", "/vibe-edit",
        "/stream/{event_id}", "/stream/{event_id}/close", "/undo-vibe-edit", "/vibe-code",
        "/vibe-starter-queries", "/runs",
    )),
}  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The guarded app, and clients that talk to it as browsers do."""
    from starlette.testclient import TestClient

    from landmark_app import page as ui
    from landmark_app.camera.admission import Admission
    from landmark_app.server.gradio_app import make_app
    from landmark_app.server.guard import Guard
    from landmark_app.server.routes import Routes
    from landmark_app.server.sessions import OpenPages
    from landmark_app.server.shares import Shares
    from support.fake_models import fake_models

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("temporary")))
        home = Home(3600, 8 * MB)
        patch.setenv("GRADIO_TEMP_DIR", str(home.files))
        patch.setattr("tempfile.tempdir", str(home.scratch))
        models = fake_models(patch, tmp_path_factory.mktemp("weights"))
        page = ui.build(models, Admission(1), ui.Limits(), home.files)
        shares, open_pages = Shares(), OpenPages()
        inner = make_app(
            page,
            ui.launch_options(),
            shares,
            open_pages,
            root_path="",
            most_upload=MB,
            max_threads=4,
        )
        home.keep_what_is_here()
        routes = Routes(home.files, MB)

        def client(password=None, visitors=None):
            visitors = visitors or Visitors("127.0.0.1")
            guard = Guard(inner, visitors, routes, home, shares, open_pages, password)
            return TestClient(guard, base_url=HERE)

        guard = Guard(inner, Visitors("127.0.0.1"), routes, home, shares, open_pages, None)

        def at(address):
            """A client at an address, of the same guard as others at addresses."""
            return TestClient(guard, base_url=HERE, client=(address, 50000))

        with client() as first:
            yield SimpleNamespace(
                client=first, another=client, at=at, guard=guard, inner=inner, routes=routes,
                home=home, page=page, shares=shares, open_pages=open_pages,
            )  # fmt: skip


def paths_of(routes):
    for route in routes:
        inside = getattr(route, "original_router", None) or getattr(route, "app", None)
        if hasattr(inside, "routes"):
            yield from paths_of(inside.routes)
        else:
            yield route.path.rstrip("/") or "/"


def test_every_route_of_the_server_is_either_used_or_refused(app):
    from landmark_app.server.routes import USED

    used = {route.path.rstrip("/") or "/" for route in USED}
    there = set(paths_of(app.inner.routes))
    assert there and sorted(there - used - UNUSED) == []  # else routes that nobody has looked at
    assert not UNUSED & used
    gone = {path for path in used - there if not path.startswith(PREFIX)}
    assert not gone  # the weights that are offered to browsers are others in tests


SAMPLES = sorted(
    path.format_map({"path": 1}) if "{" not in path else path for path in UNUSED if "{" not in path
) + [
    f"{API}/process_recording/", f"{API}/proxy=http://127.0.0.1:9/", f"{API}/file=http://127.0.0.1:9/a",
    f"{API}/file/etc/passwd", f"{API}/call/annotate", f"{API}/api/annotate", f"{API}/call/v2/annotate",
    f"{API}/custom_component/a/client/b/c.js", "/monitoring/key", f"{API}/runs", f"{API}/run-history/buckets",
    f"{API}/mcp/", f"{API}/profiling/traces", f"/x/..{API}/process_recording", "//gradio_api/deep_link",
    f"{API}/%70rocess_recording", f"{API}/Process_Recording", f"{API}/process_recording%00", "/docs",
    f"{API}/file=/etc/passwd", f"{API}/file=etc/passwd", f"{API}/file=file:///etc/passwd",
    f"{API}/file=%2fetc%2fpasswd", f"{API}/file=/proc/self/environ", f"{API}/file=",
]  # fmt: skip


@pytest.mark.parametrize("path", SAMPLES)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT"])
def test_what_the_page_does_not_use_is_not_there(app, method, path):
    assert app.client.request(method, path).status_code == 404


@pytest.mark.parametrize("kind", ["file", "link", "link to folder", "lock", "scratch"])
def test_files_outside_are_not_there_even_by_links(app, tmp_path, kind):
    (tmp_path / "secret.txt").write_text("secret")
    paths = {
        "file": tmp_path / "secret.txt",
        "link": app.home.files / "link.txt",
        "link to folder": app.home.files / "linked" / "secret.txt",
        "lock": app.home.folder / "lock",
        "scratch": app.home.scratch / "a.txt",
    }
    (app.home.scratch / "a.txt").write_text("secret")
    if kind == "link":
        os.symlink(tmp_path / "secret.txt", paths[kind])
    if kind == "link to folder":
        os.symlink(tmp_path, app.home.files / "linked")
    assert app.client.get(f"{API}/file={paths[kind]}").status_code == 404


@pytest.mark.parametrize("kind", ["picture", "device", "text", "relative", "address"])
@pytest.mark.parametrize("part", ["photo", "video-in", "pair-photo"])
def test_files_outside_are_not_copied_into_the_folder(app, tmp_path, monkeypatch, kind, part):
    """Gradio moves files that a page names into its own folder, where they would count as uploads."""
    shutil.copyfile(PORTRAIT, tmp_path / "secret.jpg")
    monkeypatch.chdir(tmp_path)
    path = {
        "picture": str(tmp_path / "secret.jpg"),
        "device": "/dev/null",
        "text": __file__,
        "relative": "secret.jpg",
        "address": "http://127.0.0.1:9/a.jpg",
    }[kind]
    (block,) = [b for b in app.page.blocks.values() if getattr(b, "elem_id", None) == part]
    jobs = [
        fn for fn in app.page.fns.values() if block in fn.inputs and fn.concurrency_id == "jobs"
    ]
    number = max(jobs, key=lambda fn: len(fn.outputs))._id
    before = set(filter(os.path.isfile, app.home.files.rglob("*")))
    values = [
        None if one.stateful else getattr(one, "value", None) for one in app.page.fns[number].inputs
    ]
    values[app.page.fns[number].inputs.index(block)] = {
        "path": path, "meta": {"_type": "gradio.FileData"},
    }  # fmt: skip
    call = {"data": values, "fn_index": number, "session_hash": uuid.uuid4().hex}
    app.client.post(f"{API}/queue/join", json=call).raise_for_status()
    with app.client.stream("GET", f"{API}/queue/data", params=call) as messages:
        assert any("process_completed" in line for line in messages.iter_lines())
    assert set(filter(os.path.isfile, app.home.files.rglob("*"))) == before


WEBSITES = [
    {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9"},
    {"origin": "http://127.0.0.1"}, {"origin": "http://localhost:7860.evil.example"}, {"origin": ""},
    {"origin": "http://127.0.0.1:7860@evil.example"}, {"origin": "file://"}, {"origin": "http://[::1"},
    {"origin": "http://localhost:7860"}, {"origin": "chrome-extension://127.0.0.1:7860"},
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "odd"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    {"host": "evil.example"}, {"host": "evil.example:7860"}, {"host": "localhost.evil.example"},
    {"host": "127.0.0.1.evil.example"}, {"host": "[::1"}, {"host": ""}, {"host": "a b"},
    {"host": "127.0.0.1:99999"}, {"host": "127.0.0.1/@evil.example"}, {"host": "evil.example#localhost"},
    {"x-forwarded-host": "evil.example"}, {"x-forwarded-host": "[::1"}, {"x-forwarded-host": "a, localhost"},
    {"x-forwarded-host": "localhost/<script>"}, {"x-forwarded-host": ""},
]  # fmt: skip
CALLS = [
    ("GET", "/config", {}),
    ("POST", f"{API}/upload", {"files": {"files": ("a.txt", b"x")}}),
    ("POST", f"{API}/component_server/", {"content": b"{}", "headers": {"content-type": "text/plain"}}),
    ("POST", f"{API}/queue/join", {"json": {"data": [], "fn_index": 0, "session_hash": "a"}}),
]  # fmt: skip


@pytest.mark.parametrize("sent", WEBSITES, ids=str)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[1])
def test_other_websites_may_not_ask(app, call, sent):
    method, path, options = call
    answer = app.client.request(
        method, path, **options | {"headers": {**options.get("headers", {}), **sent}}
    )
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"origin": HERE},
        {"origin": HERE, "sec-fetch-site": "same-origin"},
        {"host": "localhost:9", "origin": "http://localhost:9"},
        {"host": "LOCALHOST:9", "origin": "http://localhost:9"},
        {"host": "[::1]:7860", "origin": "http://[::1]:7860"},
        {"host": "192.168.1.5"},
        {"sec-fetch-site": "none"},
    ],
    ids=str,
)
def test_the_page_itself_may_ask(app, sent):
    assert app.client.get("/config", headers=sent).status_code == 200


def test_a_link_leads_to_the_page_but_no_frame_shows_it(app):
    sent = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert app.client.get("/", headers=sent | {"sec-fetch-dest": "document"}).status_code == 200
    assert app.client.get("/", headers=sent | {"sec-fetch-dest": "iframe"}).status_code == 403
    framed = app.another(visitors=Visitors("127.0.0.1", framers=["https://a.org"]))
    page = framed.get("/", headers=sent | {"sec-fetch-dest": "iframe"})
    assert page.status_code == 200 and "x-frame-options" not in page.headers
    assert "frame-ancestors https://a.org" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "names", "sent", "fine"),
    [
        ("0.0.0.0", (), socket.gethostname(), True),
        ("0.0.0.0", (), "192.168.0.7:7860", True),
        ("0.0.0.0", (), "evil.example", False),
        ("127.0.0.1", (), socket.gethostname() + ".x", False),
        ("127.0.0.1", ("a.org",), "a.org", True),
        ("127.0.0.1", ("a.org",), "b.a.org", False),
        ("here.lan", (), "here.lan:7860", True),
    ],
)
def test_names_of_the_machine_and_of_options_are_known(host, names, sent, fine):
    refusal = Visitors(host, names).refusal("GET", "/", {"host": sent})
    assert (refusal is None) == fine


def test_a_reverse_proxy_may_keep_the_browser_s_origin():
    sent = {"host": "127.0.0.1:7860", "origin": "https://a.org"}
    assert Visitors("127.0.0.1", ["a.org"]).refusal("POST", f"{API}/upload", sent) is None
    assert Visitors("127.0.0.1").refusal("POST", f"{API}/upload", sent)


def chunks(size):
    yield from (b"a" * 2**16 for _ in range(size // 2**16 + 1))


@pytest.mark.parametrize("path", ["queue/join", "run/x", "cancel", "reset", "component_server/"])
@pytest.mark.parametrize("form", ["declared", "in pieces", "form", "one long field"])
def test_a_large_call_is_refused_and_not_told(app, capsys, path, form):
    size = 3 * MB
    options = {
        "declared": {"content": b'{"data":["' + b"a" * size},
        "in pieces": {"content": chunks(size)},
        "form": {"files": {"a": ("a", b"a" * size)}},
        "one long field": {"data": {"a": "a" * size}},
    }[form]
    answer = app.client.post(f"{API}/{path}", **options)
    told = capsys.readouterr()
    assert answer.status_code == 413 and len(answer.content) < 200
    assert len(told.out + told.err) < 1000


def form_of(count, name="files"):
    return [(name, (f"{index}.txt", b"%d" % index)) for index in range(count)]


@pytest.mark.parametrize("path", ["upload", "component_server/"])
@pytest.mark.parametrize("kind", ["files", "fields"])
def test_a_form_has_a_limited_number_of_parts(app, path, kind):
    many = {"files": form_of(21)} if kind == "files" else {
        "data": {f"f{index}": "x" for index in range(21)}, "files": form_of(1)
    }  # fmt: skip
    assert app.client.post(f"{API}/{path}", **many).status_code == 413
    assert app.client.post(f"{API}/upload", files=form_of(20)).status_code == 200


def test_an_upload_too_large_in_all_is_refused(app):
    many = [("files", (f"{index}.bin", b"a" * 400_000)) for index in range(4)]
    assert app.client.post(f"{API}/upload", files=many).status_code == 413


def test_the_folder_takes_no_more_than_it_may(app):
    for index in range(12):
        data = index.to_bytes(2, "big") * (MB // 2)
        status = app.client.post(
            f"{API}/upload", files={"files": ("a.bin", data[:-200])}
        ).status_code
        assert status in (200, 507)
    taken = sum(path.stat().st_size for path in app.home.folder.rglob("*") if path.is_file())
    assert status == 507 and taken < app.home.most_bytes
    for path in app.home.files.rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    assert app.client.post(f"{API}/upload", files={"files": ("b.bin", data)}).status_code == 200
    assert all(path in set(app.home.files.iterdir()) for path in app.home._lasting)


def test_who_has_had_a_share_uploads_nothing_for_now(app):
    from landmark_app.server.shares import AT_ONCE_S

    app.shares.see("somebody else")
    app.shares.spend("testclient", AT_ONCE_S + 100)
    try:
        answer = app.client.post(f"{API}/upload", files=form_of(1))
        assert answer.status_code == 429 and "Try again in" in answer.json()["detail"]
    finally:
        app.shares._owed.clear()
        app.shares._seen.clear()
    assert app.client.post(f"{API}/upload", files=form_of(1)).status_code == 200


def fill(app, client):
    """Uploads until it is refused; the paths."""
    kept = []
    for _ in range(20):
        answer = client.post(f"{API}/upload", files={"files": ("a.bin", os.urandom(MB - 9000))})
        if answer.status_code != 200:
            assert answer.status_code == 507
            return kept
        kept += answer.json()
    raise AssertionError("never full")


def forget(app):
    for path in set(app.home.files.iterdir()) - app.home._lasting:
        shutil.rmtree(path)


@pytest.mark.parametrize("attackers", [1, 3])
def test_visitors_who_fill_the_folder_take_no_room_of_others(app, attackers):
    forget(app)
    for number in range(attackers):
        with_all = fill(app, app.at(f"10.0.0.{number}"))
    honest = app.at("10.0.1.1")
    mine = honest.post(f"{API}/upload", files={"files": ("a.bin", os.urandom(MB - 9000))})
    assert mine.status_code == 200
    fill(app, app.at("10.0.0.0"))
    assert os.path.exists(mine.json()[0])  # who has more does not push it out
    assert len(with_all) >= 1
    forget(app)


def test_results_that_nobody_has_asked_for_go_first_and_others_become_their_visitors(app):
    forget(app)
    honest, greedy = app.at("10.0.1.1"), app.at("10.0.0.1")
    results = []
    for index in range(6):
        path = app.home.files / f"result{index}" / "a.png"
        path.parent.mkdir()
        path.write_bytes(os.urandom(MB - 9000))
        age(path.parent, 50 - index)
        results.append(path)
    assert honest.get(f"{API}/file={results[0]}").status_code == 200
    upload = {"files": ("a.bin", os.urandom(MB - 9000))}
    statuses = [greedy.post(f"{API}/upload", files=upload).status_code for _ in range(3)]
    assert statuses == [200] * 3
    for _ in range(3):
        upload = {"files": ("b.bin", os.urandom(MB - 9000))}
        assert greedy.post(f"{API}/upload", files=upload).status_code in (200, 507)
    assert results[0].exists() and not results[1].exists()
    forget(app)


def test_what_is_still_written_is_not_removed_to_make_room(app):
    """An upload on its way is a file without a visitor, a new result a folder without one."""
    forget(app)
    greedy, honest = app.at("10.0.0.1"), app.at("10.0.1.1")
    arriving, writing = app.home.files / "tmp-arriving", app.home.files / "result-writing"
    writing.mkdir()
    for path in (arriving, writing / "a.png"):
        path.write_bytes(os.urandom(3 * MB // 2))
    fill(app, greedy)
    mine = honest.post(f"{API}/upload", files={"files": ("a.bin", os.urandom(MB - 9000))})
    assert mine.status_code == 200 and arriving.exists() and (writing / "a.png").exists()
    arriving.unlink()
    forget(app)


def test_uploads_that_only_announce_bytes_leave_half_of_the_room(app):
    home = app.home
    assert app.guard._is_modest("a", home.most_bytes)  # the first one may be as large as it likes
    app.guard._arriving["a"] = home.most_bytes // 4
    assert app.guard._is_modest("a", home.most_bytes // 4)
    assert not app.guard._is_modest("a", home.most_bytes // 3)
    app.guard._arriving["a"] += home.most_bytes // 4
    assert app.guard._is_modest("b", MB) and not app.guard._is_modest("a", MB)
    app.guard._arriving.clear()


@pytest.mark.parametrize(
    ("client", "visitor"),
    [
        (("10.0.0.1", 5), "10.0.0.1"),
        (("2001:db8:1:2:3::9", 5), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5), "fe80::/64"),
        (("odd name", 5), "odd name"),
        (None, ""),
    ],
)
def test_visitors_are_told_apart_by_address(client, visitor):
    assert visitor_of({"client": client}) == visitor


CALLED = [{}, None, 5, "x", [], [None], {"data": {"session_hash": "a"}}, {"a": [1] * 50}]


@pytest.mark.parametrize("value", CALLED, ids=repr)
@pytest.mark.parametrize("form", ["json", "multipart", "no json", "odd names"])
def test_wrong_calls_are_answered_without_a_traceback(app, capfd, form, value):
    kinds = {type(part).__name__ for part in app.page.blocks.values()}
    assert "HTML" in kinds
    call = {"component_id": 7, "fn_name": "locate", "session_hash": "a", "data": value}
    options = {
        "json": {"json": call},
        "multipart": {"data": {"component_id": "7", "x": json.dumps(value)}, "files": form_of(1)},
        "no json": {"content": json.dumps(value)[:-1] + "{"},
        "odd names": {"json": call | {"component_id": value, "fn_name": "__init__"}},
    }[form]
    assert app.client.post(f"{API}/component_server/", **options).status_code in (400, 404, 422)
    for index in range(3):
        body = {"data": value, "fn_index": index, "session_hash": "a"}
        app.client.post(f"{API}/run/x", json=body)
        app.client.post(f"{API}/stream/{index}", json=body)
        app.client.post(f"{API}/cancel", json=body)
    told = capfd.readouterr()
    assert "Traceback" not in told.out + told.err


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "<img src=x onerror=alert(1)> is no choice",
            "&lt;img src=x onerror=alert(1)&gt; is no choice",
        ),
        ("a \ud800 b", "a ? b"),
        ("It isn't a photo.", "It isn't a photo."),
        ("x" * 10**6, "x" * 500),
    ],
    ids=["markup", "surrogate", "words", "long"],
)
def test_what_a_refusal_repeats_is_text(said, told):
    from landmark_app.server.gradio_app import answer_in_words

    class Page:
        async def process_api(self):
            raise gradio.Error(said)

    page = Page()
    answer_in_words(page)
    with pytest.raises(gradio.Error) as raised:
        asyncio.run(page.process_api())
    assert raised.value.message == told


@pytest.mark.parametrize("path", ["queue/join", "component_server/", "run/x", "cancel"])
def test_deep_json_is_answered(app, capfd, path):
    deep = '{"data":' + "[" * 100_000 + "]" * 100_000 + ',"fn_index":0,"session_hash":"z"}'
    kind = {"content-type": "application/json"}
    assert app.client.post(f"{API}/{path}", content=deep, headers=kind).status_code in (400, 422)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_sessions_of_pages_that_are_not_open_are_forgotten(app):
    """Each call with another made-up name makes a session."""
    sessions = app.page.state_holder.session_data

    def call(name):
        data = {"component_id": "7", "fn_name": "locate", "session_hash": name}
        app.client.post(f"{API}/component_server/", data=data, files=form_of(1))

    with app.open_pages.connected("open"):
        call("open")
        for index in range(70):
            call(f"made-up-{index}")
        assert "open" in sessions and "made-up-69" in sessions and "made-up-0" not in sessions
        assert len(sessions) <= MOST_CLOSED + 1


def test_a_page_is_open_as_long_as_its_connection(app):
    seen = []

    async def inner(scope, receive, send):
        seen.append(("mine" in app.open_pages, len(app.open_pages)))
        raise OSError("the connection is lost")

    guard = app.another().app
    guard._app = inner
    scope = {"type": "http", "method": "GET", "path": f"{API}/heartbeat/mine",
             "headers": [(b"host", b"localhost")], "query_string": b"", "client": ("b", 2)}  # fmt: skip

    async def nothing(*_):
        pass

    asyncio.run(guard(scope, nothing, nothing))
    assert seen == [(True, 1)] and "mine" not in app.open_pages and len(app.open_pages) == 0


def test_a_request_that_the_end_of_the_app_cuts_off_is_told_so(app):
    """Uvicorn would answer 500 without a word in the log."""
    sent = []

    async def inner(scope, receive, send):
        await asyncio.sleep(3600)

    async def send(message):
        sent.append(message)

    async def ask():
        guard = app.another().app
        guard._app = inner
        scope = {"type": "http", "method": "GET", "path": "/config", "headers": [(b"host", b"localhost")],
                 "query_string": b"", "client": ("b", 2)}  # fmt: skip
        request = asyncio.create_task(guard(scope, None, send))
        await asyncio.sleep(0.01)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        return request.cancelled()

    assert asyncio.run(ask())
    assert sent[0]["status"] == 503 and b"The app has ended" in sent[1]["body"]


def test_a_session_costs_no_description_of_the_page(app, monkeypatch):
    """Which would hold up everything for 10 ms, for each name that anybody makes up."""
    described = []
    monkeypatch.setattr(
        type(app.page.default_config), "config_for_block", lambda *of: described.append(of) or {}
    )
    state = app.page.state_holder["a-new-one"]
    assert state is app.page.state_holder["a-new-one"]
    assert not described and not list(state.components)
    other = app.page.state_holder["another"]
    (number, *_) = (key for key, part in app.page.blocks.items() if type(part).__name__ == "State")
    state[number] = "mine"
    assert state[number] == "mine" and other[number] != "mine"


def test_the_queue_does_not_look_for_jobs_all_the_time(app):
    assert app.page._queue.sleep_when_free >= 0.01


def test_a_body_that_does_not_arrive_is_given_up(app, monkeypatch):
    monkeypatch.setattr(bodies, "PATIENCE_S", 0.05)
    sent = []

    async def receive():
        await asyncio.sleep(3600)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": f"{API}/run/x", "headers": [
        (b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", b"9")
    ], "query_string": b"", "server": ("a", 1), "client": ("b", 2), "scheme": "http"}  # fmt: skip
    guard = app.another().app
    asyncio.run(asyncio.wait_for(guard(scope, receive, send), 5))
    assert sent[0]["status"] == 408


@pytest.mark.parametrize("path", ["/", "/config", "/nowhere", f"{API}/app_id"])
def test_every_answer_has_the_headers(app, path):
    answer = app.client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.txt"])
def test_an_uploaded_file_may_load_nothing(app, name):
    sent = app.client.post(f"{API}/upload", files={"files": (name, b"<script>alert(1)</script>")})
    answer = app.client.get(f"{API}/file={sent.json()[0]}")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize("packed", ["gzip, br", "identity"])
def test_the_policy_knows_the_page_s_scripts_and_no_other_host(app, packed):
    page = app.client.get("/", headers={"accept-encoding": packed})
    policy = page.headers["content-security-policy"]
    assert "'sha256-" in policy and "http" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert page.text.endswith("</html>\n") or "</html>" in page.text
    assert page.headers.get("content-encoding") == ("gzip" if "gzip" in packed else None)
    other = policy_headers(is_file=False, framers=(), page=b"<script>evil()</script>")
    assert other["content-security-policy"] != policy


def test_a_password_opens_everything_and_nothing_else_does(app, monkeypatch):
    monkeypatch.setattr("landmark_app.server.guard.FAILED_S", 0)
    client = app.another(Password("me:it's: secret"))
    for path in ("/", "/config", "/assets/x", f"{API}/heartbeat/a", "/nowhere"):
        assert client.get(path).status_code == 401
        assert client.get(path, auth=("me", "wrong")).status_code == 401
    assert client.get("/config", auth=("me", "it's: secret")).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !", "Bearer me:a", "Basic " + "A" * 10**5, "Basic bWU6", "basic é"],
)
def test_odd_passwords_do_not_open(header):
    assert not Password("me:a").opens(header)
    assert Password("me:a").opens("basic " + base64.b64encode(b"me:a").decode())


def test_a_password_is_read_from_option_file_and_variable(tmp_path):
    file = tmp_path / "password"
    file.write_text("b:2\n")
    given = read_password("a:1", file, {"PFLD_DEMO_AUTH": "c:3"})
    assert given and given.opens("Basic " + base64.b64encode(b"a:1").decode())
    from_file = read_password(None, file, {"PFLD_DEMO_AUTH": "c:3"})
    assert from_file and from_file.opens("Basic " + base64.b64encode(b"b:2").decode())
    assert read_password(None, None, {}) is None
    for given, path, variables in (
        ("secret", None, {}), (":a", None, {}), (None, tmp_path / "none", {}),
        (None, None, {"PFLD_DEMO_AUTH": ""}),
    ):  # fmt: skip
        with pytest.raises(ValueError) as refused:
            read_password(given, path, variables)
        assert "secret" not in str(refused.value)


# The folder


@pytest.fixture
def base(tmp_path, monkeypatch):
    base = tmp_path / "tmp"
    base.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(base))
    return base


def age(path, seconds):
    for part in [path, *path.rglob("*")] if path.is_dir() else [path]:
        os.utime(part, (time.time() - seconds,) * 2, follow_symlinks=False)


def test_the_folder_of_a_killed_app_is_removed_and_no_other(base, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    code = (
        "import sys, time; from landmark_app.server.home import Home; home = Home(1, 1);"
        "(home.files / 'visitor.jpg').touch(); print(home.folder, flush=True); time.sleep(600)"
    )
    environment = os.environ | {"TMPDIR": str(base), "PYTHONPATH": f"{ROOT / 'demo'}:{ROOT}"}
    command = [sys.executable, "-c", code]
    dead, alive = (
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )
    try:
        folders = [process.stdout.readline().strip() for process in (dead, alive)]
        dead.kill()
        dead.wait()
        os.symlink(outside, base / "pfld-demo-link")
        (base / "pfld-demo-no-lock").mkdir()
        (base / "pfld-demo-linked-lock").mkdir()
        os.symlink(outside / "kept", base / "pfld-demo-linked-lock" / "lock")
        (base / "another").mkdir()
        os.symlink(outside, f"{folders[0]}/files/link")
        own = Home(3600, MB)
        left = {str(path) for path in base.iterdir()}
        names = ("link", "no-lock", "linked-lock")
        kept = {str(base / f"pfld-demo-{name}") for name in names} | {str(base / "another")}
        assert left == kept | {folders[1], str(own.folder)}
        assert (outside / "kept").exists()
        own.end()
        assert not own.folder.exists() and not list(base.glob("*-ended"))
    finally:
        for process in (dead, alive):
            process.kill()
            process.wait()


def test_what_is_old_goes_and_the_page_s_own_files_stay(base, tmp_path):
    home = Home(3600, 10 * MB)
    (home.files / "example").mkdir()
    (home.files / "example/a.jpg").touch()
    home.keep_what_is_here()
    (tmp_path / "outside").write_text("kept")
    for name in ("old", "new"):
        (home.files / name).mkdir()
        (home.files / name / "a.jpg").touch()
    (home.files / "tmp-broken-off").touch()
    (home.files / "tmp-arriving").touch()
    (home.scratch / "tmp-old").touch()
    os.symlink(tmp_path / "outside", home.scratch / "link")
    for path in (home.files / "example", home.files / "old"):
        age(path, 4000)
    for path in (home.files / "tmp-broken-off", home.scratch / "tmp-old", home.scratch / "link"):
        age(path, 700)
    home.tidy()
    assert {path.name for path in home.files.iterdir()} == {"example", "new", "tmp-arriving"}
    assert not list(home.scratch.iterdir()) and (tmp_path / "outside").read_text() == "kept"
    home.end()


def test_room_is_made_by_the_oldest_files_only(base):
    home = Home(3600, 3 * MB)
    for name, seconds in (("oldest", 1000), ("older", 900), ("new", 1)):
        (home.files / name).mkdir()
        (home.files / name / "a").write_bytes(bytes(MB - 8192))
        age(home.files / name, seconds)
    assert home.make_room(MB)
    assert {path.name for path in home.files.iterdir()} == {"older", "new"}
    assert not home.make_room(3 * MB) and [p.name for p in home.files.iterdir()] == ["new"]
    home.end()


def test_many_empty_files_count_as_well(base):
    home = Home(3600, MB)
    for index in range(300):
        (home.files / str(index)).touch()
    assert not home.make_room(0)
    home.end()


# Options and variables


@pytest.mark.parametrize("text", ["70000", "-1", "x", "", "65536", "1e3", " 80"])
def test_odd_ports_are_refused_in_words(capsys, text):
    with pytest.raises(SystemExit):
        parser("").parse_args(["--port", text])
    assert "must be from 0 to 65535" in capsys.readouterr().err or text == "-1"
    assert port("7860") == 7860


@pytest.mark.parametrize("text", ["http://a.org", "a b", "*", "a.org:1", "", ".a"])
def test_odd_names_are_refused(text):
    with pytest.raises(Exception, match="must be"):
        host_name(text)
    with pytest.raises(Exception, match="must be"):
        origin(text + "/x")


@pytest.mark.parametrize(
    ("host", "words"),
    [("203.0.113.7", "no address"), ("no.such.invalid", "is not known"), ("a" * 300, "known")],
)  # fmt: skip
def test_a_host_that_is_not_here_is_told(host, words):
    with pytest.raises(ValueError, match=words):
        listen(host, 0)


def test_a_port_is_taken_only_if_it_is():
    first = listen("127.0.0.1", 0)
    number = first.getsockname()[1]
    with first, pytest.raises(ValueError, match=f"port {number} is taken"):
        listen("127.0.0.1", number)
    listen("127.0.0.1", number).close()
    listen("[::1]", 0).close() if socket.has_ipv6 else None


def test_gradio_s_variables_and_proxies_are_without_effect(base):
    home = Home(1, 1)
    names = (
        "ALLOWED_PATHS",
        "SERVER_NAME",
        "ROOT_PATH",
        "SHARE",
        "WATCH_DIRS",
        "PROFILING",
        "TEMP_DIR",
    )
    variables = {f"GRADIO_{name}": "/etc" for name in names}
    variables |= {
        "HTTP_PROXY": "socks9://a:secret@b",
        "all_proxy": "x",
        "no_proxy": "y",
        "HOME": "/h",
    }
    before = os.environ.get("TMPDIR")
    try:
        (said,) = prepare(variables, home, keep_proxies=False)
    finally:
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
        home.end()
    assert set(variables) == {"GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED", "HOME"}
    assert variables["GRADIO_TEMP_DIR"] == str(home.files)
    assert "GRADIO_ALLOWED_PATHS" in said and "secret" not in said


# Camera frames


def scans(count):
    data = PORTRAIT.read_bytes()
    at = data.index(b"\xff\xda")
    length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[:at] + data[at : at + length] * count + data[at + length :]


@pytest.mark.parametrize("count", [MOST_SCANS + 1, 1000, 7000])
def test_a_frame_of_many_scans_is_not_decoded(count):
    start = time.process_time()
    with pytest.raises(ValueError, match="scans"):
        decode_frame("data:image/jpeg;base64," + base64.b64encode(scans(count)).decode())
    assert time.process_time() - start < 1


# The real server


def test_answers_are_not_held_back_until_others_are_confirmed():
    """The event loop sends small parts at once (TCP_NODELAY) for sockets that say they are TCP."""
    with listen("127.0.0.1", 0) as listening:
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            assert accepted.proto == socket.IPPROTO_TCP


@pytest.mark.slow
def test_a_real_app_leaves_nothing_and_heeds_no_variable(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    import httpx

    def started(*options):
        variables = {"TMPDIR": str(kept), "GRADIO_ALLOWED_PATHS": "/etc", "GRADIO_SHARE": "True"}
        said = tmp_path / "said.txt"
        process, address = start_app(said, *options, env=os.environ | variables)
        return process, httpx.Client(base_url=address, timeout=30)

    first, client = started()
    assert client.get(f"{API}/file=/etc/passwd").status_code == 404
    client.post(f"{API}/upload", files={"files": ("a.jpg", b"private")}).raise_for_status()
    with socket.create_connection((client.base_url.host, client.base_url.port)) as broken:
        broken.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; "
            b'name="files"; filename="a.jpg"\r\n\r\nprivate'
        )
        time.sleep(0.5)
    first.kill()
    first.wait()
    left = set(kept.iterdir())
    second, client = started()
    assert left and not left & set(kept.iterdir())
    client.post(f"{API}/upload", files={"files": ("a.jpg", b"private")}).raise_for_status()
    with client.stream("GET", f"{API}/heartbeat/a") as page:  # a page that stays open
        next(page.iter_raw())
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0 and not list(kept.iterdir())
    assert "Traceback" not in (tmp_path / "said.txt").read_text()
