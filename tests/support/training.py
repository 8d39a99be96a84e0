"""Short runs of train.py on synthetic faces."""

from pathlib import Path

import train
from pfld.training.checkpoints import load_checkpoint

SMALL = [
    "--data", "synthetic", "--width-multiplier", "0.25", "--num-conv-branches", "1",
    "--input-size", "96", "--batch-size", "8", "--validation-fraction", "0.1",
    "--synthetic-faces", "120",
]  # fmt: skip
SMALL_CONFIG = {
    "data": "synthetic", "width_multiplier": 0.25, "num_conv_branches": 1, "input_size": 96,
    "batch_size": 8, "validation_fraction": 0.1, "synthetic_faces": 60, "faces": 64,
}  # fmt: skip


def run(out, *options):
    return train.main([*SMALL, "--out", str(out), *options])


def losses(out):
    rows = (Path(out) / "log.csv").read_text().splitlines()
    column = rows[0].split(",").index("loss")
    return [float(row.split(",")[column]) for row in rows[1:]]


def newest(out):
    return load_checkpoint(Path(out))[1]
