"""Controls that several tabs share: network, mode, what is drawn, downloads, start and cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr

from landmark_app.look.tables import notice
from landmark_app.models import MODE_TITLES, Models

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

# Components with a change event, which Gradio's base classes do not declare.
Control: TypeAlias = gr.Checkbox | gr.CheckboxGroup | gr.Dropdown | gr.Image | gr.Radio | gr.Slider


def network_and_mode(models: Models) -> tuple[gr.Radio, gr.Radio]:
    """Radio buttons for the network and for the modes it has."""
    default = models.default
    network = gr.Radio(
        list(models.networks), value=default.network, label="Network", interactive=True
    )
    mode = gr.Radio(
        mode_choices(models, default.network),
        value=default.mode,
        label="Mode",
        info="Train-time runs every branch; the others run them folded into one.",
    )
    network.input(
        lambda name, current: gr.Radio(
            choices=mode_choices(models, name),
            value=current if current in models.modes(name) else models.modes(name)[-1],
        ),
        [network, mode],
        mode,
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )
    return network, mode


def mode_choices(models: Models, network: str) -> list[tuple[str, str]]:
    """Titles and names of a network's modes."""
    return [(MODE_TITLES[mode], mode) for mode in models.modes(network)]


def downloads(files: Sequence[Path | None]) -> list[gr.DownloadButton]:
    """Updates for download buttons: their files; a button without one is disabled."""
    return [
        gr.DownloadButton(value=None if file is None else str(file), interactive=file is not None)
        for file in files
    ]


def run_on_click(
    start: gr.Button,
    cancel: gr.Button,
    work: Callable[..., Any],
    inputs: Sequence[gr.components.Component] | None,
    outputs: Sequence[gr.components.Component],
    *,
    cancelled: str,
    **limits: Any,
) -> None:
    """Makes one button start a long task and another cancel it.

    Args:
        work: The task; takes the values of ``inputs`` and returns those of ``outputs``.
        outputs: The first of them is a status.
        cancelled: Shown as status once the task is cancelled.
        limits: Concurrency options of Gradio's events.
    """
    run = start.click(
        work, inputs, outputs, show_progress="hidden", api_visibility="private", **limits
    )
    cancel.click(
        lambda: notice(cancelled),
        None,
        outputs[0],
        cancels=[run],
        queue=False,
        api_visibility="private",
    )


def run_on_change(
    work: Callable[..., Any],
    inputs: Sequence[Control],
    outputs: Sequence[gr.components.Component],
) -> None:
    """Runs ``work`` again when one of ``inputs`` changes; of changes in the meantime only the last counts."""
    gr.on(
        [part.change for part in inputs],
        work,
        inputs,
        outputs,
        trigger_mode="always_last",
        api_visibility="private",
        concurrency_id="jobs",
    )


def shown(label: str = "Draw") -> gr.CheckboxGroup:
    """Checkboxes for what is drawn."""
    return gr.CheckboxGroup(
        list(SHOWN), value=SHOWN_AT_FIRST, label=label or "Draw", show_label=bool(label)
    )
