"""Runs that repeat bit for bit."""

from __future__ import annotations

import os

import torch


def use_deterministic_algorithms(enabled: bool) -> None:
    """Makes PyTorch take only algorithms that repeat, or refuse; or lifts that again.

    On CPUs a run repeats either way, for as many threads. On GPUs some algorithms add up in whatever
    order their threads arrive, and cuBLAS wants a fixed workspace from before its first use.
    """
    if enabled:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = not enabled and torch.backends.cudnn.benchmark
    if torch.are_deterministic_algorithms_enabled() != enabled:  # it imports PyTorch's compiler
        torch.use_deterministic_algorithms(enabled)
