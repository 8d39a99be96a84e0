"""Weight files as they should not be. Makers take the path to write to."""

import os
import struct
import zipfile

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from pfld.preprocess import Preprocessing
from pfld.weights import WeightMetadata, save_weights
from support.damage import cut, holding

METADATA = WeightMetadata("pfld", Preprocessing(96), width_multiplier=0.25)


class Payload:
    """Unpickled, it makes a folder ``ran``."""

    def __reduce__(self):
        return (os.mkdir, ("ran",))


def state():
    torch.manual_seed(0)
    return METADATA.build().state_dict()


def safetensors(path):
    torch.manual_seed(0)
    save_weights(path, METADATA.build(), METADATA)


def checkpoint(change):
    return lambda path: torch.save(state() | change, path)


def packed(path):
    """A checkpoint that says it has ten gigabytes of zeros."""
    torch.save(state(), path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/999", bytes(1_000_000))


def saying(**changes):
    """A safetensors file that says something else about itself."""

    def write(path):
        from safetensors.torch import save_file

        save_file(state(), path, METADATA.to_strings() | changes)

    return write


def graph(path, *, place=None, batch="N"):
    """An ONNX file of one product; ``place`` is the file its factors lie in."""
    factors = numpy_helper.from_array(torch.ones(1, 98, 2).numpy(), "factors")
    if place:
        onnx.external_data_helper.set_external_data(factors, place)
        factors.ClearField("raw_data")
        factors.data_location = TensorProto.EXTERNAL
    axes = numpy_helper.from_array(torch.tensor([1, 2]).numpy(), "axes")
    last = numpy_helper.from_array(torch.tensor([1, 2, 3]).numpy(), "last")
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("ReduceMean", ["crops", "last"], ["mean"], keepdims=0),
                helper.make_node("Unsqueeze", ["mean", "axes"], ["column"]),
                helper.make_node("Mul", ["column", "factors"], ["landmarks"]),
            ],
            "product",
            [helper.make_tensor_value_info("crops", TensorProto.FLOAT, [batch, 3, 96, 96])],
            [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, [batch, 98, 2])],
            [factors, axes, last],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    helper.set_model_props(model, METADATA.to_strings())
    path.write_bytes(model.SerializeToString())


def cut_after(make, part):
    def write(path):
        make(path)
        cut(path, part)

    return write


NO_WEIGHTS = {
    "zero-byte.safetensors": holding(b""),
    "text.safetensors": holding(b"no weights\n" * 50),
    "truncated.safetensors": cut_after(safetensors, 0.9),
    "endless-header.safetensors": holding(struct.pack("<Q", 2**62) + b"{}"),
    "other-network.safetensors": saying(network="ghostnet"),
    "not-finite.safetensors": saying(crop_scale="nan"),
    "huge-number.safetensors": saying(std=f"[1{'0' * 400}, 1, 1]"),
    "deep.safetensors": saying(metrics="[" * 100_000),
    "zero-byte.pth": holding(b""),
    "text.pth": holding(b"no weights\n" * 50),
    "truncated.pth": cut_after(lambda path: torch.save(state(), path), 0.9),
    "code.pth": checkpoint({"extra": Payload()}),
    "packed.pth": packed,
    "numbered.pth": checkpoint({7: torch.zeros(1)}),
    "nan.pth": checkpoint({"fc.bias": torch.full((196,), torch.nan)}),
    "list.pth": lambda path: torch.save([torch.zeros(1)], path),
    "zero-byte.onnx": holding(b""),
    "text.onnx": holding(b"no weights\n" * 50),
    "truncated.onnx": cut_after(graph, 0.7),
    "elsewhere.onnx": lambda path: graph(path, place="../secret.bin"),
    "absolute.onnx": lambda path: graph(path, place="/etc/hostname"),
    "one-crop.onnx": lambda path: graph(path, batch=7),
}
