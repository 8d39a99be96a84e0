"""Pictures looked at by a process of its own: what comes back, and what happens when it takes too much."""

import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest

from pfld.media import isolated
from pfld.media.isolated import look_isolated, read_picture_isolated
from pfld.media.pictures import read_picture
from support import looks
from support.paths import PORTRAIT, ROOT

IMAGE = np.arange(40 * 30 * 3, dtype=np.uint32).reshape(40, 30, 3).astype(np.uint8)
LIMITS = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")


@pytest.fixture(autouse=True)
def none_left():
    yield
    isolated.end_decoders()


@pytest.mark.parametrize(
    "image",
    [IMAGE, IMAGE[::-1, ::2], np.zeros((0, 5, 3), np.uint8), np.ones((2500, 2000, 3), np.uint8)],
    ids=["small", "parts", "empty", "larger than a pipe"],
)
def test_the_process_sees_the_picture(image):
    said = look_isolated(looks.about, image)
    assert said["shape"] == list(image.shape) and said["sum"] == image.sum()
    assert said["pid"] != os.getpid()


def test_one_process_reads_and_looks_and_its_seconds_are_counted():
    before_s = isolated.seconds_for_this_thread()
    first = look_isolated(looks.about, IMAGE)["pid"]
    assert (read_picture_isolated(PORTRAIT) == read_picture(PORTRAIT)).all()
    assert look_isolated(looks.about, IMAGE)["pid"] == first
    assert isolated.seconds_for_this_thread() > before_s


def test_what_the_function_refuses_is_told_in_its_words():
    with pytest.raises(ValueError, match="^the picture is too grey$"):
        look_isolated(looks.refused, IMAGE)
    assert isolated._IDLE  # the process is fine


@pytest.mark.parametrize(
    ("look", "words"),
    [
        pytest.param(looks.endless, "this picture takes more than 0.2 seconds .* to look at", marks=LIMITS),
        pytest.param(looks.greedy, "this picture takes too much memory to look at", marks=LIMITS),
        (looks.crash, "this picture takes more than 0.2 seconds or 4 GB to look at"),
        (looks.mistaken, "this picture takes more than 0.2 seconds or 4 GB to look at"),
    ],
)  # fmt: skip
def test_a_look_that_fails_is_told_in_words_and_the_next_one_works(look, words):
    look_isolated(looks.about, IMAGE)
    with pytest.raises(ValueError, match=words):
        look_isolated(look, IMAGE, seconds=0.2)
    assert look_isolated(looks.about, IMAGE)["sum"] == IMAGE.sum()


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_process_that_looks_ends_with_the_one_that_is_killed(number):
    code = (
        "import sys, threading, time; sys.path[:0] = sys.argv[1:]\n"
        "import numpy as np\n"
        "from pfld.media import isolated\n"
        "from support import looks\n"
        "image = np.zeros((8, 8, 3), np.uint8)\n"
        "print(isolated.look_isolated(looks.about, image)['pid'], flush=True)\n"
        "isolated.look_isolated(looks.endless, image)\n"
    )
    command = [sys.executable, "-c", code, str(ROOT), str(ROOT / "tests")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
        process = psutil.Process(int(asking.stdout.readline()))
        while sum(process.cpu_times()[:2]) < 1 and process.status() != psutil.STATUS_RUNNING:
            pass
        asking.send_signal(number)
    psutil.wait_procs([process], timeout=5)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
