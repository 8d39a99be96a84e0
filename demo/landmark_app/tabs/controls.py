"""Controls that several tabs share: what is drawn, downloads, start and cancel; titles of choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr

from landmark_app.camera.fold_facts import has_branches
from landmark_app.look.charts import progress_bar
from landmark_app.look.tables import notice
from landmark_app.models import MODE_TITLES, Choice, Models

SHOWN = (
    ("Contours", "contours"),
    ("Points", "points"),
    ("Boxes", "boxes"),
    ("Head axes", "axes"),
    ("Point numbers", "indices"),
    ("Face and quality", "labels"),
    ("Thin where unsure", "uncertainty"),
)
SHOWN_AT_FIRST = ["contours", "points"]


def mode_choices(models: Models, network: str) -> list[tuple[str, str]]:
    """Titles and names of a network's modes; one without branches has a single form in PyTorch."""
    modes = models.modes(network)
    if folds(models, network):
        return [(MODE_TITLES[mode], mode) for mode in modes]
    if "reparameterized" in modes:
        modes = tuple(mode for mode in modes if mode != "train-time")
    in_pytorch = dict.fromkeys(("train-time", "reparameterized"), "PyTorch")
    return [((MODE_TITLES | in_pytorch)[mode], mode) for mode in modes]


def titled_choices(models: Models) -> dict[Choice, str]:
    """Titles of all choices that differ, such as "ghostone · ONNX int8", network by network."""
    return {
        Choice(network, mode): f"{network} · {title}"
        for network in models.networks
        for title, mode in mode_choices(models, network)
    }


def folds(models: Models, network: str) -> bool:
    """Whether a network has branches to fold; True if that is not known."""
    try:
        return has_branches(models, network)
    except (ValueError, OSError):  # its modes are offered as they are
        return True


def downloads(files: Sequence[Path | None]) -> list[gr.DownloadButton]:
    """Updates for download buttons: their files; a button without one is disabled."""
    return [
        gr.DownloadButton(value=None if file is None else str(file), interactive=file is not None)
        for file in files
    ]


def run_on_click(
    start: gr.Button,
    cancel: gr.Button,
    work: Callable[..., Iterator[tuple[Any, ...]]],
    inputs: Sequence[gr.components.Component] | None,
    outputs: Sequence[gr.components.Component],
    **limits: Any,
) -> None:
    """Makes one button start a long task and another, usable while it runs, cancel it.

    Args:
        work: The task; takes the values of ``inputs``. It yields what cancelling at that time means to the
            visitor, followed by values of ``outputs``.
        outputs: The first of them is a status.
        limits: Concurrency options of Gradio's events.
    """
    if_cancelled = gr.State("")  # a text while the task runs
    buttons = [start, cancel, if_cancelled]

    @wraps(work)
    def steps(*values: Any) -> Iterator[tuple[Any, ...]]:
        yield from watched(work(*values), len(outputs))

    run = start.click(
        lambda: (progress_bar("Waiting for a free place …", 0, None), *switched("Cancelled.")),
        None,
        [outputs[0], *buttons],
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    ).then(
        steps,
        inputs,
        [*outputs, *buttons],
        show_progress="hidden",
        api_visibility="private",
        **limits,
    )
    cancel.click(
        cancelled,
        if_cancelled,
        [outputs[0], *buttons],
        cancels=[run],
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )


def watched(steps: Iterator[tuple[Any, ...]], num_outputs: int) -> Iterator[tuple[Any, ...]]:
    """The values of a task's outputs and buttons, from the task; at its end, or failure, it can start anew.

    Args:
        steps: As ``work`` of :func:`run_on_click` yields them.
        num_outputs: How many outputs the task has.
    """
    idle = (*[gr.skip()] * num_outputs, *switched(""))
    try:
        for if_cancelled, *values in steps:
            yield *values, gr.skip(), gr.skip(), if_cancelled
    except Exception:
        yield idle
        raise
    finally:
        close = getattr(steps, "close", None)
        if close is not None:
            close()
    yield idle


def switched(if_cancelled: str) -> tuple[gr.Button, gr.Button, str]:
    """Start, cancel and what cancelling means: while a task runs that is a text, else empty."""
    runs = bool(if_cancelled)
    return gr.Button(interactive=not runs), gr.Button(interactive=runs), if_cancelled


def cancelled(if_cancelled: str) -> tuple[Any, ...]:
    """Status and buttons after a cancellation; nothing changes if the task has ended in the meantime."""
    if not if_cancelled:
        return tuple([gr.skip()] * 4)
    return notice(if_cancelled), *switched("")


def shown(label: str = "Draw") -> gr.CheckboxGroup:
    """Checkboxes for what is drawn."""
    return gr.CheckboxGroup(
        list(SHOWN), value=SHOWN_AT_FIRST, label=label or "Draw", show_label=bool(label)
    )
