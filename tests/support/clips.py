"""Video files of every kind, made with FFmpeg's encoders: codecs, times, sound, orientation, pixel shapes."""

from fractions import Fraction

import av
import numpy as np

LEFT, RIGHT = (200, 60, 20), (20, 60, 200)
SIZE_HW = (48, 64)
TICKS = 90_000


def frames(count, size_hw=SIZE_HW):
    """Pictures with a left half, a right half and noise above, so that none is small as a file."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        image = np.empty((*size_hw, 3), np.uint8)
        image[:, : size_hw[1] // 2], image[:, size_hw[1] // 2 :] = LEFT, RIGHT
        image[: size_hw[0] // 3] = rng.integers(0, 256, (size_hw[0] // 3, size_hw[1], 3))
        yield image


def clip(
    path,
    images=None,
    times_s=None,
    *,
    codec="libx264",
    pixels="yuv420p",
    container=None,
    matrix=None,
    aspect=None,
    sound=None,
    sound_s=None,
    options=None,
    **context,
):
    """A video at ``path`` whose frames come at ``times_s``, by default 25 a second.

    Args:
        matrix: Where x and y go, ((a, b), (c, d)), as a display matrix has it.
        aspect: Width of a pixel over its height.
        sound: Codec of a beep that lasts 0.1 s from each frame's time on, every tenth frame, and
            from its own start on.
        sound_s: When the sound begins and ends; by default from 0 to half a second after the last frame.
        context: Attributes of the encoder, such as ``color_trc``.
    """
    images = list(frames(12) if images is None else images)
    times_s = np.arange(len(images)) / 25 if times_s is None else times_s
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = Fraction(1, 1000 if codec == "mpeg2video" else TICKS)
        if codec in ("mpeg2video", "mjpeg", "mpeg4", "prores_ks"):
            stream.codec_context.time_base = Fraction(1, 25)
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        if aspect:
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if matrix:
            (a, b), (c, d) = (np.array(matrix) * 0x10000).tolist()
            stream.set_display_matrix((a, b, 0, c, d, 0, 0, 0, 0x40000000))
        beeps = output.add_stream(sound, rate=48_000, layout="mono") if sound else None
        base = stream.codec_context.time_base
        for image, time_s in zip(images, times_s):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = round(float(time_s) / base), base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if beeps is not None:
            for frame in _beeps(times_s, *(sound_s or (0, times_s[-1] + 0.5))):
                output.mux(beeps.encode(frame))
            output.mux(beeps.encode(None))
    return path


def _beeps(times_s, start_s, end_s, rate=48_000, step=1024):
    wave = np.zeros(int(end_s * rate), np.float32)
    for time_s in (start_s, *times_s[::10]):
        start = round(time_s * rate)
        beep = wave[start : start + rate // 10]
        beep[:] = 0.5 * np.sin(np.arange(len(beep)) * 2 * np.pi * 880 / rate)
    for start in range(int(start_s * rate), len(wave) - step, step):
        part = np.ascontiguousarray(wave[None, start : start + step])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield frame


def heard(path):
    """When each beep of a file begins, in seconds from the file's start."""
    with av.open(str(path)) as container:
        start_s = (container.start_time or 0) / av.time_base
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=48_000)
        times_s, values = [], []
        for frame in container.decode(audio=0):
            at_s = frame.time - start_s
            for part in resampler.resample(frame):
                samples = part.to_ndarray()[0]
                times_s.append(at_s + np.arange(len(samples)) / 48_000)
                values.append(samples)
    times_s, loud = np.concatenate(times_s), np.abs(np.concatenate(values)) > 0.1
    at = times_s[loud]
    return at[np.concatenate([[True], np.diff(at) > 0.05])]


def seen(path):
    """Times of a file's frames as FFmpeg has them, in seconds from the file's start."""
    with av.open(str(path)) as container:
        start_s = (container.start_time or 0) / av.time_base
        return [frame.time - start_s for frame in container.decode(video=0)]
