"""Animation docs/reparameterization.webp of both network forms: ``python tools/results/moving_picture.py``.

A camera moves over a public-domain portrait. The train-time network finds the landmarks on the left, the
re-parameterized one on the right, in the same frames. Under each side are its parameters,
multiplications and milliseconds from docs/speed.json. Nothing is random and nothing is timed, so the
same files always give the same picture. ``--machine`` says where docs/speed.json was measured.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pfld.draw import draw_faces
from pfld.files import write_whole
from pfld.geometry import FaceCrop
from pfld.media.pictures import read_picture
from pfld.runtime.landmarker import FaceLandmarker
from pfld.tracking.tracker import FaceTracker

ROOT = Path(__file__).parents[2]
PORTRAIT = ROOT / "demo" / "examples" / "astronaut.jpg"
FACE_X, FACE_Y, FACE_SIDE = 222, 121, 260  # what the camera looks at, in pixels of the portrait
FORMS = ("train-time", "reparameterized")

WIDTH, HEIGHT = 800, 582
MARGIN, GAP, TOP = 12, 8, 66
PANEL_W = (WIDTH - 2 * MARGIN - GAP) // 2
PANEL_H = PANEL_W * 3 // 4
CAMERA_W, CAMERA_H = 640, 480
BACKGROUND, TRACK = (15, 20, 28), (38, 46, 58)
WHITE, GREY = (240, 244, 250), (152, 164, 180)
SIDES = ((245, 170, 80), (80, 210, 150))  # colours of the train-time and of the fused network


def camera(frames: int) -> Iterator[NDArray[np.uint8]]:
    """Frames of a camera that moves, turns and zooms over the portrait; the last leads to the first.

    Frames are ``(CAMERA_H, CAMERA_W, 3)`` uint8 RGB.
    """
    portrait = read_picture(PORTRAIT)
    top = (CAMERA_W - CAMERA_H) // 2
    for index in range(frames):
        phase = 2 * math.pi * index / frames
        crop = FaceCrop(
            FACE_X + 14 * math.sin(phase),
            FACE_Y + 6 * math.cos(2 * phase),
            FACE_SIDE * (1 - 0.1 * math.cos(phase)),
            math.radians(9) * math.sin(phase + 0.6),
        )
        yield crop.extract(portrait, CAMERA_W)[top : top + CAMERA_H]


def with_landmarks(
    form: str, network: str, pictures: list[NDArray[np.uint8]], rate: float
) -> list[Image.Image]:
    """The pictures with the landmarks of one form of the network, in the size of a panel."""
    tracker = FaceTracker(FaceLandmarker.from_pretrained(network, form), max_faces=1)
    panels = []
    # Two rounds, of which the second is shown: so tracking has settled, and the loop closes smoothly.
    for index, picture in enumerate(pictures + pictures):
        faces = tracker(picture, index / rate)
        if index >= len(pictures):
            drawn = Image.fromarray(draw_faces(picture, faces))
            panels.append(drawn.resize((PANEL_W, PANEL_H), Image.Resampling.LANCZOS))
    return panels


def speeds_of(network: str) -> dict[str, dict[str, Any]]:
    """The entries of docs/speed.json for a network on one thread, by backend.

    Raises:
        ValueError: When one of the forms shown is missing.
    """
    path = ROOT / "docs" / "speed.json"
    rows = json.loads(path.read_text())["backends"]
    found = {
        row["backend"]: row for row in rows if (row["network"], row["threads"]) == (network, 1)
    }
    if missing := {*FORMS, "onnx"} - found.keys():
        raise ValueError(
            f"{path} has no {', '.join(sorted(missing))} of {network}; measure it first"
        )
    return found


def card(network: str, machine: str) -> Image.Image:
    """The still part of the picture: headings, figures and the factors between them."""
    speeds = speeds_of(network)
    before, after = (speeds[form] for form in FORMS)
    image = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    draw = ImageDraw.Draw(image)
    middles = (MARGIN + PANEL_W / 2, WIDTH - MARGIN - PANEL_W / 2)
    headings = (
        ("Train-time", "many branches in each block"),
        ("Re-parameterized", "the same block as one convolution"),
    )
    for middle, color, (title, below) in zip(middles, SIDES, headings):
        draw.text((middle, 24), title, color, font(24, bold=True), anchor="mm")
        draw.text((middle, 49), below, GREY, font(15), anchor="mm")

    rows = (
        ("parameters", "fewer", "parameters", lambda n: f"{n / 1e6:.2f} M"),
        ("multiplications", "fewer", "macs", lambda n: f"{n / 1e6:.0f} M"),
        ("time for one face", "faster", "p50_ms", lambda ms: f"{ms:.1f} ms"),
    )
    y = TOP + PANEL_H + 30
    for label, better, key, text in rows:
        for middle, color, speed in zip(middles, SIDES, (before, after)):
            outer = middle + math.copysign(38, middle - WIDTH / 2)
            draw.text((outer, y), text(speed[key]), color, font(32, bold=True), anchor="mm")
        draw.text((WIDTH / 2, y - 10), label, GREY, font(15), anchor="mm")
        factor = f"{before[key] / after[key]:.1f} times {better}"
        draw.text((WIDTH / 2, y + 11), factor, WHITE, font(17, bold=True), anchor="mm")
        y += 48

    y -= 20
    for left, color, speed in zip((MARGIN, WIDTH - MARGIN - PANEL_W), SIDES, (before, after)):
        length = PANEL_W * speed["p50_ms"] / before["p50_ms"]
        draw.rounded_rectangle((left, y, left + PANEL_W, y + 8), 4, TRACK)
        draw.rounded_rectangle((left, y, left + length, y + 8), 4, color)

    onnx, apart = speeds["onnx"], after["difference_px"]
    faster = before["p50_ms"] / onnx["p50_ms"]
    lines = (
        f"The same 98 points, at most {apart:.5f} pixels apart.  "
        f"As an ONNX file: {onnx['p50_ms']:.1f} ms, {faster:.0f} times faster.",
        f"{network}, median for one face, one thread of an {machine}",
    )
    draw.text((WIDTH / 2, y + 33), lines[0], WHITE, font(15), anchor="mm")
    draw.text((WIDTH / 2, y + 57), lines[1], GREY, font(13), anchor="mm")
    return image


def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with Matplotlib."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / f"DejaVuSans{'-Bold' if bold else ''}.ttf", size)


def main() -> int:
    """Draws and writes the animation; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--network", default="ghostone", help="network shown (default: %(default)s)"
    )
    parser.add_argument(
        "--machine",
        default="Intel Xeon with AVX-512",
        help="where docs/speed.json was measured (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "docs" / "reparameterization.webp",
        help="animated WebP file (default: docs/reparameterization.webp)",
    )
    parser.add_argument(
        "--frames", type=int, default=60, help="frames of the loop (default: %(default)s)"
    )
    parser.add_argument("--rate", type=float, default=16, help="frames/s (default: %(default)s)")
    parser.add_argument(
        "--quality", type=int, default=58, help="WebP quality, 0 to 100 (default: %(default)s)"
    )
    arguments = parser.parse_args()

    still = card(arguments.network, arguments.machine)
    pictures = list(camera(arguments.frames))
    sides = [with_landmarks(f, arguments.network, pictures, arguments.rate) for f in FORMS]
    frames = []
    for left, right in zip(*sides):
        frame = still.copy()
        frame.paste(left, (MARGIN, TOP))
        frame.paste(right, (WIDTH - MARGIN - PANEL_W, TOP))
        frames.append(frame)
    buffer = BytesIO()
    frames[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=round(1000 / arguments.rate),
        loop=0,
        quality=arguments.quality,
        method=6,
        minimize_size=True,
    )
    write_whole(arguments.out, buffer.getvalue())
    print(f"{arguments.out}: {len(frames)} frames, {len(buffer.getvalue()) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
