"""Live and Side by side in Chromium, with networks that take a set time: numbers and states that are true."""

import base64
import json
import re
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.browser import browser_api
from support.fake_camera import portrait, write_camera
from support.paths import ROOT
from support.running_app import launch_chromium, start_app

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_MS = 90_000
LIVE, PAIR = "#live-view .pf-live", "#pair-view .pf-live"
CALLS = "**/component_server/"

sync_api = browser_api(weights=False)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of an app with paced networks and two places for cameras."""
    log = tmp_path_factory.mktemp("log") / "log.txt"
    weights = tmp_path_factory.mktemp("weights")
    script = ROOT / "tests/support/paced_app.py"
    process, address = start_app(log, weights, "--max-live", "2", script=script)
    yield address
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    film = write_camera(tmp_path_factory.mktemp("film") / "face.y4m", [portrait()] * 5)
    with sync_api.sync_playwright() as playwright:
        browser = launch_chromium(playwright, film)
        yield browser
        browser.close()


@pytest.fixture
def visit(address, browser):
    """Opens a page of its own; JavaScript errors fail the test."""
    contexts, errors = [], []

    def open_page(query=""):
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address + query)
        page.wait_for_function(f"() => document.querySelector('{LIVE}')?.live")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def start(page, view=LIVE):
    page.click(f"{view} .pf-start")
    wait(page, view, "live.shown > 0 && live.faces > 0")


def wait(page, view, wanted):
    page.wait_for_function(
        f"() => {{ const live = document.querySelector('{view}').live; return {wanted}; }}"
    )


def cell(page, name, view=LIVE):
    return page.inner_text(f"{view} [data-cell='{name}']")


def wait_for_text(page, selector, part):
    page.wait_for_function(
        "([selector, part]) => document.querySelector(selector)?.textContent.includes(part)",
        arg=[selector, part],
    )


def factor(page):
    """The factor in large type."""
    return float(page.inner_text(f"{LIVE} .pf-factor em").rstrip("×"))


def pixels(page, view=LIVE):
    """The first picture on the stage of a view, (H, W, 3) int."""
    url = page.evaluate(f"() => document.querySelector('{view} canvas').toDataURL()")
    data = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR).astype(int)


def test_the_switch_shows_what_folding_changes(visit):
    page = visit()
    wait_for_text(page, f"{LIVE} .pf-factor b", "faster, same points")  # before there is a camera
    assert "example photo" in page.inner_text(f"{LIVE} .pf-factor span")
    assert all(cell(page, f"latency-{side}").endswith(" ms") for side in (0, 1))
    wait_for_text(page, f"{LIVE} [data-cell='parameters-1']", "million")
    assert page.locator(f"{LIVE} .pf-frames").is_hidden()
    start(page)
    wait_for_text(page, f"{LIVE} .pf-factor span", "Move the switch")
    shown = [cell(page, f"latency-{side}") for side in (0, 1)]
    page.get_by_label("Train-time").first.check()
    wait_for_text(page, f"{LIVE} .pf-factor span", "of 20 frames")  # not yet enough for a median
    assert [cell(page, f"latency-{side}") for side in (0, 1)] == shown  # both of the example
    wait_for_text(page, f"{LIVE} .pf-factor span", "your picture. On the example")
    assert 1 < factor(page) < 30
    sizes = [float(cell(page, f"parameters-{side}").split()[0]) for side in (0, 1)]
    assert sizes[0] > 3 * sizes[1]
    assert [cell(page, f"runtime-{side}") for side in (0, 1)] == ["PyTorch", "ONNX Runtime"]
    lines = page.locator(f"{LIVE} .pf-trace polyline")
    assert [line.get_attribute("data-trace") for line in lines.all()] == ["1", "0"]
    told = page.get_attribute(f"{LIVE} .pf-trace svg", "aria-label")
    slow, fast = map(float, re.search(r"train-time (\d+), re-parameterized (\d+)", told).groups())
    assert 0 < slow < fast
    page.get_by_role("button", name="Use PyTorch for both").click()
    assert cell(page, "runtime-1") == "PyTorch"
    assert "folding alone" in page.inner_text(f"{LIVE} .pf-fair")
    wait_for_text(page, f"{LIVE} .pf-factor b", "faster, same points")
    assert 2 < factor(page) < 5  # that of this runtime


def test_what_folding_alone_does_is_told(visit):
    page = visit()
    wait_for_text(page, f"{LIVE} .pf-fair", "Folding alone")
    told = float(page.inner_text(f"{LIVE} .pf-fair").partition("makes it ")[2].partition("×")[0])
    assert 2 < told < 5 < factor(page)


def test_while_the_camera_is_off_the_example_is_shown(visit):
    page = visit()
    wait_for_text(page, f"{LIVE} .pf-factor b", "×")
    with_face = pixels(page)
    assert with_face.std() > 30
    page.get_by_label("Contours").first.uncheck()
    page.get_by_label("Points", exact=True).first.uncheck()
    page.wait_for_timeout(300)
    assert 0.001 < np.mean(np.abs(pixels(page) - with_face) > 20) < 0.1  # points are gone
    without = pixels(page)
    start(page)
    page.click(f"{LIVE} .pf-stop")
    page.wait_for_timeout(300)
    assert np.array_equal(pixels(page), without)  # nothing of the camera's picture stays


def test_side_by_side_compares_on_the_example_before_there_is_a_camera(visit):
    page = visit("?tab=pair")
    wait_for_text(page, f"{PAIR} .pf-factor b", "faster, same points")
    assert "On the example photo" in page.inner_text(f"{PAIR} .pf-factor span")
    assert page.locator(f"{PAIR} figcaption:visible").all_inner_texts() == [
        "Train-time",
        "Re-parameterized",
    ]
    assert page.locator(f"{PAIR} .pf-timed").first.is_hidden()
    assert cell(page, "largest", PAIR) == "none"
    page.get_by_label("Right").first.click()
    page.get_by_role("option", name="face · ONNX int8").first.click()
    wait_for_text(page, f"{PAIR} [data-cell='largest']", "px")
    assert "same" not in cell(page, "speedup", PAIR)
    page.locator(".pf-ways").get_by_label("Differences").check()
    wait_for_text(page, f"{PAIR} figcaption", "as long")
    page.locator(".pf-ways").get_by_label("Slider").check()
    middle = pixels(page, PAIR)
    page.locator(f"{PAIR} .pf-slider").fill("10")
    page.wait_for_timeout(300)
    assert (pixels(page, PAIR) != middle).any()


@pytest.mark.parametrize(("width", "height"), [(640, 480), (640, 360), (360, 640)])
@pytest.mark.parametrize("window", [(1280, 720), (390, 844)], ids=["wide", "phone"])
def test_the_picture_fills_its_frame(visit, width, height, window):
    page = visit()
    page.set_viewport_size(dict(zip(("width", "height"), window)))
    page.evaluate(
        """([width, height]) => {
          const canvas = Object.assign(document.createElement("canvas"), { width, height });
          const context = canvas.getContext("2d");
          window.setInterval(() => context.fillRect(0, 0, width, height), 50);
          navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20);
        }""",
        [width, height],
    )
    page.click(f"{LIVE} .pf-start")
    wait(page, LIVE, "live.shown > 1")
    page.wait_for_timeout(300)
    stage, picture = (
        page.locator(f"{LIVE} {part}").first.bounding_box() for part in (".pf-stage", "canvas")
    )
    assert stage["width"] / stage["height"] == pytest.approx(width / height, rel=0.02)
    assert picture["width"] == pytest.approx(stage["width"], abs=1)
    assert 200 < stage["height"] < window[1] - 150
    aside = page.locator(f"{LIVE} .pf-card").bounding_box()
    assert aside["x"] + aside["width"] <= window[0]


def test_int8_is_not_said_to_find_the_same_points(visit):
    page = visit("?mode=onnx-int8")
    assert page.input_value(".pf-runtime") == "onnx-int8"
    wait_for_text(page, f"{LIVE} .pf-factor b", "×")
    assert "same" not in page.inner_text(f"{LIVE} .pf-factor b")
    assert "on average" in page.inner_text(f"{LIVE} .pf-factor span")
    start(page)
    wait_for_text(page, f"{LIVE} .pf-factor span", "Move the switch")
    page.get_by_label("Train-time").first.check()
    wait_for_text(page, f"{LIVE} .pf-factor span", "your picture. On the example")
    assert "same" not in page.inner_text(f"{LIVE} .pf-factor b")
    assert "on average" in page.inner_text(f"{LIVE} .pf-factor span")


def test_a_network_without_branches_has_no_switch(visit):
    page = visit()
    page.select_option(".pf-network", "plain")
    assert page.locator(".pf-switch input").first.is_disabled()
    assert "no branches to fold" in page.inner_text(".pf-switch").lower()
    assert page.inner_text(f"{LIVE} .pf-factor b") == "No branches to fold"
    page.get_by_role("tab", name="Side by side").click()
    page.get_by_label("Left").first.click()
    offered = page.get_by_role("option").all_inner_texts()
    assert sum("plain" in text for text in offered) == 3 and sum("face" in t for t in offered) == 4


def test_answers_to_older_settings_are_dropped(visit):
    page = visit("?tab=pair")
    page.get_by_label("Right").first.click()
    page.get_by_role("option", name="face · ONNX int8").first.click()
    start(page, PAIR)
    wait_for_text(page, f"{PAIR} [data-cell='largest']", "px")
    held, holding = [], True

    def hold(route):
        if holding and "locate" in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route(CALLS, hold)
    while not held:
        page.wait_for_timeout(50)
    page.get_by_label("Right").first.click()
    page.get_by_role("option", name="face · Re-parameterized").first.click()
    wait_for_text(page, f"{PAIR} [data-cell='name-1']", "Re-parameterized")
    assert cell(page, "largest", PAIR) == "–"
    holding = False
    for route in held:
        route.continue_()
    page.wait_for_function(
        f"() => document.querySelector(\"{PAIR} [data-cell='largest']\").textContent !== '–'"
    )
    assert cell(page, "largest", PAIR) == "none"
    assert "faster" in cell(page, "speedup", PAIR)


@contextmanager
def unreachable(page, how):
    """Calls fail meanwhile; yields a list that grows with each."""
    calls = []
    page.on(
        "request", lambda request: calls.append(request) if "component" in request.url else None
    )
    if how == "offline":
        page.context.set_offline(True)
    else:
        page.route(CALLS, lambda route: route.abort("connectionrefused"))
    yield calls
    page.context.set_offline(False)
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize("how", ["offline", "gone"])
def test_an_app_that_cannot_be_reached_is_told_and_picked_up_again(visit, how):
    page = visit()
    start(page)
    with unreachable(page, how) as calls:
        page.locator(f"{LIVE} .pf-trouble").get_by_text("Connection lost").wait_for(timeout=3000)
        page.wait_for_timeout(4000)
        assert len(calls) < 8  # not one for each frame
        assert page.locator(f"{LIVE} .pf-trouble").is_visible()
        shown = page.evaluate(f"() => document.querySelector('{LIVE}').live.shown")
    wait(page, LIVE, f"live.shown > {shown + 3}")
    assert page.locator(f"{LIVE} .pf-trouble").is_hidden()


def test_an_app_that_is_silent_is_told(visit):
    page = visit()
    start(page)
    page.route(CALLS, lambda route: None)
    page.locator(f"{LIVE} .pf-trouble").get_by_text("Waiting").wait_for(timeout=6000)
    page.unroute_all(behavior="ignoreErrors")


def test_when_all_places_are_taken_the_page_waits_for_one(visit):
    first, second, third = visit(), visit(), visit()
    for page in (first, second):
        start(page)
    third.click(f"{LIVE} .pf-start")
    third.get_by_text("All places are taken").wait_for()
    assert "Photo" in third.inner_text(f"{LIVE} .pf-trouble")
    assert third.locator(f"{LIVE} .pf-spinner").is_visible()
    first.click(f"{LIVE} .pf-stop")
    wait(third, LIVE, "live.shown > 2")
    assert third.locator(f"{LIVE} .pf-trouble").is_hidden()


def test_settings_stay_over_a_reload_and_come_from_links(visit):
    page = visit("?tab=live&network=face&mode=train-time")
    assert page.get_by_label("Train-time").first.is_checked()
    page.get_by_label("Mesh").check()
    page.select_option(".pf-network", "plain")
    page.goto(page.url.split("?")[0])
    page.wait_for_selector(".pf-start")
    assert page.input_value(".pf-network") == "plain" and page.get_by_label("Mesh").is_checked()
    page.get_by_role("tab", name="Photo", exact=True).first.click()
    page.wait_for_timeout(500)
    page.reload()
    page.wait_for_selector("#photo input[type=file]", state="attached")
    tab = page.get_by_role("tab", name="Photo", exact=True).first
    assert tab.get_attribute("aria-selected") == "true"


def test_colours_stay_over_a_reload_once_they_were_switched(visit):
    page = visit()
    assert page.locator("body.dark").count() == 0
    page.click(".pf-scheme")
    page.reload()
    page.wait_for_selector("body.dark .pf-start")
    page.click(".pf-scheme")
    page.reload()
    page.wait_for_selector("body:not(.dark) .pf-start")


def test_pictures_recordings_and_landmarks_can_be_kept(visit):
    page = visit()
    start(page)
    kept = {}
    for name in ("Save picture", "Save landmarks"):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).first.click()
        kept[name] = Path(download.value.path()).read_bytes()
    assert kept["Save picture"].startswith(b"\x89PNG")
    (face,) = json.loads(kept["Save landmarks"])["faces"]
    assert len(face["landmarks"]) == 98 and len(face["landmarks"][0]) == 2
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(2500)
    with page.expect_download() as download:
        page.get_by_role("button", name="Stop recording").click()
    assert download.value.suggested_filename.endswith((".webm", ".mp4"))
    assert Path(download.value.path()).stat().st_size > 1000


def test_two_results_are_seen_in_three_ways(visit):
    page = visit("?tab=pair")
    page.get_by_label("Right").first.click()
    page.get_by_role("option", name="face · ONNX int8").first.click()
    start(page, PAIR)
    for way, captions in (
        ("Slider", 1),
        ("Differences", 1),
        ("Two pictures", 2),
    ):
        page.locator(".pf-ways").get_by_label(way).check()
        shown = page.evaluate(f"() => document.querySelector('{PAIR}').live.shown")
        wait(page, PAIR, f"live.shown > {shown + 3}")
        assert page.locator(f"{PAIR} figcaption:visible").count() == captions
        if way == "Slider":
            box = page.locator(f"{PAIR} canvas").first.bounding_box()
            shown = min(box["width"], box["height"] * 4 / 3)  # the picture, in the middle of it
            page.mouse.move(box["x"] + box["width"] / 2 - shown / 4, box["y"] + box["height"] / 2)
            page.mouse.down()
            page.mouse.up()
            assert float(page.input_value(f"{PAIR} .pf-slider")) == pytest.approx(25, abs=2)
        if way == "Differences":
            assert "as long" in page.locator(f"{PAIR} figcaption:visible").inner_text()


def test_a_runtime_in_the_browser_is_offered_and_used(visit):
    page = visit()
    page.wait_for_function("() => window.pfldBrowserRuntime")  # the app's own, which comes late
    page.evaluate(
        """() => {
          window.asked = [];
          window.pfldBrowserRuntime = { networks: ["face"], locate: async (canvas, time, settings) => {
            window.asked.push([canvas.width, settings.mode]);
            return { faces: [], network_ms: 1, server_ms: 0, jitter: 0 };
          } };
          window.dispatchEvent(new Event("pfld-browser-runtime"));
        }"""
    )
    page.select_option(".pf-runtime", "browser")
    page.click(f"{LIVE} .pf-start")
    wait(page, LIVE, "live.shown > 2")
    assert page.evaluate("() => window.asked[0]") == [640, "browser"]
