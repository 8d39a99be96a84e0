"""Video files read and written: times, orientation, colours, sound, damaged files, files that name others."""

import gc
import math
import struct
import sys

import av
import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from pfld.media.frames import _sdr_of_pq
from pfld.media.signatures import media_kind
from pfld.media.video import VideoReader, VideoWriter
from support.clips import LEFT, RIGHT, SIZE_HW, clip, frames, heard, seen
from support.motion_jpeg import motion_jpeg

MP4_START = b"\0\0\0\x18ftypisom"


def written(path, count=12, rate=25.0, size_hw=SIZE_HW):
    with VideoWriter(path, size_hw, rate) as writer:
        for image in frames(count, size_hw):
            writer.write(image)
    return path


def jpegs(path):
    """An .avi, whose frames stand one after the other and can be cut off."""
    return motion_jpeg(path, frames(40))


def cut(path, part):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    return path


def copy_of(packet):
    copy = av.Packet(bytes(packet))
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.time_base, copy.is_keyframe = packet.time_base, True
    return copy


def read(path):
    """Times and pictures of all frames."""
    with VideoReader(path) as reader:
        return tuple(zip(*reader))


# Reading


@pytest.mark.parametrize("rate", [0.5, 7, 12.5, 24000 / 1001, 29.97, 59.94, 240])
def test_what_is_written_is_read_again(tmp_path, rate):
    with VideoReader(written(tmp_path / "a.mp4", rate=rate)) as reader:
        assert_allclose(reader.rate, rate, rtol=1e-4)
        assert (reader.num_frames, reader.size_hw) == (12, SIZE_HW)
        times_s, images = zip(*reader)
    assert_allclose(times_s, np.arange(12) / rate, rtol=1e-4, atol=1.2e-5)
    assert (reader.num_read, reader.num_missing) == (12, 0)
    for image in images:
        assert image.shape == (*SIZE_HW, 3) and image.dtype == np.uint8
        assert_allclose(image[32, 16], LEFT, atol=25)  # colors are coarse in videos
        assert_allclose(image[32, 48], RIGHT, atol=25)


@pytest.fixture
def no_cycles_are_collected():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "turned"])
@pytest.mark.parametrize("sound", [None, "aac", "libopus"])
def test_no_frame_stays_in_memory(tmp_path, turned, sound, no_cycles_are_collected):
    matrix = ((0, 1), (-1, 0)) if turned else None
    source = clip(tmp_path / "a.mp4", frames(100), matrix=matrix, sound=sound)
    gc.collect()
    with VideoReader(source) as reader:
        with VideoWriter(tmp_path / "b.mp4", reader.size_hw, 25, sound_of=source) as writer:
            for time_s, image in reader:
                writer.write(image, time_s)
    del image
    assert reader.num_read == 100
    assert gc.collect() < 100, "reference cycles keep frames or packets"


@pytest.mark.parametrize("size_hw", [(47, 63), (48, 63), (47, 64), (2, 2), (3, 5)])
def test_sides_become_even_by_leaving_out_the_last_pixels(tmp_path, size_hw):
    with VideoReader(written(tmp_path / "a.mp4", size_hw=size_hw)) as reader:
        assert reader.size_hw == tuple(side // 2 * 2 for side in size_hw)


KINDS = {
    "h264": {},
    "h264-b-frames": {"options": {"bf": "3"}},
    "h264-10-bit": {"pixels": "yuv420p10le"},
    "h264-444": {"pixels": "yuv444p"},
    "h265": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "h265-10-bit": {
        "codec": "libx265", "pixels": "yuv420p10le", "options": {"x265-params": "log-level=none"},
    },
    "av1": {"codec": "libsvtav1", "options": {"preset": "12", "svtav1-params": "lp=1"}},
    "vp8": {"codec": "libvpx", "container": "webm"},
    "vp9": {"codec": "libvpx-vp9", "container": "webm"},
    "mpeg2-transport": {"codec": "mpeg2video", "container": "mpegts"},
    "mpeg4-avi": {"codec": "mpeg4", "container": "avi"},
    "prores": {"codec": "prores_ks", "container": "mov", "pixels": "yuv422p10le"},
    "ffv1": {"codec": "ffv1", "container": "matroska"},
}  # fmt: skip


@pytest.mark.parametrize("name", ["clip", "clip.mp4.1", "clip.JPG"], ids=["bare", "part", "wrong"])
@pytest.mark.parametrize("kind", KINDS)
def test_content_decides_and_not_the_name(tmp_path, kind, name, monkeypatch):
    size_hw = (96, 128)  # the least that the encoder of AV1 takes is 64
    options = {"container": "mp4", **KINDS[kind]}
    path = clip(tmp_path / name, frames(6, size_hw), **options)
    times_s, images = read(path)
    assert_allclose(times_s, np.arange(6) / 25, atol=0.002)
    for image in images:
        assert image.shape == (*size_hw, 3) and image.dtype == np.uint8
        assert_allclose(image[64, 32], LEFT, atol=30)
        assert_allclose(image[64, 96], RIGHT, atol=30)
    assert media_kind(path) == "video"


TIMES = {
    "steady": np.arange(12) / 25,
    "pause": [0, 0.04, 0.08, 3.0, 3.04],
    "variable": [0, 0.03, 0.1, 0.13, 0.5, 1.2, 1.25, 1.3],
    "slow": [0, 2, 4, 7],
    "fast": np.arange(30) / 240,
}


@pytest.mark.parametrize("times_s", TIMES.values(), ids=TIMES.keys())
def test_times_are_those_in_the_file_and_a_copy_keeps_them(tmp_path, times_s):
    source = clip(tmp_path / "a.mp4", frames(len(times_s)), times_s)
    with VideoReader(source) as reader:
        with VideoWriter(tmp_path / "b.mp4", reader.size_hw, reader.rate) as writer:
            for time_s, image in reader:
                writer.write(image, time_s)
        assert (reader.num_frames, reader.num_missing) == (len(times_s), 0)
    assert_allclose(read(source)[0], times_s, atol=1e-4)
    assert_allclose(seen(tmp_path / "b.mp4"), times_s, atol=1e-4)


def test_times_count_from_the_start_of_the_file(tmp_path):
    late = clip(
        tmp_path / "a.ts", times_s=5 + np.arange(12) / 25, codec="mpeg2video", container="mpegts"
    )
    assert_allclose(read(late)[0], np.arange(12) / 25, atol=0.002)


def test_a_file_without_times_has_those_of_its_rate(tmp_path):
    raw = clip(tmp_path / "a", codec="libx264", container="h264", options={"bf": "0"})
    times_s, _ = read(raw)
    assert len(times_s) == 12 and (np.diff(times_s) > 0).all()


def test_a_file_without_a_length_is_read_to_its_end(tmp_path):
    """As screen recorders and browsers write WebM: nothing but clusters in the end."""
    with open(tmp_path / "a.webm", "wb") as file:
        pipe = type("Pipe", (), {"write": lambda self, data: file.write(bytes(data))})()
        with av.open(pipe, "w", format="webm", container_options={"live": "1"}) as output:
            stream = output.add_stream("libvpx", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for image in frames(12):
                output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            output.mux(stream.encode(None))
    with VideoReader(tmp_path / "a.webm") as reader:
        times_s = [time_s for time_s, _ in reader]
        assert reader.rate == pytest.approx(25, rel=0.03) and reader.num_missing == 0
    assert_allclose(times_s, np.arange(12) / 25, atol=0.002)


# What a picture of a left and a right half becomes, seen from its lower half: places of both, (y, x).
MATRICES = {
    "clockwise": (((0, 1), (-1, 0)), (16, 16), (48, 16)),
    "counterclockwise": (((0, -1), (1, 0)), (48, 32), (16, 32)),
    "half turn": (((-1, 0), (0, -1)), (16, 48), (16, 16)),
    "mirror": (((-1, 0), (0, 1)), (32, 48), (32, 16)),
    "upside down": (((1, 0), (0, -1)), (16, 16), (16, 48)),
    "transposed": (((0, 1), (1, 0)), (16, 32), (48, 32)),
    "transposed the other way": (((0, -1), (-1, 0)), (48, 16), (16, 16)),
    "nothing said": (((0, 0), (0, 0)), (32, 16), (32, 48)),
}


@pytest.mark.parametrize("matrix, left_at, right_at", MATRICES.values(), ids=MATRICES.keys())
def test_frames_are_upright_and_mirrored_as_the_file_says(tmp_path, matrix, left_at, right_at):
    with VideoReader(clip(tmp_path / "a.mp4", matrix=matrix)) as reader:
        _, image = next(iter(reader))
        assert reader.size_hw == image.shape[:2] == (SIZE_HW[::-1] if matrix[0][1] else SIZE_HW)
    assert_allclose(image[left_at], LEFT, atol=30)
    assert_allclose(image[right_at], RIGHT, atol=30)


@pytest.mark.parametrize(
    ("aspect", "size_hw"),
    [("2", (48, 128)), ("1/2", (96, 64)), ("16/15", (48, 68)), ("99", SIZE_HW)],
)
def test_pixels_become_square(tmp_path, aspect, size_hw):
    with VideoReader(clip(tmp_path / "a.mp4", aspect=aspect)) as reader:
        _, image = next(iter(reader))
    assert reader.size_hw == image.shape[:2] == size_hw
    assert_allclose(image[size_hw[0] * 2 // 3, size_hw[1] // 4], LEFT, atol=30)


def test_interlaced_video_comes_without_its_comb(tmp_path):
    """A bar that moves eight pixels between the two fields of a frame."""
    images = []
    for index in range(8):
        image = np.full((64, 96, 3), 40, np.uint8)
        for field in (0, 1):
            x = 8 * (2 * index + field) % 80
            image[field::2, x : x + 8] = 220
        images.append(image)
    options = {"flags": "+ilme+ildct"}
    path = clip(tmp_path / "a.ts", images, codec="mpeg2video", container="mpegts", options=options)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    times_s, found = read(path)

    def comb(image):
        rows = image[8:-8, :, 0].astype(int)
        return np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean()

    assert len(found) == 8 and (np.diff(times_s) > 0).all()
    assert np.mean([comb(i) for i in found[2:-1]]) < 0.35 * np.mean([comb(i) for i in images[2:-1]])


def test_hdr_is_brought_into_the_range_of_a_screen(tmp_path):
    """Diffuse white of HDR10 video is coded as 0.58 of the range: shown as it is, it would be grey."""
    images = [np.full((64, 64, 3), round(0.58 * 255), np.uint8)] * 3
    hdr = clip(tmp_path / "a.mp4", images, pixels="yuv420p10le", color_trc=16, color_primaries=9)
    plain = clip(tmp_path / "b.mp4", images, pixels="yuv420p10le")
    assert read(plain)[1][0].mean() == pytest.approx(148, abs=4)
    assert read(hdr)[1][0].mean() > 240


def test_the_curve_of_hdr_keeps_black_and_white_and_only_rises():
    curve = _sdr_of_pq().astype(int)
    assert curve[0] == 0 and curve[-1] == 255 and (np.diff(curve) >= 0).all()
    assert curve[round(0.58 * 65535)] >= 250  # 203 cd/m2


# Writing


def test_a_suffix_other_than_mp4_is_refused(tmp_path):
    with pytest.raises(ValueError, match="ends in .mp4, got .*a.txt"):
        VideoWriter(tmp_path / "a.txt", SIZE_HW, 25)


def test_frames_of_another_size_are_stretched(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", SIZE_HW, 25) as writer:
        writer.write(next(frames(1)))
        writer.write(next(frames(1, (100, 200))))
    with VideoReader(tmp_path / "a.mp4") as reader:
        _, (_, second) = reader
    assert_allclose(second[32, 16], LEFT, atol=25)
    assert_allclose(second[32, 48], RIGHT, atol=25)


@pytest.mark.parametrize(
    "size_hw, rate", [((1, 64), 25.0), ((48, 1), 25.0), (SIZE_HW, 0.0), (SIZE_HW, math.nan)]
)
def test_what_the_codec_does_not_take_is_refused(tmp_path, size_hw, rate):
    with pytest.raises(ValueError, match="can be written"):
        VideoWriter(tmp_path / "a.mp4", size_hw, rate)


@pytest.mark.skipif(sys.platform == "win32", reason="needs /dev/full")
def test_a_full_disk_is_an_error(tmp_path):
    (tmp_path / "a.mp4").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path / "a.mp4", count=200, size_hw=(480, 640))


def test_an_error_while_writing_is_passed_on(tmp_path):
    with pytest.raises(KeyError):
        with VideoWriter(tmp_path / "a.mp4", SIZE_HW, 25):
            raise KeyError


def test_what_is_drawn_is_written_in_place_of_the_frame(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", SIZE_HW, 25) as writer:
        for image in frames(3):
            writer.write(image, draw=lambda image: image[:, ::-1])
    for image in read(tmp_path / "a.mp4")[1]:
        assert_allclose(image[32, 16], RIGHT, atol=25)


def test_an_error_while_drawing_is_passed_on(tmp_path):
    def draw(image):
        raise KeyError("nose")

    with pytest.raises(KeyError, match="nose"):
        with VideoWriter(tmp_path / "a.mp4", SIZE_HW, 25) as writer:
            for image in frames(12):
                writer.write(image, draw=draw)
    with pytest.raises(KeyError, match="nose"):  # at the latest by the end
        with VideoWriter(tmp_path / "b.mp4", SIZE_HW, 25) as writer:
            writer.write(next(frames(1)), draw=draw)


def test_a_frame_can_be_drawn_on_and_changes_no_other(tmp_path):
    path = written(tmp_path / "a.mp4")
    untouched = read(path)[1]
    with VideoReader(path) as reader:
        for index, (_, image) in enumerate(reader):
            assert (image == untouched[index]).all()
            image[:] = 0


@pytest.mark.parametrize(
    ("sound", "container", "kept"),
    [
        ("aac", "mp4", "aac"),
        ("libmp3lame", "mov", "mp3"),
        ("libopus", "webm", "aac"),
        ("pcm_s16le", "matroska", "aac"),
        ("ac3", "mpegts", "aac"),
    ],
)
def test_sound_is_kept_in_step(tmp_path, sound, container, kept):
    times_s = np.cumsum([0, *np.random.default_rng(1).uniform(0.02, 0.2, 39)])
    codec = {"webm": "libvpx", "mpegts": "libx264"}.get(container, "libx264")
    source = clip(
        tmp_path / "a", frames(40), times_s, codec=codec, container=container, sound=sound
    )
    with VideoReader(source) as reader:
        with VideoWriter(
            tmp_path / "b.mp4", reader.size_hw, reader.rate, sound_of=source
        ) as writer:
            for time_s, image in reader:
                writer.write(image, time_s)
    with av.open(str(tmp_path / "b.mp4")) as copy:
        assert copy.streams.audio[0].codec_context.codec.canonical_name == kept
    assert_allclose(seen(tmp_path / "b.mp4"), seen(source), atol=0.002)
    assert_allclose(heard(tmp_path / "b.mp4"), heard(source), atol=0.03)


SOUNDS = {
    "mp4": ("libx264", "aac"),
    "mov": ("libx264", "pcm_s16le"),
    "matroska": ("libx264", "aac"),
    "webm": ("libvpx", "libopus"),
    "mpegts": ("mpeg2video", "aac"),
    "flv": ("flv", "libmp3lame"),
    "avi": ("mpeg4", "libmp3lame"),
}


@pytest.mark.parametrize(
    "sound_s",
    [(0, 4), (0, 1), (1, 2), (3, 5)],
    ids=["longer", "shorter", "begins later", "begins after the picture"],
)
@pytest.mark.parametrize("container", SOUNDS)
def test_sound_may_last_longer_or_shorter_than_the_picture(tmp_path, container, sound_s):
    codec, sound = SOUNDS[container]
    options = {"codec": codec, "container": container, "sound": sound, "sound_s": sound_s}
    source = clip(tmp_path / "a", frames(50), **options)
    with VideoReader(source) as reader:
        with VideoWriter(tmp_path / "b.mp4", reader.size_hw, 25, sound_of=source) as writer:
            for time_s, image in reader:
                writer.write(image, time_s)
        assert (reader.num_read, reader.num_missing) == (50, 0)
        assert abs(reader.num_frames - 50) <= 2
    assert_allclose(seen(tmp_path / "b.mp4"), seen(source), atol=0.002)
    assert_allclose(heard(tmp_path / "b.mp4"), heard(source), atol=0.03)


def test_a_copy_of_silent_video_is_silent(tmp_path):
    source = clip(tmp_path / "a.mp4")
    with VideoWriter(tmp_path / "b.mp4", SIZE_HW, 25, sound_of=source) as writer:
        for image in frames(12):
            writer.write(image)
    with av.open(str(tmp_path / "b.mp4")) as copy:
        assert not copy.streams.audio and copy.streams.video[0].codec_context.name == "h264"


def test_sound_that_is_damaged_costs_no_picture(tmp_path):
    source = cut(clip(tmp_path / "a.mkv", frames(40), np.arange(40) / 10, sound="aac"), 0.7)
    with VideoWriter(tmp_path / "b.mp4", SIZE_HW, 25, sound_of=source) as writer:
        for image in frames(40):
            writer.write(image)
    assert len(seen(tmp_path / "b.mp4")) == 40


@pytest.mark.parametrize("sound", ["aac", "libopus"])
def test_sound_whose_times_do_not_rise_costs_no_picture(tmp_path, sound):
    """As in fragments that overlap."""
    source = clip(tmp_path / "a.mkv", frames(40), codec="mjpeg", pixels="yuvj420p", sound=sound)
    with av.open(str(source)) as whole, av.open(str(tmp_path / "b.mkv"), "w") as output:
        made = [output.add_stream_from_template(stream) for stream in whole.streams]
        for packet in whole.demux():
            if packet.dts is None:
                continue
            copies = [packet] if packet.stream.type == "video" else [packet, copy_of(packet)]
            for one in copies:
                one.stream = made[packet.stream.index]
                output.mux_one(one)
    with VideoWriter(tmp_path / "c.mp4", SIZE_HW, 25, sound_of=tmp_path / "b.mkv") as writer:
        for image in frames(40):
            writer.write(image)
    assert len(seen(tmp_path / "c.mp4")) == 40
    assert_allclose(heard(tmp_path / "c.mp4"), heard(source), atol=0.06)


# Damaged files, and files that are none


def test_a_video_that_ends_early_gives_what_there_is(tmp_path, capfd):
    with VideoReader(cut(jpegs(tmp_path / "a.avi"), 0.5)) as reader:
        count = len(list(reader))
    assert 15 < count < 25 and reader.num_missing == 40 - count
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_of_a_damaged_video_only_whole_pictures_are_read(tmp_path, damage):
    """What else was decoded before, and lies in memory, must not show."""
    whole = [image for _, image in VideoReader(jpegs(tmp_path / "a.avi"))]
    data = bytearray((tmp_path / "a.avi").read_bytes())
    if damage == "cut off":
        data = data[: len(data) // 2]
    else:
        data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    (tmp_path / "b.avi").write_bytes(data)
    _, images = read(tmp_path / "b.avi")
    assert 15 < len(images) < 40
    for image in images:
        assert any((image == other).all() for other in whole)


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_pictures_are_missed_where_sound_lasts_longer(tmp_path, damage):
    """Matroska does not say how many pictures there are."""
    path = clip(
        tmp_path / "a.mkv",
        frames(100),
        codec="mjpeg",
        pixels="yuvj420p",
        sound="aac",
        sound_s=(0, 6),
    )
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    if damage == "cut off":
        data = data[: places[50][0]]
    else:
        for place, size in places[50:]:
            data[place + 20 : place + size] = bytes(size - 20)
    path.write_bytes(data)
    with VideoReader(path) as reader:
        assert 45 < len(list(reader)) < 55 and reader.num_missing > 40


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_what_was_cut_away_on_a_phone_is_not_missed(tmp_path, container):
    """The file holds all frames; its edit lists leave out what comes after the first two seconds."""
    path = clip(tmp_path / "a", frames(150), container=container, sound="aac", options={"g": "10"})
    data = bytearray(path.read_bytes())
    movie = data.index(b"mvhd") + 4
    (scale,) = struct.unpack_from(">I", data, movie + 12)
    place = 0
    while (place := data.find(b"elst", place + 4)) > 0:
        struct.pack_into(">I", data, place + 12, 2 * scale)
    path.write_bytes(data)
    with VideoReader(path) as reader:
        assert len(list(reader)) == reader.num_frames == 50 and reader.num_missing == 0


def test_a_whole_video_misses_nothing(tmp_path):
    with VideoReader(jpegs(tmp_path / "a.avi")) as reader:
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


# As FFmpeg's own muxers begin them.
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
    assert media_kind(tmp_path / "a.mp4") == "video"


@pytest.mark.parametrize("brand", [b"avif", b"heic", b"mif1", b"M4A "])
def test_pictures_and_sound_in_the_same_container_are_no_videos(tmp_path, brand):
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(8))
    assert media_kind(tmp_path / "a.mp4") != "video"


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=48_000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        silence.rate = 48_000
        output.mux(stream.encode(silence))
        output.mux(stream.encode(None))
    with pytest.raises(ValueError, match="a.mp4 has no video in it .*MOV"):
        VideoReader(tmp_path / "a.mp4")


def test_frames_that_are_too_large_are_refused_before_one_is_decoded(tmp_path, monkeypatch):
    path = written(tmp_path / "a.mp4")
    monkeypatch.setattr("pfld.media.video.MOST_PIXELS", 1000)
    monkeypatch.setattr("pfld.media.video.UprightFrames", lambda _: pytest.fail("decoded"))
    with pytest.raises(ValueError, match="a.mp4 has frames of 64 x 48 pixels; 0 megapixels are"):
        VideoReader(path)


def test_a_video_without_its_index_is_refused(tmp_path, capfd):
    with pytest.raises(ValueError, match="a.mp4 is not a video"):
        VideoReader(cut(written(tmp_path / "a.mp4"), 0.6))
    assert capfd.readouterr() == ("", "")


def test_a_video_without_a_frame_names_format_and_codec(tmp_path):
    path = clip(tmp_path / "a.mkv", codec="libvpx-vp9")
    data = path.read_bytes()
    with av.open(str(path)) as container:
        starts = [p.pos for p in container.demux(video=0) if p.size]
    path.write_bytes(data[: starts[0]] + bytes(len(data) - starts[0]))
    with pytest.raises(ValueError, match="no frame that can be read .Matroska.*VP9|not a video"):
        VideoReader(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.mp4", "missing.mp4$"),
        ("", "it is a folder$"),
        (255 * "long" + ".mp4", "long.mp4$"),
        (
            "https://example.com/a.mp4",
            "https://example.com/a.mp4: addresses are not opened; download",
        ),
        ("rtsp://10.0.0.1/stream", "rtsp://10.0.0.1/stream: addresses are not opened; download"),
    ],
    ids=["missing", "folder", "long", "address", "stream"],
)
def test_no_file_is_said_so(tmp_path, name, reason):
    path = name if "://" in name else tmp_path / name
    with pytest.raises(FileNotFoundError, match=f"no video at .*{reason}"):
        VideoReader(path)


class Frame:
    """In place of a decoded frame: nothing but a time."""

    def __init__(self, time_s):
        self.time, self.width, self.height, self.interlaced_frame = time_s, 64, 48, False


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """The reader of a file whose frames come at such times, and the times it gives."""

    def times_of(times_s, rate=10.0, num_frames=None):
        monkeypatch.setattr(VideoReader, "_decoded", lambda self: iter(map(Frame, times_s)))
        picture = np.zeros((48, 64, 3), np.uint8)
        monkeypatch.setattr("pfld.media.video.UprightFrames", lambda _: lambda _: picture)
        with VideoReader(written(tmp_path / "any.mp4", count=3)) as reader:
            reader.rate, reader.num_frames = rate, num_frames
            return reader, [time_s for time_s, _ in reader]

    return times_of


@pytest.mark.parametrize(
    "times_s, expected_s",
    [
        ([0, 0.04, 0.09, 0.1], [0, 0.04, 0.09, 0.1]),
        ([0.12, 0.16, 0.2], [0.12, 0.16, 0.2]),
        ([0, 0, 0], [0, 0.1, 0.2]),
        ([None, None], [0, 0.1]),
        ([math.nan, math.nan], [0, 0.1]),
        ([-0.08, 0, 0.04], [0, 0.1, 0.2]),
        ([0, 0.5, 0.1, 0.7], [0, 0.5, 0.6, 0.7]),
        ([0, math.inf, 0.2], [0, 0.1, 0.2]),
    ],
    ids=["as stamped", "late", "none", "unknown", "no number", "early", "step back", "infinite"],
)
def test_every_frame_is_later_than_the_one_before(timed, times_s, expected_s):
    assert_allclose(timed(times_s)[1], expected_s)


def test_no_frame_is_no_video(timed):
    with pytest.raises(ValueError, match="any.mp4 has no frame"):
        timed([])


@pytest.mark.parametrize(
    "read, promised, missing",
    [(50, 50, 0), (48, 50, 0), (47, 50, 3), (990, 1000, 0), (989, 1000, 11), (51, 50, 0)],
)
def test_few_frames_may_be_missing(timed, read, promised, missing):
    reader, _ = timed(np.arange(read) / 10, num_frames=promised)
    assert reader.num_missing == missing


def test_a_number_computed_from_the_length_is_not_a_promise(timed):
    # 5 seconds at 4 frames a second, where 10 are announced
    reader, _ = timed(np.arange(20) / 4, num_frames=50)
    assert reader.num_read == 20 and reader.num_missing == 0


@pytest.mark.parametrize(("scale", "rate"), [(1, 0), (0, 0), (1, 2**32 - 1)])
def test_an_absurd_rate_is_measured_or_a_usual_one(tmp_path, scale, rate):
    path = jpegs(tmp_path / "a.avi")
    data = path.read_bytes()
    start = data.index(b"strh") + 8 + 20
    path.write_bytes(data[:start] + struct.pack("<II", scale, rate) + data[start + 8 :])
    with VideoReader(path) as reader:
        assert 1 <= reader.rate <= 999 and len(list(reader)) == 40
