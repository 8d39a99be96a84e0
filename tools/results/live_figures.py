"""Frame rate, latency and memory of the app in a browser: ``python tools/results/live_figures.py``.

Starts demo/app.py, opens it in headless Chromium with a 640 x 480 video of 30 frames/s as its camera, and
prints frames/s shown and latencies (median and p95) for every mode of a network, computed by the app and by
the browser, and the app's memory over some minutes of the last mode. Browser and app share this machine, so
nothing else should run on it. ``--pictures docs``
writes screenshots to live.jpg and side-by-side.jpg there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))
FRAMES, RATE = 90, 30

SETTLE_S = 4.0  # after a change of mode; medians are taken over 120 frames
MODES = ("onnx-int8", "reparameterized", "train-time", "browser", "onnx")  # the last is kept on


@contextmanager
def running_app(folder: Path, network: str) -> Iterator[tuple[str, psutil.Process, float]]:
    """Starts the app; its address, its process, and the seconds until it served its first page.

    Raises:
        AssertionError: When it does not start.
    """
    from support.running_app import start_app

    start = time.monotonic()
    process, address = start_app(folder / "log.txt", "--network", network)
    try:
        yield address, psutil.Process(process.pid), time.monotonic() - start
    finally:
        process.terminate()
        process.wait()


@contextmanager
def open_page(folder: Path, address: str) -> Iterator[Page]:
    """The app's page in headless Chromium, with the portrait in front of its camera."""
    from support.fake_camera import portrait, write_camera
    from support.running_app import launch_chromium

    film = [portrait(index / FRAMES) for index in range(FRAMES)]
    camera = write_camera(folder / "camera.y4m", film, RATE)
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright, camera)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
        page.goto(address)
        page.get_by_role("tab", name="Live", exact=True).first.wait_for()
        yield page
        browser.close()


def state(page: Page, view: str) -> dict[str, Any]:
    """The state object of a view's live.js."""
    return page.evaluate(f"() => document.querySelector('{view} .pf-live').live")


def start_camera(page: Page, tab: str, view: str) -> float:
    """Starts a view's camera; seconds until its first face."""
    page.get_by_role("tab", name=tab, exact=True).first.click()
    page.click(f"{view} .pf-start")
    page.wait_for_function(
        f"() => {{ const {{ running, firstFaceMs }} = document.querySelector('{view} .pf-live').live; "
        "return running && firstFaceMs > 0; }"
    )
    return state(page, view)["firstFaceMs"] / 1000


def frame_rate(page: Page, view: str, seconds: float) -> float:
    """Frames/s that a view shows, measured for some seconds once it has settled."""
    time.sleep(SETTLE_S)
    shown, start = state(page, view)["shown"], time.monotonic()
    time.sleep(seconds)
    return (state(page, view)["shown"] - shown) / (time.monotonic() - start)


def cell(page: Page, name: str) -> str:
    """Text of a measurement in the Live tab."""
    return page.inner_text(f"#live-view [data-read={name}]").replace("\n", " ")


def choose_mode(page: Page, mode: str) -> None:
    """Sets the switch and the runtime of the Live tab."""
    folded = mode != "train-time"
    page.get_by_label("Re-parameterized" if folded else "Train-time", exact=True).first.check()
    if folded:
        page.select_option("#live-view .pf-runtime", mode)


def memory_mib(process: psutil.Process) -> float:
    """Resident memory of a process and its children, in MiB."""
    return sum(p.memory_info().rss for p in (process, *process.children(recursive=True))) / 2**20


def keep_picture(page: Page, folder: Path | None, name: str) -> None:
    """Writes a screenshot, if a folder is given."""
    if folder is not None:
        page.screenshot(path=folder / name, type="jpeg", quality=85)


def report_live(
    page: Page, process: psutil.Process, seconds: float, minutes: float, pictures: Path | None
) -> None:
    """Measures and prints the Live tab."""
    print(f"live: first face after {start_camera(page, 'Live', '#live-view'):.2f} s")
    for mode in MODES:
        if mode == "browser":  # which loads its networks when the first frame comes
            page.click("#live-view .pf-stop")
            choose_mode(page, mode)
            seconds_to_face = start_camera(page, "Live", "#live-view")
            print(f"live, browser: first face after {seconds_to_face:.2f} s, with loading")
        choose_mode(page, mode)
        rate = frame_rate(page, "#live-view", seconds)
        cells = ", ".join(f"{name} {cell(page, name)}" for name in ("network", "server", "whole"))
        print(f"live, {mode}: {rate:.1f} frames/s, {cells}", flush=True)
    if minutes:
        before, start = state(page, "#live-view")["shown"], time.monotonic()
        for minute in range(round(minutes) + 1):
            time.sleep(max(0, start + 60 * minute - time.monotonic()))
            print(f"memory after {minute} min: {memory_mib(process):.1f} MiB", flush=True)
        shown = state(page, "#live-view")["shown"] - before
        print(f"live over that time: {shown / (time.monotonic() - start):.1f} frames/s")
    keep_picture(page, pictures, "live.jpg")
    page.click("#live-view .pf-stop")


def report_pair(page: Page, seconds: float, pictures: Path | None) -> None:
    """Measures and prints the Side by side tab."""
    start_camera(page, "Side by side", "#pair-view")
    print(f"side by side: {frame_rate(page, '#pair-view', seconds):.1f} frames/s")
    for row in page.locator("#pair-view tr").all_inner_texts():
        print("  " + row.replace("\n", " "))
    keep_picture(page, pictures, "side-by-side.jpg")
    page.click("#pair-view .pf-stop")


def main() -> int:
    """Measures both tabs; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--network", default="ghostone-heatmap", help="network to measure (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=15, help="seconds for each mode (default: %(default)s)"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=5,
        help="minutes of measuring memory (default: %(default)s)",
    )
    parser.add_argument(
        "--pictures", type=Path, help="folder for screenshots of both tabs (default: none)"
    )
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        running_app(Path(name), arguments.network) as (address, process, served_s),
        open_page(Path(name), address) as page,
    ):
        print(f"first page served {served_s:.1f} s after the start")
        report_live(page, process, arguments.seconds, arguments.minutes, arguments.pictures)
        report_pair(page, arguments.seconds, arguments.pictures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
