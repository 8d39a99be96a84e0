"""Channel equalization before quantization.

With channels of similar magnitude, one scale for a whole map wastes few of its 256 steps. A channel may
be divided by a positive number, also before a ReLU, if the weights that read it are multiplied by it.

Source: Nagel et al. 2019, Data-Free Quantization, section 4.1; the exponent as in Xiao et al. 2023,
SmoothQuant, section 4.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

STRENGTH = 0.75  # 0 leaves channels as they are, 1 makes them equally large at the weights' expense
_KEEPS_CHANNELS = ("Relu", "GlobalAveragePool", "Flatten")


def equalize(
    model: onnx.ModelProto, reach: Mapping[str, NDArray[np.float32]]
) -> tuple[onnx.ModelProto, dict[str, NDArray[np.float32]]]:
    """A graph that computes the same with channels of more even magnitude, and the divisors.

    Maps that are added to others are left alone.

    Args:
        model: As :func:`pfld.export.onnx.export_onnx` makes it.
        reach: By tensor, the magnitude of each channel ``(C,)``.

    Returns:
        The graph; and by tensor the divisors of its channels ``(C,)``, ones if unchanged.
    """
    import onnx
    from onnx import numpy_helper

    equal = onnx.ModelProto()
    equal.CopyFrom(model)
    weights = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in equal.graph.node:
        for name in node.input:
            readers[name].append(node)

    def ends_in_weights(name: str) -> bool:
        """Whether every path from a tensor leads to weights, through channel-wise operators alone."""
        return all(
            node.op_type in ("Conv", "Gemm")
            or (node.op_type in (*_KEEPS_CHANNELS, "Concat") and ends_in_weights(node.output[0]))
            for node in readers[name]
        )

    first = equal.graph.input[0].name
    divisors: dict[str, NDArray[np.float32]] = {first: np.ones(len(reach[first]), np.float32)}
    for node in equal.graph.node:
        made = node.output[0]
        if node.op_type == "Conv":
            kernel, *bias = node.input[1:]
            read = divisors[node.input[0]]
            dense = weights[kernel].shape[1] == len(read)
            weights[kernel] = weights[kernel] * read.reshape(
                (1, -1, 1, 1) if dense else (-1, 1, 1, 1)
            )
            divisors[made] = np.ones(len(weights[kernel]), np.float32)
            if readers[made] and ends_in_weights(made):
                after = readers[made][0]
                divisors[made] = _divisor(
                    reach[after.output[0] if after.op_type == "Relu" else made]
                )
            weights[kernel] = weights[kernel] / divisors[made].reshape(-1, 1, 1, 1)
            for name in bias:
                weights[name] = weights[name] / divisors[made]
        elif node.op_type == "Gemm":
            weights[node.input[1]] = weights[node.input[1]] * divisors[node.input[0]]
        elif node.op_type in _KEEPS_CHANNELS:
            divisors[made] = divisors[node.input[0]]
        elif node.op_type == "Concat":
            divisors[made] = np.concatenate([divisors[name] for name in node.input])
        elif node.op_type == "Add" and node.input[0] in divisors:
            divisors[made] = divisors[node.input[0]]
    for item in equal.graph.initializer:
        values = np.asarray(weights[item.name], numpy_helper.to_array(item).dtype)
        item.CopyFrom(numpy_helper.from_array(values, item.name))
    return equal, divisors


def _divisor(reach: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divisors of channels of these magnitudes ``(C,)``; 1 for channels that are always zero.

    They are not relative to the rest of the map, so that maps joined later become even, too.
    """
    return np.where(reach > 1e-6 * reach.max(), reach, 1).astype(np.float32) ** STRENGTH
