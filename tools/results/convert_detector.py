"""Converts MediaPipe's face detectors to ONNX: ``python tools/results/convert_detector.py``.

The models are in the wheel of MediaPipe 0.10.21, under ``mediapipe/modules/face_detection``:

    pip download --no-deps --dest build mediapipe==0.10.21
    unzip -j build/mediapipe-*.whl '*/face_detection_*.tflite' -d build
    pip install tflite
    python tools/results/convert_detector.py build/*.tflite --out pfld/runtime/models

An ONNX file takes ``pictures_rgb``, ``(N, S, S, 3)`` uint8, with S of 128 (short range) or 192 (full
range). It returns two tensors, of A = 896 or 2304 anchors in float32:

- ``scores`` ``(N, A)``: 0..1, higher where a face is more likely.
- ``places`` ``(N, A, 8, 2)``: x, y of the box's middle, its width and height, then x, y of the right eye,
  left eye, nose tip, mouth, right and left ear, all as fractions of the picture's side.

So normalization, anchors and the sigmoid of MediaPipe's graphs are part of the file; non-maximum
suppression is not. Weights are float16 as in the original, and zeros that it leaves out are written.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tflite
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pfld.files import write_whole

OPSET, IR_VERSION = 17, 8  # which runtimes in browsers read as well
DTYPES = {tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.INT32: np.int32}
OPERATORS = {number: name for name, number in vars(tflite.BuiltinOperator).items()}
# Anchors per cell of each grid, by the picture's side: SsdAnchorsCalculatorOptions in MediaPipe's
# face_detection_short_range_common.pbtxt (strides 8, 16, 16, 16, each with an interpolated scale) and
# face_detection_full_range_common.pbtxt (stride 4, without). They are points: fixed_anchor_size is true.
ANCHORS = {128: ((16, 2), (8, 6)), 192: ((48, 1),)}


def anchors(side: int) -> NDArray[np.float32]:
    """Middles ``(A, 2)`` of the anchors, x and y as fractions of the picture's side."""
    cells = [
        [(x + 0.5) / grid, (y + 0.5) / grid]
        for grid, count in ANCHORS[side]
        for y, x, _ in product(range(grid), range(grid), range(count))
    ]
    return np.array(cells, np.float32)


class Conversion:
    """A TensorFlow Lite model, operator by operator, as nodes of an ONNX graph in NCHW layout."""

    def __init__(self, model: tflite.Model) -> None:
        self.model = model
        self.graph = model.Subgraphs(0)
        self.side = int(self.graph.Tensors(self.graph.Inputs(0)).Shape(1))
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.constants: dict[int, NDArray[np.generic]] = {}  # by index of the tensor
        self.names: dict[int, str] = {}  # of computed tensors, in the ONNX graph
        self.padded: dict[int, list[int]] = {}  # padding that a convolution has still to add

    def add(self, kind: str, inputs: list[str], name: str | None = None, **options: Any) -> str:
        """Adds a node and returns the name of its output."""
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **options))
        return name

    def constant(self, values: NDArray[np.generic]) -> str:
        """Adds a constant and returns its name."""
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, values: NDArray[np.generic]) -> str:
        """Adds a float16 constant, cast to float32 when it is used."""
        return self.add("Cast", [self.constant(values)], to=TensorProto.FLOAT)

    def value(self, index: int) -> NDArray[np.generic]:
        """A constant tensor, dense."""
        if index in self.constants:
            return self.constants[index]
        tensor = self.graph.Tensors(index)
        data = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        values = np.frombuffer(data.tobytes(), DTYPES[tensor.Type()])
        shape = tensor.ShapeAsNumpy()
        return values.reshape(shape) if tensor.Sparsity() is None else _dense(tensor, values, shape)

    def convert(self) -> onnx.ModelProto:
        """The whole model."""
        pixels = self.add("Cast", ["pictures_rgb"], to=TensorProto.FLOAT)
        # ImageToTensorCalculatorOptions.output_tensor_float_range: -1..1.
        scaled = self.add("Mul", [pixels, self.constant(np.array(2 / 255, np.float32))])
        scaled = self.add("Sub", [scaled, self.constant(np.array(1, np.float32))])
        self.names[self.graph.Inputs(0)] = self.add("Transpose", [scaled], perm=[0, 3, 1, 2])
        for number in range(self.graph.OperatorsLength()):
            self._operator(self.graph.Operators(number))
        raw_places, raw_scores = (self.names[index] for index in self.graph.OutputsAsNumpy())
        middles = anchors(self.side)
        # MediaPipe clips at +-100 before, where the sigmoid has long been 0 or 1.
        shape = self.constant(np.array([0, len(middles)]))
        self.add("Sigmoid", [self.add("Reshape", [raw_scores, shape])], "scores")
        # All but width and height count from the anchor; anchors are 1 wide and high.
        offsets = np.repeat(middles[:, None], 8, axis=1)
        offsets[:, 1] = 0
        shape = self.constant(np.array([0, *offsets.shape]))
        places = self.add("Reshape", [raw_places, shape])
        places = self.add("Mul", [places, self.constant(np.array(1 / self.side, np.float32))])
        self.add("Add", [places, self.constant(offsets)], "places")
        return self._model(len(middles))

    def _model(self, count: int) -> onnx.ModelProto:
        picture: list[str | int | None] = ["N", self.side, self.side, 3]
        given = [helper.make_tensor_value_info("pictures_rgb", TensorProto.UINT8, picture)]
        made = [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", count]),
            helper.make_tensor_value_info("places", TensorProto.FLOAT, ["N", count, 8, 2]),
        ]
        graph = helper.make_graph(self.nodes, "face_detection", given, made, self.weights)
        graph.doc_string = (
            "BlazeFace (Bazarevsky et al. 2019), copyright The MediaPipe Authors, Apache-2.0; "
            "converted from TensorFlow Lite"
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _operator(self, operator: tflite.Operator) -> None:
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        # Models of older versions have the code in the field that is deprecated.
        kind = OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        given = [int(index) for index in operator.InputsAsNumpy()]
        made = int(operator.Outputs(0))
        if kind in ("DEQUANTIZE", "DENSIFY"):
            self.constants[made] = self.value(given[0])
        elif kind == "PAD":
            self._pad(given, made)
        else:
            self.names[made] = getattr(self, f"_{kind.lower()}")(operator, given)

    def _pad(self, given: list[int], made: int) -> None:
        before, after = self.value(given[1])[[0, 3, 1, 2]].T.tolist()
        if before[1] == after[1] == 0:  # rows and columns only
            self.names[made] = self.names[given[0]]
            self.padded[made] = before[2:] + after[2:]
        else:
            pads = self.constant(np.array(before + after))
            self.names[made] = self.add("Pad", [self.names[given[0]], pads])

    def _activated(self, options: Any, name: str) -> str:
        kind = options.FusedActivationFunction()
        if kind == tflite.ActivationFunctionType.RELU:
            return self.add("Relu", [name])
        assert kind == tflite.ActivationFunctionType.NONE
        return name

    def _conv_2d(self, operator: tflite.Operator, given: list[int]) -> str:
        options = _options(operator, tflite.Conv2DOptions)
        kernel = self.value(given[1]).transpose(0, 3, 1, 2)
        return self._convolution(options, given, kernel, groups=1)

    def _depthwise_conv_2d(self, operator: tflite.Operator, given: list[int]) -> str:
        options = _options(operator, tflite.DepthwiseConv2DOptions)
        kernel = self.value(given[1]).transpose(3, 0, 1, 2)
        return self._convolution(options, given, kernel, groups=len(kernel))

    def _convolution(
        self, options: Any, given: list[int], kernel: NDArray[np.generic], *, groups: int
    ) -> str:
        stride, size = options.StrideH(), kernel.shape[2]
        pads = self.padded.get(given[0], [0, 0, 0, 0])
        if options.Padding() == tflite.Padding.SAME:
            # Sides are multiples of the strides here; the odd pixel comes last.
            total = max(size - stride, 0)
            pads = [total // 2, total // 2, total - total // 2, total - total // 2]
        inputs = [self.names[given[0]], self.weight(kernel), self.weight(self.value(given[2]))]
        name = self.add(
            "Conv", inputs, group=groups, pads=pads, strides=[stride] * 2, kernel_shape=[size] * 2
        )
        return self._activated(options, name)

    def _add(self, operator: tflite.Operator, given: list[int]) -> str:
        name = self.add("Add", [self.names[index] for index in given])
        return self._activated(_options(operator, tflite.AddOptions), name)

    def _relu(self, operator: tflite.Operator, given: list[int]) -> str:
        return self.add("Relu", [self.names[given[0]]])

    def _max_pool_2d(self, operator: tflite.Operator, given: list[int]) -> str:
        options = _options(operator, tflite.Pool2DOptions)
        size, stride = [options.FilterHeight()] * 2, [options.StrideH()] * 2
        return self.add("MaxPool", [self.names[given[0]]], kernel_shape=size, strides=stride)

    def _resize_bilinear(self, operator: tflite.Operator, given: list[int]) -> str:
        options = _options(operator, tflite.ResizeBilinearOptions)
        assert options.HalfPixelCenters() and not options.AlignCorners()
        scales = self.value(given[1]) / self.graph.Tensors(given[0]).ShapeAsNumpy()[1:3]
        factors = self.constant(np.array([1, 1, *scales], np.float32))
        inputs = [self.names[given[0]], "", factors]
        return self.add(
            "Resize", inputs, mode="linear", coordinate_transformation_mode="half_pixel"
        )

    def _depth_to_space(self, operator: tflite.Operator, given: list[int]) -> str:
        block = _options(operator, tflite.DepthToSpaceOptions).BlockSize()
        return self.add("DepthToSpace", [self.names[given[0]]], blocksize=block, mode="DCR")

    def _reshape(self, operator: tflite.Operator, given: list[int]) -> str:
        rows = self.add("Transpose", [self.names[given[0]]], perm=[0, 2, 3, 1])
        last = int(self.graph.Tensors(operator.Outputs(0)).Shape(2))
        return self.add("Reshape", [rows, self.constant(np.array([0, -1, last]))])

    def _concatenation(self, operator: tflite.Operator, given: list[int]) -> str:
        return self.add("Concat", [self.names[index] for index in given], axis=1)


def _options(operator: tflite.Operator, kind: type) -> Any:
    """The options of an operator, as a class of ``tflite``."""
    options, table = kind(), operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


def _dense(
    tensor: tflite.Tensor, values: NDArray[np.generic], shape: NDArray[np.int32]
) -> NDArray[np.generic]:
    """A kernel whose last axis is compressed: segments say which of the values belong to which row."""
    last = tensor.Sparsity().DimMetadata(len(shape) - 1)
    segments, indices = (
        _list_of(table, kind)
        for table, kind in (
            (last.ArraySegments(), last.ArraySegmentsType()),
            (last.ArrayIndices(), last.ArrayIndicesType()),
        )
    )
    rows = np.repeat(np.arange(len(segments) - 1), np.diff(segments.astype(int)))
    dense = np.zeros((len(segments) - 1, shape[-1]), values.dtype)
    dense[rows, indices] = values
    return dense.reshape(shape)


def _list_of(table: Any, kind: int) -> NDArray[np.generic]:
    names = {number: name for name, number in vars(tflite.SparseIndexVector).items()}
    vector = getattr(tflite, names[kind])()
    vector.Init(table.Bytes, table.Pos)
    return vector.ValuesAsNumpy()


def main(argv: list[str] | None = None) -> int:
    """Converts the files named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, help="TensorFlow Lite files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the ONNX files")
    arguments = parser.parse_args(argv)
    for path in arguments.models:
        model = Conversion(tflite.Model.GetRootAs(path.read_bytes(), 0)).convert()
        target = arguments.out / f"{path.stem.removesuffix('_sparse')}.onnx"
        write_whole(target, model.SerializeToString())
        print(f"{target} {target.stat().st_size}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
