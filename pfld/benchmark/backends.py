"""Latency and throughput benchmark of landmark networks: every network on every backend."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pfld.runtime.backends import Backend, load_backend
from pfld.weights.metadata import WeightMetadata
from pfld.weights.shipped import BACKENDS, find_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

ROUND_CALLS = 20  # calls in a row before the next backend takes its turn
BATCH_CALLS = 3
BATCH_SIZE = 8  # faces in the call whose throughput is measured


@dataclass(frozen=True)
class BackendSpeed:
    """Speed and size of one network on one backend.

    Attributes:
        p50_ms, p95_ms: Milliseconds for one face, from network input to landmarks.
        faces_per_second: In batches of :data:`BATCH_SIZE`.
        parameters, macs: Of the network in the form that is run; multiply-accumulates for one face. None
            without PyTorch, which counts them.
        file_mib: Size of the weight file.
        difference_px: Largest distance from the train-time network's points on random crops, in crop
            pixels; None where there are no train-time weights.
    """

    network: str
    backend: str
    threads: int
    p50_ms: float
    p95_ms: float
    faces_per_second: float
    parameters: int | None
    macs: int | None
    file_mib: float
    difference_px: float | None


def measure_backends(
    networks: Iterable[str],
    backends: Iterable[str],
    *,
    threads: Iterable[int] = (1,),
    rounds: int = 5,
) -> list[BackendSpeed]:
    """Measures every network on every backend that it has shipped weights for, in turns.

    Raises:
        ValueError, ImportError: As :func:`pfld.runtime.backends.load_backend`.
        FileNotFoundError: When there are weights for none of them.
    """
    backends = list(backends)
    pairs = [(n, b) for n in networks for b in backends if _is_shipped(n, b)]
    if not pairs:
        raise FileNotFoundError(f"no shipped weights for {', '.join(backends)}")
    references = {network: _reference(network) for network in dict.fromkeys(n for n, _ in pairs)}
    speeds = []
    for count in threads:
        timers = [_Timer(load_backend(*pair, threads=count)) for pair in pairs]
        for _ in range(rounds):
            for timer in timers:
                timer.run()
        speeds += [
            timer.speed(network, count, references[network])
            for timer, (network, _) in zip(timers, pairs)
        ]
    return speeds


def _is_shipped(network: str, backend: str) -> bool:
    if BACKENDS[backend] == ".safetensors" and not has_torch():
        return False
    try:
        find_weights(network, backend)
    except FileNotFoundError:
        return False
    return True


@dataclass
class _Timer:
    """A backend and the durations of its calls."""

    backend: Backend
    single_s: list[float] = field(default_factory=list)
    batch_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.batch = random_batch(self.backend)
        self.run()  # first calls allocate and choose kernels
        self.single_s.clear()
        self.batch_s.clear()

    def run(self) -> None:
        """Measures the calls of one turn."""
        one = self.batch[:1]
        self.single_s += [seconds(lambda: self.backend(one)) for _ in range(ROUND_CALLS)]
        self.batch_s += [seconds(lambda: self.backend(self.batch)) for _ in range(BATCH_CALLS)]

    def speed(
        self, network: str, threads: int, reference: NDArray[np.float32] | None
    ) -> BackendSpeed:
        """The measurements so far, with the properties of the backend.

        Args:
            reference: The train-time network's landmarks for the batch, if known.
        """
        backend = self.backend
        p50_ms, p95_ms = (float(1e3 * value) for value in np.percentile(self.single_s, (50, 95)))
        parameters, macs = network_size(backend) if has_torch() else (None, None)
        return BackendSpeed(
            network=network,
            backend=backend.name,
            threads=threads,
            p50_ms=p50_ms,
            p95_ms=p95_ms,
            faces_per_second=BATCH_SIZE / float(np.median(self.batch_s)),
            parameters=parameters,
            macs=macs,
            file_mib=backend.path.stat().st_size / 2**20,
            difference_px=self._difference_px(reference),
        )

    def _difference_px(self, reference: NDArray[np.float32] | None) -> float | None:
        if reference is None:
            return None
        distances = np.linalg.norm(self.backend(self.batch) - reference, axis=-1)
        return float(distances.max()) * self.backend.metadata.preprocessing.input_size


def seconds(call: Callable[[], object]) -> float:
    """The duration of a call, in seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def random_batch(backend: Backend) -> NDArray[np.float32]:
    """The same random crops every time, as network input ``(BATCH_SIZE, 3, S, S)``."""
    preprocessing = backend.metadata.preprocessing
    shape = (BATCH_SIZE, preprocessing.input_size, preprocessing.input_size, 3)
    return preprocessing(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def has_torch() -> bool:
    """Whether PyTorch is installed, which only some backends need."""
    return importlib.util.find_spec("torch") is not None


def network_size(backend: Backend) -> tuple[int, int]:
    """Parameters, and multiply-accumulates for one face, of the network in the form that is run."""
    metadata = backend.metadata
    if backend.name != "train-time":
        metadata = replace(metadata, form="reparameterized")
    return size_of(metadata)


def size_of(metadata: WeightMetadata) -> tuple[int, int]:
    """Parameters, and multiply-accumulates for one face, of a network; no weights are loaded for it."""
    import torch

    with torch.device("meta"):
        network = metadata.build().eval()
    size = metadata.preprocessing.input_size
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return parameters, count_macs(network, torch.zeros(1, 3, size, size, device="meta"))


def count_macs(network: nn.Module, batch: torch.Tensor) -> int:
    """Multiply-accumulates of all convolutions and linear layers in one call of ``network``."""
    from torch import nn

    total = 0

    def count(module: nn.Conv2d | nn.Linear, _: object, output: torch.Tensor) -> None:
        nonlocal total
        weights_per_output = module.weight[0].numel()
        total += output.numel() * weights_per_output

    kinds = (nn.Conv2d, nn.Linear)
    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, kinds)]
    try:
        network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def _reference(network: str) -> NDArray[np.float32] | None:
    """The train-time network's landmarks for :func:`random_batch`; None where it is not shipped."""
    try:
        backend = load_backend(network, "train-time")
    except (FileNotFoundError, ImportError):
        return None
    return backend(random_batch(backend))
