"""The app in a real browser: headless Chromium with a video file as its camera."""

import os
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from pfld.draw import GROUP_COLORS
from pfld.landmarks import WFLW_98
from pfld.media.video import VideoWriter
from support.browser import browser_api
from support.damage import cut
from support.fake_camera import PORTRAIT, portrait, write_camera
from support.motion_jpeg import motion_jpeg
from support.running_app import launch_chromium, start_app

pytestmark = pytest.mark.browser

PATIENCE_MS = 60_000
LIVE, PAIR = "#live-view .pf-live", "#pair-view .pf-live"

sync_api = browser_api()


@pytest.fixture(scope="module")
def cameras(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cameras")
    moving = [portrait(index / 45) for index in range(45)]
    return {
        "face": write_camera(folder / "face.y4m", moving),
        "nobody": write_camera(folder / "nobody.y4m", [np.full((480, 640, 3), 90, np.uint8)] * 15),
    }


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The address of the app, started as people start it but from another folder."""
    folder, kept = tmp_path_factory.mktemp("elsewhere"), tmp_path_factory.mktemp("kept")
    log = folder / "log.txt"
    process, address = start_app(log, cwd=folder, env=os.environ | {"TMPDIR": str(kept)})
    yield address
    assert process.poll() is None, log.read_text()  # whatever the tests did, it still runs
    assert urllib.request.urlopen(address).status == 200
    assert list(kept.glob("pfld-demo-*"))
    process.terminate()
    process.wait(30)
    assert not list(kept.glob("pfld-demo-*"))  # nothing of any visitor is left


@pytest.fixture(scope="module")
def playwright():
    with sync_api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browsers(playwright, cameras):
    """Browsers by what their camera sees, each started once."""
    started = {}

    def browser(sees="face"):
        if sees not in started:
            flags = {
                "none": ("--use-fake-ui-for-media-stream",),
                "refused": ("--use-fake-device-for-media-stream", "--deny-permission-prompts"),
            }.get(sees, ())
            started[sees] = launch_chromium(playwright, cameras.get(sees), flags)
        return started[sees]

    yield browser
    for browser_ in started.values():
        browser_.close()


@pytest.fixture
def visit(app, browsers):
    """Opens a page of its own for a visitor, at a tab."""
    contexts, errors, foreign = [], [], []

    def open_page(tab="Live", sees="face", **options):
        context = browsers(sees).new_context(
            **{"viewport": {"width": 1366, "height": 768}} | options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "request",
            lambda request: (
                foreign.append(request.url)
                if request.url.startswith("http") and not request.url.startswith(app)
                else None
            ),
        )
        page.goto(app)
        go_to(page, tab)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert foreign == []  # nothing leaves the machine


def go_to(page, tab):
    """Opens a tab, which on a phone may be in a menu."""
    page.get_by_role("tab", name="Live", exact=True).first.wait_for()
    label = page.get_by_role("tab", name=tab, exact=True).first
    if label.is_visible():
        label.click()
    else:
        page.locator(".pf-tabs .overflow-menu button").first.click()
        page.locator(".pf-tabs .overflow-dropdown button", has_text=tab).first.click()


def live(page, view, wanted):
    """Waits until JavaScript about the view's ``live`` state holds, and returns that state."""
    handle = page.wait_for_function(
        f"() => {{ const live = document.querySelector('{view}')?.live; "
        f"return live && ({wanted}) ? live : null; }}"
    )
    return handle.json_value()


def start_camera(page, view):
    page.click(f"{view} .pf-start")
    live(page, view, "live.running")


def nose(state):
    return np.reshape(state["last"]["faces"][0]["points"], (98, 2))[54]


def test_landmarks_appear_move_and_stay_through_a_change_of_mode(visit):
    page = visit()
    page.focus(f"{LIVE} .pf-start")
    page.keyboard.press("Enter")
    before = live(page, LIVE, "live.shown > 3 && live.faces === 1")
    page.wait_for_timeout(700)
    after = live(page, LIVE, f"live.shown > {before['shown']} && live.faces === 1")
    assert np.abs(nose(after) - nose(before)).max() > 5
    page.select_option(".pf-runtime", "reparameterized")
    page.get_by_label("Head axes").first.check()
    page.wait_for_timeout(300)
    shown = live(page, LIVE, "true")["shown"]
    live(page, LIVE, f"live.shown > {shown + 5} && live.faces === 1 && live.running")
    assert page.inner_text(f"{LIVE} [data-read=network] b").endswith("ms")
    page.click(f"{LIVE} .pf-stop")
    page.get_by_text("Camera stopped").wait_for()


def painted_share(page, after):
    """The part of the landmarks that has its group's colour on the page, once more frames are shown."""
    colors = page.wait_for_function(
        """([view, after]) => {
          const root = document.querySelector(view), canvas = root.querySelector("canvas");
          if (root.live.shown <= after || !root.live.faces) return null;
          const { points } = root.live.last.faces[0], context = canvas.getContext("2d");
          const at = (i) => [Math.floor(canvas.width - points[i]), Math.floor(points[i + 1])];
          return points.flatMap((_, i) => i % 2 ? [] : [...context.getImageData(...at(i), 1, 1).data]);
        }""",
        arg=[LIVE, after],
    ).json_value()
    expected = np.empty((98, 3))
    for group, run in WFLW_98.groups.items():
        expected[list(run)] = GROUP_COLORS[group]
    colors = np.reshape(colors, (98, 4))[:, :3]
    return (np.abs(colors - expected).max(axis=1) < 60).mean()


def test_landmarks_are_painted_where_they_are_and_only_if_wanted(visit):
    page = visit()
    start_camera(page, LIVE)
    shares = [painted_share(page, after=3)]
    for label in ("Contours", "Points"):
        page.get_by_label(label, exact=True).first.uncheck()
    page.wait_for_timeout(300)
    shares.append(painted_share(page, live(page, LIVE, "true")["shown"] + 5))
    assert shares[0] > 0.8 and shares[1] < 0.2


def test_side_by_side_fills_its_table_and_takes_other_modes(visit):
    page = visit("Side by side")
    start_camera(page, PAIR)
    live(page, PAIR, "live.shown > 5 && live.faces === 1")
    page.wait_for_function(
        "() => [...document.querySelectorAll('#pair-view td[data-cell]')]"
        ".every((cell) => !['–', '…'].includes(cell.textContent))"
    )
    left, right = (page.inner_text(f"#pair-view [data-cell=parameters-{side}]") for side in (0, 1))
    assert left != right
    assert "faster" in page.inner_text("#pair-view [data-cell=speedup]")
    page.get_by_label("Left").first.click()
    page.get_by_role("option", name="onnx", exact=False).first.click()
    page.wait_for_function(
        "() => document.querySelector('#pair-view [data-cell=name-0]').textContent.includes('ONNX')"
    )
    shown = live(page, PAIR, "true")["shown"]
    live(page, PAIR, f"live.shown > {shown + 5} && live.running")


def test_side_by_side_takes_photos(visit):
    page = visit("Side by side")
    page.get_by_role("tab", name="Photo", exact=True).last.click()
    page.set_input_files("#pair-photo input[type=file]", PORTRAIT)
    page.wait_for_function(
        "() => document.querySelector('#pair-table [data-cell=largest]')?.textContent.endsWith('px')"
    )
    assert "1 face" in page.inner_text("body")


def test_a_photo_goes_in_and_files_come_out(visit, tmp_path):
    page = visit("Photo")
    page.set_input_files("#photo input[type=file]", PORTRAIT)
    page.wait_for_selector("#photo-faces table")
    assert page.locator("#photo-faces tbody tr").count() == 1
    downloads = (("#photo-png", b"\x89PNG"), ("#photo-json", b"{"), ("#photo-csv", b"source,"))
    for button, start in downloads:
        page.wait_for_selector(f"{button}:not([disabled])")
        with page.expect_download() as download:
            page.click(button)
        assert Path(download.value.path()).read_bytes().startswith(start)
    fake = tmp_path / "notes.jpg"
    fake.write_text("not a picture")
    page.click("#photo [aria-label=Clear], #photo [aria-label='Remove Image']")
    page.set_input_files("#photo input[type=file]", fake)
    page.wait_for_selector("#photo-status .pf-error")
    text = page.inner_text("#photo-status")
    assert "not a picture that can be read" in text and "/tmp" not in text


def test_a_video_goes_in_and_comes_back_annotated(visit, tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, (480, 640), 15) as writer:
        for index in range(30):
            writer.write(portrait(index / 30)[..., ::-1])
    page = visit("Video")
    page.set_input_files("#video-in input[type=file]", path)
    page.wait_for_selector("#video-in .file-preview")
    page.wait_for_selector("#video-preview img")
    assert "640 × 480 pixels, 2.0 s, 15 frames/s" in page.inner_text("#video-preview")
    page.click("#video-start")
    page.wait_for_selector("#video-charts svg")
    assert "30 frames" in page.inner_text("#video-status")
    assert page.is_disabled("#video-cancel") and page.is_enabled("#video-start")
    page.wait_for_function("() => document.querySelector('#video-out video')?.videoWidth === 640")
    with page.expect_download() as download:
        page.click("#video-table")
    assert len(Path(download.value.path()).read_text().splitlines()) == 31
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.locator("#video-out video").is_visible()


def test_of_a_broken_video_the_page_says_so(visit, tmp_path):
    frames = (portrait(index / 30) for index in range(30))
    path = cut(motion_jpeg(tmp_path / "broken.avi", frames, 15), 0.5)
    page = visit("Video")
    page.set_input_files("#video-in input[type=file]", path)
    page.wait_for_selector("#video-in .file-preview")
    page.click("#video-start")
    page.wait_for_selector("#video-status .pf-error")
    assert "damaged" in page.inner_text("#video-status")


@pytest.mark.parametrize(
    ("tab", "place", "kind"), [("Photo", "#photo", "photo"), ("Video", "#video-in", "video")]
)
def test_of_files_of_another_kind_the_page_says_so_and_goes_on_saying(
    visit, tmp_path, tab, place, kind
):
    notes = tmp_path / "notes.txt"
    notes.write_text("not a picture")
    page = visit(tab)
    page.set_input_files(f"{place} input[type=file]", notes)
    told = page.locator(".pf-other-kind")
    told.wait_for()
    assert told.inner_text().startswith(f"notes.txt cannot be taken. Choose a {kind}")
    dropped = page.evaluate_handle(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["no"], "list.csv", { type: "text/csv" }));
          return data;
        }"""
    )
    page.dispatch_event(f"{place} button", "drop", {"dataTransfer": dropped})
    page.get_by_text("list.csv cannot be taken.").wait_for()
    assert told.count() == 1 and page.locator(".toast-body").count() == 0
    page.locator(".pf-example:visible").first.click()
    told.wait_for(state="detached")


def test_nobody_in_view_is_an_ordinary_state(visit):
    page = visit(sees="nobody")
    start_camera(page, LIVE)
    page.get_by_text("No face in view").wait_for()
    assert live(page, LIVE, "live.shown > 5")["faces"] == 0


@pytest.mark.parametrize(
    "sees, title", [("refused", "Camera refused"), ("none", "No camera found")]
)
def test_without_a_camera_the_page_says_what_to_do(visit, sees, title):
    page = visit(sees=sees)
    page.click(f"{LIVE} .pf-start")
    page.get_by_text(title).wait_for()
    assert page.inner_text(f"{LIVE} .pf-start") == "Try again"


def test_two_visitors_at_once_see_their_own_faces(visit):
    one, other = visit(), visit(sees="nobody")
    for page in (one, other):
        start_camera(page, LIVE)
    for _ in range(3):
        assert live(one, LIVE, "live.shown > 5 && live.faces === 1")["faces"] == 1
        assert live(other, LIVE, "live.shown > 5")["faces"] == 0
        one.wait_for_timeout(200)


def test_a_benchmark_starts_and_is_cancelled(visit):
    page = visit("Benchmark")
    assert page.is_disabled("#benchmark-cancel")
    page.click("#benchmark-start")
    page.wait_for_selector("#benchmark-start[disabled]")
    page.wait_for_selector("#benchmark-status progress[value]")
    page.click("#benchmark-cancel")
    page.get_by_text("Cancelled. Nothing was measured yet.").wait_for()
    page.wait_for_selector("#benchmark-cancel[disabled]")
    page.wait_for_selector("#benchmark-start:not([disabled])")


def test_on_a_phone_all_tabs_are_in_sight_and_the_result_comes_before_settings(visit):
    page = visit("Photo", viewport={"width": 390, "height": 844})
    for tab in ("Live", "Side by side", "Photo", "Video", "Benchmark", "About"):
        assert page.get_by_role("tab", name=tab, exact=True).first.is_visible()
    page.set_input_files("#photo input[type=file]", PORTRAIT)
    page.wait_for_selector("#photo-out img")
    result = page.locator("#photo-out").bounding_box()
    settings = page.get_by_label("Re-parameterized").locator("visible=true").first.bounding_box()
    assert result["y"] < settings["y"]


def test_arrow_keys_go_from_tab_to_tab(visit):
    page = visit("Photo")
    page.get_by_role("tab", name="Photo", exact=True).first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[role=tab][aria-selected=true]:has-text('Video')")


@pytest.mark.parametrize("width", [1366, 390], ids=["laptop", "phone"])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_no_tab_is_wider_than_the_screen(visit, width, scheme):
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for tab in ("Live", "Side by side", "Photo", "Video", "Benchmark", "About"):
        go_to(page, tab)
        page.wait_for_timeout(100)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.locator("body.dark").count() == (scheme == "dark")
