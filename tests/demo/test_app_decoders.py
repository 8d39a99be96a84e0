"""Processes that decode photos for the app: with a low priority, and ended with it."""

import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from pfld.media import isolated
from support.bad_pictures import PICTURES
from support.paths import PORTRAIT, ROOT

LINUX = sys.platform.startswith("linux")


@pytest.fixture(autouse=True)
def none_left():
    isolated.end_decoders()
    yield
    isolated.end_decoders()
    isolated.lower_priority(0)


@pytest.mark.skipif(not LINUX, reason="looks at Linux's priorities")
@pytest.mark.parametrize("niceness", [0, 7])
def test_decoders_have_the_priority_that_is_asked_for(niceness):
    isolated.lower_priority(niceness)
    isolated.read_picture_isolated(PORTRAIT)
    (decoder,) = isolated._ALL
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, decoder.process.pid) == min(own + niceness, 19)
    try:
        session = open(f"/proc/{decoder.process.pid}/autogroup").read()
    except OSError:
        return  # this kernel does not weigh sessions
    if "nice" in session:
        assert session.split()[-1] == str(niceness)


def test_seconds_are_counted_for_the_thread_that_asks(tmp_path):
    before_s = isolated.seconds_for_this_thread()
    thread = threading.Thread(target=isolated.read_picture_isolated, args=(PORTRAIT,))
    thread.start()
    thread.join()
    assert isolated.seconds_for_this_thread() == before_s
    for _ in range(20):  # the system's clock of computing may be too coarse for one
        isolated.read_picture_isolated(PORTRAIT)
    assert 0 < isolated.seconds_for_this_thread() - before_s < isolated.SECONDS


def test_all_decoders_end_even_in_the_middle_of_a_picture(tmp_path):
    from PIL import Image

    (tmp_path / "a.png").write_bytes(PICTURES["cmyk"])
    Image.new("RGB", (9000, 9000)).save(tmp_path / "large.png")
    said = []

    def read():
        try:
            isolated.read_picture_isolated(tmp_path / "large.png")
        except ValueError as error:
            said.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    while not isolated._ALL:
        time.sleep(0.01)
    (decoder,) = isolated._ALL
    while psutil.Process(decoder.process.pid).memory_info().rss < 150 * 2**20:  # it decodes
        time.sleep(0.01)
    isolated.end_decoders()
    thread.join()
    assert decoder.process.poll() is not None and said and not isolated._ALL
    assert isolated.read_picture_isolated(tmp_path / "a.png").ndim == 3  # others come


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc")
def test_the_app_ends_its_decoders_before_it_ends(tmp_path):
    """Otherwise they would end a moment later, when they see that nobody is left to ask."""
    code = (
        "import os, sys; sys.path[:0] = sys.argv[1:]\n"
        "import app\n"
        "from pfld.media import isolated\n"
        "def serve(*_):\n"
        "    isolated.read_picture_isolated(os.environ['PICTURE'])\n"
        "    print(isolated._IDLE[0].process.pid, flush=True)\n"
        "    raise KeyboardInterrupt\n"
        "app._serve = serve\n"
        "status = app.main(['--port', '0'])\n"
        "import psutil\n"
        "print(psutil.Process().children(), status, flush=True)\n"
        "os._exit(0)\n"
    )
    command = [sys.executable, "-c", code, str(ROOT), str(ROOT / "demo")]
    environment = os.environ | {"TMPDIR": str(tmp_path), "PICTURE": str(PORTRAIT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    pid, left = done.stdout.splitlines()[-2:]
    assert left == "[] 130" and not psutil.pid_exists(int(pid))
