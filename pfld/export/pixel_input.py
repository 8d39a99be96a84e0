"""Self-contained ONNX graphs: uint8 pixels in, landmarks in pixels out, preprocessing inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pfld.preprocess import Preprocessing

if TYPE_CHECKING:
    import onnx


def take_pixels(model: onnx.ModelProto, preprocessing: Preprocessing) -> onnx.ModelProto:
    """``model`` with uint8 crops as input and points in their pixels as output.

    Input ``crops_rgb`` ``(N, S, S, 3)`` uint8, outputs those of ``model`` times the crop's side, with
    ``_px`` after their names. The mean is subtracted first, so that zero padding still means grey; the
    scaling is folded into the weights of the first convolution.

    Args:
        model: From ``crops`` to ``landmarks``, and ``uncertainty`` if it has that output, as
            :func:`pfld.export.onnx.export_onnx` makes it.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    direct = onnx.ModelProto()
    direct.CopyFrom(model)
    graph = direct.graph
    size = preprocessing.input_size
    weights = {item.name: item for item in graph.initializer}

    def scale_(name: str, factor: NDArray[np.float64] | float) -> None:
        values = numpy_helper.to_array(weights[name]) * np.asarray(factor, np.float64)
        weights[name].CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))

    mean: NDArray[np.float64] = 255 * np.array(preprocessing.mean).reshape(1, 3, 1, 1)
    (first,) = (node for node in graph.node if "crops" in node.input)
    scale_(first.input[1], 1 / (255 * np.array(preprocessing.std).reshape(1, 3, 1, 1)))
    if preprocessing.channel_order == "bgr":
        mean = mean[:, ::-1]
        kernel = numpy_helper.to_array(weights[first.input[1]])[:, ::-1]
        weights[first.input[1]].CopyFrom(
            numpy_helper.from_array(np.ascontiguousarray(kernel), first.input[1])
        )
    first.input[0] = "crops_centred"
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    graph.input[0].CopyFrom(
        helper.make_tensor_value_info("crops_rgb", TensorProto.UINT8, [batch, size, size, 3])
    )
    graph.initializer.append(
        numpy_helper.from_array(np.ascontiguousarray(mean, np.float32), "grey")
    )
    steps = [
        helper.make_node("Transpose", ["crops_rgb"], ["crops_planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["crops_planes"], ["crops_float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["crops_float", "grey"], ["crops_centred"]),
    ]
    graph.initializer.append(numpy_helper.from_array(np.array(size, np.float32), "side"))
    scaled = []
    for output in graph.output:
        name = f"{output.name}_px"
        scaled.append(helper.make_node("Mul", [output.name, "side"], [name]))
        output.name = name
    nodes = [*steps, *graph.node, *scaled]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    direct = onnx.shape_inference.infer_shapes(direct, strict_mode=True)
    onnx.checker.check_model(direct, full_check=True)
    return direct
