"""A film of a public-domain portrait that Chromium takes for a camera."""

import shutil

import cv2
import numpy as np

from support.paths import PORTRAIT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def portrait(turn=0.0, size_hw=(480, 640)):
    """A BGR frame with the portrait, moved and enlarged as on a circle; ``turn`` in circles."""
    angle, (height, width) = 2 * np.pi * turn, size_hw
    zoom = 1 + 0.15 * np.sin(angle)
    x, y = width / 2 - 226 * zoom + 70 * np.cos(angle), height / 2 - 200 * zoom
    matrix = np.float32([[zoom, 0, x], [0, zoom, y]])
    image = cv2.imread(str(PORTRAIT))
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def write_camera(path, frames, rate=15):
    """A .y4m file, which Chromium plays over and over in place of a camera."""
    height, width = frames[0].shape[:2]
    with open(path, "wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


def camera_flags(path):
    """What makes Chromium take a .y4m file for its camera, and allow it."""
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
    )
