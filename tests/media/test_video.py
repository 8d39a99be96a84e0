"""Videos written and read again, damaged ones, and captures that say strange things.

Real cameras are not tested: a video file plays the camera.
"""

import math
import struct

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from pfld.media.containers import is_video_container
from pfld.media.video import VideoReader, VideoWriter

SIZE_HW = (48, 64)
LEFT, RIGHT = (200, 60, 20), (20, 60, 200)
MP4_START = b"\0\0\0\x18ftypisom"


def frames(count, size_hw=SIZE_HW):
    """Pictures with a left half, a right half and noise above, so that none is small as a file."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        image = np.empty((*size_hw, 3), np.uint8)
        image[:, : size_hw[1] // 2], image[:, size_hw[1] // 2 :] = LEFT, RIGHT
        image[: size_hw[0] // 3] = rng.integers(0, 256, (size_hw[0] // 3, size_hw[1], 3))
        yield image


def written(path, count=12, rate=25.0, size_hw=SIZE_HW):
    with VideoWriter(path, size_hw, rate) as writer:
        for image in frames(count, size_hw):
            writer.write(image)
    return path


def motion_jpeg(path, count=40):
    """An .avi, whose frames stand one after the other and can be cut off."""
    fourcc = cv2.VideoWriter_fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), fourcc, 12.5, SIZE_HW[::-1])
    for image in frames(count):
        writer.write(image)
    writer.release()
    return path


def cut(path, part):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    return path


class Capture:
    """In place of cv2.VideoCapture: frames at certain times, with properties."""

    def __init__(self, times_ms, **properties):
        self._times_ms = list(times_ms)
        self._properties = {getattr(cv2, f"CAP_PROP_{name}"): v for name, v in properties.items()}
        self._position = -1

    def isOpened(self):
        return True

    def grab(self):
        self._position += 1
        return self._position < len(self._times_ms)

    def read(self):
        found = self.grab()
        return found, np.zeros((*SIZE_HW, 3), np.uint8) if found else None

    def get(self, name):
        if name == cv2.CAP_PROP_POS_MSEC:
            return self._times_ms[min(self._position, len(self._times_ms) - 1)]
        return self._properties.get(name, 0.0)

    def set(self, *_):
        return False

    def release(self):
        pass


def times_of(monkeypatch, tmp_path, times_ms, **properties):
    """The reader of such a capture, and the times it gives."""
    (tmp_path / "any.mp4").write_bytes(MP4_START)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: Capture(times_ms, **properties))
    with VideoReader(tmp_path / "any.mp4") as reader:
        return reader, [time_s for time_s, _ in reader]


@pytest.mark.parametrize("rate", [0.5, 7, 12.5, 24000 / 1001, 29.97, 59.94, 240])
def test_what_is_written_is_read_again(tmp_path, rate):
    with VideoReader(written(tmp_path / "a.mp4", rate=rate)) as reader:
        assert_allclose(reader.rate, rate, rtol=1e-4)
        assert (reader.num_frames, reader.size_hw) == (12, SIZE_HW)
        times_s, images = zip(*reader)
    assert_allclose(times_s, np.arange(12) / rate, rtol=1e-4, atol=1e-6)
    assert (reader.num_read, reader.num_missing) == (12, 0)
    for image in images:
        assert image.shape == (*SIZE_HW, 3) and image.dtype == np.uint8
        assert_allclose(image[32, 16], LEFT, atol=25)  # colors are coarse in videos
        assert_allclose(image[32, 48], RIGHT, atol=25)


def test_a_rate_too_odd_for_the_codec_is_rounded(tmp_path):
    with VideoReader(written(tmp_path / "a.mp4", rate=1000 / 3)) as reader:
        assert reader.rate == 333 and reader.num_frames == 12


@pytest.mark.parametrize("size_hw", [(47, 63), (48, 63), (47, 64), (2, 2), (3, 5)])
def test_sides_become_even_by_leaving_out_the_last_pixels(tmp_path, size_hw):
    with VideoReader(written(tmp_path / "a.mp4", size_hw=size_hw)) as reader:
        assert reader.size_hw == tuple(side // 2 * 2 for side in size_hw)


def test_a_webm_is_read_as_it_was_written(tmp_path):
    with VideoReader(written(tmp_path / "a.webm", count=12, rate=25.0)) as reader:
        images = [image for _, image in reader]
    assert (reader.rate, reader.num_read, reader.num_missing) == (25.0, 12, 0)
    assert_allclose(images[-1][32, 16], LEFT, atol=25)


def test_a_suffix_that_no_codec_goes_with_is_refused(tmp_path):
    with pytest.raises(ValueError, match="ends in .mp4 or .webm, got .*a.txt"):
        VideoWriter(tmp_path / "a.txt", SIZE_HW, 25)


def test_frames_of_another_size_are_stretched(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", SIZE_HW, 25) as writer:
        writer.write(next(frames(1)))
        writer.write(next(frames(1, (100, 200))))
    with VideoReader(tmp_path / "a.mp4") as reader:
        _, (_, second) = reader
    assert_allclose(second[32, 16], LEFT, atol=25)
    assert_allclose(second[32, 48], RIGHT, atol=25)


@pytest.mark.parametrize("size_hw, rate", [((1, 64), 25.0), ((48, 1), 25.0), (SIZE_HW, 0.0)])
def test_what_no_codec_takes_is_refused(tmp_path, size_hw, rate):
    with pytest.raises(ValueError, match="can be written"):
        VideoWriter(tmp_path / "a.mp4", size_hw, rate)


def test_frames_that_did_not_get_into_the_file_are_missed(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4", SIZE_HW, 25)
    for image in frames(5):
        writer.write(image)
    writer.num_written += 1
    with pytest.raises(OSError, match="5 of 6 frames are in .*a.mp4"):
        writer.close()


def test_an_error_while_writing_is_passed_on(tmp_path):
    with pytest.raises(KeyError):
        with VideoWriter(tmp_path / "a.mp4", SIZE_HW, 25):
            raise KeyError


@pytest.mark.parametrize(
    "matrix, left_at, right_at",
    [
        ((0, 1, -1, 0), (16, 16), (48, 16)),
        ((0, -1, 1, 0), (48, 32), (16, 32)),
        ((-1, 0, 0, -1), (16, 48), (16, 16)),
    ],
    ids=["clockwise", "counterclockwise", "half turn"],
)
def test_frames_are_upright(tmp_path, matrix, left_at, right_at):
    path = written(tmp_path / "a.mp4")
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # of the display matrix in the track's header
    a, b, c, d = (number * 0x10000 for number in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path.write_bytes(data)
    with VideoReader(path) as reader:
        _, image = next(iter(reader))
        assert reader.size_hw == image.shape[:2] == (SIZE_HW[::-1] if matrix[1] else SIZE_HW)
    assert_allclose(image[left_at], LEFT, atol=30)
    assert_allclose(image[right_at], RIGHT, atol=30)


def test_a_video_that_ends_early_gives_what_there_is(tmp_path, capfd):
    with VideoReader(cut(motion_jpeg(tmp_path / "a.avi"), 0.5)) as reader:
        count = len(list(reader))
    assert 15 < count < 25 and reader.num_missing == 40 - count
    assert capfd.readouterr() == ("", "")


def test_a_whole_video_misses_nothing(tmp_path):
    with VideoReader(motion_jpeg(tmp_path / "a.avi")) as reader:
        assert len(list(reader)) == 40 and reader.num_missing == 0


@pytest.mark.parametrize("name", ["a.mp4", "a%02d.avi", "a.mkv"])
@pytest.mark.parametrize("content", [b"", b"text, not a video"], ids=["empty", "text"])
def test_what_is_no_video_is_refused(tmp_path, capfd, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} is not a video .*\({len(content)} bytes\)"):
        VideoReader(tmp_path / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "lines",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{path}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile other.mp4\n",
    ],
    ids=["playlist, absolute", "playlist", "concatenation"],
)
def test_a_list_of_other_files_is_no_video(tmp_path, lines):
    other = written(tmp_path / "other.mp4")
    (tmp_path / "a.mp4").write_text(lines.format(path=other))
    with pytest.raises(ValueError, match="a.mp4 is not a video"):
        VideoReader(tmp_path / "a.mp4")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_a_picture_is_no_video(tmp_path, kind):
    Image.fromarray(next(frames(1))).save(tmp_path / "a.mp4", kind)
    with pytest.raises(ValueError, match="a.mp4 is not a video"):
        VideoReader(tmp_path / "a.mp4")


# As FFmpeg's own muxers begin them; OpenCV has an encoder for few of them.
@pytest.mark.parametrize(
    "start",
    [
        b"\0\0\0\x14ftypqt  ",
        b"\0\0\0\x08wide",
        b"RIFF\0\0\0\0AVI LIST",
        b"\x1aE\xdf\xa3\x9fB\x86\x81",
        b"FLV\1\5",
        b"OggS\0\2",
        bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
        b"\0\0\1\xba",
        b"\0\0\1\xb3",
        (b"\x47" + bytes(187)) * 3,
        (bytes(4) + b"\x47" + bytes(187)) * 3,
    ],
    ids="mp4 mov avi webm flv ogg asf program elementary transport m2ts".split(),
)
def test_every_container_is_known_by_its_start(tmp_path, start):
    (tmp_path / "a.mp4").write_bytes(start)
    assert is_video_container(tmp_path / "a.mp4")


def test_frames_that_are_too_large_are_refused_before_one_is_decoded(tmp_path, monkeypatch):
    (tmp_path / "any.mp4").write_bytes(MP4_START)
    capture = Capture([0], FRAME_WIDTH=30000.0, FRAME_HEIGHT=30000.0)
    capture.read = lambda: pytest.fail("decoded")
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: capture)
    with pytest.raises(ValueError, match="any.mp4 has frames of 30000 x 30000 pixels; 50 mega"):
        VideoReader(tmp_path / "any.mp4")


def test_a_video_without_its_index_is_refused(tmp_path, capfd):
    with pytest.raises(ValueError, match="a.mp4 is not a video"):
        VideoReader(cut(written(tmp_path / "a.mp4"), 0.6))
    assert capfd.readouterr() == ("", "")


def test_no_frame_is_no_video(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="any.mp4 has no frame"):
        times_of(monkeypatch, tmp_path, [], FPS=25.0, FRAME_COUNT=10.0)


@pytest.mark.parametrize("name", ["missing.mp4", "."])
def test_no_file_is_said_so(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="no video at"):
        VideoReader(tmp_path / name)


def test_no_camera_is_said_so(capfd):
    with pytest.raises(ValueError, match="there is no camera 97"):
        VideoReader(97)
    assert capfd.readouterr() == ("", "")


def test_a_camera_is_timed_by_the_clock(tmp_path, monkeypatch):
    path, opened = str(written(tmp_path / "a.mp4")), cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda index, _: opened(path, cv2.CAP_FFMPEG))
    clock = iter(np.arange(20) / 8)
    monkeypatch.setattr("pfld.media.video.time.monotonic", lambda: next(clock))
    with VideoReader(3) as reader:
        assert reader.num_frames is None
        assert_allclose([time_s for time_s, _ in reader], np.arange(1, 13) / 8)
    assert reader.num_missing == 0


@pytest.mark.parametrize(
    "times_ms, expected_s",
    [
        ([0, 40, 90, 100], [0, 0.04, 0.09, 0.1]),
        ([120, 160, 200], [0.12, 0.16, 0.2]),
        ([0, 0, 0], [0, 0.1, 0.2]),
        ([math.nan, math.nan], [0, 0.1]),
        ([-80, 0, 40], [0, 0.1, 0.2]),
        ([0, 500, 100, 700], [0, 0.5, 0.6, 0.7]),
        ([0, math.inf, 200], [0, 0.1, 0.2]),
    ],
    ids=["as stamped", "late start", "none", "not a number", "early", "step back", "infinite"],
)
def test_every_frame_is_later_than_the_one_before(monkeypatch, tmp_path, times_ms, expected_s):
    _, times_s = times_of(monkeypatch, tmp_path, times_ms, FPS=10.0)
    assert_allclose(times_s, expected_s)


@pytest.mark.parametrize("rate", [0.0, 1000.0, 90000.0, -1.0, math.nan])
def test_an_absurd_rate_is_measured(monkeypatch, tmp_path, rate):
    times_ms = [0, 33, 67, 100, 133, 500, 533]
    reader, _ = times_of(monkeypatch, tmp_path, times_ms, FPS=rate, FRAME_COUNT=5e4)
    assert_allclose(reader.rate, 1000 / 33)
    assert (reader.num_frames, reader.num_missing) == (None, 0)


def test_a_rate_nothing_tells_is_a_usual_one(monkeypatch, tmp_path):
    reader, times_s = times_of(monkeypatch, tmp_path, [0, 0, 0])
    assert reader.rate == 25 and times_s == pytest.approx([0, 0.04, 0.08])


@pytest.mark.parametrize("count", [-1.0, 0.0, -9.2e18, 9.2e18, math.nan])
def test_an_absurd_number_of_frames_is_none(monkeypatch, tmp_path, count):
    reader, _ = times_of(monkeypatch, tmp_path, [0, 100], FPS=10.0, FRAME_COUNT=count)
    assert (reader.num_frames, reader.num_missing) == (None, 0)


@pytest.mark.parametrize(
    "read, promised, missing",
    [(50, 50, 0), (48, 50, 0), (47, 50, 3), (990, 1000, 0), (989, 1000, 11), (51, 50, 0)],
)
def test_few_frames_may_be_missing(monkeypatch, tmp_path, read, promised, missing):
    times_ms = np.arange(read) * 100.0
    reader, _ = times_of(monkeypatch, tmp_path, times_ms, FPS=10.0, FRAME_COUNT=promised)
    assert reader.num_missing == missing


def test_a_number_computed_from_the_length_is_not_a_promise(monkeypatch, tmp_path):
    times_ms = np.arange(20) * 250.0  # 5 seconds at 4 frames a second, where 10 are announced
    reader, _ = times_of(monkeypatch, tmp_path, times_ms, FPS=10.0, FRAME_COUNT=50)
    assert reader.num_read == 20 and reader.num_missing == 0
