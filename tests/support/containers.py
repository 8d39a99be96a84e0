"""Media files with packets of any codec, for which no encoder is needed: what is in the packets is noise."""

import av

FORMATS = ("nut", "matroska", "avi", "mov", "asf", "mpegts")


def packed(path, codec, kind):
    """A file with one stream of ``codec`` as its reader recognises it, or None if no format takes it.

    Args:
        codec: By FFmpeg's name.
        kind: "video" or "audio".
    """
    for format_name in FORMATS:
        try:
            _write(path, codec, kind, format_name)
            with av.open(str(path)) as written:
                stream = written.streams[0]
                found = stream.codec_context and stream.codec_context.codec.canonical_name
                if stream.type == kind and found == codec:
                    return path
        except (av.error.FFmpegError, ValueError, LookupError):
            continue
    return None


def _write(path, codec, kind, format_name):
    shape = {"width": 64, "height": 48} if kind == "video" else {}
    with av.open(str(path), "w", format=format_name) as output:
        stream = output.add_mux_stream(codec, rate=25 if shape else 48_000, **shape)
        for index in range(3):
            packet = av.Packet(bytes(range(256)) * 2)
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, index, index, True
            output.mux(packet)
