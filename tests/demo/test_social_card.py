"""What chats and social networks see of a link to the app, and the page's icon."""

import html
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from pfld.web.link_preview import DESCRIPTION, PICTURE, PICTURE_WH, TITLE

gradio = pytest.importorskip("gradio")
HTMLResponse = pytest.importorskip("starlette.responses").HTMLResponse
HERE = "http://127.0.0.1:7860"
MB = 2**20


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    from landmark_app.server.home import Home

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("temporary")))
        home = Home(3600, 8 * MB)
        patch.setenv("GRADIO_TEMP_DIR", str(home.files))
        yield home
        home.end()


def guarded(app, home, root_path=""):
    """A client of an application behind the guard, which knows it as faces.example as well."""
    from starlette.testclient import TestClient

    from landmark_app.server.guard import Guard
    from landmark_app.server.routes import Routes
    from landmark_app.server.sessions import OpenPages
    from landmark_app.server.shares import Shares
    from landmark_app.server.visitors import Visitors

    routes, visitors = Routes(home.files, MB, root_path), Visitors("127.0.0.1", ["faces.example"])
    guard = Guard(app, visitors, routes, home, Shares(), OpenPages(), None)
    return TestClient(guard, base_url=HERE)


@pytest.fixture(scope="module")
def client(home, tmp_path_factory):
    """A client of the whole app."""
    from landmark_app import page as ui
    from landmark_app.camera.admission import Admission
    from landmark_app.server.gradio_app import make_app
    from landmark_app.server.sessions import OpenPages
    from landmark_app.server.shares import Shares
    from support.fake_models import fake_models

    with pytest.MonkeyPatch.context() as patch:
        models = fake_models(patch, tmp_path_factory.mktemp("weights"))
        page = ui.build(models, Admission(1), ui.Limits(), home.files)
        shared = {"root_path": "", "most_upload": MB, "max_threads": 4}
        app = make_app(page, ui.launch_options(), Shares(), OpenPages(), **shared)
        yield guarded(app, home)


@pytest.fixture
def make_client(home):
    """Makes clients of nothing but Gradio's page, at a root path."""
    template = Path(gradio.__file__).parent / "templates" / "frontend" / "index.html"

    def client(root_path):
        from landmark_app.server.social_card import SocialCard

        async def page(scope, receive, send):
            await HTMLResponse(template.read_text())(scope, receive, send)

        return guarded(SocialCard(page, root_path), home, root_path)

    return client


def tags_of(page):
    """Values of Open Graph and Twitter tags by their names; each name is there once."""
    found = re.findall(
        r'<meta\s+(?:property|name)="((?:og|twitter):[^"]+)"\s+content="([^"]*)"', page
    )
    assert len(dict(found)) == len(found)
    return {name: html.unescape(value) for name, value in found}


def test_the_page_has_its_own_tags_and_none_of_gradios(client):
    page = client.get("/").text
    tags = tags_of(page)
    assert tags["og:title"] == TITLE and tags["og:description"] == DESCRIPTION
    assert tags["og:url"] == f"{HERE}/" and tags["twitter:card"] == "summary_large_image"
    assert page.count("og:image") == 4 and "@Gradio" not in page and "header-image" not in page
    assert f"<title>{TITLE}</title>" in page


def test_the_picture_is_where_the_tags_say(client):
    tags = tags_of(client.get("/").text)
    answer = client.get(tags["og:image"])
    assert answer.headers["content-type"] == "image/jpeg" and len(answer.content) < 300_000
    size = Image.open(io.BytesIO(answer.content)).size
    assert size == PICTURE_WH == (int(tags["og:image:width"]), int(tags["og:image:height"]))


def test_icons_are_where_the_page_says(client):
    page = client.get("/").text
    icons = dict(re.findall(r'<link rel="([\w-]*icon)" href="([^"]+)"', page))
    kinds = {name: client.get(f"/{path}").headers["content-type"] for name, path in icons.items()}
    assert kinds == {"icon": "image/svg+xml", "apple-touch-icon": "image/png"}
    assert client.get("/favicon.ico").content == PICTURE.with_name("icon.png").read_bytes()


@pytest.mark.parametrize(
    ("root_path", "headers", "address"),
    [
        ("", {}, "http://127.0.0.1:7860/"),
        ("", {"host": "faces.example"}, "http://faces.example/"),
        ("", {"x-forwarded-proto": "https", "host": "faces.example"}, "https://faces.example/"),
        ("", {"x-forwarded-host": "faces.example:8443"}, "http://faces.example:8443/"),
        ("/face", {"host": "faces.example"}, "http://faces.example/face/"),
        ("https://faces.example/face", {}, "https://faces.example/face/"),
        ("", {"x-forwarded-prefix": "/elsewhere"}, "http://127.0.0.1:7860/"),
        ("", {"x-gradio-server": "http://evil.example"}, "http://127.0.0.1:7860/"),
        ("", {"x-forwarded-proto": '"><script>'}, "http://127.0.0.1:7860/"),
    ],
    ids=["plain", "name", "https", "port", "below", "full", "prefix", "server", "scheme"],
)
def test_addresses_are_those_of_the_checked_request(make_client, root_path, headers, address):
    client = make_client(root_path)
    tags = tags_of(client.get("/", headers=headers).text)
    assert tags["og:url"] == address and tags["og:image"].startswith(f"{address}pfld-browser/")


def test_below_a_path_the_page_is_changed_under_both_addresses(make_client):
    client = make_client("/face")
    pages = {client.get(path).text for path in ("/", "/face/")}
    assert all(tags_of(page)["og:url"] == f"{HERE}/face/" for page in pages)


@pytest.mark.parametrize("name", ["host", "x-forwarded-host"])
def test_other_names_get_no_page(client, name):
    answer = client.get("/", headers={name: "evil.example"})
    assert answer.status_code == 403 and "evil" not in answer.text


def test_other_answers_stay_as_they_are(client):
    config = client.get("/config")
    assert config.status_code == 200 and "og:" not in config.text
    assert client.head("/").status_code == 200
