"""ONNX files of others, looked at before they are run: what they would compute, how much, and how large."""

from __future__ import annotations

import math

from pfld.runtime.onnx_parts import DOMAINS, Node, Tensor, crops_of
from pfld.runtime.onnx_sizes import OPERATORS, Sizes
from pfld.runtime.protobuf import Message

MOST_BYTES = 2**29  # of a file; the largest network there is has 400 MB
_MOST_NODES = 5000
# For each pixel of the crop. Of shipped networks the largest have 32, 1010 and 22,000; twice the width
# doubles the first two and quadruples the last.
_MOST_NUMBERS, _MOST_TOTAL, _MOST_PRODUCTS = 100, 4000, 200_000
_SMALL = 112  # side of the crop; of smaller ones, as much is allowed

# Parts of messages, by https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_GRAPH, _OPSETS, _TRAINING, _FUNCTIONS = 7, 8, 20, 25
_NODES, _TENSORS, _SPARSE = 1, 5, 15


def require_harmless(data: bytes) -> None:
    """Raises ValueError unless an ONNX file computes what exported networks do, in bounded time and memory.

    All of it must be in the file: no tensors in other files, no functions, loops or branches.
    """
    model = Message(data)
    for number, what in ((_TRAINING, "training steps"), (_FUNCTIONS, "functions")):
        if number in model:
            raise ValueError(f"it has {what} of its own")
    for opset in map(Message, model.parts(_OPSETS)):
        if opset.text(1) not in DOMAINS:
            raise ValueError(f"it has operators of {opset.text(1)[:80]!a}")
    graph = model.message(_GRAPH)
    if _SPARSE in graph:
        raise ValueError("it has sparse tensors")
    tensors = [Tensor.of(part) for part in graph.parts(_TENSORS)]
    if sum(math.prod(tensor.shape) for tensor in tensors) > len(data):
        raise ValueError("its tensors are larger than the file")
    parts = graph.parts(_NODES)
    if len(parts) > _MOST_NODES:
        raise ValueError(f"it has {len(parts)} operators, {_MOST_NODES} are the most")
    nodes = [Node(part) for part in parts]
    for node in nodes:
        if node.operator not in OPERATORS:
            raise ValueError(f"{node.operator[:80]!a} is no operator of exported networks")
    given = crops_of(graph, {tensor.name for tensor in tensors})
    one, two = (Sizes(tensors, given, batch).follow(nodes) for batch in (1, 2))
    pixels = max(_SMALL, *given[1][1:]) ** 2
    for what, found, most in (
        ("numbers in a map", max(one.numbers.values()), _MOST_NUMBERS),
        ("numbers", one.total, _MOST_TOTAL),
        ("products", one.products, _MOST_PRODUCTS),
    ):
        if found > most * pixels:
            raise ValueError(f"it computes {found} {what} for a face, {most * pixels} are the most")
    for name, numbers in one.numbers.items():
        if two.numbers[name] > 2 * numbers:
            raise ValueError(f"for two faces it computes more than twice as much, in {name[:80]!a}")
