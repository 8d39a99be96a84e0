"""Pictures of every tab of the app and of the static page: ``python tools/results/screenshots.py FOLDER``.

Each state is shown 1440, 1280 and 390 pixels wide, light and dark: Live in each mode, Side by side in each
view, photos with one face, several, many and none, a file that is no photo, a video and a benchmark when
they are done. It takes some minutes, most of them for the benchmark. ``--only live photo`` makes those of
some tabs.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from playwright.sync_api import FilePayload, Page

from live_figures import choose_mode, open_page, running_app, start_camera
from pfld.commands.site import write_site

EXAMPLES = Path(__file__).parents[2] / "demo" / "examples"
SIZES = {1440: 900, 1280: 800, 390: 844}  # width: height of the window, in pixels
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SETTLED_MS = 500  # until colours and sizes have changed
MEASURED_MS = 4000  # until a median is there
PATIENCE_MS = 3_600_000  # of a benchmark, on a busy machine as well
MODES = ("train-time", "reparameterized", "onnx", "onnx-int8", "browser")


def live(page: Page) -> Iterator[str]:
    """States of Live; yields the name of each."""
    page.wait_for_selector("#live-view .pf-factor em")  # measured on the example photo
    yield "live"
    start_camera(page, "Live", "#live-view")
    for mode in MODES:
        choose_mode(page, mode)
        page.wait_for_function(  # until enough frames are timed
            "() => !document.querySelector('#live-view .pf-factor span').textContent.includes('frames.')"
        )
        yield f"live-{mode}"
    page.click("#live-view .pf-stop")


def pair(page: Page) -> Iterator[str]:
    """States of Side by side."""
    page.get_by_role("tab", name="Side by side", exact=True).first.click()
    wait_for_words(page, "#pair-view .pf-factor b >> text=/× faster/")  # on the example photo
    yield "pair"
    start_camera(page, "Side by side", "#pair-view")
    for way in ("Two pictures", "Slider", "Differences"):
        page.locator(".pf-ways").get_by_label(way).check()
        page.wait_for_timeout(MEASURED_MS)
        yield f"pair-{way.split()[0].lower()}"
    page.click("#pair-view .pf-stop")
    page.get_by_role("tab", name="Photo", exact=True).last.click()
    page.locator(".pf-example:visible").first.click()
    wait_for_words(page, "#pair-status >> text=both networks got the same")
    yield "pair-photo"


def photo(page: Page) -> Iterator[str]:
    """Photos of one face, several, many and none, and a file that is no photo."""
    page.get_by_role("tab", name="Photo", exact=True).first.click()
    yield "photo"
    for example, name, words in ((0, "one", "/^1 face/"), (2, "several", r"/^\d faces/")):
        page.locator(".pf-example:visible").nth(example).click()
        wait_for_words(page, f"#photo-status >> text={words}")
        yield f"photo-{name}"
    for name, content, words in (
        ("many", encoded(many_faces()), r"/^2\d faces/"),
        ("none", encoded(sky()), "No face"),
        ("bad", b"This is no picture.", "Choose a JPEG"),
    ):
        chosen = FilePayload(name=f"{name}.jpg", mimeType="image/jpeg", buffer=content)
        page.set_input_files("#photo input[type=file]", chosen)
        wait_for_words(page, f"#photo-status >> text={words}")
        yield f"photo-{name}"


def wait_for_words(page: Page, selector: str) -> None:
    """Waits for words that follow from a choice, and for the picture beside them."""
    page.wait_for_selector(selector)
    page.wait_for_timeout(SETTLED_MS)


def many_faces() -> Image.Image:
    """Two portraits in 24 places."""
    portraits = [
        Image.open(EXAMPLES / name).convert("RGB").crop(box).resize((200, 240))
        for name, box in (("astronaut.jpg", (110, 0, 350, 288)), ("hopper.jpg", (60, 20, 460, 500)))
    ]
    picture = Image.new("RGB", (1200, 960))
    for place in range(24):
        row, column = divmod(place, 6)
        picture.paste(portraits[(row + column) % 2], (200 * column, 240 * row))
    return picture


def sky() -> Image.Image:
    """A picture without a face: blue that becomes lighter downwards."""
    light = np.linspace(0.35, 1, 600)[:, None, None] * np.array([150, 200, 250])
    return Image.fromarray(np.broadcast_to(light, (600, 900, 3)).astype(np.uint8))


def encoded(picture: Image.Image) -> bytes:
    """A picture as a JPEG file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=92)
    return file.getvalue()


def video(page: Page) -> Iterator[str]:
    """The example video."""
    page.get_by_role("tab", name="Video", exact=True).first.click()
    yield "video"
    page.locator(".pf-example:visible").first.click()
    page.wait_for_selector("#video-charts svg")
    yield "video-done"


def benchmark(page: Page) -> Iterator[str]:
    """The benchmark, before and after this machine was measured."""
    page.get_by_role("tab", name="Benchmark", exact=True).first.click()
    page.wait_for_selector("#benchmark-errors svg")
    yield "benchmark"
    page.click("#benchmark-start")
    page.wait_for_selector("#benchmark-start[disabled]")
    page.wait_for_selector("#benchmark-start:not([disabled])")
    yield "benchmark-done"


def about(page: Page) -> Iterator[str]:
    """The About tab."""
    page.get_by_role("tab", name="About", exact=True).first.click()
    yield "about"


def site(page: Page) -> Iterator[str]:
    """States of the static page."""
    yield "site"
    page.click("#example")
    page.wait_for_function("() => window.pfld.faces.length > 0")
    yield "site-photo"
    page.click("#back")
    page.click("#start")
    page.wait_for_function("() => window.pfld.running && window.pfld.faces.length > 0")
    page.wait_for_timeout(MEASURED_MS)
    yield "site-camera"


TABS: dict[str, Callable[[Page], Iterator[str]]] = {
    "live": live,
    "pair": pair,
    "photo": photo,
    "video": video,
    "benchmark": benchmark,
    "about": about,
}


def keep(page: Page, folder: Path, states: Iterator[str]) -> None:
    """Writes a picture of each state in each look; the whole page, which may be higher than the window."""
    for name in states:
        for width, height in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                page.evaluate(
                    "dark => document.body.classList.toggle('dark', dark)", scheme == "dark"
                )
                page.wait_for_timeout(SETTLED_MS)
                path = folder / f"{name}-{width}-{scheme}.png"
                page.screenshot(path=path, full_page=True)
        page.set_viewport_size({"width": 1280, "height": 800})
        print(name, flush=True)


def main() -> int:
    """Makes the pictures; returns the exit status."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    from support.browser import served

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    parser.add_argument(
        "--network", default="ghostone-heatmap", help="network shown (default: %(default)s)"
    )
    every = (*TABS, "site")
    parser.add_argument(
        "--only", nargs="+", choices=every, default=every, help="which tabs (default: all)"
    )
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        running_app(Path(name), arguments.network) as (address, _, _),
        open_page(Path(name), address) as page,
    ):
        page.set_default_timeout(PATIENCE_MS)
        for tab, states in TABS.items():
            if tab in arguments.only:
                keep(page, arguments.folder, states(page))
        if "site" in arguments.only:
            write_site(Path(name) / "site")
            with served(Path(name) / "site") as static:
                page.goto(static)
                keep(page, arguments.folder, site(page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
