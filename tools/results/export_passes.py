"""What each change of an exported graph is worth: ``python tools/results/export_passes.py``.

Exports shipped networks as PyTorch does and with one change after the other, compares their latencies
on one thread, in turns, and rewrites a table in docs/speed.md. Needs a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from markdown_tables import rewrite, table
from pfld import reparameterize
from pfld.export.channel_padding import pad_channels
from pfld.export.concatenations import split_concatenations
from pfld.export.onnx import _traced, _with_pooling
from pfld.runtime.onnx_session import open_session
from pfld.weights import load_weights

ROOT = Path(__file__).parents[2]
NETWORKS = ("ghostone", "ghostone-heatmap", "ghostone-small-heatmap", "ghostnet")
PASSES = {
    "as PyTorch exports it": lambda model: model,
    "averages as global pooling": _with_pooling,
    "channels padded to whole blocks": pad_channels,
    "sums in place of concatenations": split_concatenations,
}
IN_INT8 = "the shipped file in int8"
ROUNDS, RUNS = 60, 10


def latencies_ms(network: str) -> list[float]:
    """Median latency after each pass and in int8, in milliseconds; all are measured in turns."""
    loaded, metadata = load_weights(ROOT / "weights" / f"{network}.safetensors")
    size = metadata.preprocessing.input_size
    model = _traced(reparameterize(loaded), size)
    sessions = []
    for change in PASSES.values():
        model = change(model)
        sessions.append(open_session(model.SerializeToString()))
    sessions.append(open_session(ROOT / "weights" / f"{network}-int8.onnx"))
    rng = np.random.default_rng(0)
    feed = {"crops": rng.uniform(-1, 1, (1, 3, size, size)).astype(np.float32)}
    taken: list[list[float]] = [[] for _ in sessions]
    for _ in range(ROUNDS):
        for session, times in zip(sessions, taken):
            start = time.perf_counter()
            for _ in range(RUNS):
                session.run(None, feed)
            times.append(1e3 * (time.perf_counter() - start) / RUNS)
    return [statistics.median(times) for times in taken]


def main(argv: list[str] | None = None) -> int:
    """Measures and rewrites the table; returns the exit status."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(argv)
    columns = [latencies_ms(network) for network in NETWORKS]
    names = [*PASSES, IN_INT8]
    rows = [[name, *(f"{ms:.2f}" for ms in row)] for name, row in zip(names, zip(*columns))]
    head = ["ms for one face", *(f"`{network}`" for network in NETWORKS)]
    rewrite(ROOT / "docs" / "speed.md", {"passes": table(head, rows)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
