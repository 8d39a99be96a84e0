"""Tensors, operators and the input of an ONNX file, as far as sizes depend on them."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pfld.preprocess import LARGEST_INPUT
from pfld.runtime.protobuf import Message

_MOST_CONSTANTS = 16  # numbers of a tensor that says a shape

# Parts of messages, by https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
DOMAINS = ("", "ai.onnx")
_INPUTS = 11
_ATTRIBUTE_FORMS = frozenset((1, 2, 3, 4, 7, 8, 13, 20))  # numbers and text: no graphs or tensors
_EXTERNAL_DATA, _LOCATION, _RAW = 13, 14, 9
FLOAT, _INT64 = 1, 7
_TYPES = frozenset((FLOAT, 2, 3, 6, _INT64, 9, 11))  # float32, (u)int8, int32, int64, bool, float64

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file: its shape, and its numbers where they can be a shape."""

    name: str
    shape: Shape
    values: tuple[float, ...] | None

    @classmethod
    def of(cls, data: bytes) -> Tensor:
        """Raises ValueError for a tensor that is not in the file, or of another type."""
        tensor = Message(data)
        if tensor.integer(_LOCATION) or _EXTERNAL_DATA in tensor:
            raise ValueError("its tensors may lie in other files, and those are never read")
        shape, kind = tuple(tensor.integers(1)), tensor.integer(2)
        if min(shape, default=0) < 0 or kind not in _TYPES:
            raise ValueError(f"it has a tensor of type {kind} and shape {shape[:8]}")
        values: Sequence[float] | None = None
        if math.prod(shape) <= _MOST_CONSTANTS and kind in (FLOAT, _INT64):
            raw, form = b"".join(tensor.parts(_RAW)), "f" if kind == FLOAT else "q"
            if raw:
                size = struct.calcsize(form)
                values = struct.unpack(f"<{len(raw) // size}{form}", raw[: len(raw) // size * size])
            else:
                values = tensor.floats(4) if kind == FLOAT else tensor.integers(7)
            if len(values) != math.prod(shape):
                raise ValueError(f"a tensor of shape {shape} has {len(values)} numbers")
        return cls(tensor.text(8), shape, None if values is None else tuple(values))


class Node:
    """An operator of a graph.

    Raises:
        ValueError: For one that is not allowed.
    """

    def __init__(self, data: bytes) -> None:
        node = Message(data)
        self.operator = node.text(4)
        self.given = [part.decode("utf-8", "replace") for part in node.parts(1)]
        self.made = [part.decode("utf-8", "replace") for part in node.parts(2)]
        if node.text(7) not in DOMAINS:
            raise ValueError(f"it has operators of {node.text(7)[:80]!a}")
        attributes = [Message(part) for part in node.parts(5)]
        self._attributes = {attribute.text(1): attribute for attribute in attributes}
        for attribute in attributes:
            if not attribute.only(_ATTRIBUTE_FORMS) or len(self._attributes) < len(attributes):
                raise ValueError(f"an attribute of {self.operator} is of no kind that is allowed")

    def integer(self, name: str, default: int) -> int:
        """An attribute of one integer."""
        return self._attributes[name].integer(3) if name in self._attributes else default

    def integers(self, name: str) -> list[int]:
        """An attribute of integers; none if there is no such one."""
        return self._attributes[name].integers(8) if name in self._attributes else []

    def text(self, name: str, default: str) -> str:
        """An attribute of text."""
        return self._attributes[name].text(4) if name in self._attributes else default

    def refuse(self, *names: str) -> None:
        """Raises ValueError where one of these attributes is there."""
        if found := set(names) & set(self._attributes):
            raise ValueError(f"{self.operator} with {min(found)} is not allowed")


def crops_of(graph: Message, tensors: set[str]) -> tuple[str, Shape]:
    """Name and shape of what the graph is given, apart from the batch."""
    inputs = [Message(part) for part in graph.parts(_INPUTS)]
    inputs = [one for one in inputs if one.text(1) not in tensors]
    if len(inputs) != 1:
        raise ValueError(f"it takes {len(inputs)} inputs in place of crops alone")
    dims = inputs[0].message(2).message(1).message(2).parts(1)
    shape = tuple(Message(dim).integer(1) for dim in dims)
    if len(shape) != 4 or not all(1 <= side <= LARGEST_INPUT for side in shape[1:]):
        raise ValueError(f"it takes {shape[:8]} in place of crops")
    return inputs[0].text(1), shape
