"""Checkpoints that survive anything: written beside and renamed, two kept, read without pickle code."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

_NAME = re.compile(r"step-(\d+)\.pt")
_KEPT = 2


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Writes ``state`` as the folder's newest checkpoint and drops all but the two newest."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.pt"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    for old in _checkpoints(folder)[:-_KEPT]:
        old.unlink()
    return path


def load_checkpoint(
    folder: Path, report: Callable[[str], None] = print
) -> tuple[int, dict[str, Any]] | None:
    """Step and state of the newest checkpoint that can be read; None when there is none at all.

    Args:
        report: Told about each damaged checkpoint that is passed over.

    Raises:
        ValueError: When there are checkpoints and none can be read.
    """
    paths = _checkpoints(folder)
    for path in reversed(paths):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, UnpicklingError, OSError, KeyError, ValueError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            report(f"{path} is damaged and passed over: {reason}")
            continue
        return int(_NAME.fullmatch(path.name)[1]), state
    if paths:
        raise ValueError(f"none of the {len(paths)} checkpoints in {folder} can be read")
    return None


def _checkpoints(folder: Path) -> list[Path]:
    """Oldest first."""
    return sorted(path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name))
