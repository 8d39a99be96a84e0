"""Example pictures and video of the app, made from portraits: ``python tools/results/make_examples.py``.

Reads ``astronaut.jpg`` and ``hopper.jpg`` in ``demo/examples`` and writes the others there. They show what
makes faces hard to find. Noise comes from a fixed seed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pfld.geometry import FaceCrop
from pfld.media.pictures import read_picture
from pfld.media.video import VideoWriter

EXAMPLES = Path(__file__).parents[2] / "demo" / "examples"
QUALITY = 85  # of JPEG files
RATE = 15.0  # frames per second of the video
SECONDS = 5
VIDEO_WH = 480, 360
MARGIN = 120  # pixels around the portraits, mirrored, that the camera may reach into

Picture = NDArray[np.uint8]


def several_faces(first: Picture, second: Picture) -> Picture:
    """Both portraits beside each other in several sizes, some of them mirrored; ``(600, 1182, 3)``."""
    canvas = np.full((600, 1182, 3), 235, np.uint8)
    places = (  # picture, mirrored, left, top, height
        (first, False, 0, 0, 600), (second, False, 512, 0, 360), (first, True, 872, 0, 290),
        (second, True, 872, 290, 310), (first, False, 512, 360, 240), (second, True, 717, 360, 120),
        (first, True, 717, 480, 120), (second, False, 819, 480, 60), (first, False, 819, 540, 60),
    )  # fmt: skip
    for picture, mirrored, left, top, height in places:
        width = round(picture.shape[1] * height / picture.shape[0])
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        small = small[:, ::-1] if mirrored else small
        room = canvas[top : top + height, left : left + width]
        room[:] = small[: room.shape[0], : room.shape[1]]
    return canvas


def cut_by_border(picture: Picture) -> Picture:
    """The part of Grace Hopper's portrait whose left border goes through her face."""
    return np.ascontiguousarray(picture[60:400, 262:512])


def covered(picture: Picture) -> Picture:
    """Grace Hopper's portrait with a sheet of paper, drawn, before mouth and chin."""
    sheet = np.array([[150, 272], [395, 240], [420, 430], [175, 462]], np.int32)
    shadow = np.zeros(picture.shape[:2], np.float32)
    cv2.fillConvexPoly(shadow, sheet + np.array([6, 8]), 0.55)
    shade = 1 - cv2.GaussianBlur(shadow, (0, 0), 6)[..., None]
    drawn = (picture * shade).astype(np.uint8)
    cv2.fillConvexPoly(drawn, sheet, (232, 228, 214), cv2.LINE_AA)
    for share in np.linspace(0.15, 0.85, 8):
        left, right = (sheet[a] + share * (sheet[b] - sheet[a]) for a, b in ((0, 3), (1, 2)))
        ends = (left + 0.1 * (right - left), right - 0.1 * (right - left))
        start, end = (tuple(np.round(point).astype(int).tolist()) for point in ends)
        cv2.line(drawn, start, end, (150, 150, 160), 2, cv2.LINE_AA)
    return drawn


def low_light(picture: Picture, seed: int = 0) -> Picture:
    """A picture as a small camera takes it with a hundredth of the light: dark, reddish and noisy."""
    rng = np.random.default_rng(seed)
    linear = (picture / 255.0) ** 2.2 * (0.01 * np.array([1.15, 1.0, 0.8]))
    electrons = rng.poisson(linear * 900) + rng.normal(0, 1.5, picture.shape)
    return (255 * np.clip(electrons / 900, 0, 1) ** (1 / 2.2) + 0.5).astype(np.uint8)


def shaken(picture: Picture, length: int = 23, degrees: float = 25) -> Picture:
    """A picture as from a camera that moved ``length`` pixels in a straight line while it was taken."""
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    dx, dy = middle * math.cos(math.radians(degrees)), middle * math.sin(math.radians(degrees))
    start, end = ((round(middle - sign * dx), round(middle - sign * dy)) for sign in (1, -1))
    cv2.line(kernel, start, end, 1.0)
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


def moving_camera(first: Picture, second: Picture) -> Iterator[Picture]:
    """Frames of a camera that moves from one portrait to the other, turns, zooms and blurs a little."""
    height = 600
    wide = np.hstack(
        [
            cv2.resize(picture, (round(picture.shape[1] * height / picture.shape[0]), height))
            for picture in (first, second)
        ]
    )
    wide = cv2.copyMakeBorder(wide, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REFLECT)
    width, short = VIDEO_WH
    frames = round(RATE * SECONDS)
    for index in range(frames):
        phase = index / (frames - 1)
        along = 0.5 - 0.5 * math.cos(2 * math.pi * phase)  # to the second face and back
        x = 290 + 540 * along + 12 * math.sin(9 * math.pi * phase)
        y = 215 + 30 * along + 8 * math.sin(7 * math.pi * phase)
        side = 560 - 150 * math.sin(2 * math.pi * phase) ** 2
        roll = math.radians(14) * math.sin(4 * math.pi * phase)
        frame = FaceCrop(x + MARGIN, y + MARGIN, side, roll).extract(wide, width)
        top = (width - short) // 2
        yield cv2.GaussianBlur(frame[top : top + short], (0, 0), 0.6)


def make(folder: Path) -> None:
    """Writes all examples that are made into a folder that has the portraits."""
    astronaut, hopper = (read_picture(folder / f"{name}.jpg") for name in ("astronaut", "hopper"))
    pictures = {
        "several": several_faces(hopper, astronaut),
        "cut": cut_by_border(hopper),
        "covered": covered(hopper),
        "dark": low_light(astronaut),
        "shaken": shaken(astronaut),
    }
    for name, picture in pictures.items():
        cv2.imwrite(
            str(folder / f"{name}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )
    with VideoWriter(folder / "moving.mp4", VIDEO_WH[::-1], RATE) as writer:
        for frame in moving_camera(astronaut, hopper):
            writer.write(frame)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=EXAMPLES, help="demo/examples by default")
    make(parser.parse_args().folder)
