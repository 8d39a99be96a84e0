"""State dicts in PyTorch files, read without unpickling: the few opcodes that plain ones have, and no others.

Both layouts are read: archives, as PyTorch writes them since 1.6, and what it wrote before.
Source: https://github.com/pytorch/pytorch/blob/main/torch/serialization.py, pickletools of Python.
"""

from __future__ import annotations

import math
import pickletools
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_MOST_OPCODES = 1_000_000  # the largest network there is has 720,000
_MOST_WAITING = 10_000  # values on the stack; PyTorch adds 1000 tensors at a time
_MOST_AXES = 8
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of files before 1.6
_TYPES = {
    f"torch {name}Storage": dtype
    for name, dtype in (
        ("Double", "float64"), ("Float", "float32"), ("Half", "float16"), ("BFloat16", "bfloat16"),
        ("Long", "int64"),
    )
}  # fmt: skip
_DICT, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"
_VALUES = frozenset("BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE".split())
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(frozen=True)
class _Storage:
    """Numbers in the file, by key."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class _Described:
    """A tensor, before its numbers are looked up."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def state_of(content: bytes) -> dict[str, Tensor]:
    """The named tensors in the content of a PyTorch file.

    Raises:
        ValueError: For anything but a dict of names and dense tensors of floats or int64, all of whose
            numbers are in the file.
    """
    try:
        archived = zipfile.is_zipfile(BytesIO(content))
        root, parts = _of_archive(content) if archived else _of_plain_file(content)
    except ValueError:
        raise
    except Exception as error:  # what is damaged can go wrong in any way
        raise ValueError(f"it is damaged ({type(error).__name__})") from error
    if not isinstance(root, dict):
        raise ValueError(f"it holds {_kind(root)} in place of named tensors")
    strange = [(name, value) for name, value in root.items() if not isinstance(value, _Described)]
    if strange:
        name, value = strange[0]
        raise ValueError(f"{name[:80]!a} is {_kind(value)} in place of a tensor")
    made: dict[_Storage, Tensor] = {}
    return {name: _tensor(described, parts, made) for name, described in root.items()}


def _of_archive(content: bytes) -> tuple[Any, dict[str, bytearray]]:
    """What the pickle of an archive describes, and the bytes of each storage in it."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        folder = names[0].partition("/")[0] + "/"
        if f"{folder}data.pkl" not in names or len(set(names)) < len(names):
            raise ValueError("its parts are not those of PyTorch's files")
        # PyTorch never compresses, so that parts are no larger than the file.
        packed = any(info.compress_type != zipfile.ZIP_STORED for info in infos)
        if packed or sum(info.file_size for info in infos) > len(content):
            raise ValueError("it would grow as it is unpacked")
        if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
            raise ValueError("its numbers begin with their highest bytes")
        described = _described(BytesIO(archive.read(f"{folder}data.pkl")))
        inside = f"{folder}data/"
        parts = {
            name.removeprefix(inside): bytearray(archive.read(name))
            for name in names
            if name.startswith(inside)
        }
    return described, parts


def _of_plain_file(content: bytes) -> tuple[Any, dict[str, bytearray]]:
    """The same of a file from before PyTorch 1.6: five pickles, and then the storages in turn."""
    file = BytesIO(content)
    if _described(file) != _MAGIC or _described(file) != _PROTOCOL:
        raise ValueError("it does not begin as PyTorch's files")
    machine = _described(file)
    if not machine["little_endian"]:
        raise ValueError("its numbers begin with their highest bytes")
    storages: dict[str, _Storage] = {}
    described, keys = _described(file, storages), _described(file)
    parts = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        size = count * _bytes_of(storages[key].dtype)
        if not 0 <= size <= len(content) - file.tell():
            raise ValueError("it ends before its numbers do")
        parts[key] = bytearray(file.read(size))
    return described, parts


def _described(file: BytesIO, storages: dict[str, _Storage] | None = None) -> Any:
    """What one pickle describes: dicts, lists, tuples, text, numbers, and tensors without their numbers.

    Args:
        storages: Takes all storages that it names, by key.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    storages = {} if storages is None else storages
    for name, argument in _opcodes(file):
        if max(len(stack), len(marks)) > _MOST_WAITING:
            raise ValueError("it has too much in one place")
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("EMPTY_DICT", "EMPTY_LIST"):
            stack.append({} if name == "EMPTY_DICT" else [])
        elif name == "GLOBAL":
            stack.append(_Global(argument))
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(_flat(_since(stack, marks.pop())))
        elif name in _SHORT_TUPLES:
            stack.append(_flat(_since(stack, len(stack) - _SHORT_TUPLES[name])))
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("SETITEM", "SETITEMS"):
            items = _since(stack, len(stack) - 2 if name == "SETITEM" else marks.pop())
            for key, value in zip(items[::2], items[1::2], strict=True):
                if type(key) is not str:
                    raise ValueError(f"{_kind(key)} is in place of a name")
                stack[-1][key] = value
        elif name in ("APPEND", "APPENDS"):
            items = _since(stack, len(stack) - 1 if name == "APPEND" else marks.pop())
            stack[-1].extend(items)
        elif name == "BINPERSID":
            storage = _storage(stack.pop())
            storages[storage.key] = storage
            stack.append(storage)
        elif name == "REDUCE":
            function, given = _since(stack, len(stack) - 2)
            stack.append(_made(function, given))
        elif name == "BUILD":
            stack.pop()  # attributes of a dict, such as versions of its modules
        elif name == "STOP":
            return stack.pop()
        elif name != "PROTO":
            raise ValueError(f"{name} is no opcode of a plain state dict")
    raise ValueError("it has no end")


def _opcodes(file: BytesIO) -> Iterator[tuple[str, Any]]:
    for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if number == _MOST_OPCODES:
            raise ValueError(f"it has more than {_MOST_OPCODES} opcodes")
        yield opcode.name, argument


def _since(stack: list[Any], start: int) -> list[Any]:
    """Takes what is on the stack from a place on."""
    if not 0 <= start <= len(stack):
        raise ValueError("it takes more than it has put down")
    taken = stack[start:]
    del stack[start:]
    return taken


def _flat(items: list[Any]) -> tuple[Any, ...]:
    """The items as a tuple; the arguments of a tensor are the deepest there are, with tuples of numbers."""
    if any(type(part) is tuple for item in items if type(item) is tuple for part in item):
        raise ValueError("it has tuples in tuples in tuples")
    return tuple(items)


def _storage(persistent: Any) -> _Storage:
    word, kind, key, _, count = persistent[:5]
    if word != "storage" or type(key) is not str or type(count) is not int:
        raise ValueError("it refers to something other than numbers of its own")
    if not isinstance(kind, _Global) or kind.name not in _TYPES:
        raise ValueError(f"its numbers are of {_kind(kind)}")
    if any(view is not None for view in persistent[5:]):
        raise ValueError("its numbers are a view of others")
    return _Storage(key, _TYPES[kind.name], count)


def _made(function: Any, given: Any) -> Any:
    """What a call gives, of the three that plain state dicts have."""
    name = function.name if isinstance(function, _Global) else None
    if name == _DICT and given == ():
        return {}
    if name == _PARAMETER and isinstance(given[0], _Described):
        return given[0]
    if name == _TENSOR:
        storage, offset, shape, strides = given[:4]
        if isinstance(storage, _Storage) and len(shape) == len(strides) <= _MOST_AXES:
            if all(type(n) is int and 0 <= n < 2**48 for n in (offset, *shape, *strides)):
                return _Described(storage, offset, shape, strides)
        raise ValueError("it has a tensor of impossible shape")
    raise ValueError(f"it calls {_kind(function)}")


def _tensor(
    described: _Described, parts: dict[str, bytearray], made: dict[_Storage, Tensor]
) -> Tensor:
    """A tensor with its numbers, of which the file must hold all; storages are ``made`` once."""
    import torch

    storage, shape = described.storage, described.shape
    dtype = getattr(torch, storage.dtype)
    if math.prod(shape) == 0:
        return torch.empty(shape, dtype=dtype)
    data = parts.get(storage.key, bytearray())
    held = len(data) // _bytes_of(storage.dtype)
    last = described.offset + sum((n - 1) * step for n, step in zip(shape, described.strides))
    if last >= held or math.prod(shape) > held:
        raise ValueError(f"a tensor of shape {shape} has {held} numbers")
    if storage not in made:
        made[storage] = torch.frombuffer(data, dtype=dtype, count=held)
    return made[storage].as_strided(shape, described.strides, described.offset)


def _bytes_of(dtype: str) -> int:
    return {"float64": 8, "int64": 8, "float32": 4}.get(dtype, 2)


def _kind(value: Any) -> str:
    """What something is, for messages."""
    if isinstance(value, _Global):
        return ascii(value.name[:80])
    return "a tensor" if isinstance(value, _Described) else type(value).__name__
