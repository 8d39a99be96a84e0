"""Fault test of training, killed at random moments: ``python tools/stress/training_faults.py --kills 50``.

Trains a tiny network on drawn faces once undisturbed. Then trains it again and again, each time killed
with SIGKILL and resumed until it is finished, up to the number of kills asked for. Each run must end with
the same weights and losses as the undisturbed one, and no kill may damage a good checkpoint. Prints one
line per fact; the exit status is 1 if any fact is not as required.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import torch

from pfld.data.wflw_writer import write_wflw_layout
from pfld.synthetic.faces import synthetic_faces
from pfld.training.checkpoints import load_checkpoint
from pfld.weights import load_weights

ROOT = Path(__file__).parents[2]
STEPS = 24
BATCH_SIZE = 4
OPTIONS = [
    "--width-multiplier", "0.25", "--num-conv-branches", "1", "--input-size", "96",
    "--batch-size", str(BATCH_SIZE), "--faces", str(BATCH_SIZE * STEPS), "--validation-fraction", "0.2",
    "--evaluate-every", str(BATCH_SIZE * STEPS // 2), "--log-every", "2", "--checkpoint-minutes", "0.0001",
]  # fmt: skip
FACES = 80
TOLERANCE = 1e-5  # of weights and losses
POLL_S = 0.002  # between looks at the run
GIVEN_UP_S = 1800.0  # for one start of train.py

# Processes are forked from one that has done the imports, which take longer than most kills wait.
_SERVER = multiprocessing.get_context("forkserver")
_IMPORTED = ["train", "torch.utils.tensorboard", "matplotlib.pyplot", "onnxscript", "torch._dynamo"]


def _train(options: list[str]) -> None:
    """Runs train.py without its output, to its exit status."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    from train import main as train

    sys.exit(train(options))


@dataclass(frozen=True)
class Run:
    """The folders of one run."""

    data: Path
    out: Path
    cache: Path

    def start(self) -> ForkServerProcess:
        """Starts train.py in a process of its own, which resumes the run if there is one."""
        folders = ["--data", str(self.data), "--out", str(self.out), "--cache", str(self.cache)]
        process = _SERVER.Process(target=_train, args=([*OPTIONS, "--resume", *folders],))
        process.start()
        return process

    def finishes(self) -> bool:
        """Starts train.py and waits for its end; whether it finished the run."""
        process = self.start()
        process.join(GIVEN_UP_S)
        process.kill()
        process.join()
        return process.exitcode == 0

    def newest(self, report: Callable[[str], None] = lambda line: None) -> int:
        """Step of the newest readable checkpoint; 0 without one. Damaged ones go to ``report``."""
        found = load_checkpoint(self.out, report)
        return 0 if found is None else found[0]

    def files(self) -> set[Path]:
        """The files in the run's folders, without those inside of the cache's entries."""
        return {*self.out.glob("*"), *self.out.glob("tensorboard/*"), *self.cache.glob("*")}

    def has_cache(self) -> bool:
        """Whether the cache of crops is complete."""
        return any(self.cache.glob("[!.]*"))


# The new file that a kill waits for, and the longest time it waits after that, in seconds.
MOMENTS: dict[str, tuple[str, float]] = {
    "while the cache is written": (".building-*", 0.3),
    "while a checkpoint is written": ("step-*.partial", 0.03),
    "once a checkpoint is there": ("step-*.pt", 0.3),
    "after a few steps": ("events.out.*", 3.0),
    "while results are written": ("*.safetensors", 5.0),
}
ANY_TIME = "at any time"


@dataclass
class Record:
    """Results of all kills.

    Attributes:
        phases: How often a process was killed in which phase.
        older: Kills after which the newest readable checkpoint was older than before.
        damaged: Messages about checkpoints that could not be read after a kill.
        runs: Number of finished runs.
        different: How finished runs differ from the undisturbed one.
        largest: Largest difference of a weight or loss.
    """

    phases: Counter[str] = field(default_factory=Counter)
    older: int = 0
    damaged: list[str] = field(default_factory=list)
    runs: int = 0
    different: list[str] = field(default_factory=list)
    largest: float = 0.0


def kill_once(run: Run, rng: np.random.Generator, length_s: float, record: Record) -> bool:
    """Starts the run and kills it at a random moment; False if it ended before that.

    Raises:
        TimeoutError: When it neither ends nor reaches that moment.
    """
    still_to_come = [name for name in MOMENTS if "cache" not in name or not run.has_cache()]
    moment = str(rng.choice([ANY_TIME, ANY_TIME, *still_to_come]))
    pattern, patience_s = MOMENTS.get(moment, ("", length_s))
    patience_s *= rng.random()
    step, before = run.newest(), run.files()
    process = run.start()
    begun = time.monotonic()
    due_s = begun + patience_s if not pattern else float("inf")
    while process.is_alive() and time.monotonic() < due_s:
        if due_s == float("inf") and any(p.match(pattern) for p in run.files() - before):
            due_s = time.monotonic() + patience_s
        if time.monotonic() - begun > GIVEN_UP_S:
            process.kill()
            raise TimeoutError(f"train.py was not done after {GIVEN_UP_S:.0f} s")
        time.sleep(POLL_S)
    process.kill()  # does nothing where it has ended
    process.join()
    if process.exitcode != -signal.SIGKILL:
        if process.exitcode != 0:
            record.different.append(f"exit status {process.exitcode}")
        return False
    now = run.newest(record.damaged.append)
    record.older += now < step
    phase = phase_of(run, run.files() - before)
    record.phases[phase] += 1
    kills = sum(record.phases.values())
    print(f"kill {kills}, {moment}: {phase}, step {now}", file=sys.stderr, flush=True)
    return True


def phase_of(run: Run, new: set[Path]) -> str:
    """What a killed process was doing, by the files that are new since it was started."""
    names = [path.name for path in new]
    if any(name.startswith(".building-") for name in names):
        return "writing the cache"
    if any(name.endswith((".partial", ".part")) for name in names):
        return "writing a file"
    if (run.out / f"step-{STEPS:08d}.pt").exists():
        return "finishing"
    if any(name.startswith("events.out.") for name in names):
        return "stepping"
    return "starting"


def compare(run: Run, undisturbed: Run, record: Record) -> None:
    """Notes how a finished run differs from the undisturbed one."""
    record.runs += 1
    mine, theirs = (weights_and_losses(each.out) for each in (run, undisturbed))
    if mine.keys() != theirs.keys():
        record.different.append(f"run {record.runs} has other weights or log rows")
        return
    for name, value in mine.items():
        difference = float((value - theirs[name]).abs().max()) if value.numel() else 0.0
        record.largest = max(record.largest, difference)
        if not difference <= TOLERANCE:  # NaN is not
            record.different.append(f"run {record.runs}: {name} by {difference:.2g}")
    names = [{path.name for path in each.out.iterdir()} for each in (run, undisturbed)]
    if names[0] != names[1]:
        record.different.append(f"run {record.runs} has other files: {names[0] ^ names[1]}")


def weights_and_losses(out: Path) -> dict[str, torch.Tensor]:
    """All final weights and logged losses of a run, by name; empty if it is not finished."""
    found = load_checkpoint(out)
    if found is None or found[0] != STEPS:
        return {}
    state = found[1]
    numbers = {
        f"{part} {name}": tensor.double()
        for part in ("module", "average")
        for name, tensor in state[part].items()
    }
    (file,) = out.glob("*.safetensors")
    network, _ = load_weights(file)
    numbers |= {f"file {name}": tensor.double() for name, tensor in network.state_dict().items()}
    with (out / "log.csv").open(newline="") as rows:
        for row in csv.DictReader(rows):
            for name in ("loss", "validation_nme"):
                if row[name]:
                    number = torch.tensor([float(row[name])], dtype=torch.float64)
                    numbers[f"{name} at step {row['step']}"] = number
    return numbers


def suffer(folder: Path, kills: int, seed: int) -> tuple[Record, float]:
    """Runs all kills; their results, and the seconds the undisturbed run took.

    Raises:
        RuntimeError: When the undisturbed run fails.
        TimeoutError: As :func:`kill_once`.
    """
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    _SERVER.set_forkserver_preload(_IMPORTED)
    rng = np.random.default_rng(seed)
    data = folder / "faces"
    write_wflw_layout(synthetic_faces(FACES, size=144), data, split="train")
    undisturbed = Run(data, folder / "undisturbed", folder / "cache")
    begun = time.monotonic()
    if not undisturbed.finishes():
        raise RuntimeError("the undisturbed run fails")
    length_s = time.monotonic() - begun
    record = Record()
    while sum(record.phases.values()) < kills:
        run = Run(data, folder / f"run-{record.runs}", folder / f"cache-{record.runs}")
        finished = False
        while not finished and sum(record.phases.values()) < kills:
            finished = not kill_once(run, rng, length_s, record)
        if not finished and not run.finishes():
            record.different.append("the last resumption failed")
        compare(run, undisturbed, record)
        for part in (run.out, run.cache):
            shutil.rmtree(part)
    return record, length_s


def main(argv: list[str] | None = None) -> int:
    """Runs the test and prints a line per fact; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--kills", type=int, default=50, help="number of kills (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the moments (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="training-faults-") as folder:
        record, length_s = suffer(Path(folder), arguments.kills, arguments.seed)
    phases = ", ".join(f"{count} {phase}" for phase, count in record.phases.most_common())
    print(f"undisturbed: {STEPS} steps, {length_s:.1f} s with start and results")
    print(f"killed: {sum(record.phases.values())} times in {record.runs} runs: {phases}")
    print(f"newest readable checkpoint older than before the kill: {record.older} times")
    print(f"checkpoints damaged by a kill: {len(record.damaged)}")
    print(
        f"largest difference of a final weight or loss: {record.largest:.1e} ({TOLERANCE:g} may be)"
    )
    print(f"other differences: {'; '.join(record.different) or 'none'}")
    return int(bool(record.older or record.damaged or record.different))


if __name__ == "__main__":
    sys.exit(main())
