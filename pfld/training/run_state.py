"""The state of a run as a checkpoint has it: checked before it is used, as files may have been changed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pfld.training.history import COLUMNS

_KEYS = {
    "config", "module", "optimizer", "average", "scaler", "num_faces", "losses", "spent_s", "history",
}  # fmt: skip
_MOMENTS = ("exp_avg", "exp_avg_sq")  # of AdamW, each of its parameter's shape


def require_run_state(step: int, state: Any) -> None:
    """Checks what can be checked without the network.

    Raises:
        ValueError: Saying what is not as a run writes it.
    """
    for fault in _faults(step, state):
        raise ValueError(fault)


def _faults(step: int, state: Any) -> Iterator[str]:
    if not isinstance(state, dict) or not _KEYS <= state.keys():
        yield "it is not one of a run"
        return
    if not isinstance(state["config"], dict) or not isinstance(state["num_faces"], int):
        yield "it has no options"
    if not (_is_number(state["spent_s"]) and 0 <= state["spent_s"] < math.inf):
        yield f"its time is {state['spent_s']!r}"
    losses = state["losses"]
    if not (isinstance(losses, Tensor) and losses.ndim == 1 and losses.is_floating_point()):
        yield "its losses are not a row of numbers"
    history = state["history"]
    if not isinstance(history, list) or not all(_is_row(row, step) for row in history):
        yield "its history is not the log of a run"
    for part in ("module", "average", "optimizer"):
        if not all(tensor.isfinite().all() for tensor in _tensors(state[part])):
            yield f"numbers of its {part} are not finite"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_row(row: object, last: int) -> bool:
    return (
        isinstance(row, dict)
        and {"step", "faces"} <= row.keys() <= set(COLUMNS)
        and all(map(_is_number, row.values()))
        and 0 <= row["step"] <= last
    )


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _tensors(inner)


def load_moments_(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restores what AdamW has gathered for each parameter; its settings stay those it has.

    Args:
        state: An optimizer's ``state_dict``.

    Raises:
        ValueError: When it is of other parameters.
    """
    parameters = dict(enumerate(p for group in optimizer.param_groups for p in group["params"]))
    for index, gathered in state["state"].items():
        shapes = {name: gathered[name].shape for name in _MOMENTS}
        if index not in parameters or any(s != parameters[index].shape for s in shapes.values()):
            raise ValueError("its optimizer is of another network")
        if gathered["step"].numel() != 1:
            raise ValueError("its optimizer counts no steps")
    own = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state["state"], "param_groups": own})
