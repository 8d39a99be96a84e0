"""Video files through FFmpeg (PyAV): frames as RGB with their times, copies in H.264 with the sound."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from statistics import median
from typing import Any

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Disposition
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pfld.geometry import size_hw_of
from pfld.media.ahead import read_ahead
from pfld.media.codecs import WHITELIST, unread_codec
from pfld.media.file_paths import file_at
from pfld.media.frames import UprightFrames, deinterlaced, reformatted

MOST_PIXELS = 50_000_000  # of a frame; 8K has 33 million
MOST_FRAMES_PER_SECOND = 999.0  # files that do not know their rate say 1000 and more
_USUAL_RATE = 25.0  # frames per second, if the rate is unknown
_TIMED_FRAMES = 30  # whose times are used to measure an unknown rate
_ENDS_EARLY = 0.01  # of the frames, at least two: so many may be missing in a complete video
_ENDS_EARLY_S = 0.2  # before the end that a file promises, which may be inexact

# FFmpeg's demuxers of files that hold their video themselves: no playlists, lists or scripts, which
# name other files, and no pictures.
_FORMATS = (
    "mov", "matroska", "avi", "flv", "ogg", "asf", "mpeg", "mpegts", "mpegvideo", "m4v", "h264", "hevc",
    "av1", "obu", "ivf", "mxf", "dv", "nut", "gxf", "wtv", "yuv4mpegpipe", "vc1",
)  # fmt: skip
_SAFE = {"format_whitelist": ",".join(_FORMATS), "protocol_whitelist": "none"} | WHITELIST

_TICKS = 90_000  # a second, of the times in copies
_COPIED_SOUND = ("aac", "mp3")  # what every player takes in MP4; other sound becomes AAC
_HIGHEST_SOUND_RATE = 48_000  # samples a second
# Of x264; a smaller crf is better and larger. With arithmetic coding (CABAC) the fastest preset writes
# smaller files than the next slower one, at half its work.
_QUALITY = {"preset": "ultrafast", "crf": "21", "x264-params": "cabac=1"}
_MOST_WAITING = 4  # frames between two threads
_MOST_WAITING_BYTES = 64 * 2**20


class VideoReader:
    """An open video file. Iterating gives its frames once, as ``(time_s, image_rgb)``.

    Times are in seconds, and each is later than the one before: the file's own time stamps, counted from
    its start, or where it has none the frame's index over ``rate``. Frames are ``(H, W, 3)`` uint8, upright
    and mirrored as the file says, with square pixels, without the comb of interlaced video, HDR in the
    range of a screen. The file's content decides what it is, not its name, and nothing but this file is
    opened. A thread reads a few frames ahead.

    Attributes:
        path: The file.
        rate: Frames per second, on average.
        num_frames: Number of frames by the container, which may be wrong; None if unknown. If sound lasts
            longer and only the file's length is known, it is corrected after the last frame.
        num_read: Number of frames read so far.
        size_hw: Height and width of the first frame in pixels.
        about: Format and codec, for messages.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is not a video, its codec is none of :data:`pfld.media.codecs.VIDEO_DECODERS`,
            it has frames of more than 50 megapixels, or not one frame can be read.
    """

    def __init__(self, source: str | os.PathLike[str]) -> None:
        self.path = path = Path(source)
        self._open = ExitStack()
        try:
            self._container = self._open.enter_context(opened(path))
            self._stream = _video_stream(self._container, path)
            self.about = (
                f"{self._container.format.long_name}, {self._stream.codec_context.codec.long_name}"
            )
            self._start_s = (self._container.start_time or 0) / av.time_base
            self._length_s = (self._container.duration or 0) / av.time_base
            self._picture_end_s = self._end_s = 0.0  # of the last packet: of picture, and of any
            aspect = float(self._stream.sample_aspect_ratio or 1)
            upright = UprightFrames(aspect)
            self._rest = ((frame.time, upright(frame)) for frame in deinterlaced(self._decoded()))
            self._first = list(islice(self._rest, 1))
            if not self._first:
                raise ValueError(f"{path} has no frame that can be read ({self.about})")
            self._last_s = -math.inf
            self.num_read = 0
            self.size_hw = size_hw_of(self._first[0][1])
            self._ahead = read_ahead(self._rest, _waiting_frames(self.size_hw))
            self.rate = _rate(self._stream, path)
            self.num_frames = self._promised_frames()
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        first, self._first = self._first, []
        for stamp_s, image in chain(first, self._ahead):
            self._last_s = self._time_s(stamp_s)
            self.num_read += 1
            yield self._last_s, image
        if self.num_frames is not None and not self._stream.frames and self._is_whole():
            fitting = round(self._picture_end_s * self.rate)
            self.num_frames = max(self.num_read, min(self.num_frames, fitting))

    @property
    def num_missing(self) -> int:
        """After the last frame: how many of ``num_frames`` are missing; 0 if that was only inexact."""
        if self.num_frames is None:
            return 0
        missing = self.num_frames - self.num_read
        # ``num_frames`` may be computed from the duration; then only missing time counts.
        missing_s = self.num_frames / self.rate - (self._last_s + 1 / self.rate)
        tolerated = max(2.0, _ENDS_EARLY * self.num_frames)
        return missing if min(missing, missing_s * self.rate) > tolerated else 0

    def close(self) -> None:
        """Closes the file."""
        self._ahead.close()
        self._open.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """The frames that can be decoded; damaged packets are passed over."""
        # Sound is passed over as well, but says how far the file reaches.
        packets = self._container.demux(self._stream, *self._container.streams.audio)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError):
                return
            if packet.is_corrupt:  # cut off: what lay in memory would be the rest of its picture
                continue
            end_s = self._end_of(packet)
            self._end_s = max(self._end_s, end_s)
            if packet.stream.index != self._stream.index:
                continue
            self._picture_end_s = max(self._picture_end_s, end_s)
            try:
                frames = self._stream.decode(packet)
            except av.error.FFmpegError:
                continue
            for frame in frames:
                _require_size(frame.width, frame.height, self.path)
                yield frame

    def _time_s(self, stamp_s: float | None) -> float:
        """Time of a frame from the start of the file, in seconds, from its time stamp."""
        time_s = math.nan if stamp_s is None else stamp_s - self._start_s
        if self.num_read == 0:
            return time_s if 0 <= time_s < math.inf else 0.0
        return time_s if self._last_s < time_s < math.inf else self._last_s + 1 / self.rate

    def _end_of(self, packet: av.Packet[Any]) -> float:
        """When a packet ends, in seconds from the start of the file; 0 if unknown."""
        if packet.pts is None:
            return 0.0
        end = packet.pts + (packet.duration or 0)
        return end * float(packet.time_base or 0) - self._start_s

    def _is_whole(self) -> bool:
        """After the last packet: whether picture or sound reach the end of the file as it promises."""
        tolerated_s = max(_ENDS_EARLY_S, _ENDS_EARLY * self._length_s)
        return self._length_s - self._end_s <= tolerated_s

    def _promised_frames(self) -> int | None:
        stream = self._stream
        if not stream.frames:
            count = self._length_s * self.rate if stream.average_rate is not None else 0.0
            return round(count) if 1 <= count < 1e9 else None
        if stream.duration and "mp4" in self._container.format.name:
            # An edit list leaves frames out that are counted: what was cut away on a phone.
            shown = math.ceil(float(stream.duration * (stream.time_base or 0)) * self.rate)
            return min(stream.frames, max(shown, 1))
        return stream.frames


class VideoWriter:
    """Writes an MP4 file in H.264. As a context manager it closes the file.

    The codec needs even sides, so an odd last row or column is left out. A thread encodes, so an error may
    be raised some frames later, at the latest by :meth:`close`.

    Args:
        path: Ends in .mp4.
        size_hw: Of all frames; others are stretched to it.
        rate: Frames per second, for frames that come without a time.
        sound_of: A video file whose first sound track is copied, in step with times counted from its start.

    Attributes:
        num_written: Number of frames written so far.
        sound_left_out: The codec of a sound track that is left out, as it is not read here; else None.

    Raises:
        ValueError: For another suffix, frames or a rate that the codec does not take.
        OSError: Here or later, when it cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size_hw: tuple[int, int],
        rate: float,
        *,
        sound_of: str | os.PathLike[str] | None = None,
    ) -> None:
        self._size_wh = size_hw[1], size_hw[0]
        self._even_hw = size_hw[0] // 2 * 2, size_hw[1] // 2 * 2
        self.num_written = 0
        self._rate, self._last_tick = rate, -1
        self._open = ExitStack()
        height, width = self._even_hw
        if Path(path).suffix.lower() != ".mp4":
            raise ValueError(f"a video's name ends in .mp4, got {os.fspath(path)}")
        if min(self._even_hw) < 2 or not 0 < rate < math.inf:
            raise ValueError(
                f"no video of {width} x {height} pixels, {rate:g} a second, can be written"
            )
        try:
            # Through a file of our own, whose errors are Python's.
            file = self._open.enter_context(open(path, "wb"))
            self._container = self._open.enter_context(
                av.open(
                    file, "w", format="mp4", container_options={"movflags": "+negative_cts_offsets"}
                )
            )
            fraction = Fraction(rate).limit_denominator(10_000) or Fraction(1, 10_000)
            self._stream = self._container.add_stream("libx264", rate=fraction, options=_QUALITY)
            context = self._stream.codec_context
            context.width, context.height, context.pix_fmt = width, height, "yuv420p"
            context.time_base = Fraction(1, _TICKS)
            context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
            self._sound: _Sound | None = None
            self.sound_left_out: str | None = None
            if sound_of is not None:
                self._sound = _Sound(Path(sound_of), self._container)
                self.sound_left_out = self._sound.left_out
                self._open.callback(self._sound.close)
            self._waiting: deque[Future[None]] = deque()
            self._most_waiting = _waiting_frames(size_hw)
            executor = ThreadPoolExecutor(1, thread_name_prefix="pfld-encode")
            self._executor = self._open.enter_context(executor)
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self._give_up()

    def write(
        self,
        image_rgb: NDArray[np.uint8],
        time_s: float | None = None,
        draw: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None,
    ) -> None:
        """Adds a frame ``(H, W, 3)`` uint8, which must not be changed afterwards: it is encoded later.

        Args:
            time_s: When it is shown, in seconds, later than the frame before; by default after one
                frame's time.
            draw: Makes the picture to be written of the frame, in the thread that encodes; it may draw
                on the frame itself.

        Raises:
            OSError: When it cannot be written.
        """
        time_s = self.num_written / self._rate if time_s is None else time_s
        if len(self._waiting) == self._most_waiting:
            self._waiting.popleft().result()
        self._waiting.append(self._executor.submit(self._encode, image_rgb, time_s, draw))
        self.num_written += 1

    def close(self) -> None:
        """Finishes the file.

        Raises:
            OSError: When it cannot be written.
        """
        try:
            while self._waiting:
                self._waiting.popleft().result()
            self._container.mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.write_until(math.inf)
            self._open.close()
        except BaseException:
            self._give_up()
            raise

    def _encode(
        self,
        image_rgb: NDArray[np.uint8],
        time_s: float,
        draw: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None,
    ) -> None:
        if draw is not None:
            image_rgb = draw(image_rgb)
        if image_rgb.shape[1::-1] != self._size_wh:
            image_rgb = cv2.resize(image_rgb, self._size_wh, interpolation=cv2.INTER_AREA)
        height, width = self._even_hw
        frame = reformatted(
            av.VideoFrame.from_numpy_buffer(
                np.ascontiguousarray(image_rgb[:height, :width]), format="rgb24"
            ),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
        )
        self._last_tick = max(round(time_s * _TICKS), self._last_tick + 1)
        frame.pts, frame.time_base = self._last_tick, Fraction(1, _TICKS)
        if self._sound is not None:
            self._sound.write_until(time_s)
        self._container.mux(self._stream.encode(frame))

    def _give_up(self) -> None:
        """Closes what is open; what is half-written cannot be finished."""
        for future in self._waiting:
            future.cancel()
        try:
            self._open.close()
        except (OSError, av.error.FFmpegError):
            pass


class _Sound:
    """The first sound track of a file, added to another as that one's video goes on.

    Attributes:
        left_out: Its codec, if it is not read here; else None.
    """

    def __init__(self, path: Path, output: OutputContainer) -> None:
        self._output = output
        self._open = ExitStack()
        container = self._open.enter_context(opened(path))
        self._start_s = (container.start_time or 0) / av.time_base
        tracks = container.streams.audio
        self.left_out = unread_codec(tracks[0].codec_context) if tracks else None
        self._packets = self._of(container, tracks[0] if tracks and not self.left_out else None)
        self._next = next(self._packets, None)

    def write_until(self, time_s: float) -> None:
        """Adds what is heard up to a second after that time."""
        while self._next is not None:
            packet = self._next
            at = packet.dts if packet.dts is not None else 0
            if at * float(packet.time_base or 0) > time_s + 1:
                return
            self._output.mux(packet)
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Closes the file it comes from."""
        self._open.close()

    def _of(
        self, container: InputContainer, stream: AudioStream | None
    ) -> Iterator[av.Packet[Any]]:
        """Packets for the output, later and later; sound that is damaged ends there."""
        if stream is None:
            return
        is_copied = stream.codec_context.codec.canonical_name in _COPIED_SOUND
        packets = self._copied if is_copied else self._aac
        last = -math.inf
        try:
            for packet in packets(container, stream):
                if packet.dts is not None and packet.dts > last:  # MP4 takes no others
                    last = packet.dts
                    yield packet
        except av.error.FFmpegError:
            return

    def _copied(self, container: InputContainer, stream: AudioStream) -> Iterator[av.Packet[Any]]:
        made = self._output.add_stream_from_template(stream)
        yield from ()
        for packet in container.demux(stream):
            if packet.dts is None or packet.pts is None:
                continue
            shift = round(self._start_s / float(packet.time_base or 1))
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, made
            yield packet

    def _aac(self, container: InputContainer, stream: AudioStream) -> Iterator[av.Packet[Any]]:
        rate = min(stream.rate, _HIGHEST_SOUND_RATE)
        layout = "mono" if stream.channels == 1 else "stereo"
        made = self._output.add_stream("aac", rate=rate, layout=layout)
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        for frame in container.decode(stream):
            if frame.pts is not None:
                frame.pts -= round(self._start_s / float(frame.time_base or 1))
            for part in resampler.resample(frame):
                yield from made.encode(part)
        yield from made.encode(None)


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """A media file, opened by its content and without opening any other.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it has none of the formats allowed, or is damaged.
    """
    with file_at(path, "video").open("rb") as file:
        try:
            container = av.open(
                file, "r", container_options=_SAFE, io_open=_refuse, metadata_errors="replace"
            )
        except (av.error.FFmpegError, OSError) as error:
            size = path.stat().st_size
            raise ValueError(f"{path} is not a video that can be read ({size} bytes)") from error
        with container:
            yield container


def _waiting_frames(size_hw: tuple[int, int]) -> int:
    """How many frames of a size may wait between two threads."""
    return max(1, min(_MOST_WAITING, _MOST_WAITING_BYTES // (3 * size_hw[0] * size_hw[1])))


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError(f"a media file asks for {url}, which is not opened")


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first stream of moving pictures, which can be decoded and has frames of a size that is allowed."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise ValueError(f"{path} has no video in it ({container.format.long_name})")
    stream = streams[0]
    unread = unread_codec(stream.codec_context)
    if unread:
        raise ValueError(
            f"{path} has video in {unread}, which is not read here; convert it to H.264 in MP4"
        )
    _require_size(stream.codec_context.width, stream.codec_context.height, path)
    # Threads within a frame only: with several frames at once, which of a damaged file's frames can be
    # decoded depends on timing.
    stream.thread_type = "SLICE"
    if stream.codec_context.codec.intra_only:
        # Parts of a picture that cannot be decoded stay what lay in memory, if there is no other picture
        # to take them from. So such pictures are left out.
        stream.codec_context.options = {"err_detect": "explode"}
    return stream


def _require_size(width: int, height: int, path: Path) -> None:
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"{path} has frames of {width} x {height} pixels; {MOST_PIXELS // 10**6} megapixels are the most"
        )


def _rate(stream: VideoStream, path: Path) -> float:
    rate = float(stream.average_rate or 0)
    return rate if 0 < rate <= MOST_FRAMES_PER_SECOND else _measured_rate(path)


def _measured_rate(path: Path) -> float:
    """Frames per second by the time stamps of a file's first frames."""
    times_s: list[float] = []
    with opened(path) as container:
        try:
            for packet in container.demux(container.streams.video[0]):
                if packet.pts is not None:
                    times_s.append(packet.pts * float(packet.time_base or 0))
                if len(times_s) == _TIMED_FRAMES:
                    break
        except av.error.FFmpegError:
            pass
    steps_s = [s for s in np.diff(sorted(times_s)).tolist() if s > 1 / MOST_FRAMES_PER_SECOND]
    return 1 / median(steps_s) if steps_s else _USUAL_RATE
