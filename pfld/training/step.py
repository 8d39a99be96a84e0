"""Training steps captured as CUDA graphs, and batches prepared ahead on a stream of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class StepInputs(NamedTuple):
    """The inputs of a training step: B faces on the device.

    Attributes:
        images: ``(B, 3, S, S)`` RGB in 0..1.
        landmarks: ``(B, L, 2)`` as fractions of the crop.
        attributes: ``(B, 6)``.
        weights: Weight of each face ``(B,)``.
        taught: A teacher's landmarks ``(B, L, 2)``; equal to ``landmarks`` without a teacher.
    """

    images: Tensor
    landmarks: Tensor
    attributes: Tensor
    weights: Tensor
    taught: Tensor


Update = Callable[[StepInputs], Tensor]  # trains on a batch and returns its loss, a scalar


class CapturedUpdate:
    """An update whose kernels are launched together, as one CUDA graph, from the fourth step on.

    Launching thousands of small kernels one by one takes longer than they run. The graph reads its
    batch from tensors of its own, so all batches must have the same shape.

    Args:
        update: Takes a step. It must not wait for the device, and must begin by clearing gradients.
        warm_up: First steps that run kernel by kernel, in which libraries choose their algorithms.
    """

    def __init__(self, update: Update, *, warm_up: int = 3) -> None:
        self._update = update
        self._left = warm_up
        self._replay: Callable[[], None] | None = None
        self._inputs: StepInputs | None = None
        self._loss: Tensor | None = None
        self._events: deque[torch.cuda.Event] = deque()

    def __call__(self, inputs: StepInputs) -> Tensor:
        """Takes a step; returns its loss, a scalar that later steps do not overwrite."""
        if self._left > 0:
            self._left -= 1
            return self._aside(inputs)
        if self._replay is None:
            self._inputs = StepInputs(*(tensor.clone() for tensor in inputs))
            self._replay = self._captured(self._inputs)
        assert self._inputs is not None
        for mine, given in zip(self._inputs, inputs):
            mine.copy_(given)
        self._replay()
        assert self._loss is not None
        loss = self._loss.clone()
        self._pace()
        return loss

    def _pace(self) -> None:
        """Waits for the step before the last, so that the clock does not run ahead of the device."""
        event = torch.cuda.Event()
        event.record()
        self._events.append(event)
        if len(self._events) > 2:
            self._events.popleft().synchronize()

    def _aside(self, inputs: StepInputs) -> Tensor:
        """A step on a side stream, which capturing needs."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = self._update(inputs).detach()
        torch.cuda.current_stream().wait_stream(stream)
        return loss

    def _captured(self, inputs: StepInputs) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._loss = self._update(inputs).detach()
        return graph.replay


class BatchesAhead:
    """Makes the next batch on a stream of its own while the current one is trained on.

    Args:
        make: Makes the batch of a step.
        device: On other than CUDA devices, batches are made when they are asked for.
    """

    def __init__(self, make: Callable[[int], StepInputs], device: torch.device) -> None:
        self._make = make
        self._stream = torch.cuda.Stream(priority=-1) if device.type == "cuda" else None
        self._ready: tuple[int, StepInputs] | None = None

    def take(self, step: int) -> StepInputs:
        """The batch of a step."""
        if self._stream is None or self._ready is None or self._ready[0] != step:
            return self._make(step)
        _, inputs = self._ready
        self._ready = None
        current = torch.cuda.current_stream()
        current.wait_stream(self._stream)
        for tensor in inputs:
            tensor.record_stream(current)
        return inputs

    def prepare(self, step: int) -> None:
        """Starts to make the batch of the next step."""
        if self._stream is None:
            return
        with torch.cuda.stream(self._stream):
            self._ready = (step, self._make(step))
