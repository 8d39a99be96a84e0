"""Codecs: only decoders of the list are ever opened, whatever a file holds."""

import av
import pytest
from av.codec import Codec

from pfld.media.codecs import SOUND_DECODERS, VIDEO_DECODERS
from pfld.media.video import VideoReader, VideoWriter
from support.clips import SIZE_HW, frames
from support.containers import packed


def decoders():
    """All decoders of video and sound that FFmpeg has here: name, codec, kind."""
    for name in sorted(av.codecs_available):
        try:
            codec = Codec(name, "r")
        except ValueError:  # it only encodes
            continue
        if codec.type in ("video", "audio"):
            yield codec.name, codec.canonical_name, codec.type


CLOSED = "not on whitelist"
ALLOWED = {codec for name, codec, _ in decoders() if name in VIDEO_DECODERS | SOUND_DECODERS}


@pytest.fixture
def log():
    """What FFmpeg says, as (level, who, text); most decoders complain of the noise if they are opened."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.DEBUG)
    with av.logging.Capture(local=False) as entries:
        yield entries
    av.logging.set_level(before)


def test_the_list_names_decoders_there_are():
    names = {(name, kind) for name, _, kind in decoders()}
    assert {(name, "video") for name in VIDEO_DECODERS} <= names
    assert {(name, "audio") for name in SOUND_DECODERS} <= names


def said_by_decoders(entries):
    """Lines of other decoders than those of the list, but for those that say that one was not opened."""
    names = {name for name, _, _ in decoders()} - VIDEO_DECODERS - SOUND_DECODERS
    names.remove("apv")  # its parser says the same
    return [f"{who}: {text}" for _, who, text in entries if who in names and CLOSED not in text]


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_only_decoders_of_the_list_are_opened(tmp_path, log, kind):
    """With a file for each codec for which one can be made: 160 of video, 90 of sound."""
    source, tried, closed = tmp_path / "a", 0, 0
    for codec in sorted({codec for _, codec, its_kind in decoders() if its_kind == kind} - ALLOWED):
        if not packed(source, codec, kind):
            continue
        log.clear()
        if kind == "video":
            with pytest.raises(ValueError, match=f"[(]{codec}[)], which is not read here"):
                VideoReader(source)
        else:
            with VideoWriter(tmp_path / "b.mp4", SIZE_HW, 25, sound_of=source) as writer:
                writer.write(next(frames(1)))
            assert writer.sound_left_out.endswith(f"({codec})")
        assert not said_by_decoders(log)
        tried += 1
        closed += any(CLOSED in text for _, _, text in log)
    assert tried > 40 and closed > tried / 2, "FFmpeg has not tried to look into the files"
