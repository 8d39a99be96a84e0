"""Mixed precision: the nodes that stay in float when the others are quantized to int8."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

STEM = ("conv1", "conv2")
HEAD = "heatmap"
SMALL_MAP = 100  # pixels; in the mean over more of them, rounding errors average out
_JOINTS = ("Relu", "Concat", "Add")


def float_nodes(
    model: onnx.ModelProto, layers: Collection[str] = STEM
) -> tuple[list[str], set[str]]:
    """Names of the nodes to keep in float, and of the maps these make.

    They are the named layers; a heatmap head; the convolutions whose small maps the head averages; and
    the operators that join maps available in float. The stem is in float because that is both more exact
    and faster: int8 kernels gain nothing on three channels.

    Args:
        model: As :func:`pfld.export.onnx.export_onnx` makes it.
        layers: Names of layers, as in :class:`pfld.networks.LandmarkNetwork`.

    Raises:
        ValueError: For a layer the graph does not have.
    """
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    known = {layer_of(node) for node in convolutions}
    if unknown := set(layers) - known:
        raise ValueError(
            f"there is no layer {', '.join(sorted(unknown))}; layers are {', '.join(sorted(known))}"
        )
    chosen = {node.name for node in convolutions if layer_of(node) in (*layers, HEAD)}
    chosen |= {node.name for node in _read_by_head(model)}
    names: list[str] = []
    made: set[str] = set()
    for node in model.graph.node:
        reads_float = node.op_type != "Conv" and not made.isdisjoint(node.input)
        if node.name in chosen or (node.op_type in _JOINTS and reads_float):
            names.append(node.name)
        if node.name in chosen or reads_float or node.op_type == "GlobalAveragePool":
            made |= set(node.output)
    return names, made


def layer_of(convolution: onnx.NodeProto) -> str:
    """The layer of the network, such as ``conv3_1``, that a convolution belongs to."""
    return convolution.input[1].removeprefix("network.").split(".")[0]


def _read_by_head(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """The convolutions that make the small maps the head averages."""
    producers = {node.output[0]: node for node in model.graph.node}
    readers = Counter(name for node in model.graph.node for name in node.input)
    pixels = {
        info.name: shape[2].dim_value * shape[3].dim_value
        for info in model.graph.value_info
        if len(shape := info.type.tensor_type.shape.dim) == 4
    }

    def makers(name: str) -> Iterator[onnx.NodeProto]:
        node = producers[name]
        if node.op_type == "Conv":
            yield node
            return
        for part in node.input:
            # Not maps that other layers read as well, such as those of a shortcut around this one.
            if producers[part].op_type == "Conv" or readers[part] == 1:
                yield from makers(part)

    for node in model.graph.node:
        if node.op_type == "GlobalAveragePool" and pixels[node.input[0]] <= SMALL_MAP:
            yield from makers(node.input[0])
