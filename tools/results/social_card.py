"""Pictures of links to the app and the static page: ``python tools/results/social_card.py``.

Writes ``pfld/web/site/preview.jpg``, which chats and social networks show with a link, and ``icon.png``
beside it, from ``icon.svg``. The face is a public-domain portrait with the landmarks of both forms of a
network; figures are those of docs/speed.json. Needs Chromium, for the icon.
"""

from __future__ import annotations

import argparse
import sys
from io import BytesIO

from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright

from moving_picture import (
    BACKGROUND,
    FACE_SIDE,
    FACE_X,
    FACE_Y,
    FORMS,
    GREY,
    PORTRAIT,
    ROOT,
    SIDES,
    WHITE,
    font,
    speeds_of,
)
from pfld.draw import draw_faces
from pfld.files import write_whole
from pfld.geometry import FaceCrop
from pfld.media.pictures import read_picture
from pfld.runtime.landmarker import FaceLandmarker
from pfld.web.link_preview import PICTURE, PICTURE_WH

PANEL, MARGIN, TOP = 400, 56, 100  # pixels: side of a face's picture, its place
ICON_SIDE = 180


def card(network: str, machine: str) -> Image.Image:
    """The picture of a link: the same points from both forms, and the factor between their times."""
    width, height = PICTURE_WH
    speeds = speeds_of(network)
    before, after = (speeds[form] for form in FORMS)
    image = Image.new("RGB", PICTURE_WH, BACKGROUND)
    draw = ImageDraw.Draw(image)
    draw.text((width / 2, 48), "98 points, live on a CPU", WHITE, font(52, bold=True), anchor="mm")
    places = (MARGIN, width - MARGIN - PANEL)
    for form, title, speed, color, left in zip(
        FORMS, ("Many branches", "Folded into one"), (before, after), SIDES, places, strict=True
    ):
        draw.rectangle((left - 5, TOP - 5, left + PANEL + 4, TOP + PANEL + 4), color)
        image.paste(face(network, form), (left, TOP))
        middle = left + PANEL / 2
        draw.text((middle, TOP + PANEL + 34), title, color, font(36, bold=True), anchor="mm")
        size = f"{speed['parameters'] / 1e6:.2f} million parameters"
        draw.text((middle, TOP + PANEL + 75), size, WHITE, font(26), anchor="mm")

    middle, y = width / 2, TOP + PANEL / 2
    factor = before["p50_ms"] / after["p50_ms"]
    draw.text((middle, y - 86), f"{factor:.0f}×", WHITE, font(104, bold=True), anchor="mm")
    draw.text((middle, y - 8), "faster", WHITE, font(42, bold=True), anchor="mm")
    draw.line((middle - 90, y + 50, middle + 70, y + 50), SIDES[1], 12)
    draw.polygon([(middle + 60, y + 24), (middle + 104, y + 50), (middle + 60, y + 76)], SIDES[1])
    draw.text((middle, y + 122), "same points", WHITE, font(36, bold=True), anchor="mm")
    told = f"{network}, PyTorch, one face on one thread of an {machine}"
    draw.text((middle, height - 20), told, GREY, font(16), anchor="mm")
    return image


def face(network: str, form: str) -> Image.Image:
    """The portrait's face with the landmarks of one form of a network, PANEL pixels wide and high."""
    crop = FaceCrop(FACE_X, FACE_Y, FACE_SIDE * 0.8)
    picture = crop.extract(read_picture(PORTRAIT), 2 * PANEL)
    faces = FaceLandmarker.from_pretrained(network, form)(picture)
    drawn = Image.fromarray(draw_faces(picture, faces))
    return drawn.resize((PANEL, PANEL), Image.Resampling.LANCZOS)


def icon() -> bytes:
    """The page's icon as PNG, for programs that take no SVG."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.running_app import launch_chromium

    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        page = browser.new_page(viewport={"width": ICON_SIDE, "height": ICON_SIDE})
        drawing = PICTURE.with_name("icon.svg").read_text(encoding="utf-8")
        page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{drawing}")
        picture = page.screenshot(omit_background=True)
        browser.close()
    return picture


def main(argv: list[str] | None = None) -> int:
    """Draws and writes both pictures; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--network", default="ghostone-heatmap", help="network shown (default: %(default)s)"
    )
    parser.add_argument(
        "--machine",
        default="Intel Xeon with AVX-512",
        help="where docs/speed.json was measured (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    buffer = BytesIO()
    card(arguments.network, arguments.machine).save(buffer, "JPEG", quality=86, optimize=True)
    write_whole(PICTURE, buffer.getvalue())
    write_whole(PICTURE.with_name("icon.png"), icon())
    print(f"{PICTURE}: {len(buffer.getvalue()) / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
