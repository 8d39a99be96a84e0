"""The training process: stopping between steps, lost processes, determinism, memory allocation."""

from __future__ import annotations

import ctypes
import os
import signal

import torch
from accelerate import Accelerator

from pfld.interruption import Interruption

# Texts in Gloo's errors if another process has ended.
_LOST = ("closed by peer", "reset by peer", "connection refused", "broken pipe", "timed out")
# Options of glibc's mallopt.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_LARGEST = 1 << 30  # bytes


class StopRequest(Interruption):
    """A context in which the first Ctrl-C or SIGTERM of any process stops all of them after a step.

    Attributes:
        stopped: Whether :meth:`check` has returned True.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        super().__init__((signal.SIGINT, signal.SIGTERM))
        self._accelerator = accelerator
        self.stopped = False

    def __enter__(self) -> StopRequest:
        super().__enter__()
        return self

    def check(self) -> bool:
        """Whether any process has been asked to stop. All processes have to call this together."""
        requested = self.requested
        if self._accelerator.num_processes > 1:
            flag = torch.tensor(float(requested), device=self._accelerator.device)
            requested = self._accelerator.reduce(flag, "sum").item() > 0
        self.stopped = self.stopped or requested
        return self.stopped


def is_lost_process(error: RuntimeError) -> bool:
    """Whether an error means that another process of the run has ended or does not answer.

    Gloo raises plain errors that only their texts distinguish; NCCL's have a class of their own.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return False
    text = str(error).lower()
    return isinstance(error, torch.distributed.DistBackendError) or any(
        sign in text for sign in _LOST
    )


def use_deterministic_algorithms(enabled: bool) -> None:
    """Makes PyTorch use only deterministic algorithms, or raise an error; or lifts that again.

    On CPUs a run is reproducible either way, with the same number of threads. On GPUs some algorithms
    add up in varying order, and cuBLAS needs a fixed workspace that is set before its first use.
    """
    if enabled:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = not enabled and torch.backends.cudnn.benchmark
    if torch.are_deterministic_algorithms_enabled() != enabled:  # it imports PyTorch's compiler
        torch.use_deterministic_algorithms(enabled)


def keep_freed_memory() -> None:
    """Makes glibc keep the memory a training step frees for the next one; no effect on other C libraries.

    By default glibc gives large blocks back at once and asks for fresh, zeroed pages a moment later,
    which on the CPU can cost a quarter of a training step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    mallopt(_MMAP_THRESHOLD, _LARGEST)
    mallopt(_TRIM_THRESHOLD, _LARGEST)
