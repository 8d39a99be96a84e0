"""The app's Live tab with the visitor's browser as runtime: landmarks appear, and no frame is sent."""

import os

import pytest

from support.browser import browser_api
from support.fake_camera import portrait, write_camera
from support.running_app import launch_chromium, start_app

pytestmark = pytest.mark.browser

LIVE = "#live-view .pf-live"
PATIENCE_MS = 90_000

sync_api = browser_api()


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The address of the app."""
    log = tmp_path_factory.mktemp("app") / "log.txt"
    process, address = start_app(log)
    yield address
    process.terminate()
    process.wait(30)


def live(page, wanted):
    """Waits until JavaScript about Live's state holds, and returns that state."""
    handle = page.wait_for_function(
        f"() => {{ const live = document.querySelector('{LIVE}')?.live; "
        f"return live && ({wanted}) ? live : null; }}"
    )
    return handle.json_value()


def test_live_runs_in_the_browser_and_sends_no_frame(app, tmp_path):
    camera = write_camera(tmp_path / "face.y4m", [portrait(index / 30) for index in range(30)])
    troubles, sent, loaded = [], [], []
    with sync_api.sync_playwright() as playwright:
        browser = launch_chromium(playwright, camera)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        context.on("request", lambda request: loaded.append(request.url))
        context.on("request", lambda request: sent.append((request.url, request.post_data or "")))
        page.goto(app)
        page.wait_for_function("() => window.pfldBrowserRuntime")
        assert not [url for url in loaded if url.endswith((".wasm", ".onnx"))]  # not yet chosen
        page.select_option(f"{LIVE} .pf-runtime", "browser")
        sent.clear()
        page.click(f"{LIVE} .pf-start")
        first = live(page, "live.shown > 2 && live.faces === 1")
        later = live(page, f"live.shown > {first['shown'] + 10} && live.faces === 1")
        if shot := os.environ.get("PFLD_TEST_SHOT"):
            page.screenshot(path=shot)
        browser.close()
    face = later["last"]["faces"][0]
    assert len(face["points"]) == 196 and face["quality"] > 0.5
    assert later["last"]["network_ms"] > 0 and later["last"]["server_ms"] is None
    assert troubles == []
    assert all(url.startswith((app, "blob:", "data:")) for url in loaded)
    assert [url for url in loaded if url.endswith(".wasm")]
    # Nothing with a picture in it: frames would go to the server as JPEG data URLs.
    assert not [url for url, data in sent if "image/" in data or len(data) > 2000]
