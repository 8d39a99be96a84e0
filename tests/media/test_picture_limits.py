"""Picture files that take long by how they are made are refused at once; a process decodes what is left."""

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from functools import cache

import numpy as np
import psutil
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from pfld.media import isolated
from pfld.media.isolated import read_picture_isolated
from pfld.media.pictures import read_image, read_picture
from support.bad_pictures import NO_PICTURES, PICTURES, encoded
from support.paths import ROOT

SECONDS = 5  # of computing, the most that a file may take; it takes a hundredth


def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def bits(text):
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


@cache
def progressive(side, scans, *, filling=b""):
    """A JPEG of one grey, after which scans follow that change nothing."""
    blocks = ((side + 7) // 8) ** 2
    one_code = bytes([1] + [0] * 15)
    head = b"\xff\xd8" + segment(0xDB, b"\0" + b"\x10" * 64)
    head += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\x01\x11\x00")
    head += segment(0xC4, b"\x00" + one_code + b"\x00") + segment(
        0xC4, b"\x10" + one_code + b"\xe0"
    )
    head += segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + bits("0" * blocks)
    lengths = [max(min(left, 32767) - 16384, 0) for left in range(blocks, 0, -32767)]
    runs = "".join("0" + format(length, "014b") for length in lengths)
    scan = segment(0xDA, b"\x01\x01\x00\x01\x3f\x00") + bits(runs)
    return head + (filling + scan) * scans + b"\xff\xd9"


def gif(extensions):
    whole = encoded("GIF")
    colors = 13 + 3 * 2 ** ((whole[10] & 7) + 1)
    return whole[:colors] + extensions + whole[colors:]


JPEG = encoded("JPEG")
BOMBS = {
    "scans": progressive(9999, 1500),
    "scans, few pixels": progressive(64, 101),
    "scans with restarts before them": progressive(2000, 500, filling=b"\xff\xd0"),
    "scans with comments before them": progressive(2000, 500, filling=segment(0xFE, b"\xff\xd9")),
    "scans with filling before them": progressive(2000, 500, filling=b"\xff" * 9),
    "comments": JPEG[:2] + segment(0xFE, b"") * 300_000 + JPEG[2:],
    "other segments": JPEG[:2] + segment(0xE5, b"a") * 300_000 + JPEG[2:],
    "filling": JPEG[:2] + b"\xff" * 10**7 + JPEG[2:],
    "filling later": JPEG[:20] + b"\xff" * 10**7 + JPEG[20:],
    "noise between segments": JPEG[:20] + b"\xff\0" * 10**6 + JPEG[20:],
    "GIF comments": gif(b"\x21\xfe\x01a\0" * 500_000),
    "GIF comment of many blocks": gif(b"\x21\xfe" + b"\x01a" * 500_000 + b"\0"),
    "GIF applications": gif(b"\x21\xff\x01a\0" * 500_000),
    "GIF controls": gif(b"\x21\xf9\x04\0\0\0\0\0" * 500_000),
    "PPM comment": b"P6 " + b"#" * 5_000_000 + b"\n9 9 255\n" + bytes(243),
    "PPM comments": b"P6\n" + b"#a\n" * 2_000_000 + b"9 9 255\n" + bytes(243),
    "PGM spaces": b"P5" + b" " * 5_000_000 + b"9 9 255\n" + bytes(81),
    "PBM comment in a number": b"P4 9 #" + b"a" * 5_000_000 + b"\n9\n" + bytes(18),
}


@pytest.mark.parametrize("read", [read_picture, read_image])
@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS.keys())
def test_what_takes_long_is_refused_at_once(tmp_path, data, read):
    (tmp_path / "a.jpg").write_bytes(data)
    begun = time.process_time()
    with pytest.raises(ValueError, match="a.jpg has .* and would take very long to read"):
        read(tmp_path / "a.jpg")
    assert time.process_time() - begun < SECONDS


@pytest.mark.parametrize(
    "data",
    [
        progressive(64, 90),
        encoded("JPEG", progressive=True),
        encoded("JPEG", restart_marker_blocks=1),
        JPEG[:2] + segment(0xFE, b"a" * 60_000) * 300 + JPEG[2:],
        JPEG[:2] + segment(0xE1, b"\xff\xda" * 30_000) + JPEG[2:],
        JPEG + b"\xff\xda" * 100_000,
        JPEG + JPEG * 200,
        gif(b"\x21\xfe" + (b"\xff" + b"a" * 255) * 1000 + b"\0"),
        b"P6 # a comment\n# another\n9 9 255\n" + bytes(243),
    ],
    ids=[
        "scans", "progressive", "restarts", "long comments", "scans in a comment", "noise after it",
        "pictures after it", "GIF comment", "PPM comments",
    ],
)  # fmt: skip
def test_what_does_not_take_long_is_read(tmp_path, data):
    (tmp_path / "a.jpg").write_bytes(data)
    assert read_picture(tmp_path / "a.jpg").ndim == 3


# In a process of its own


@pytest.fixture(scope="module", autouse=True)
def none_left():
    yield
    isolated.end_decoders()


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_the_same(tmp_path, name):
    (tmp_path / "a.png").write_bytes(PICTURES[name])
    assert_array_equal(read_picture_isolated(tmp_path / "a.png"), read_picture(tmp_path / "a.png"))


@pytest.mark.parametrize("name", NO_PICTURES)
def test_errors_are_the_same(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(NO_PICTURES[name])
    for path in ("a.png", tmp_path / "a.png"):
        with pytest.raises(ValueError) as expected:
            read_picture(path)
        with pytest.raises(ValueError) as found:
            read_picture_isolated(path)
        assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("name", ["none.jpg", ".", "a\nb\udcff.jpg", "a" * 5000])
def test_no_file_is_said_so(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="no picture at"):
        read_picture_isolated(tmp_path / name)


def test_names_may_have_any_bytes(tmp_path):
    path = tmp_path / "a\nb \udcff\u202e.png"
    path.write_bytes(PICTURES["cmyk"])
    assert_array_equal(read_picture_isolated(path), read_picture(path))


def test_the_process_is_kept_for_the_next_picture(tmp_path):
    (tmp_path / "a.png").write_bytes(PICTURES["cmyk"])
    read_picture_isolated(tmp_path / "a.png")
    (first,) = {decoder.process.pid for decoder in isolated._IDLE}
    with pytest.raises(ValueError):
        read_picture_isolated(ROOT / "README.md")
    read_picture_isolated(tmp_path / "a.png")
    assert {decoder.process.pid for decoder in isolated._IDLE} == {first}


def slow(path):
    """A picture that takes some seconds: fewer scans than are refused, of many pixels."""
    path.write_bytes(progressive(9999, 99))
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_picture_that_takes_too_long_is_given_up(tmp_path):
    (tmp_path / "a.png").write_bytes(PICTURES["cmyk"])
    read_picture_isolated(tmp_path / "a.png")  # starts a process
    with pytest.raises(ValueError, match="a.jpg takes more than 0.1 seconds"):
        read_picture_isolated(slow(tmp_path / "a.jpg"), seconds=0.1)
    assert not isolated._IDLE
    assert_array_equal(read_picture_isolated(tmp_path / "a.png"), read_picture(tmp_path / "a.png"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_picture_that_takes_too_much_memory_is_refused(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((9000, 9000), np.uint8)).save(path)
    with pytest.raises(ValueError, match="a.png takes more "):
        read_picture_isolated(path, memory=500 * 2**20)
    assert read_picture_isolated(path).shape == (9000, 9000, 3)


def test_threads_have_a_process_each(tmp_path):
    names = [name for name in PICTURES if name != "40000x2"][:6]
    for name in names:
        (tmp_path / name).write_bytes(PICTURES[name])
    found = {}
    threads = [
        threading.Thread(target=lambda n=name: found.update({n: read_picture_isolated(tmp_path / n)}))
        for name in names
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names:
        assert_array_equal(found[name], read_picture(tmp_path / name))
    assert len(isolated._IDLE) <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_process_that_is_killed_is_replaced(tmp_path):
    (tmp_path / "a.png").write_bytes(PICTURES["cmyk"])
    read_picture_isolated(tmp_path / "a.png")
    for decoder in isolated._IDLE:
        os.kill(decoder.process.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert read_picture_isolated(tmp_path / "a.png").ndim == 3


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc")
@pytest.mark.parametrize("end", ["pass", "import os; os._exit(0)"], ids=["end", "sudden end"])
def test_no_process_stays(tmp_path, end):
    (tmp_path / "a.png").write_bytes(PICTURES["cmyk"])
    (tmp_path / "json.py").write_text("open('ran', 'w')")
    code = (
        "import sys; sys.path[0] = sys.argv[1]\n"
        "from pfld.media import isolated\n"
        "isolated.read_picture_isolated('a.png')\n"
        f"print(isolated._IDLE[0].process.pid, flush=True)\n{end}"
    )
    command = [sys.executable, "-c", code, str(ROOT)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ends(int(done.stdout), within_s=10)
    assert not (tmp_path / "ran").exists()  # no module of the folder that pictures lie in


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("busy", [False, True], ids=["waiting", "busy"])
def test_processes_end_with_the_one_that_is_killed(tmp_path, busy, number):
    """Also in the middle of a picture that takes some seconds."""
    (tmp_path / "a.png").write_bytes(PICTURES["cmyk"])
    if busy:
        slow(tmp_path / "slow.jpg")
    code = (
        "import sys, time; sys.path[0] = sys.argv[1]\n"
        "from pfld.media import isolated\n"
        "isolated.read_picture_isolated('a.png')\n"
        "print(isolated._IDLE[0].process.pid, flush=True)\n"
        + ("isolated.read_picture_isolated('slow.jpg')" if busy else "time.sleep(60)")
    )
    command = [sys.executable, "-c", code, str(ROOT)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as asking:
        decoder = psutil.Process(int(asking.stdout.readline()))
        before_s = sum(decoder.cpu_times()[:2])
        while busy and sum(decoder.cpu_times()[:2]) < before_s + 0.2:  # it has begun
            time.sleep(0.01)
        asking.send_signal(number)
    assert ends(decoder.pid, within_s=2)


def ends(pid, within_s):
    """Whether a process ends, or is a zombie, in that time."""
    until = time.monotonic() + within_s
    while not gone(pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
