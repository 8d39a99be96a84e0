"""One command from packed faces to weights, in small."""

import shutil
from pathlib import Path

import pytest

import train_packed
from pfld import build_network
from pfld.data.wflw_writer import write_wflw_layout
from pfld.synthetic.faces import synthetic_faces
from pfld.weights import load_weights, save_weights
from pfld.weights.metadata import WeightMetadata

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Pictures and lists apart, as they are packed best."""
    folder = tmp_path_factory.mktemp("packed")
    write_wflw_layout(synthetic_faces(60, size=160), folder / "a" / "faces")
    (folder / "b" / "faces").mkdir(parents=True)
    shutil.move(folder / "a" / "faces" / "WFLW_annotations", folder / "b" / "faces")
    return [
        Path(shutil.make_archive(str(folder / name), kind, folder / name))
        for name, kind in (("a", "zip"), ("b", "xztar"))
    ]


def test_archives_become_weights_small_enough_to_take_home(archives, tmp_path):
    start = tmp_path / "start.safetensors"
    metadata = WeightMetadata("ghostone", width_multiplier=0.25, num_conv_branches=1)
    save_weights(
        start, build_network("ghostone", width_multiplier=0.25, num_conv_branches=1), metadata
    )
    out = tmp_path / "home"
    arguments = ["--archives", *archives, "--minutes", "0.05", "--out", out, "--weights", start]
    small = "--width-multiplier 0.25 --num-conv-branches 1 --batch-size 8 --validation-fraction 0.2"
    options = ["--work", tmp_path / "work", "--", *small.split(), "--log-every", "5"]
    assert train_packed.main([str(argument) for argument in (*arguments, *options)]) == 0
    names = {path.name for path in out.iterdir()}
    assert {"ghostone-heatmap-w0.25.safetensors", "ghostone-heatmap-w0.25.onnx", "log.csv"} <= names
    assert not any(name.endswith(".pt") for name in names)
    assert max(path.stat().st_size for path in out.iterdir()) < 16 * 2**20
    network, about = load_weights(out / "ghostone-heatmap-w0.25.safetensors")
    assert network.head.name == "heatmap" and about.metrics["faces_seen"] >= 8


def test_archives_without_a_data_set_are_named(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "readme.txt").write_text("nothing")
    archive = shutil.make_archive(str(tmp_path / "b"), "zip", tmp_path / "a")
    with pytest.raises(FileNotFoundError, match=r"no WFLW_annotations in .*b\.zip"):
        train_packed.unpack([Path(archive)], tmp_path / "out")


def test_a_data_set_that_is_there_is_not_unpacked_again(archives, tmp_path):
    """Its crops are cached by the pictures' dates."""
    data = train_packed.unpack(archives, tmp_path)
    list_file = next(data.glob("WFLW_annotations/*/*_train.txt"))
    list_file.write_text("changed")
    assert train_packed.unpack(archives, tmp_path) == data
    assert list_file.read_text() == "changed"
