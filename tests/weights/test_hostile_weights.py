"""Weight files made to harm: code, memory and time that they would take, numbers no network has."""

import builtins
import collections
import json
import struct
import zipfile
from functools import cache

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pfld import build_network
from pfld.weights import load_weights, read_state, save_weights
from support.bad_weights import METADATA
from support.bounds import bounded

MEMORY = 200 * 2**20  # bytes that a small file may take


class Call:
    """Pickled, it stands for the result of a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture(autouse=True)
def within_bounds():
    """Every test here ends in time, and takes little memory."""
    with bounded(MEMORY):
        yield


@cache
def state():
    torch.manual_seed(0)
    return METADATA.build().state_dict()


# What PyTorch writes is read


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "before 1.6"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_plain_files_are_read_bit_for_bit(tmp_path, zipped, dtype):
    given = {name: tensor.to(dtype) for name, tensor in state().items()}
    given["count"] = torch.tensor(7)
    given["none"] = torch.zeros(0, 3, dtype=dtype)
    torch.save(given, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    read = read_state(tmp_path / "a.pth")
    assert list(read) == list(given)
    assert_close(read, given, rtol=0, atol=0)


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "before 1.6"])
def test_views_parameters_and_shared_tensors_are_read(tmp_path, zipped):
    whole = torch.arange(24.0).reshape(4, 6)
    given = collections.OrderedDict(
        view=whole.T[1:4:2, 1:], whole=whole, same=whole, parameter=torch.nn.Parameter(whole[2])
    )
    given._metadata = {"": {"version": 1}}
    torch.save(given, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    read = read_state(tmp_path / "a.pth")
    assert_close(read, {name: tensor.detach() for name, tensor in given.items()}, rtol=0, atol=0)


# Checkpoints


CALLS = {
    "bytearray": Call(bytearray, 2**33),
    "bytes": Call(bytes, 2**33),
    "list of range": Call(list, range(10**10)),
    "repeated": Call(collections.Counter, "a" * 10),
    "set": {1},
    "storage": Call(torch.UntypedStorage, 2**33),
    "zeros": Call(torch.zeros, 2**31),
    "code": Call(eval, "open('ran', 'w')"),
    "attribute": Call(getattr, 1, "real"),
    "class": collections.Counter,
    "builtin": builtins.exec,
    "array": np.zeros(3),
    "dtype": torch.float32,
    "network": torch.nn.Linear(1, 1),
    "sparse": torch.zeros(9).to_sparse(),
    "meta": torch.zeros(9, device="meta"),
    "nested": {"a": torch.zeros(1)},
    "list": [torch.zeros(1)],
    "text": "a",
    "number": 1,
    "none": None,
}


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "before 1.6"])
@pytest.mark.parametrize("value", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("inside", [True, False], ids=["named", "alone"])
def test_what_is_not_a_tensor_is_refused_before_it_is_made(
    tmp_path, monkeypatch, value, zipped, inside
):
    monkeypatch.chdir(tmp_path)
    given = {"fc.bias": torch.zeros(196), "x": value} if inside else value
    torch.save(given, "a.pth", _use_new_zipfile_serialization=zipped)
    if isinstance(value, dict) and not inside:  # that is a plain state dict
        assert list(read_state("a.pth")) == ["a"]
        return
    with pytest.raises(ValueError, match="a.pth is not a plain PyTorch state dict: ") as raised:
        read_state("a.pth")
    assert not (tmp_path / "ran").exists() and "\n" not in str(raised.value)


DTYPES = [torch.int8, torch.uint8, torch.int32, torch.bool, torch.complex64, torch.float8_e4m3fn]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_other_types_are_refused(tmp_path, dtype, suffix):
    from safetensors.torch import save_file

    given = {name: tensor.to(dtype) for name, tensor in state().items()}
    path = tmp_path / f"a{suffix}"
    if suffix == ".pth":
        torch.save(given, path)
    else:
        save_file(given, path, METADATA.to_strings())
    with pytest.raises(ValueError, match=f"a{suffix}"):
        load_weights(path)


def pickled(*opcodes):
    return b"\x80\x02" + b"".join(opcodes) + b"."


PICKLES = {
    "marks": pickled(b"(" * 3_000_000),
    "lists": pickled(b"]" * 3_000_000),
    "lists in lists": pickled(b"]" * 2_000_000, b"a" * 1_999_999),
    "dicts": pickled(b"}" * 3_000_000),
    "tuples": pickled(b")", b"\x85" * 3_000_000),
    "doubled tuples": pickled(b")", *(b"q\x00h\x00h\x00\x86" for _ in range(40)), b"N", b"s"),
    "doubled names": pickled(b"}(", b")", b"q\x00h\x00h\x00\x86" * 40, b"K\x01u"),
    "itself": pickled(b"}q\x00X\x01\0\0\0ah\x00s"),
    "never stored": pickled(b"h\x07"),
    "not put down": pickled(b"t"),
    "nothing": pickled(),
    "endless": b"\x80\x02" + b"N0" * 1000,
    "long number": pickled(b"\x8b\xff\xff\xff\x7f"),
    "old number": pickled(b"L" + b"9" * 1_000_000 + b"L\n"),
    "code": b"cos\nsystem\n(S'touch ran'\ntR.",
    "newer code": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x09touch ran\x85R.",
    "instance": b"(S'touch ran'\nios\nsystem\n.",
    "extension": pickled(b"\x82\x01"),
    "buffer": b"\x80\x05\x97.",
}


@pytest.mark.parametrize("data", PICKLES.values(), ids=PICKLES.keys())
@pytest.mark.parametrize("packed", [True, False], ids=["archive", "alone"])
def test_other_pickles_are_refused_soon(tmp_path, monkeypatch, data, packed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pth").write_bytes(data)
    if packed:
        with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
            archive.writestr("a/data.pkl", data)
    with pytest.raises(ValueError, match="a.pth is not a plain PyTorch state dict: "):
        read_state(tmp_path / "a.pth")
    assert not (tmp_path / "ran").exists()


def rebuilt(tmp_path, old, new):
    """A state dict in which bytes of the pickle are replaced."""
    torch.save({"a": torch.zeros(3, 5)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as plain:
        with zipfile.ZipFile(tmp_path / "a.pth", "w") as changed:
            for name in plain.namelist():
                data = plain.read(name)
                assert old in data or not name.endswith("data.pkl")
                changed.writestr(name, data.replace(old, new, 1))
    return tmp_path / "a.pth"


SHAPES = {  # (3, 5) with strides (5, 1)
    "large": b"J\xff\xff\xff\x7fK\x05\x86",
    "one more": b"K\x04K\x05\x86",
    "negative": b"J\xff\xff\xff\xffK\x05\x86",
    "huge": b"\x8a\x20" + b"\xff" * 31 + b"\x7fK\x05\x86",
    "true": b"\x88K\x05\x86",
    "text": b"X\x01\0\0\0aK\x05\x86",
    "one axis": b"K\x0f\x85",
    "many axes": b"(" + b"K\x01" * 5_000 + b"t",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_tensor_of_numbers_that_are_not_in_the_file_is_refused(tmp_path, shape):
    path = rebuilt(tmp_path, b"K\x03K\x05\x86", shape)
    with pytest.raises(ValueError, match="tensor of "):
        read_state(path)


def test_a_tensor_of_one_number_all_over_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1).expand(2**40)}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="a tensor of shape .* has 1 numbers"):
        read_state(tmp_path / "a.pth")


def test_many_tensors_of_the_same_numbers_take_them_once(tmp_path):
    numbers = torch.zeros(1_000_000)
    torch.save({str(index): numbers for index in range(2000)}, tmp_path / "a.pth")
    assert len({tensor.data_ptr() for tensor in read_state(tmp_path / "a.pth").values()}) == 1


def archive_of(path, *parts):
    torch.save({"a": torch.zeros(3)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        folder = archive.namelist()[0].partition("/")[0]
        for name, data in parts:
            archive.writestr(name.format(folder), data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["{}/data.pkl", "{}/data/0", "{}/byteorder"])
def test_a_part_that_is_there_twice_is_refused(tmp_path, name):
    archive_of(tmp_path / "a.pth", (name, b"big"))
    with pytest.raises(ValueError, match="its parts"):
        read_state(tmp_path / "a.pth")


def test_parts_with_other_names_lead_nowhere(tmp_path):
    archive_of(tmp_path / "a.pth", ("../../escape", b"x"))
    assert list(read_state(tmp_path / "a.pth")) == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


# Safetensors


def safetensors_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def about(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


NAMED = {"__metadata__": METADATA.to_strings()}
HEADERS = {
    "many tensors": NAMED | {f"t{i}": about(shape=(0,), offsets=(0, 0)) for i in range(300_000)},
    "fewer tensors": NAMED | {f"t{i}": about(shape=(0,), offsets=(0, 0)) for i in range(60_000)},
    "long text": {"__metadata__": {"format_version": "1", "x": "a" * 20_000_000}},
    "deep": b'{"a":' + b"[" * 500_000 + b"]" * 500_000 + b"}",
    "spaces": b"{" + b" " * 20_000_000 + b"}",
    "overlap": NAMED | {"a": about(), "b": about(shape=(2,), offsets=(0, 8))},
    "huge shape": NAMED | {"a": about(shape=(2**40, 2**40))},
    "no axis": NAMED | {"a": about(shape=(0, 2**62), offsets=(0, 0))},
    "backwards": NAMED | {"a": about(offsets=(4, 0))},
    "unknown type": NAMED | {"a": about("X9")},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_other_headers_are_refused_soon(tmp_path, header):
    (tmp_path / "a.safetensors").write_bytes(safetensors_of(header, bytes(8)))
    with pytest.raises(ValueError, match="a.safetensors"):
        load_weights(tmp_path / "a.safetensors")


# Numbers


def every(value, ending=""):
    return lambda: {
        name: torch.full_like(tensor, value)
        if tensor.is_floating_point() and name.endswith(ending)
        else tensor
        for name, tensor in state().items()
    }


NUMBERS = {
    "huge": (every(3e38), "numbers up to 3e"),
    "huge, negative": (every(-1e12, "fc.bias"), "numbers up to 1e.12, first in fc.bias"),
    "not finite": (every(float("inf"), "running_mean"), "numbers that are not finite"),
    "no number": (every(float("nan"), "fc.bias"), "numbers that are not finite, first in fc.bias"),
    "negative variance": (every(-5.0, "running_var"), "a negative variance, -5, in "),
    "slightly negative variance": (every(-1e-3, "running_var"), "a negative variance"),
}


@pytest.mark.parametrize(("given", "message"), NUMBERS.values(), ids=NUMBERS.keys())
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_numbers_no_network_has_are_refused(tmp_path, given, message, suffix):
    from safetensors.torch import save_file

    path = tmp_path / f"a{suffix}"
    if suffix == ".pth":
        torch.save(given(), path)
    else:
        save_file(given(), path, METADATA.to_strings())
    with pytest.raises(ValueError, match=f"a{suffix} holds {message}"):
        load_weights(path)


@pytest.mark.parametrize(
    "change",
    [{"mean": "[1e300, 0, 0]"}, {"std": "[1e-300, 1, 1]"}, {"crop_scale": "1e300"}, {"std": "[1e9, 1, 1]"}],
    ids=str,
)  # fmt: skip
def test_normalisation_no_network_has_is_refused(tmp_path, change):
    from safetensors.torch import save_file

    save_file(state(), tmp_path / "a.safetensors", METADATA.to_strings() | change)
    with pytest.raises(ValueError, match="a.safetensors: .*at most 1000"):
        load_weights(tmp_path / "a.safetensors")


def test_files_larger_than_any_network_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("pfld.weights.files.MOST_BYTES", 1000)
    torch.save(build_network("pfld", width_multiplier=0.25).state_dict(), tmp_path / "a.pth")
    save_weights(tmp_path / "a.safetensors", METADATA.build(), METADATA)
    for name in ("a.pth", "a.safetensors"):
        with pytest.raises(ValueError, match=f"{name} has .* bytes, more than"):
            load_weights(tmp_path / name)
