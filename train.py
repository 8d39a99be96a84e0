"""Trains a landmark network: ``python train.py --data DIR``, or ``--data synthetic`` to try it out.

Several processes or hosts: ``accelerate launch train.py ...`` or, on CPUs, ``torchrun``.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from accelerate import Accelerator

from pfld.data.face_set import FaceSet
from pfld.files import visible
from pfld.training.checkpoints import load_checkpoint, save_checkpoint
from pfld.training.config import TrainingConfig, add_options, config_from
from pfld.training.contact_sheet import save_augmented_faces, save_validation_faces
from pfld.training.faces import SYNTHETIC, find_data, training_faces
from pfld.training.folder_lock import hold_folder
from pfld.training.history import History
from pfld.training.process import (
    StopRequest,
    is_lost_process,
    keep_freed_memory,
    use_deterministic_algorithms,
)
from pfld.training.progress import TrainingProgress
from pfld.training.results import write_results
from pfld.training.trainer import Trainer
from pfld.training.validation import validate

NO_DATA = """\
No faces to train on: there is no data/WFLW here.
1. Get WFLW_images.tar.gz and WFLW_annotations.tar.gz from https://wywu.github.io/projects/LAB/WFLW.html
2. Unpack both into data/WFLW, which then holds WFLW_images/ and WFLW_annotations/, and run this again;
3. or pass --data DIR: any folder in that layout, or with .pts files of 68 points, COCO keypoints or LaPa;
4. or pass --data synthetic: faces this project draws itself, to see the whole thing work in minutes."""

# Enough for errors to fall on drawn faces, which are easy.
SYNTHETIC_DEFAULTS = {
    "faces": 3072, "batch_size": 32, "lr": 3e-3, "ema": 0.98, "evaluate_every": 768,
    "out": "runs/synthetic",
}  # fmt: skip
LOST_PROCESS = "another process of this run has ended; start all again with --resume"
STOPPED = 130  # exit status after Ctrl-C, as in shells


def main(argv: list[str] | None = None) -> int:
    """Parses the command line and trains; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on from the newest checkpoint in --out, if any"
    )
    parser.add_argument(
        "--contact-sheet", metavar="FILE", help="write augmented faces to a PNG file and stop"
    )
    if parser.parse_known_args(argv)[0].data == SYNTHETIC:
        parser.set_defaults(**SYNTHETIC_DEFAULTS)
    arguments = parser.parse_args(argv)
    arguments.data = arguments.data or find_data(Path(__file__).parent) or ""
    if not arguments.data:
        print(NO_DATA, file=sys.stderr)
        return 2
    try:
        config = config_from(arguments)
        sheet = Path(arguments.contact_sheet) if arguments.contact_sheet else None
        return train(config, resume=arguments.resume, contact_sheet=sheet)
    except (ValueError, OSError) as error:
        print(visible(f"error: {error}"), file=sys.stderr)
    except RuntimeError as error:
        if not is_lost_process(error):
            raise
        print(f"error: {LOST_PROCESS}", file=sys.stderr)
    return 2


def train(
    config: TrainingConfig, *, resume: bool = False, contact_sheet: Path | None = None
) -> int:
    """Trains as configured and writes weights, log and pictures into ``config.out``.

    Args:
        resume: Continue from the newest checkpoint in ``config.out``, if there is one.
        contact_sheet: Write augmented faces to this PNG file instead of training.

    Returns:
        The exit status.

    Raises:
        ValueError: If ``config.out`` holds a run that is not resumed or is in use, options do not fit
            together, or the loss is not finite.
        OSError: If files cannot be read or written.
    """
    keep_freed_memory()
    use_deterministic_algorithms(config.deterministic)
    on_cpu = not torch.cuda.is_available()
    # Only fp16 needs Accelerate's mixed precision, for its gradient scaler.
    scaled = "fp16" if config.precision == "fp16" else "no"
    accelerator = Accelerator(mixed_precision=scaled, cpu=on_cpu)
    progress = TrainingProgress(config, accelerator)
    writes = contact_sheet is None and accelerator.is_main_process
    held = hold_folder(config.out_dir) if writes else nullcontext()
    with progress, StopRequest(accelerator) as stop_request, held:
        # Checked before pictures are decoded, which takes minutes.
        if contact_sheet is None and not resume and any(config.out_dir.glob("step-*.pt")):
            raise ValueError(f"{config.out} holds a run already; pass --resume or another --out")
        faces = load_faces(config, accelerator, progress)
        trainer = Trainer(config, faces, accelerator)
        if contact_sheet is not None:
            save_augmented_faces(trainer, contact_sheet)
            return 0
        found = load_checkpoint(config.out_dir, progress.print) if resume else None
        rows = []
        if found is not None:
            step, state = found
            trainer.load(step, state)
            rows = state["history"]
            progress.print(f"resumed at step {step}, {trainer.clock.progress:.1%} of the run")
        history = History(config.out_dir, rows) if accelerator.is_main_process else None
        run(trainer, history, progress, stop_request)
        if stop_request.stopped:
            progress.print(f"stopped at step {trainer.step_number}; --resume goes on from here")
            return STOPPED
        if history is not None:
            for line in write_results(trainer, history.rows, faces.name):
                progress.print(line)
            history.write()
            history.close()
        accelerator.wait_for_everyone()
    accelerator.end_training()
    return 0


def load_faces(
    config: TrainingConfig, accelerator: Accelerator, progress: TrainingProgress
) -> FaceSet:
    """The training faces; one process of each host decodes pictures, the others read its cache."""
    with accelerator.local_main_process_first():
        faces = training_faces(config, progress.print, progress.decoded)
    progress.print(f"{len(faces)} faces of {len(set(faces.pictures))} pictures from {faces.name}")
    return faces


def run(
    trainer: Trainer,
    history: History | None,
    progress: TrainingProgress,
    stop_request: StopRequest,
) -> None:
    """The training loop: steps, log, validation and checkpoints, until the end or a request to stop.

    Raises:
        ValueError: If the loss is not finite.
    """
    config = trainer.config
    logged = saved = time.monotonic()
    logged_step = trainer.step_number
    clock = trainer.clock
    progress.start(clock)
    while not clock.done and not stop_request.check():
        trainer.step()
        progress.advance(clock)
        step = trainer.step_number
        validating = clock.done or crossed(step, config.batch_size, config.evaluate_every)
        if step % config.log_every and not validating:
            continue

        loss = trainer.take_mean_loss()
        if not math.isfinite(loss):
            raise ValueError(f"the loss is {loss} at step {step}; lower --lr")
        now = time.monotonic()
        row = trainer.describe() | {
            "loss": loss,
            "images_per_second": (step - logged_step) * config.batch_size / (now - logged),
        }
        if validating and history is not None:
            errors = validate(trainer.averaged_network, trainer.faces, trainer.validation)
            row["validation_nme"] = float(errors.mean())
            save_validation_faces(trainer, config.out_dir / "validation.png")
        logged, logged_step = time.monotonic(), step
        progress.show(row, clock)
        due = trainer.accelerator.gather(
            torch.tensor(
                [now - saved > 60 * config.checkpoint_minutes], device=trainer.accelerator.device
            )
        )[0]
        if history is not None:
            history.add(row)
        if validating or due:
            save(trainer, history)
            saved = time.monotonic()
    if stop_request.stopped:
        save(trainer, history)


def save(trainer: Trainer, history: History | None) -> None:
    """Writes a checkpoint, the log and the curves; every process calls it, one writes."""
    state = trainer.state([] if history is None else history.rows)
    if history is not None:
        save_checkpoint(trainer.config.out_dir, trainer.step_number, state)
        history.write()


def crossed(step: int, batch_size: int, every: int) -> bool:
    """Whether this step took the number of faces seen over a multiple of ``every``."""
    return step * batch_size // every > (step - 1) * batch_size // every


if __name__ == "__main__":
    raise SystemExit(main())
