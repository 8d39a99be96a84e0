"""Controls that several tabs have."""

from __future__ import annotations

import gradio as gr
from models import MODE_TITLES, Models

SHOWN = (
    ("Contours", "contours"),
    ("Points", "points"),
    ("Boxes", "boxes"),
    ("Head axes", "axes"),
    ("Point numbers", "indices"),
    ("Face and quality", "labels"),
)
SHOWN_AT_FIRST = ["contours", "points"]


def network_and_mode(models: Models) -> tuple[gr.Radio, gr.Radio]:
    """Radio buttons for the network and the modes there are for it."""
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
    """Titles and names of the modes of a network."""
    return [(MODE_TITLES[mode], mode) for mode in models.modes(network)]


def shown(label: str = "Draw") -> gr.CheckboxGroup:
    """Checkboxes for what is drawn."""
    return gr.CheckboxGroup(
        list(SHOWN), value=SHOWN_AT_FIRST, label=label or "Draw", show_label=bool(label)
    )
