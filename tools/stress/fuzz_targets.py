"""Fuzz targets and seeds for fuzz.py: each function that reads foreign input, and inputs to begin with.

Needs the folders demo and tests on the import path.
"""

from __future__ import annotations

import base64
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from landmark_app.models import Models
    from pfld.weights import WeightMetadata

_SETTINGS = {"--backend": "onnx"}  # of a folder of results
_MOST_FRAMES = 20  # read of a video

# Takes an input and a folder for its files.
Target = Callable[[bytes, Path], object]


def picture(data: bytes, folder: Path) -> None:
    """A picture file."""
    from pfld.media.pictures import read_image, read_picture

    path = folder / "a.jpg"
    path.write_bytes(data)
    for read in (read_picture, read_image):
        read(path)


def frame(data: bytes, folder: Path) -> None:
    """A camera frame of the app, a JPEG file."""
    from landmark_app.camera.frames import decode_frame

    decode_frame("data:image/jpeg;base64," + base64.b64encode(data).decode())


def lines(data: bytes, folder: Path) -> None:
    """Lines of a WFLW list, after one good line."""
    from pfld.data.annotations import read_faces
    from support.bad_annotations import LINE

    path = folder / "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(LINE.encode() + b"\n" + data)
    read_faces(folder, "train")


def points(data: bytes, folder: Path) -> None:
    """A .pts file."""
    from pfld.data.annotations import read_faces

    (folder / "a.pts").write_bytes(data)
    read_faces(folder, "train")


def safetensors(data: bytes, folder: Path) -> None:
    """A whole safetensors file."""
    from pfld.weights import load_weights

    (folder / "a.safetensors").write_bytes(data)
    load_weights(folder / "a.safetensors")


def header(data: bytes, folder: Path) -> None:
    """The header of a safetensors file; the tensors' bytes are zeros, as many as the smallest network has."""
    safetensors(struct.pack("<Q", len(data)) + data + bytes(_smallest_size()), folder)


def checkpoint(data: bytes, folder: Path) -> None:
    """A PyTorch checkpoint."""
    from pfld.weights import load_weights

    (folder / "a.pth").write_bytes(data)
    load_weights(folder / "a.pth")


def pickled(data: bytes, folder: Path) -> None:
    """The pickle in a PyTorch checkpoint, whose numbers are zeros."""
    from pfld.weights import read_state

    with zipfile.ZipFile(folder / "a.pth", "w") as archive:
        archive.writestr("a/data.pkl", data)
        for key in range(4):
            archive.writestr(f"a/data/{key}", bytes(1000))
    read_state(folder / "a.pth")


def record(data: bytes, folder: Path) -> None:
    """The record in a folder of results."""
    from pfld.prediction.folder import RECORD, PredictionFolder

    for begin_anew in (False, True):
        (folder / RECORD).mkdir(exist_ok=True)
        (folder / RECORD / "record.sqlite").write_bytes(data)
        with PredictionFolder(folder, _SETTINGS, overwrite=begin_anew) as results:
            results.plan([], copies=True)
            results.write_json()
            results.write_csv(98)


def graph(data: bytes, folder: Path) -> None:
    """An ONNX file, run on two crops."""
    import numpy as np

    from pfld.runtime.backends import load_backend

    (folder / "a.onnx").write_bytes(data)
    backend = load_backend(folder / "a.onnx")
    side = backend.metadata.preprocessing.input_size
    backend.predict(np.zeros((2, side, side, 3), np.uint8))


def metadata(data: bytes, folder: Path) -> None:
    """Metadata of a weight file, as a JSON object of strings."""
    from pfld.weights.metadata import WeightMetadata

    strings = json.loads(data)
    if isinstance(strings, dict) and all(isinstance(value, str) for value in strings.values()):
        WeightMetadata.from_strings(strings).build()


def video(data: bytes, folder: Path) -> None:
    """A video file."""
    from pfld.media.video import VideoReader

    (folder / "a.mp4").write_bytes(data)
    with VideoReader(folder / "a.mp4") as reader:
        for _ in islice(reader, _MOST_FRAMES):
            pass


def page(data: bytes, folder: Path) -> None:
    """What the app's page sends with a frame: settings, a time, and a path that is no upload; a line each.

    Raises:
        ValueError: When neither camera view accepts the settings.
        AssertionError: When the path is taken for an upload.
    """
    import numpy as np

    from landmark_app.camera.answer import read_settings
    from landmark_app.camera.follow import on_frame, on_pair_frame
    from landmark_app.camera.visitor import Visitor
    from landmark_app.files.uploads import uploaded

    text, _, rest = data.decode(errors="surrogateescape").partition("\n")
    time_s, _, path = rest.partition("\n")
    if refused(lambda: uploaded(path, folder)) is None:
        raise AssertionError(f"{path!r} is no upload")
    settings, when = read_settings(text), json.loads(time_s)
    image = np.zeros((64, 64, 3), np.uint8)
    reasons = [
        refused(lambda look=look: look(app_models(), Visitor(), image, when, settings))
        for look in (on_frame, on_pair_frame)
    ]
    if None not in reasons:
        raise ValueError(f"{reasons[0]}; {reasons[1]}")


@cache
def app_models() -> Models:
    """The app's models with fake networks and a detector that finds nothing."""
    from landmark_app.models import Models
    from support.fake_models import FakeBackend

    models = Models("ghostone", load=lambda network, mode: FakeBackend(mode))
    models.detector = lambda image, thorough=False: []
    return models


def refused(call: Callable[[], object]) -> Exception | None:
    """The ValueError or OSError that a call raises; None if it raises none."""
    try:
        call()
    except (ValueError, OSError) as error:
        return error
    return None


def seeds_of(name: str, folder: Path) -> list[bytes]:
    """Inputs to start from; temporary files are made in the folder."""
    return _SEEDS[name](folder)


def _picture_seeds(folder: Path) -> list[bytes]:
    from support.bad_pictures import NO_PICTURES, PICTURES

    return [*NO_PICTURES.values(), *PICTURES.values()]


def _frame_seeds(folder: Path) -> list[bytes]:
    return [data for data in _picture_seeds(folder) if data[:2] == b"\xff\xd8"]


def _line_seeds(folder: Path) -> list[bytes]:
    from support.bad_annotations import LINE, MISSING_PICTURES, NO_LINES

    texts = [LINE, *NO_LINES.values(), *MISSING_PICTURES.values()]
    return [text.encode() for text in texts]


def _point_seeds(folder: Path) -> list[bytes]:
    from support.bad_annotations import NO_PTS, PTS

    return [text.encode() for text in (PTS, *NO_PTS.values())]


@cache
def _smallest_network() -> tuple[WeightMetadata, dict[str, Tensor]]:
    """The smallest network there is, all zeros. Two bytes per number keep its files short."""
    import torch

    from pfld.preprocess import Preprocessing
    from pfld.weights import WeightMetadata

    metadata = WeightMetadata(
        "ghostone",
        Preprocessing(96),
        landmark_scheme="ibug-68",
        width_multiplier=0.25,
        num_conv_branches=1,
        form="reparameterized",
    )
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in metadata.build().state_dict().items()}
    return metadata, {name: torch.zeros(shape).half() for name, shape in shapes.items()}


def _smallest_size() -> int:
    return 2 * sum(tensor.numel() for tensor in _smallest_network()[1].values())


def _smallest_safetensors() -> bytes:
    from safetensors.torch import save

    metadata, state = _smallest_network()
    return save(state, metadata.to_strings())


def _header_of(about: dict[str, str], size: int) -> bytes:
    """The header of a file with one tensor of ``size`` bytes."""
    tensor = {"dtype": "F16", "shape": [size // 2], "data_offsets": [0, size]}
    return json.dumps({"__metadata__": about, "fc.bias": tensor}).encode()


def _header_seeds(folder: Path) -> list[bytes]:
    whole = _smallest_safetensors()
    own = whole[8 : len(whole) - _smallest_size()]
    return [own, *(_header_of(about, _smallest_size()) for about in _abouts()), b"{}"]


def _safetensors_seeds(folder: Path) -> list[bytes]:
    headers = [*(_header_of(about, 4) for about in _abouts()), b"{}"]
    short = [struct.pack("<Q", len(text)) + text + bytes(4) for text in headers]
    return [_smallest_safetensors(), *short]


def _metadata_seeds(folder: Path) -> list[bytes]:
    return [json.dumps(about).encode() for about in _abouts()]


def _abouts() -> list[dict[str, str]]:
    """The metadata of files with either head."""
    from pfld.weights.metadata import HEADS
    from support.bad_weights import METADATA

    return [replace(METADATA, head=head).to_strings() for head in HEADS]


def _checkpoint_seeds(folder: Path) -> list[bytes]:
    import torch

    incomplete = {
        "conv8.0.weight": torch.zeros(32, 1, 6, 6),
        "fc.bias": torch.zeros(196),
        "conv3_1.inv_res.0.0.weight": torch.zeros(1),
    }
    path = folder / "a.pth"
    made = []
    for state in (_smallest_network()[1], incomplete):
        for zipped in (True, False):  # as PyTorch writes them since 1.6, and before
            torch.save(state, path, _use_new_zipfile_serialization=zipped)
            made.append(path.read_bytes())
    return made


def _pickled_seeds(folder: Path) -> list[bytes]:
    import torch

    shared = torch.zeros(3, 5)
    made = []
    for state in ({"a": shared, "b": shared.T[1:, :2]}, {"a": torch.nn.Parameter(shared)}):
        torch.save(state, folder / "a.pth")
        with zipfile.ZipFile(folder / "a.pth") as archive:
            made.append(archive.read("a/data.pkl"))
    return made


def _record_seeds(folder: Path) -> list[bytes]:
    from pfld.prediction.folder import RECORD, PredictionFolder
    from pfld.prediction.sources import Source

    place = folder / "results"
    with PredictionFolder(place, _SETTINGS) as results:
        source = Source("picture", Path("a.jpg"), Path("a.jpg"))
        results.plan([source], copies=False)
        with results.adding(source, "1 1") as add:
            add(0, '{"source":"a.jpg","width":9,"height":9,"faces":[]}')
    return [(place / RECORD / "record.sqlite").read_bytes()]


def _graph_seeds(folder: Path) -> list[bytes]:
    from support.bad_weights import graph as write

    write(folder / "a.onnx")
    return [(folder / "a.onnx").read_bytes()]


def _video_seeds(folder: Path) -> list[bytes]:
    from support.bad_videos import avi, mp4

    made = []
    for write in (mp4, avi):
        write(folder / "a.mp4", 4)
        made.append((folder / "a.mp4").read_bytes())
    return made


def _page_seeds(folder: Path) -> list[bytes]:
    settings = {"network": "ghostone", "mode": "onnx", "smoothing": True, "max_faces": 2}
    pair = {"first": "ghostone · onnx", "second": "ghostone · train-time", "max_faces": 1}
    return [
        f"{json.dumps(settings)}\n0.5\n/etc/passwd".encode(),
        f"{json.dumps(pair)}\n1e3\n../../secret".encode(),
    ]


_SEEDS: dict[str, Callable[[Path], list[bytes]]] = {
    "picture": _picture_seeds,
    "frame": _frame_seeds,
    "lines": _line_seeds,
    "points": _point_seeds,
    "safetensors": _safetensors_seeds,
    "header": _header_seeds,
    "checkpoint": _checkpoint_seeds,
    "pickled": _pickled_seeds,
    "record": _record_seeds,
    "graph": _graph_seeds,
    "metadata": _metadata_seeds,
    "video": _video_seeds,
    "page": _page_seeds,
}

TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        picture, frame, lines, points, safetensors, header, checkpoint, pickled, record, graph, metadata,
        video, page,
    )
}  # fmt: skip
