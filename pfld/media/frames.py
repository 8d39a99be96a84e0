"""Decoded video frames as upright RGB pictures: display matrix, pixel aspect, HDR, deinterlacing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

_UNKNOWN = 2  # in ITU-T H.273: not specified
_PQ = 16  # transfer characteristics of HDR10, SMPTE ST 2084
_HD_ROWS = 720  # from so many on, files that do not say use BT.709
_WIDEST_PIXEL = 8.0  # width of a pixel over its height, either way; more is a mistake
_WHITE_NITS = 203.0  # of diffuse white in HDR video, ITU-R BT.2408


class UprightFrames:
    """Turns the decoded frames of one video into pictures as they are meant to be seen.

    Args:
        pixel_aspect: Width of a pixel over its height; one side is stretched to make pixels square.
    """

    def __init__(self, pixel_aspect: float = 1.0) -> None:
        self._pixel_aspect = pixel_aspect
        self._rotation: int | None = None
        self._matrix: NDArray[np.int32] | None = None

    def __call__(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """The picture ``(H, W, 3)`` uint8 RGB of a frame."""
        # A frame whose side data have been read is in a reference cycle, and so is kept for long. The
        # matrix is the same in all frames of nearly every video.
        if frame.rotation != self._rotation:
            self._rotation, self._matrix = frame.rotation, _display_matrix(frame)
        return np.ascontiguousarray(_turned(_rgb(frame, self._pixel_aspect), self._matrix))


def reformatted(frame: av.VideoFrame, **options: Any) -> av.VideoFrame:
    """The frame in another size or format, as ``frame.reformat`` makes it, by the calling thread alone.

    By itself that starts threads for every frame, which takes several times as long for small frames.
    """
    return frame.reformat(threads=1, **options)


def deinterlaced(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The frames, those of interlaced video without its comb (FFmpeg's bwdif)."""
    graph: Graph | None = None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        if graph is None:
            graph = Graph()
            source = graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base,
            )
            comb = graph.add("bwdif", "mode=send_frame:deint=interlaced")
            sink = graph.add("buffersink")
            source.link_to(comb)
            comb.link_to(sink)
            graph.configure()
        graph.push(frame)
        yield from _waiting(graph)
    if graph is not None:
        graph.push(None)
        yield from _waiting(graph)


def _waiting(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _rgb(frame: av.VideoFrame, pixel_aspect: float) -> NDArray[np.uint8]:
    width, height = frame.width, frame.height
    if 1 / _WIDEST_PIXEL <= pixel_aspect <= _WIDEST_PIXEL and pixel_aspect != 1:
        width, height = round(width * max(pixel_aspect, 1)), round(height / min(pixel_aspect, 1))
    is_pq = frame.color_trc == _PQ
    space = None
    if frame.colorspace == _UNKNOWN:
        space = Colorspace.ITU709 if frame.height >= _HD_ROWS else Colorspace.ITU601
    pixels = "rgb48le" if is_pq else "rgb24"
    rgb = reformatted(frame, width=width, height=height, format=pixels, src_colorspace=space)
    plane = rgb.planes[0]
    if rgb is frame or is_pq or plane.line_size != 3 * width:
        picture: NDArray[Any] = rgb.to_ndarray()
    else:  # nothing else has this frame, so it is not copied
        picture = np.frombuffer(memoryview(plane), np.uint8, 3 * width * height)
        picture = picture.reshape(height, width, 3)
    return _sdr_of_pq()[picture] if is_pq else picture


def _display_matrix(frame: av.VideoFrame) -> NDArray[np.int32] | None:
    """The linear part ``(2, 2)`` of a frame's display matrix: rows are where x and y go."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else np.frombuffer(bytes(data), np.int32, 9).reshape(3, 3)[:2, :2]


def _turned(picture: NDArray[np.uint8], matrix: NDArray[np.int32] | None) -> NDArray[np.uint8]:
    """A picture turned and mirrored as a display matrix says, to the nearest quarter turn."""
    if matrix is None:
        return picture
    (a, b), (c, d) = matrix.astype(np.int64).tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):  # x goes along y and the other way round
        picture, across, down = picture.transpose(1, 0, 2), c, b
    else:
        across, down = a, d
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


@cache
def _sdr_of_pq() -> NDArray[np.uint8]:
    """What each 16-bit value of HDR10 video becomes in sRGB: diffuse white stays white, brighter is cut.

    Source: SMPTE ST 2084 (transfer function), IEC 61966-2-1 (sRGB).
    """
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = (np.arange(65536) / 65535) ** (1 / m2)
    nits = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    linear = np.minimum(nits / _WHITE_NITS, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * srgb).astype(np.uint8)
