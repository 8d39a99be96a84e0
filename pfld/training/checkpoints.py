"""Checkpoints: written atomically, the two newest kept, verified, read without pickle code."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from pfld.files import replacing

_NAME = re.compile(r"step-(\d+)\.pt")
_KEPT = 2
_DAMAGE = (
    RuntimeError, EOFError, UnpicklingError, OSError, KeyError, ValueError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Writes ``state`` as the folder's newest checkpoint and removes all but the two newest.

    Checkpoints of later steps are removed as well: a run that saves an earlier step has found them
    damaged. So are partial files of a killed run.

    Raises:
        OSError: If it cannot be written; earlier checkpoints stay.
    """
    path = folder / f"step-{step:08d}.pt"
    try:
        with replacing(path, partial=path.with_suffix(".partial")) as partial:
            with partial.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        # PyTorch's writer complains about an unexpected position; the reason is in the error's context.
        reason = error if isinstance(error, OSError) else error.__context__
        if not isinstance(reason, OSError):
            raise
        raise OSError(
            f"{path} cannot be written: {reason.strerror}; earlier checkpoints are intact, fix the "
            "cause and continue with --resume"
        ) from error
    kept = [path for path in _checkpoints(folder) if path.name <= f"step-{step:08d}.pt"][-_KEPT:]
    for other in {*_checkpoints(folder), *folder.glob("step-*.partial")} - {*kept}:
        other.unlink()
    return path


def load_checkpoint(
    folder: Path, report: Callable[[str], None] = print
) -> tuple[int, dict[str, Any]] | None:
    """Step and state of the newest checkpoint that can be read; None when there is none at all.

    Args:
        report: Called with one line about each damaged checkpoint that is skipped.

    Raises:
        ValueError: When there are checkpoints and none can be read.
    """
    paths = _checkpoints(folder)
    for path in reversed(paths):
        try:
            _require_whole(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
        except _DAMAGE as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            report(f"{path} is damaged and passed over: {reason}")
            continue
        return int(path.stem.removeprefix("step-")), state
    if paths:
        raise ValueError(f"none of the {len(paths)} checkpoints in {folder} can be read")
    return None


def _require_whole(path: Path) -> None:
    """Compares the file with its checksums, which PyTorch writes but does not check."""
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
    if broken is not None:
        raise ValueError(f"{broken} in it is not what was written")


def _checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name))
