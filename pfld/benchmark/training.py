"""Training benchmark: speed and memory of steps with folded, plain or single branches."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from pfld.benchmark.memory import peak_memory_mib

VARIANTS = {
    "folded": "GhostOne, six branches folded",
    "frozen": "GhostOne, folded, frozen norms",
    "heatmap": "the same as folded, heatmap head",
    "heatmap-frozen": "the same as frozen, heatmap head",
    "branches": "GhostOne, six plain branches",
    "single": "GhostNet, single branch",
}


@dataclass(frozen=True)
class TrainingSpeed:
    """One variant's training steps: images per second, and the process's peak memory in MiB.

    Memory is None where the system does not say.
    """

    variant: str
    images_per_second: float
    peak_memory_mib: float | None


def measure_training(
    variant: str, *, batch_size: int, steps: int, width_multiplier: float = 1.0
) -> TrainingSpeed:
    """Median speed of full training steps (forward, backward, AdamW) on random crops, in this process.

    Folded and single-branch networks run in channels_last. The plain branches run contiguous, because
    stepping them in channels_last crashes inside PyTorch 2.13 on x86 CPUs.

    Raises:
        ValueError: For an unknown variant.
    """
    import torch

    from pfld.blocks import freeze_statistics_, set_folded_training
    from pfld.networks import build_network

    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
    torch.manual_seed(0)
    layout = torch.contiguous_format if variant == "branches" else torch.channels_last
    name = "ghostnet" if variant == "single" else "ghostone"
    head = "heatmap" if variant.startswith("heatmap") else "regression"
    network = build_network(name, head=head, width_multiplier=width_multiplier)
    network.to(memory_format=layout)  # type: ignore[call-overload]  # torch's stubs lack memory_format
    set_folded_training(network, enabled=variant != "branches")
    if variant.endswith("frozen"):
        freeze_statistics_(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    crops = torch.randn(batch_size, 3, 112, 112).contiguous(memory_format=layout)
    target = torch.rand(batch_size, 196)
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        optimiser.zero_grad()
        (network(crops) - target).abs().sum(1).mean().backward()
        optimiser.step()
        seconds.append(time.perf_counter() - start)
    # The first step allocates and compiles kernels.
    return TrainingSpeed(variant, batch_size / statistics.median(seconds[1:]), peak_memory_mib())


def compare_training(*, batch_size: int, steps: int, rounds: int) -> list[TrainingSpeed]:
    """The speed of every variant, each run in its own process, in turns; medians over rounds."""
    runs: dict[str, list[TrainingSpeed]] = {variant: [] for variant in VARIANTS}
    for _ in range(rounds):
        for variant in VARIANTS:
            command = [sys.executable, "-m", "pfld", "benchmark", "training", "--variant", variant]
            command += ["--batch-size", str(batch_size), "--steps", str(steps), "--json", "-"]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            runs[variant].append(TrainingSpeed(**json.loads(output)[0]))
    results = []
    for variant, speeds in runs.items():
        peaks = [speed.peak_memory_mib for speed in speeds if speed.peak_memory_mib is not None]
        results.append(
            TrainingSpeed(
                variant,
                statistics.median(speed.images_per_second for speed in speeds),
                statistics.median(peaks) if peaks else None,
            )
        )
    return results
