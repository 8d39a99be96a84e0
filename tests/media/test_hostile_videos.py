"""Videos that name other files and addresses: none of these is opened, whatever the file is and is called.

The kernel tells which files are opened (inotify); a server on this machine tells who connects.
"""

import ctypes
import os
import select
import socket
import struct
import sys
from itertools import product

import av
import pytest

from pfld.media.video import VideoReader, VideoWriter, opened
from support.clips import SIZE_HW, clip, frames

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs inotify")
IN_OPEN = 0x20


class Watch:
    """Knows whether any of some files was opened."""

    def __init__(self, *paths):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.inotify_init1(os.O_NONBLOCK)
        for path in paths:
            assert self._libc.inotify_add_watch(self._file, os.fsencode(path), IN_OPEN) > 0

    def opened(self):
        found = bool(select.select([self._file], [], [], 0)[0])
        if found:
            os.read(self._file, 65536)
        return found

    def close(self):
        os.close(self._file)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    """Videos that nobody may open: in a folder of their own, and beside the upload."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "secret").mkdir()
    (folder / "here").mkdir()
    clip(folder / "secret/a.ts", container="mpegts")
    clip(folder / "secret/a.mp4")
    for name in ("a.ts", "a.mp4"):
        (folder / "here" / f"beside-{name}").write_bytes((folder / "secret" / name).read_bytes())
    (folder / "secret/list.m3u8").write_text(hls(folder / "secret/a.ts"))
    return folder


@pytest.fixture
def quiet(secrets):
    """Fails the test if a secret file was opened or the server was asked; gives the server's port."""
    watched = [*(secrets / "secret").iterdir(), *(secrets / "here").glob("beside-*")]
    watch = Watch(*watched)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        watched[0].read_bytes()
        assert watch.opened()  # it does watch
        yield server.getsockname()[1]
        assert not watch.opened(), "another file was opened"
        with pytest.raises(BlockingIOError):
            server.accept()
    watch.close()


def hls(target):
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:3,\n{target}\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n"


LISTS = {
    "HLS": hls("{}"),
    "HLS of lists": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{}\n",
    "HLS with a key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{0}"\n' + hls("{0}")[8:],
    "HLS with a map": '#EXTM3U\n#EXT-X-MAP:URI="{0}"\n' + hls("{0}")[8:],
    "HLS of sound": '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{0}"\n{0}\n',
    "concat": "ffconcat version 1.0\nfile {}\n",
    "concat, quoted": "ffconcat version 1.0\nfile '{}'\nduration 3\nstream\n",
    "concat with options": "ffconcat version 1.0\nfile {}\noption safe 0\n",
    "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT3S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
    'bandwidth="1"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "IMF": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
    "<Id>urn:uuid:0</Id><AssetMap>{}</AssetMap></CompositionPlaylist>",
    "ASX": '<asx version="3.0"><entry><ref href="{}"/></entry></asx>',
    "ASF reference": "[Reference]\nRef1={}\n",
    "PLS": "[playlist]\nFile1={}\nNumberOfEntries=1\n",
    "XSPF": '<playlist xmlns="http://xspf.org/ns/0/"><track><location>{}</location></track></playlist>',
    "SMIL": '<smil><body><video src="{}"/></body></smil>',
    "QuickTime link": '<?xml version="1.0"?><?quicktime type="application/x-quicktime-media-link"?>'
    '<embed src="{}"/>',
    "RealMedia link": "{}\n",
    "VobSub": "# VobSub index file, v7\nsize: 64x48\nid: en, index: 0\ntimestamp: 00:00:01:000, filepos: 0\n",
    "AviSynth": 'AVISource("{}")\n',
    "VapourSynth": "import vapoursynth\nopen('{}').read()\n",
    "metadata": ";FFMETADATA1\ntitle={}\n",
    "filters": "movie={}\n",
    "subtitles": "1\n00:00:01,000 --> 00:00:02,000\n<img src='{}'>\n",
    "web subtitles": "WEBVTT\n\nSTYLE\n::cue {{ background: url({}) }}\n\n00:01.000 --> 00:02.000\na\n",
    "substation": "[Script Info]\nVideo File: {}\n\n[Events]\n",
    "pictures": "{}",
    "live": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\na=control:{}\n",
}


def behind_id3(data, tags=1):
    """The data behind tags of MP3 files that look like a transport stream with times."""
    size = 300
    tag = bytearray(b"ID3\x04\x47\0" + bytes([0, 0, size >> 7, size & 127]) + bytes(size))
    tag[196] = 0x47
    return bytes(tag) * tags + data


PREFIXES = {
    "alone": lambda data: data,
    "ID3": behind_id3,
    "two ID3": lambda data: behind_id3(data, 2),
    "byte order": lambda data: b"\xef\xbb\xbf" + data,
    "lines": lambda data: b"\n" * 200 + data,
    "transport": lambda data: (b"\x47" + bytes(187)) * 3 + data,
    "box": lambda data: b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + data,
    "Matroska": lambda data: b"\x1aE\xdf\xa3\x80" + data,
    "AVI": lambda data: b"RIFF\x24\0\0\0AVI LIST" + data,
}
NAMES = [
    "up.mp4",
    "up.m3u8",
    "up.ffconcat",
    "up.mpd",
    "up.sdp",
    "up.idx",
    "up%02d.jpg",
    "up.avs",
    "up.asx",
]


def targets(secrets, port):
    folder = secrets / "secret"
    local = [f"{folder}/a.ts", f"file:{folder}/a.mp4", f"file://{folder}/list.m3u8"]
    local += [
        "../secret/a.ts",
        "beside-a.ts",
        "beside-a.mp4",
        f"subfile,,start,0,end,0,,:{folder}/a.ts",
    ]
    local += [
        f"concat:{folder}/a.ts|{folder}/a.ts",
        f"crypto:{folder}/a.ts",
        f"async:{folder}/a.ts",
    ]
    address = f"127.0.0.1:{port}/a.ts"
    return [
        *local,
        *(f"{kind}://{address}" for kind in ("http", "https", "rtmp", "tcp", "rtsp", "gopher")),
    ]


def read(path):
    """Reads a file in every way that the package does; whether it was taken for a video."""
    try:
        with VideoReader(path) as reader:
            taken = bool(list(reader))
    except ValueError:
        taken = False
    try:
        with opened(path) as container:
            list(container.demux())
    except (ValueError, OSError):
        pass
    with VideoWriter(path.with_name("out.mp4"), SIZE_HW, 25, sound_of=secret_sound(path)) as writer:
        writer.write(next(frames(1)))
    return taken


def secret_sound(path):
    """The file for its sound, if it can be opened at all."""
    try:
        with opened(path):
            return path
    except ValueError:
        return None


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS.keys())
def test_what_a_list_names_is_not_opened(secrets, quiet, content):
    tried = 0
    for target, (number, prefix) in product(targets(secrets, quiet), enumerate(PREFIXES.values())):
        data = content.replace("{0}", target).replace("{}", target).encode()
        path = secrets / "here" / NAMES[(number + tried) % len(NAMES)]
        path.write_bytes(prefix(data))
        try:
            with VideoReader(path) as reader:
                pytest.fail(f"{target} was read: {reader.about}")
        except ValueError:
            pass
        path.unlink()
        tried += 1
    assert tried == 16 * len(PREFIXES)


def boxed(kind, *parts):
    data = b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + kind + data


def with_reference(data, entry):
    """An .mp4 file whose media lie, it says, where an entry of ``dref`` points."""

    def changed(start, end):
        made = b""
        while start < end:
            size, kind = struct.unpack(">I4s", data[start : start + 8])
            inner = data[start + 8 : start + size]
            if kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
                inner = changed(start + 8, start + size)
            elif kind == b"dref":
                inner = bytes(4) + struct.pack(">I", 1) + entry
            made += boxed(kind, inner)
            start += size
        return made

    return changed(0, len(data))


def alias(path):
    """An entry of ``dref`` as QuickTime writes it, with an absolute path."""
    name = os.fsencode(path)
    record = bytes(10) + bytes([4]) + b"disk".ljust(27, b"\0") + bytes(12)
    record += (
        bytes([4]) + b"a.ts".ljust(63, b"\0") + bytes(16) + struct.pack(">hh", -1, -1) + bytes(16)
    )
    record += struct.pack(">hH", 2, len(name)) + name + bytes(len(name) % 2)
    record += struct.pack(">hH", -1, 0)
    return boxed(b"alis", bytes(4), record)


ENTRIES = {
    "alias": alias,
    "address": lambda path: boxed(b"url ", bytes(4), b"file://" + os.fsencode(path) + b"\0"),
    "web address": lambda path: boxed(b"url ", bytes(4), b"http://127.0.0.1/a.mp4\0"),
    "name": lambda path: boxed(b"urn ", bytes(4), b"a\0" + os.fsencode(path) + b"\0"),
    "resource": lambda path: boxed(b"rsrc", bytes(4), os.fsencode(path) + b"\0"),
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
@pytest.mark.parametrize("name", ["a.ts", "a.mp4"])
def test_media_that_lie_in_another_file_are_not_opened(secrets, tmp_path, entry, name):
    data = clip(tmp_path / "a.mp4").read_bytes()
    watch = Watch(secrets / "secret" / name)
    (tmp_path / "b.mp4").write_bytes(with_reference(data, entry(secrets / "secret" / name)))
    read(tmp_path / "b.mp4")
    assert not watch.opened()
    watch.close()


def element(number, data):
    return bytes.fromhex(number) + struct.pack(">Q", len(data) | 1 << 56) + data


@pytest.mark.parametrize(
    "number", ["3e83bb", "3c83ab", "7384", "466e"], ids=["next", "before", "itself", "attached"]
)
@pytest.mark.parametrize("name", ["../secret/a.mp4", "beside-a.mp4", "/secret"])
def test_segments_in_other_files_are_not_opened(secrets, quiet, number, name):
    named = name.replace("/secret", f"{secrets}/secret/a.mp4", 1) if name[0] == "/" else name
    data = clip(secrets / "here/plain.mkv").read_bytes()
    segment = data.index(bytes.fromhex("18538067"))
    info = element("1549a966", element(number, named.encode()) + element("2ad7b1", b"\x0f\x42\x40"))
    endless = bytes.fromhex("1853806701ffffffffffffff")
    path = secrets / "here/up.mkv"
    path.write_bytes(data[:segment] + endless + info + data[segment + 12 :])
    read(path)


def test_attachments_and_subtitles_with_names_are_not_opened(secrets, quiet):
    path = secrets / "here/up.mkv"
    with av.open(str(path), "w") as output:
        output.metadata["title"] = output.metadata["filename"] = f"{secrets}/secret/a.mp4"
        stream = output.add_stream("libx264", rate=25)
        stream.height, stream.width = SIZE_HW
        stream.metadata["filename"] = f"{secrets}/secret/a.mp4"
        for image in frames(3):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(stream.encode(None))
    assert read(path)


def test_numbered_pictures_beside_it_are_not_opened(secrets, quiet):
    for number in range(3):
        (secrets / "here" / f"beside-{number:02d}.jpg").write_bytes(b"\xff\xd8\xff")
    watch = Watch(*(secrets / "here").glob("beside-0*"))
    path = secrets / "here/beside-%02d.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match="is not a video"):
        VideoReader(path)
    assert not watch.opened()
    watch.close()
    for file in (*(secrets / "here").glob("beside-0*"), path):
        file.unlink()


@pytest.mark.parametrize(
    "name", ["http://127.0.0.1:{}/a.ts", "tcp://127.0.0.1:{}", "concat:a|b", "pipe:0"]
)
def test_names_that_are_addresses_are_names_of_files(quiet, name):
    with pytest.raises(FileNotFoundError):
        VideoReader(name.format(quiet))


@pytest.mark.parametrize("kind", ["HLS", "concat", "alias"])
def test_without_limits_other_files_are_opened(secrets, tmp_path, kind):
    """So the files above are what they are meant to be."""
    secret, path = secrets / "secret/a.ts", tmp_path / ("a.mp4" if kind == "alias" else "a.m3u8")
    content, options = hls(secret).encode(), {"extension_picky": "0", "allowed_extensions": "ALL"}
    if kind == "concat":
        content, options = LISTS["concat"].format(secret).encode(), {"safe": "0"}
    elif kind == "alias":
        data = clip(tmp_path / "b.mp4").read_bytes()
        content = with_reference(data, alias(secret))
        options = {"enable_drefs": "1", "use_absolute_path": "1"}
    path.write_bytes(content)
    watch = Watch(secret)
    try:
        with av.open(str(path), container_options=options) as container:
            list(container.demux())
    except av.error.FFmpegError:
        pass
    assert watch.opened()
    watch.close()
