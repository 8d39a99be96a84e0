"""Without a camera, app and static page say in words what is the matter and what to do, within 3 s."""

import pytest

from pfld.commands.site import write_site
from pfld.weights.shipped import shipped_networks
from support.browser import browser_api, served
from support.paths import PORTRAIT, ROOT
from support.running_app import launch_chromium, start_app

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LIVE, PAIR = "#live-view .pf-live", "#pair-view .pf-live"
NAME = "faces.example"  # a name that browsers do not take for this machine's
PATIENCE_MS = 90_000
WITHIN_MS = 3000
CAMERAS = {
    "none": ("--use-fake-ui-for-media-stream",),
    "refused": ("--use-fake-device-for-media-stream", "--deny-permission-prompts"),
}
UNANSWERED = "navigator.mediaDevices.getUserMedia = () => new Promise(() => {})"

sync_api = browser_api(weights=False)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The address of the app, which is also known by NAME."""
    log = tmp_path_factory.mktemp("log") / "log.txt"
    weights = tmp_path_factory.mktemp("weights")
    script = ROOT / "tests/support/paced_app.py"
    process, address = start_app(log, weights, "--allow-host", NAME, script=script)
    yield address
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of the static page."""
    networks = shipped_networks("onnx")
    if not networks:
        pytest.skip("needs weights/*.onnx")
    folder = tmp_path_factory.mktemp("site")
    write_site(folder, networks[:1])
    with served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def playwright():
    with sync_api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture
def visit(playwright):
    """Opens an address in a browser of its own with the cameras named; JavaScript errors fail the test."""
    browsers, errors = [], []

    def open_page(address, cameras="none", script=""):
        flags = (*CAMERAS[cameras], f"--host-resolver-rules=MAP {NAME} 127.0.0.1")
        browsers.append(launch_chromium(playwright, flags=flags))
        page = browsers[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        if script:
            page.add_init_script(script)
        page.goto(address)
        return page

    yield open_page
    for browser in browsers:
        browser.close()
    assert errors == []


def insecure(address):
    return address.replace("127.0.0.1", NAME)


@pytest.mark.parametrize(("tab", "view"), [("live", LIVE), ("pair", PAIR)])
def test_at_an_address_without_https_the_page_says_so_before_anything_is_clicked(
    visit, app, tab, view
):
    page = visit(f"{insecure(app)}?tab={tab}")
    page.locator(f"{view} .pf-start").wait_for(state="hidden")
    assert page.inner_text(f"{view} .pf-title") == "No camera at this address"
    words = page.inner_text(f"{view} .pf-message")
    assert all(word in words for word in ("https", "localhost", "Photo and Video tabs"))
    page.get_by_role("tab", name="Photo", exact=True).first.click()
    page.set_input_files("#photo input[type=file]", PORTRAIT)
    page.wait_for_selector("#photo-faces table")


@pytest.mark.parametrize(("tab", "view"), [("live", LIVE), ("pair", PAIR)])
@pytest.mark.parametrize(
    ("cameras", "script", "title", "advice"),
    [
        ("none", "", "No camera found", "Photo"),
        ("refused", "", "Camera refused", "address bar"),
        ("none", UNANSWERED, "Waiting for the camera …", "address bar"),
    ],
    ids=["none", "refused", "unanswered"],
)
def test_without_a_camera_the_page_says_what_to_do(
    visit, app, tab, view, cameras, script, title, advice
):
    page = visit(f"{app}?tab={tab}", cameras, script)
    page.click(f"{view} .pf-start")
    page.locator(view).get_by_text(title).wait_for(timeout=WITHIN_MS)
    assert advice in page.inner_text(f"{view} .pf-message")


def test_in_the_browser_mode_it_is_the_same(visit, app):
    page = visit(app)
    page.wait_for_function("() => window.pfldBrowserRuntime")
    page.evaluate(
        "() => { window.pfldBrowserRuntime.networks = ['face']; "
        "window.dispatchEvent(new Event('pfld-browser-runtime')); }"
    )
    page.select_option(".pf-runtime", "browser")
    page.click(f"{LIVE} .pf-start")
    page.locator(LIVE).get_by_text("No camera found").wait_for(timeout=WITHIN_MS)


def test_at_an_address_without_https_the_static_page_says_so_and_takes_photos(visit, site):
    page = visit(insecure(site))
    page.get_by_text("No camera at this address").wait_for(timeout=WITHIN_MS)
    assert "https" in page.inner_text("#message") and page.locator("#start").is_hidden()
    page.click("#example")
    page.wait_for_function("() => window.pfld.faces.length === 1")


@pytest.mark.parametrize(
    ("cameras", "script", "title"),
    [
        ("none", "", "No camera found"),
        ("refused", "", "Camera refused"),
        ("none", UNANSWERED, "Waiting for the camera …"),
    ],
    ids=["none", "refused", "unanswered"],
)
def test_without_a_camera_the_static_page_says_what_to_do(visit, site, cameras, script, title):
    page = visit(site, cameras, script)
    page.click("#start")
    page.get_by_text(title).wait_for(timeout=WITHIN_MS)
    assert "photo" in page.inner_text("#message")


@pytest.mark.parametrize(("tab", "view"), [("live", LIVE), ("pair", PAIR)])
@pytest.mark.parametrize("script", ["", UNANSWERED], ids=["none", "unanswered"])
def test_the_example_takes_the_place_of_a_camera(visit, app, tab, view, script):
    page = visit(f"{app}?tab={tab}", "none", script)
    if script:
        page.click(f"{view} .pf-start")
        page.locator(view).get_by_text("Waiting for the camera").wait_for()
    page.click(f"{view} .pf-film")
    page.wait_for_function(
        f"() => {{ const live = document.querySelector('{view}').live; "
        "return live.shown > 5 && live.faces; }"
    )
    page.wait_for_timeout(2500)  # the camera's late words would be there by then
    assert page.locator(f"{view} .pf-empty").is_hidden()
    page.click(f"{view} .pf-stop")
    page.locator(view).get_by_text("Example stopped").wait_for()
    assert "Measuring" not in page.inner_text(f"{view} .pf-factor")
    assert page.inner_text(f"{view} .pf-start") == "Start camera"


def test_at_an_address_without_https_the_example_runs(visit, app):
    page = visit(insecure(app))
    page.click(f"{LIVE} .pf-film")
    page.wait_for_function(f"() => document.querySelector('{LIVE}').live.shown > 5")
    assert page.locator(f"{LIVE} .pf-empty").is_hidden()
