"""The app in a process of its own, and Chromium in front of a camera."""

import re
import subprocess
import sys
import time

from support.fake_camera import CHROMIUM, QUIET, camera_flags
from support.paths import ROOT

APP = ROOT / "demo" / "app.py"
START_S = 180


def start_app(log, *options, script=APP, **how):
    """Starts the app at a free port; its process and its address, once it answers.

    What it prints goes into the file ``log``; ``how`` goes to ``subprocess.Popen``.
    """
    command = [sys.executable, script, *options, "--port", "0"]
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **how)
    deadline = time.monotonic() + START_S
    try:
        while not (found := re.search(r"Open (http\S+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
    except BaseException:
        process.kill()
        raise
    return process, found[1]


def launch_chromium(playwright, film=None, flags=()):
    """A headless browser, with a .y4m film in place of a camera."""
    flags = [*QUIET, *(camera_flags(film) if film else ()), *flags]
    return playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=flags)
