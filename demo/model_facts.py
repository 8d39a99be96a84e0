"""What a network costs before it runs: parameters, multiplications, bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pfld.runtime.backends import Backend, TorchBackend


@dataclass(frozen=True)
class ModelFacts:
    """Size of a network as it is computed.

    Attributes:
        parameters: Numbers that were learned, without running statistics of batch norms.
        macs: Multiplications of one face in convolutions and linear layers.
        file_bytes: Of the weight file; a re-parameterized network is folded from the train-time file.
    """

    parameters: int
    macs: int
    file_bytes: int


def model_facts(backend: Backend) -> ModelFacts:
    """The facts of a loaded network."""
    file_bytes = backend.path.stat().st_size
    if isinstance(backend, TorchBackend):
        return ModelFacts(*_count_torch(backend), file_bytes)
    return ModelFacts(*_count_onnx(backend), file_bytes)


def _count_torch(backend: TorchBackend) -> tuple[int, int]:
    import copy

    import torch
    from torch import nn

    network = copy.deepcopy(backend.network)  # hooks on the shared one would count others' calls
    macs = 0

    def count(module: nn.Module, _, output: torch.Tensor) -> None:
        nonlocal macs
        per_value = module.weight[0].numel()
        macs += output[0].numel() * per_value

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(count)
    size = backend.metadata.preprocessing.input_size
    with torch.inference_mode():
        network(torch.zeros(1, 3, size, size))
    return sum(parameter.numel() for parameter in network.parameters()), macs


def _count_onnx(backend: Backend) -> tuple[int, int]:
    import onnx

    model = onnx.load(backend.path)
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output)
    }
    weights = {value.name: list(value.dims) for value in graph.initializer}
    # Quantized weights pass through a node that scales them, and keep their shape.
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
    macs, learned = 0, {}
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        kernel = next((name for name in node.input[1:2] if name in weights), None)
        if kernel is None:
            continue
        learned |= {name: weights[name] for name in node.input[1:] if name in weights}
        shape = weights[kernel]
        if node.op_type == "Conv":
            macs += math.prod(shapes[node.output[0]]) * math.prod(shape[1:])
        else:
            macs += math.prod(shape)
    return sum(math.prod(shape) for shape in learned.values()), macs
