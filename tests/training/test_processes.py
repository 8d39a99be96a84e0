"""Training in two processes on the CPU, through Accelerate."""

import os
import subprocess
import sys

import numpy as np
import pytest

from pfld.training.checkpoints import load_checkpoint
from support.paths import ROOT

pytestmark = pytest.mark.slow

OPTIONS = [
    "--data", "synthetic", "--synthetic-faces", "60", "--width-multiplier", "0.25",
    "--num-conv-branches", "2", "--input-size", "96", "--batch-size", "8", "--faces", "96",
    "--validation-fraction", "0.2", "--evaluate-every", "32", "--synchronize",
    # At higher rates AdamW makes much of the rounding of gradients that are all but zero.
    "--lr", "1e-4",
]  # fmt: skip

LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

# Trains as train.py does, and leaves what each process saw and has after every step.
RECORDED = """
import sys, numpy as np, torch, train
from pfld.training.trainer import Trainer
seen, sums = [], []
step = Trainer.step
def recorded(self):
    seen.append(self.training[self.order.batch(self.step_number)][self.rows])
    loss = step(self)
    sums.append([float(p.detach().double().abs().sum()) for p in self.network.parameters()])
    np.savez(sys.argv[1] + str(self.accelerator.process_index), seen=seen, sums=sums)
    return loss
Trainer.step = recorded
raise SystemExit(train.main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    script = folder / "recorded.py"
    script.write_text(RECORDED)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    for count in (1, 2):
        launcher = LAUNCHER if count > 1 else [sys.executable]
        command = [*launcher, script, str(folder / f"{count}-"), *OPTIONS]
        subprocess.run([*command, "--out", folder / str(count)], check=True, env=environment)
    return folder


def recorded(runs, count, process):
    with np.load(runs / f"{count}-{process}.npz") as arrays:
        return arrays["seen"], arrays["sums"]


def test_weights_are_identical_on_both_after_every_step(runs):
    np.testing.assert_array_equal(recorded(runs, 2, 0)[1], recorded(runs, 2, 1)[1])


def test_every_face_is_seen_once_an_epoch(runs):
    first, second = (recorded(runs, 2, process)[0] for process in (0, 1))
    together = np.concatenate([first, second], axis=1)
    np.testing.assert_array_equal(together, recorded(runs, 1, 0)[0])
    faces = len(np.unique(together))
    assert sorted(together.ravel()[:faces]) == sorted(np.unique(together))


def test_synchronised_moments_give_the_loss_curve_of_one_process(runs):
    curves = []
    for count in (1, 2):
        rows = load_checkpoint(runs / str(count))[1]["history"]
        curves.append([row["loss"] for row in rows])
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-3)


def test_files_are_written_once(runs):
    names = [sorted(path.name for path in (runs / str(count)).iterdir()) for count in (1, 2)]
    assert names[0] == names[1]
    assert len(list((runs / "2" / "tensorboard").iterdir())) == 1
