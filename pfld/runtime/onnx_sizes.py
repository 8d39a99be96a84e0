"""Sizes of all that an ONNX graph computes, by its operators, https://onnx.ai/onnx/operators/.

Of these there are those that exported networks have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from pfld.preprocess import LARGEST_INPUT
from pfld.runtime.onnx_parts import FLOAT, Node, Shape, Tensor


class Sizes:
    """Sizes of all that a graph computes, for a number of faces.

    Attributes:
        numbers: Of each map, by name.
        total: Numbers of all maps.
        products: Multiplications of convolutions and matrices.
    """

    def __init__(self, tensors: Sequence[Tensor], given: tuple[str, Shape], batch: int) -> None:
        self._shapes = {tensor.name: tensor.shape for tensor in tensors}
        self._values = {tensor.name: tensor.values for tensor in tensors}
        name, (_, *rest) = given
        self._shapes[name] = (batch, *rest)
        self.numbers = {name: math.prod(self._shapes[name])}
        self.total = self.products = 0

    def follow(self, nodes: Sequence[Node]) -> Sizes:
        """Itself, with what the nodes compute.

        Raises:
            ValueError: Where shapes do not fit, or are not known beforehand.
        """
        for node in nodes:
            shapes = [self._shapes[name] if name else () for name in self._known(node)]
            try:
                made = OPERATORS[node.operator](self, node, shapes)
            except (IndexError, TypeError, ValueError, ZeroDivisionError) as error:
                raise ValueError(f"{node.operator} of {shapes} cannot be ({error})") from error
            if len(node.made) > len(made) or set(node.made) & set(self._shapes):
                raise ValueError(f"{node.operator} makes something twice")
            for name, shape in zip(node.made, made):
                self._shapes[name] = shape
                self.numbers[name] = math.prod(shape)
                self.total += self.numbers[name]
        return self

    def _known(self, node: Node) -> list[str]:
        for name in node.given:
            if name and name not in self._shapes:
                raise ValueError(
                    f"{node.operator} reads {name[:80]!a}, which nothing before it makes"
                )
        return node.given

    def constant(self, node: Node, index: int) -> tuple[float, ...]:
        """The numbers given to a node, which must be in the file; none if they are left out."""
        if index >= len(node.given) or not node.given[index]:
            return ()
        values = self._values.get(node.given[index])
        if values is None:
            raise ValueError("what it depends on is not in the file")
        return values

    def axes(self, node: Node, rank: int, default: Sequence[int] = ()) -> list[int]:
        """Axes, from an attribute or a constant, counted from the start."""
        found = node.integers("axes") or [int(axis) for axis in self.constant(node, 1)] or default
        if not all(-rank <= axis < rank for axis in found):
            raise ValueError("no such axis")
        return [axis % rank for axis in found]


Shapes = list[Shape]


def _same(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    return [shapes[0]]


def _broadcast(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    return [np.broadcast_shapes(*shapes)]


def _cast(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    if node.integer("to", 0) != FLOAT:
        raise ValueError("only to float32")
    return [shapes[0]]


def _concat(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    axis = node.integer("axis", 0) % len(shapes[0])
    if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) > 1:
        raise ValueError("the other axes differ")
    return [(*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])]


def _conv(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    (batch, channels, *map_hw), (made, read, *kernel) = shapes[:2]
    group = node.integer("group", 1)
    pads, strides = node.integers("pads") or [0] * 4, node.integers("strides") or [1, 1]
    dilations = node.integers("dilations") or [1, 1]
    if node.text("auto_pad", "NOTSET") != "NOTSET" or len(map_hw) != 2 or len(pads) != 4:
        raise ValueError("only in two axes, with pads given")
    if channels != read * group or made % group or min(strides + dilations + kernel) < 1:
        raise ValueError("channels or steps do not fit")
    if not all(0 <= pad <= max(kernel) * max(dilations) <= LARGEST_INPUT for pad in pads):
        raise ValueError("more padding than kernel")
    sides = [
        (side + pads[i] + pads[i + 2] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
        for i, side in enumerate(map_hw)
    ]
    shape = (batch, made, *(max(side, 0) for side in sides))
    sizes.products += math.prod(shape) * read * math.prod(kernel)
    return [shape]


def _pool(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    return [(*shapes[0][:2], *(1 for _ in shapes[0][2:]))]


def _flatten(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    axis = node.integer("axis", 1)
    return [(math.prod(shapes[0][:axis]), math.prod(shapes[0][axis:]))]


def _gemm(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    (rows, inner), (other, columns) = (
        shape[::-1] if node.integer(name, 0) else shape
        for shape, name in zip(shapes[:2], ("transA", "transB"))
    )
    if inner != other:
        raise ValueError("inner axes differ")
    sizes.products += rows * inner * columns
    return [(rows, columns)]


def _matmul(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    (*first, rows, inner), (*second, other, columns) = shapes
    if inner != other:
        raise ValueError("inner axes differ")
    shape = (*np.broadcast_shapes(tuple(first), tuple(second)), rows, columns)
    sizes.products += math.prod(shape) * inner
    return [shape]


def _reshape(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    wanted = [int(side) for side in sizes.constant(node, 1)]
    if not node.integer("allowzero", 0):
        wanted = [side or shapes[0][index] for index, side in enumerate(wanted)]
    total = math.prod(shapes[0])
    if wanted.count(-1) == 1:
        wanted[wanted.index(-1)] = total // -math.prod(wanted)
    if min(wanted, default=1) < 0 or math.prod(wanted) != total:
        raise ValueError("another number of numbers")
    return [tuple(wanted)]


def _resize(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    node.refuse("axes")
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise ValueError("only stretched")
    scales, wanted = sizes.constant(node, 2), sizes.constant(node, 3)
    sides = wanted or [side * scale for side, scale in zip(shapes[0], scales)]
    if len(sides) != len(shapes[0]) or not all(0 <= side < 2**31 for side in sides):
        raise ValueError("sizes are not known")
    return [tuple(int(side) for side in sides)]


def _split(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    axis, parts = node.integer("axis", 0) % len(shapes[0]), sizes.constant(node, 1)
    if not parts or sum(parts) != shapes[0][axis] or min(parts) < 0:
        raise ValueError("its parts are not known")
    return [(*shapes[0][:axis], int(part), *shapes[0][axis + 1 :]) for part in parts]


def _reduce(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    axes = sizes.axes(node, len(shapes[0]), range(len(shapes[0])))
    kept = [1 if axis in axes else side for axis, side in enumerate(shapes[0])]
    if not node.integer("keepdims", 1):
        kept = [side for axis, side in enumerate(kept) if axis not in axes]
    return [tuple(kept)]


def _squeeze(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    alone = [axis for axis, side in enumerate(shapes[0]) if side == 1]
    axes = sizes.axes(node, len(shapes[0]), alone)
    return [tuple(side for axis, side in enumerate(shapes[0]) if axis not in axes)]


def _unsqueeze(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    count = len(node.integers("axes") or sizes.constant(node, 1))
    axes = set(sizes.axes(node, len(shapes[0]) + count))
    rest = iter(shapes[0])
    return [tuple(1 if axis in axes else next(rest) for axis in range(len(shapes[0]) + count))]


def _transpose(sizes: Sizes, node: Node, shapes: Shapes) -> Shapes:
    order = node.integers("perm") or list(range(len(shapes[0])))[::-1]
    if sorted(order) != list(range(len(shapes[0]))):
        raise ValueError("no order of its axes")
    return [tuple(shapes[0][axis] for axis in order)]


OPERATORS: dict[str, Callable[[Sizes, Node, Shapes], Shapes]] = {
    **dict.fromkeys(
        "Relu Sigmoid Sqrt Log Clip Softmax QuantizeLinear DequantizeLinear".split(), _same
    ),
    **dict.fromkeys("Add Sub Mul Div Pow".split(), _broadcast),
    **dict.fromkeys(("ReduceSum", "ReduceMean"), _reduce),
    "Cast": _cast,
    "Concat": _concat,
    "Conv": _conv,
    "GlobalAveragePool": _pool,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Reshape": _reshape,
    "Resize": _resize,
    "Split": _split,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
}
