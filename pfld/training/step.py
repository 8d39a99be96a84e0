"""A training step as a function of tensors alone, and the same captured as a CUDA graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class StepInputs(NamedTuple):
    """What a step is about: B faces on the device.

    Attributes:
        images: ``(B, 3, S, S)`` RGB in 0..1.
        landmarks: ``(B, L, 2)`` as fractions of the crop.
        attributes: ``(B, 6)``.
        weights: How much each face counts ``(B,)``.
        taught: A teacher's landmarks ``(B, L, 2)``; those of ``landmarks`` where there is none.
    """

    images: Tensor
    landmarks: Tensor
    attributes: Tensor
    weights: Tensor
    taught: Tensor


Update = Callable[[StepInputs], Tensor]  # trains on a batch and returns its loss, a scalar


class CapturedUpdate:
    """An update whose kernels are launched at once, as one graph, from the fourth step on.

    Launching thousands of small kernels one by one takes longer than they run. The graph reads its
    batch from tensors of its own, so that all batches need one shape.

    Args:
        update: Takes a step. It must wait for nothing on the device, and start with clearing gradients.
        warm_up: Steps taken kernel by kernel first, in which libraries choose their algorithms.
    """

    def __init__(self, update: Update, *, warm_up: int = 3) -> None:
        self._update = update
        self._left = warm_up
        self._replay: Callable[[], None] | None = None
        self._inputs: StepInputs | None = None
        self._loss: Tensor | None = None
        self._events: deque[torch.cuda.Event] = deque()

    def __call__(self, inputs: StepInputs) -> Tensor:
        """The loss of a step, a scalar of its own."""
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
        """Waits for the step before the last: further ahead, the clock would run without the steps."""
        event = torch.cuda.Event()
        event.record()
        self._events.append(event)
        if len(self._events) > 2:
            self._events.popleft().synchronize()

    def _aside(self, inputs: StepInputs) -> Tensor:
        """A step on another stream than the usual one, as capturing wants it."""
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
    """The next batch, made on a stream of its own while the current one is trained on.

    Args:
        make: The batch of a step.
        device: Beside CUDA devices, batches are made when they are asked for.
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
        """Begins with the batch of a step that comes next."""
        if self._stream is None:
            return
        with torch.cuda.stream(self._stream):
            self._ready = (step, self._make(step))
