"""Camera frames answered before Gradio: as Gradio answers them, and everything else by Gradio."""

import asyncio
import base64
import json
from types import SimpleNamespace

import pytest

from support.paths import PORTRAIT

pytest.importorskip("gradio")
from starlette.requests import ClientDisconnect

from landmark_app.server.camera_calls import CameraCalls, fields_of

PATH = "/gradio_api/component_server/"
FRAME = "data:image/jpeg;base64," + base64.b64encode(PORTRAIT.read_bytes()).decode()


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    from starlette.testclient import TestClient

    from landmark_app import page as ui
    from landmark_app.camera.admission import Admission
    from landmark_app.server.gradio_app import make_app
    from landmark_app.server.sessions import OpenPages
    from landmark_app.server.shares import Shares
    from support.fake_models import fake_models

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("files")))
        models = fake_models(patch, tmp_path_factory.mktemp("weights"))
        page = ui.build(models, Admission(1000), ui.Limits(), tmp_path_factory.mktemp("results"))
        served = make_app(
            page, ui.launch_options(), Shares(), OpenPages(), root_path="", most_upload=10**6, max_threads=4,
        )  # fmt: skip
        views = {
            part.elem_id: number
            for number, part in page.blocks.items()
            if getattr(part, "elem_id", None) in ("live-view", "pair-view")
        }
        with TestClient(served, base_url="http://127.0.0.1:7860") as client:
            yield SimpleNamespace(client=client, views=views, page=page)


def call(view, session, **others):
    settings = {"network": "face", "mode": "onnx", "max_faces": 1}
    settings |= {"first": "face · onnx", "second": "face · train-time"}
    return {
        "component_id": str(view), "fn_name": "locate", "session_hash": session,
        "settings": json.dumps(settings), "frame": FRAME, "time_s": "1.5",
    } | others  # fmt: skip


def form_of(fields, header=""):
    """The body of a form; further headers of its parts are left to Gradio."""
    parts = (
        f'--b\r\nContent-Disposition: form-data; name="{name}"{header}\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return ("".join(parts) + "--b--\r\n").encode()


def post(client, body):
    return client.post(
        PATH, content=body, headers={"content-type": "multipart/form-data; boundary=b"}
    )


@pytest.mark.parametrize("view", ["live-view", "pair-view"])
@pytest.mark.parametrize(
    "others",
    [
        {}, {"frame": ""}, {"frame": "data:,é"}, {"settings": "[]"}, {"settings": "{"}, {"time_s": "soon"},
        {"component_id": "7777777"}, {"component_id": "-1"}, {"fn_name": "sizes"}, {"fn_name": "__init__"},
        {"more": "than needed"},
    ],
    ids=str,
)  # fmt: skip
def test_frames_are_answered_as_gradio_answers_them(app, view, others):
    answers = [
        post(
            app.client, form_of(call(app.views[view], f"{view}{others}{header}", **others), header)
        )
        for header in ("", "\r\nContent-Type: text/plain")
    ]
    first, second = answers
    assert first.status_code == second.status_code
    assert first.headers["content-type"] == second.headers["content-type"]
    measured = ("network_ms", "server_ms")
    said = [
        {name: value for name, value in answer.json().items() if name not in measured}
        for answer in answers
    ]
    assert said[0] == said[1]
    if not others:
        assert said[0].get("faces") or said[0]["panes"]


@pytest.mark.parametrize("left_out", ["component_id", "fn_name", "session_hash", "frame", "time_s"])
def test_frames_that_lack_something_are_answered_as_gradio_answers_them(app, left_out):
    fields = call(app.views["live-view"], "a")
    del fields[left_out]
    first, second = (
        post(app.client, form_of(fields, header)) for header in ("", "\r\nContent-Type: text/plain")
    )
    assert (first.status_code, first.json()) == (second.status_code, second.json())


def requests():
    scope = {"type": "http", "method": "POST", "path": PATH,
             "headers": [(b"content-type", b"multipart/form-data; boundary=b")]}  # fmt: skip
    body = form_of(call(5, "a"))
    yield "a frame", scope, body, False
    yield "another path", scope | {"path": "/gradio_api/upload"}, body, True
    yield "another method", scope | {"method": "GET"}, body, True
    yield "JSON", scope | {"headers": [(b"content-type", b"application/json")]}, b"{}", True
    yield "no kind", scope | {"headers": []}, body, True
    yield "a file", scope, form_of(call(5, "a"), '; filename="a"'), True
    yield "another function", scope, form_of(call(5, "a", fn_name="sizes")), True
    yield "another component", scope, form_of(call(6, "a")), True
    yield "cut off", scope, body[:-9], True
    yield "no form", scope, b"frame", True
    yield "no text", scope, body.replace(b"soon", b"\xff").replace(b"1.5", b"\xff"), True


@pytest.mark.parametrize(
    ("scope", "body", "is_passed"),
    [of[1:] for of in requests()],
    ids=[of[0] for of in requests()],
)
def test_only_frames_are_kept_from_gradio_which_gets_all_else_whole(scope, body, is_passed):
    def locate(data):
        return {"seen": data.data["time_s"]}

    locate._is_server_fn = True
    blocks = {5: SimpleNamespace(locate=locate), 6: SimpleNamespace()}
    page = SimpleNamespace(blocks=blocks, limiter=None)
    messages = [
        {"type": "http.request", "body": body[:100], "more_body": True},
        {"type": "http.request", "body": body[100:]},
    ]
    sent, got = [], []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    async def inner(scope, receive, send):
        more = True
        while more:
            message = await receive()
            got.append(message.get("body", b""))
            more = message.get("more_body", False)

    asyncio.run(CameraCalls(inner, page)(scope, receive, send))
    if is_passed:
        assert b"".join(got) == body and not sent
    else:
        assert not got and json.loads(sent[1]["body"]) == {"seen": "1.5"}


def test_a_frame_that_does_not_arrive_is_given_up():
    scope = next(requests())[1]

    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        asyncio.run(CameraCalls(None, None)(scope, receive, None))


def test_values_may_have_anything_but_the_boundary():
    values = {"a": "\r\n--", "b": "", "c": "\r\n\r\n--bc\r\n"[:-4], "d": "é😀\0"}
    del values["c"]
    assert fields_of(form_of(values), b"b") == values
