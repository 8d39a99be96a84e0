"""Decoders of FFmpeg that may be opened: those of phones, cameras, screen recorders and usual editors.

FFmpeg has over 500, many of them for formats of old games, which few people test. A file chooses its
decoder, so all others stay closed.
"""

from __future__ import annotations

from av.codec.context import CodecContext

VIDEO_DECODERS = frozenset(
    "av1 cfhd dnxhd dvvideo ffv1 ffvhuff flv h263 h264 hevc huffyuv libdav1d mjpeg mpeg1video mpeg2video "
    "mpeg4 msmpeg4 msmpeg4v1 msmpeg4v2 png prores rawvideo theora utvideo v210 vc1 vp8 vp9 wmv1 wmv2 "
    "wmv3".split()
)
SOUND_DECODERS = frozenset(
    "aac aac_latm ac3 adpcm_ima_wav adpcm_ms alac amrnb amrwb eac3 flac mp2 mp2float mp3 mp3float opus "
    "pcm_alaw pcm_bluray pcm_dvd pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_mulaw pcm_s16be pcm_s16le "
    "pcm_s24be pcm_s24le pcm_s32be pcm_s32le pcm_s8 pcm_u8 vorbis wmav1 wmav2".split()
)
# As an option of FFmpeg, which opens decoders itself to see what is in a file.
WHITELIST = {"codec_whitelist": ",".join(sorted(VIDEO_DECODERS | SOUND_DECODERS))}


def unread_codec(context: CodecContext | None) -> str | None:
    """The name of a stream's codec if it is not decoded here; None if it is."""
    if context is None:
        return "an unknown codec"
    codec = context.codec
    if codec.name in VIDEO_DECODERS | SOUND_DECODERS:
        return None
    return f"{codec.long_name} ({codec.canonical_name})"
