"""Convolutions over concatenated channels, as sums of convolutions over the parts, and back.

A Ghost module concatenates two maps for a convolution to read. That copies both. A convolution over
concatenated channels is the sum of one over each part, and ONNX Runtime adds to an earlier result while
it convolves, so that nothing is copied. In int8 sums would be rounded, and the concatenation is better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pfld.export.channel_padding import groups, with_shapes

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx


def split_concatenations(model: onnx.ModelProto) -> onnx.ModelProto:
    """A graph that computes the same, in which no convolution or pooling reads a concatenation.

    Args:
        model: A graph with inferred shapes. Concatenations that other operators read as well stay.
    """
    return _Splitter(model).rewritten()


def join_concatenations(model: onnx.ModelProto) -> onnx.ModelProto:
    """A graph that computes the same, in which one convolution replaces each sum of two.

    It undoes what :func:`split_concatenations` did to dense convolutions; the maps that a strided
    depthwise convolution makes are concatenated after it, where they are smaller.
    """
    return _Joiner(model).rewritten()


class _Rewriter:
    """Writes the nodes of a graph anew, one after the other."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import numpy_helper

        self.model, self.graph = model, model.graph
        self.weights = {item.name: numpy_helper.to_array(item) for item in self.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []

    def rewrite(self, node: onnx.NodeProto) -> None:
        """Adds what replaces a node to :attr:`nodes`."""
        raise NotImplementedError

    def rewritten(self) -> onnx.ModelProto:
        """The model with all nodes rewritten, with shapes inferred again, checked."""
        import onnx
        from onnx import numpy_helper

        for node in self.graph.node:
            self.rewrite(node)
        used = {name for node in self.nodes for name in node.input}
        made = onnx.ModelProto()
        made.CopyFrom(self.model)
        del made.graph.node[:], made.graph.initializer[:]
        made.graph.node.extend(self.nodes)
        made.graph.initializer.extend(
            numpy_helper.from_array(np.ascontiguousarray(values), name)
            for name, values in self.weights.items()
            if name in used
        )
        return with_shapes(made)

    def add_weight(self, name: str, values: NDArray[np.float32]) -> str:
        self.weights[name] = values
        return name


class _Splitter(_Rewriter):
    """Tracks which maps are concatenations, and writes these out only for operators that need them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__(model)
        infos = [*self.graph.input, *self.graph.value_info]
        shapes = {info.name: info.type.tensor_type.shape.dim for info in infos}
        self.channels = {
            name: shape[1].dim_value for name, shape in shapes.items() if len(shape) == 4
        }
        self.outputs = {output.name for output in self.graph.output}
        self.parts: dict[str, list[str]] = {}
        self.unwritten: dict[str, onnx.NodeProto] = {}  # concatenations not in the graph yet

    def rewrite(self, node: onnx.NodeProto) -> None:
        made = node.output[0]
        reads_parts = any(name in self.parts for name in node.input[:1])
        if node.op_type == "Conv" and reads_parts and groups(node) == 1:
            self._split_dense(node, self.weights[node.input[1]])
        elif made in self.outputs:
            self._keep(node)
        elif node.op_type == "Concat" and self.channels.keys() >= {made, *node.input}:
            self.parts[made] = [p for name in node.input for p in self.parts.get(name, [name])]
            self.unwritten[made] = node
        elif node.op_type == "Conv" and reads_parts:
            self._split_depthwise(node, self.weights[node.input[1]])
        elif node.op_type in ("Relu", "GlobalAveragePool") and reads_parts:
            self._split_each(node)
        else:
            self._keep(node)

    def _split_dense(self, node: onnx.NodeProto, kernel: NDArray[np.float32]) -> None:
        """One convolution for each part, the first with the bias, and their sum."""
        from onnx import helper

        parts = self.parts[node.input[0]]
        total = ""
        for index, (part, channels) in enumerate(zip(parts, self._slices(node.input[0]))):
            weight = self.add_weight(_piece(node.input[1], index), kernel[:, channels])
            bias = [] if total else node.input[2:]
            made = _piece(node.output[0], index)
            self.nodes.append(_changed(node, [part, weight, *bias], made))
            if total:
                both, made = [total, made], f"{made}_sum"
                if index == len(parts) - 1:
                    made = node.output[0]
                self.nodes.append(helper.make_node("Add", both, [made], made))
            total = made

    def _split_depthwise(self, node: onnx.NodeProto, kernel: NDArray[np.float32]) -> None:
        """One convolution for each part, whose results are parts of a concatenation again."""
        assert groups(node) == len(kernel), "convolutions are dense or depthwise"
        parameters = [
            [
                self.add_weight(_piece(name, index), self.weights[name][channels])
                for name in node.input[1:]
            ]
            for index, channels in enumerate(self._slices(node.input[0]))
        ]
        for convolution in self._split_each(node, parameters):
            group = next(item for item in convolution.attribute if item.name == "group")
            group.i = self.channels[convolution.input[0]]

    def _split_each(
        self, node: onnx.NodeProto, parameters: list[list[str]] | None = None
    ) -> list[onnx.NodeProto]:
        """The same operator on each part, with the parameters of each, if it has any."""
        from onnx import helper

        given, made = self.parts[node.input[0]], node.output[0]
        own = parameters or [[]] * len(given)
        parts = [_piece(made, index) for index in range(len(given))]
        written = [_changed(node, [g, *p], part) for g, p, part in zip(given, own, parts)]
        self.nodes.extend(written)
        self.channels |= {part: self.channels[name] for part, name in zip(parts, given)}
        self.parts[made] = parts
        self.unwritten[made] = helper.make_node("Concat", parts, [made], made, axis=1)
        return written

    def _slices(self, name: str) -> list[slice]:
        ends = np.cumsum([self.channels[part] for part in self.parts[name]]).tolist()
        return [slice(start, end) for start, end in zip([0, *ends], ends)]

    def _keep(self, node: onnx.NodeProto) -> None:
        """Adds a node as it is, after the concatenations that it reads."""
        for name in node.input:
            if name in self.unwritten:
                self.nodes.append(_changed(self.unwritten.pop(name), self.parts[name], name))
        self.nodes.append(node)


class _Joiner(_Rewriter):
    """Replaces sums of two dense convolutions that nothing else reads."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__(model)
        self.reads = [name for node in self.graph.node for name in node.input]
        self.reads += [output.name for output in self.graph.output]
        self.convolutions: dict[str, onnx.NodeProto] = {}
        self.joined: dict[tuple[str, str], str] = {}

    def rewrite(self, node: onnx.NodeProto) -> None:
        if node.op_type == "Add" and self._is_sum_of_convolutions(node):
            node = self._joined(node)
        if node.op_type == "Conv" and groups(node) == 1:
            self.convolutions[node.output[0]] = node
        self.nodes.append(node)

    def _is_sum_of_convolutions(self, node: onnx.NodeProto) -> bool:
        if any(self.reads.count(name) > 1 or name not in self.convolutions for name in node.input):
            return False
        first, second = (self.convolutions[name] for name in node.input)
        same_shape = (
            self.weights[first.input[1]].shape[2:] == self.weights[second.input[1]].shape[2:]
        )
        return same_shape and list(first.attribute) == list(second.attribute)

    def _joined(self, node: onnx.NodeProto) -> onnx.NodeProto:
        from onnx import helper

        both = [self.convolutions.pop(name) for name in node.input]
        self.nodes = [kept for kept in self.nodes if not any(kept is old for old in both)]
        maps = (both[0].input[0], both[1].input[0])
        if maps not in self.joined:
            self.joined[maps] = joined = f"{node.output[0]}_maps"
            self.nodes.append(helper.make_node("Concat", maps, [joined], joined, axis=1))
        name = both[0].input[1].rsplit(".part", 1)[0]
        kernels = [self.weights[convolution.input[1]] for convolution in both]
        parameters = [self.add_weight(name, np.concatenate(kernels, axis=1))]
        biases = [bias for convolution in both for bias in convolution.input[2:]]
        if len(biases) == 2:
            total = self.weights[biases[0]] + self.weights[biases[1]]
            biases = [self.add_weight(f"{name}_bias", total)]
        return _changed(both[0], [self.joined[maps], *parameters, *biases], node.output[0])


def _changed(node: onnx.NodeProto, inputs: Iterable[str], output: str) -> onnx.NodeProto:
    """A copy of a node with other inputs and another output, and named after it."""
    import onnx

    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.input[:]
    copy.input.extend(inputs)
    copy.output[0] = copy.name = output
    return copy


def _piece(name: str, index: int) -> str:
    return f"{name}.part{index}"
