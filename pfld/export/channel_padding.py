"""Channel padding of ONNX graphs to whole blocks, for ONNX Runtime's CPU kernels.

ONNX Runtime convolves in its blocked layout if channels are a multiple of four, and slower otherwise. Its
int8 depthwise kernel computes the last channels one by one unless they fill a vector of 16. Padding with
zeros costs less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

BLOCK = 4  # in float; more costs browsers and smaller vectors than AVX-512's time
INT8_BLOCK = 16  # bytes in an SSE vector


def pad_channels(model: onnx.ModelProto, *, block: int = BLOCK) -> onnx.ModelProto:
    """A graph that computes the same with every convolution's channels padded to whole blocks.

    Slices that cut channels off the end are dropped: later weights skip these channels.

    Args:
        model: The graph of a network of this package. Operators that cannot take padded channels, such
            as the softmax of heatmaps, get unpadded ones.

    Raises:
        ValueError: For an operator that is not known here on padded channels.
    """
    import onnx

    padded = onnx.ModelProto()
    padded.CopyFrom(model)
    _Padder(padded.graph, block).pad_()
    return with_shapes(padded)


def with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph, whose nodes have changed, with shapes inferred anew, checked."""
    import onnx

    del model.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(inferred, full_check=True)
    return inferred


@dataclass(frozen=True)
class _Channels:
    """The ``positions`` of a tensor's channels among ``count``. The others are padding or unused."""

    positions: NDArray[np.int64]
    count: int


class _Padder:
    """Goes through a graph from its input on, tracking the positions of every tensor's channels."""

    def __init__(self, graph: onnx.GraphProto, block: int) -> None:
        from onnx import numpy_helper

        self.graph = graph
        self.block = block
        self.weights = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        channels = graph.input[0].type.tensor_type.shape.dim[1].dim_value
        self.channels = {graph.input[0].name: _Channels(np.arange(channels), channels)}
        self.renamed: dict[str, str] = {}
        self.producers: dict[str, onnx.NodeProto] = {}
        self.readers = Counter(name for node in graph.node for name in node.input)
        self.rules: dict[str, Callable[[onnx.NodeProto], _Channels | None]] = {
            "Conv": self._pad_conv,
            "Relu": self._same,
            "Resize": self._same,
            "GlobalAveragePool": self._same,
            "Flatten": self._same,
            "Concat": self._concatenate,
            "Add": self._add,
            "Slice": self._drop_slice,
            "Gemm": self._pad_head,
        }
        self.followed = self._followed()
        self.unpadded = {
            name
            for node in graph.node
            if node.output[0] not in self.followed
            for name in node.input
        }

    def pad_(self) -> None:
        from onnx import numpy_helper

        nodes = list(self.graph.node)
        del self.graph.node[:]
        for node in nodes:
            for index, name in enumerate(node.input):
                node.input[index] = self.renamed.get(name, name)
            if node.output[0] in self.followed:
                channels = self.rules[node.op_type](node)
                if channels:
                    self.channels[node.output[0]] = channels
                if node.op_type == "Slice":
                    continue
            elif any(self._is_padded(name) for name in node.input):
                raise ValueError(f"channels cannot be padded through {node.op_type} ({node.name})")
            self.graph.node.append(node)
            self.producers[node.output[0]] = node
        used = {name for node in self.graph.node for name in node.input}
        del self.graph.initializer[:]
        for name, values in self.weights.items():
            if name in used:
                values = np.ascontiguousarray(values)
                self.graph.initializer.append(numpy_helper.from_array(values, name))

    def _followed(self) -> set[str]:
        """Names of the outputs that can have padded channels: of known operators that add no constant."""
        tracked, followed = set(self.channels), set()
        for node in self.graph.node:
            data = [name for name in node.input if name and name not in self.weights]
            if node.op_type not in self.rules or not tracked.issuperset(data):
                if node.op_type == "Conv":
                    made_by = {name: other for other in self.graph.node for name in other.output}
                    raise ValueError(
                        f"channels cannot be padded through {made_by[data[0]].op_type} ({data[0]})"
                    )
                continue
            if node.op_type == "Add" and len(data) < 2:
                continue
            followed.add(node.output[0])
            if node.op_type != "Gemm":
                tracked.add(node.output[0])
        return followed

    def _is_padded(self, name: str) -> bool:
        channels = self.channels.get(name)
        return channels is not None and len(channels.positions) < channels.count

    def _same(self, node: onnx.NodeProto) -> _Channels:
        return self.channels[node.input[0]]

    def _pad_conv(self, node: onnx.NodeProto) -> _Channels:
        given = self.channels[node.input[0]]
        weight = self.weights[node.input[1]]
        if groups(node) == 1:
            count = len(weight)
            if node.output[0] not in self.unpadded:
                count = -(-count // self.block) * self.block
            made = _Channels(np.arange(len(weight)), count)
            weight = _spread(weight, given, axis=1)
        else:
            assert groups(node) == len(weight), "convolutions are dense or depthwise"
            made = given
            next(item for item in node.attribute if item.name == "group").i = made.count
        self.weights[node.input[1]] = _spread(weight, made, axis=0)
        if len(node.input) == 3:
            self.weights[node.input[2]] = _spread(self.weights[node.input[2]], made, axis=0)
        return made

    def _concatenate(self, node: onnx.NodeProto) -> _Channels:
        positions, count = [], 0
        for name in node.input:
            positions.append(self.channels[name].positions + count)
            count += self.channels[name].count
        return _Channels(np.concatenate(positions), count)

    def _add(self, node: onnx.NodeProto) -> _Channels:
        """Both terms need their channels in the same places; a dense convolution can put them there."""
        first, second = (self.channels[name] for name in node.input)
        if not (first.count == second.count and np.array_equal(first.positions, second.positions)):
            self._move(node.input[1], first)
        return first

    def _move(self, name: str, wanted: _Channels) -> None:
        conv, present = self.producers[name], self.channels[name]
        assert conv.op_type == "Conv" and groups(conv) == 1, f"{name} cannot be reordered"
        assert self.readers[name] == 1, f"{name} is read by others as well"
        for parameter in conv.input[1:]:
            values = self.weights[parameter][present.positions]
            self.weights[parameter] = _spread(values, wanted, axis=0)
        self.channels[name] = wanted

    def _drop_slice(self, node: onnx.NodeProto) -> None:
        """Nodes that read the slice read all channels instead; the position of each is known."""
        start, end, axis = (int(self.weights[name][0]) for name in node.input[1:4])
        assert (start, axis) == (0, 1), "slices cut channels off the end"
        whole = node.input[0]
        assert self.readers[whole] == 1, f"{whole} is used uncut as well"
        self.renamed[node.output[0]] = whole
        given = self.channels[whole]
        self.channels[whole] = _Channels(given.positions[:end], given.count)

    def _pad_head(self, node: onnx.NodeProto) -> None:
        axis = 1 if any(item.name == "transB" and item.i for item in node.attribute) else 0
        weight = self.weights[node.input[1]]
        self.weights[node.input[1]] = _spread(weight, self.channels[node.input[0]], axis=axis)


def groups(conv: onnx.NodeProto) -> int:
    """Groups of a convolution: 1 if it is dense, as many as channels if it is depthwise."""
    return next((item.i for item in conv.attribute if item.name == "group"), 1)


def _spread(values: NDArray[np.float32], channels: _Channels, *, axis: int) -> NDArray[np.float32]:
    """``values`` at the channels' positions along ``axis``, zeros elsewhere."""
    shape = list(values.shape)
    shape[axis] = channels.count
    spread = np.zeros(shape, values.dtype)
    index: list[slice | NDArray[np.int64]] = [slice(None)] * values.ndim
    index[axis] = channels.positions
    spread[tuple(index)] = values
    return spread
