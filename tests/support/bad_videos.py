"""Videos as they should not be, and some that are only unusual. Makers take the path to write to."""

import struct

import numpy as np

from pfld.media.video import VideoWriter
from support.bad_pictures import PIXELS, SIDE, encoded
from support.damage import holding
from support.motion_jpeg import motion_jpeg


def mp4(path, count=12, rate=25.0):
    with VideoWriter(path, (SIDE, SIDE), rate) as writer:
        for index in range(count):
            writer.write(np.roll(PIXELS, index, axis=1))


def avi(path, count=12):
    frames = (np.roll(PIXELS, index, axis=1) for index in range(count))
    motion_jpeg(path.with_suffix(".avi"), frames, 25).replace(path)


def changed(make, change):
    """What makes a video and then another of its bytes."""

    def write(path):
        make(path)
        path.write_bytes(change(path.read_bytes()))

    return write


def rated(scale, rate):
    """An .avi that says its frames come ``rate / scale`` a second."""

    def change(data):
        start = data.index(b"strh") + 8 + 20
        return data[:start] + struct.pack("<II", scale, rate) + data[start + 8 :]

    return changed(avi, change)


def without_frames(data):
    """An .mp4 whose tables list no sample."""
    for table in (b"stsz", b"stco", b"stts", b"stsc"):
        start = data.index(table) + 8 + 4 * (table == b"stsz")
        data = data[:start] + bytes(4) + data[start + 4 :]
    return data


def overwritten(data, start, end):
    first, last = int(start * len(data)), int(end * len(data))
    return data[:first] + b"\xa5" * (last - first) + data[last:]


NO_VIDEOS = {
    "zero-byte": holding(b""),
    "text": holding(b"no video\n" * 50),
    "picture": holding(encoded("JPEG")),
    "playlist": holding(b"#EXTM3U\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n"),
    "list-of-files": holding(b"ffconcat version 1.0\nfile other.mp4\n"),
    "type-alone": holding(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"),
    "noise-after-type": holding(b"\0\0\0\x10ftypisom\0\0\2\0" + PIXELS.tobytes()),
    "no-header": changed(mp4, lambda data: data[64:]),
    "no-tail": changed(mp4, lambda data: data[: len(data) * 6 // 10]),
    "broken-index": changed(mp4, lambda data: data.replace(b"moov", b"m\0\0v")),
    "no-frames": changed(mp4, without_frames),
    "broken-avi-header": changed(avi, lambda data: data[:12] + b"\xff" * 500 + data[512:]),
}
VIDEOS = {  # with how many of their 12 frames are there at least
    "whole": (mp4, 12),
    "broken-tail": (changed(avi, lambda data: data[: len(data) // 2]), 4),
    "broken-middle": (changed(avi, lambda data: overwritten(data, 0.4, 0.6)), 4),
    "noise-in-frames": (changed(mp4, lambda data: overwritten(data, 0.3, 0.5)), 1),
    "rate-0": (rated(1, 0), 12),
    "rate-0-over-0": (rated(0, 0), 12),
    "rate-4-billion": (rated(1, 2**32 - 1), 12),
    "rate-1-an-hour": (rated(3600, 1), 12),
    "rate-29.97": (rated(1001, 30_000), 12),
}
