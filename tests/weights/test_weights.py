"""Weight files: saved and loaded as pairs, published checkpoints, damaged and hostile files."""

import json
import struct
import zipfile
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from pfld import build_network, reparameterize
from pfld.networks import NETWORKS
from pfld.preprocess import Preprocessing
from pfld.runtime.backends import load_own_backend
from pfld.weights import WeightMetadata, load_weights, save_weights
from pfld.weights.shipped import SHIPPED
from support.networks import randomise

SMALL = WeightMetadata(
    "ghostone",
    Preprocessing(96, "bgr", (0.4, 0.5, 0.6), (0.2, 0.3, 0.1), 1.3),
    landmark_scheme="ibug-68",
    width_multiplier=0.25,
    num_conv_branches=2,
    training_data='generated, "as is" äö',
    license="research only",
    metrics={"nme": 0.1 + 0.2},
)


def small_network():
    torch.manual_seed(0)
    network = SMALL.build()
    randomise(network)
    return network.eval()


@pytest.mark.parametrize("form", ["train-time", "reparameterized"])
def test_saved_weights_load_bit_for_bit(tmp_path, form):
    network = small_network()
    if form == "reparameterized":
        network = reparameterize(network)
    metadata = replace(SMALL, form=form)
    save_weights(tmp_path / "new" / "a.safetensors", network, metadata)
    loaded, read = load_weights(tmp_path / "new" / "a.safetensors", network="ghostone")
    assert read == metadata and not loaded.training
    assert_close(loaded.state_dict(), network.state_dict(), rtol=0, atol=0)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.safetensors"]


def test_what_the_metadata_does_not_describe_is_not_written(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_text("before")
    with pytest.raises(ValueError, match="unexpected"):
        save_weights(path, small_network(), replace(SMALL, form="reparameterized"))
    assert path.read_text() == "before" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("fused", [False, True], ids=["train-time", "fused"])
def test_published_checkpoints_are_recognised(tmp_path, name, fused):
    options = {"width_multiplier": 0.35, "num_landmarks": 68, "input_size": 128}
    network = build_network(name, **options, num_conv_branches=3).eval()
    if fused:
        network = reparameterize(network)
    torch.save(network.state_dict(), tmp_path / "a.pth")
    loaded, metadata = load_weights(tmp_path / "a.pth")
    assert metadata.network == name and metadata.width_multiplier == 0.35
    assert metadata.preprocessing == Preprocessing(128, "bgr")
    assert_close(loaded.state_dict(), network.state_dict(), rtol=0, atol=0)


def test_channel_order_of_a_checkpoint_can_be_given(tmp_path):
    state = build_network("pfld", width_multiplier=0.25).state_dict()
    torch.save(state, tmp_path / "a.pth")
    _, metadata = load_weights(tmp_path / "a.pth", channel_order="rgb")
    assert metadata.preprocessing == Preprocessing(112, "rgb")


STRANGE = {
    "version": ({"format_version": "2"}, "format version 1 .* has 2"),
    "no-version": ({"format_version": None}, "has none"),
    "network": ({"network": "resnet"}, "pfld, ghostnet"),
    "scheme": ({"landmark_scheme": "mine"}, "wflw-98, ibug-68"),
    "count": ({"num_landmarks": "98"}, "68 landmarks.*says 98"),
    "other-scheme": ({"landmark_scheme": "wflw-98"}, "98 landmarks.*says 68"),
    "missing": ({"crop_scale": None}, "lacks 'crop_scale'"),
    "mean": ({"mean": "half"}, "makes no sense"),
    "not-finite": ({"crop_scale": "nan"}, "finite"),
    "large": ({"mean": f"[1{400 * '0'}, 0, 0]"}, "makes no sense"),
    "nan": ({"metrics": '{"nme": NaN}'}, "finite"),
    "order": ({"channel_order": "hsv"}, "hsv"),
    "width": ({"width_multiplier": "1e9"}, "0.25 to 2"),
    "branches": ({"num_conv_branches": "100000"}, "1 to 64"),
    "smaller": ({"num_conv_branches": "1"}, "unexpected"),
}


@pytest.mark.parametrize(("changes", "message"), STRANGE.values(), ids=STRANGE.keys())
def test_metadata_not_understood_is_refused(tmp_path, changes, message):
    from safetensors.torch import save_file

    strings = SMALL.to_strings() | changes
    strings = {key: value for key, value in strings.items() if value is not None}
    save_file(small_network().state_dict(), tmp_path / "a.safetensors", strings)
    with pytest.raises(ValueError, match=message) as raised:
        load_weights(tmp_path / "a.safetensors")
    assert "a.safetensors" in str(raised.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("kept", [0, 5, 1000, -1])
def test_damaged_files_are_refused(tmp_path, suffix, kept):
    path = tmp_path / f"a{suffix}"
    if suffix == ".pth":
        torch.save(small_network().state_dict(), path)
    else:
        save_weights(path, small_network(), SMALL)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=f"a{suffix}"):
        load_weights(path)


def test_absurd_header_length_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", 2**60) + json.dumps({}).encode())
    with pytest.raises(ValueError, match="damaged"):
        load_weights(tmp_path / "a.safetensors")


def test_no_code_in_a_checkpoint_runs(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    state = build_network("pfld", width_multiplier=0.25).state_dict()
    torch.save({**state, "extra": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="plain PyTorch state dict"):
        load_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {7: torch.zeros(1)},
        lambda state: {"fc.weight": state["fc.weight"].to_sparse()},
        lambda state: {"fc.weight": state["fc.weight"].to("meta")},
        lambda state: {"fc.weight": state["fc.weight"].to(torch.complex64)},
    ],
    ids=["nameless", "sparse", "no numbers", "complex"],
)
def test_tensors_no_network_has_are_refused(tmp_path, change):
    state = build_network("pfld", width_multiplier=0.25).state_dict()
    torch.save(state | change(state), tmp_path / "a.pth")
    with pytest.raises(ValueError, match="a.pth is not a plain PyTorch state dict: "):
        load_weights(tmp_path / "a.pth")


def test_an_archive_that_grows_is_refused_before_it_does(tmp_path, monkeypatch):
    state = build_network("pfld", width_multiplier=0.25).state_dict()
    torch.save({name: torch.zeros_like(t) for name, t in state.items()}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as plain:
        with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as packed:
            for name in plain.namelist():
                packed.writestr(name, plain.read(name))
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(ValueError, match="a.pth is not a plain PyTorch state dict"):
        load_weights(tmp_path / "a.pth")


BAD = {
    "missing": ("none.safetensors", {}, FileNotFoundError, "no weights at"),
    "suffix": ("a.onnx", {}, ValueError, "weights end in"),
    "network": ("a.safetensors", {"network": "pfld"}, ValueError, "holds ghostone, not pfld"),
    "order": ("a.safetensors", {"channel_order": "rgb"}, ValueError, "its channel order is bgr"),
    "foreign": ("foreign.pth", {}, ValueError, "no network known here.*conv8"),
    "pickle": ("broken.pth", {}, ValueError, "broken.pth is not a plain PyTorch state dict"),
    "nan": ("nan.pth", {}, ValueError, "not finite, first in fc.bias"),
    "wrong-order": ("nan.pth", {"channel_order": "hsv"}, ValueError, "hsv"),
}


@pytest.mark.parametrize(("name", "options", "error", "message"), BAD.values(), ids=BAD.keys())
def test_bad_files_and_arguments_are_named(tmp_path, name, options, error, message):
    save_weights(tmp_path / "a.safetensors", small_network(), SMALL)
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "foreign.pth")
    state = build_network("pfld", width_multiplier=0.25).state_dict()
    state["fc.bias"][3] = torch.nan
    (tmp_path / "broken.pth").write_bytes(b"\x80\x02h\x00.")  # refers to what it never stored
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(error, match=message):
        load_weights(tmp_path / name, **options)


def test_metadata_is_read_without_importing_pytorch():
    import subprocess
    import sys

    code = "import sys, pfld.weights.metadata, pfld.weights; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.*[xs]")), ids=lambda path: path.name)
def test_shipped_weights_say_that_they_are_for_research(path):
    assert "research" in load_own_backend(path).metadata.license
