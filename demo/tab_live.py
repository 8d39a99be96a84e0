"""The Live tab: landmarks on the camera's picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from admission import Admission
from controls import SHOWN_AT_FIRST, Control, network_and_mode, shown
from frames import decode_frame
from gradio.data_classes import DataWithFiles
from handlers import MOST_FACES, on_frame, read_settings
from live_view import live_view, settings_script
from models import Models
from tab_stream import stream_view
from visitor import Visitor

_READOUTS = {
    "fps": "Frames/s",
    "network": "Network",
    "server": "On the server",
    "whole": "Whole frame",
    "faces": "Faces",
    "jitter": "Jitter",
    "pose": "Yaw, pitch, roll",
}
_NAMES = ("network", "mode", "smoothing", "max_faces", "show")


def live_tab(page: gr.Blocks, models: Models, places: Admission) -> None:
    """Fills the tab."""
    visitor = gr.State(Visitor())
    default = models.default

    def locate(body: DataWithFiles) -> dict[str, Any]:
        return answer(page, visitor, places, body, lambda *frame: on_frame(models, *frame))

    with gr.Row(equal_height=False, elem_classes="pf-split"):
        with gr.Column(scale=3, min_width=320):
            live_view(
                "live",
                panes=["your face"],
                readouts=_READOUTS,
                settings={
                    "network": default.network,
                    "mode": default.mode,
                    "smoothing": True,
                    "max_faces": 1,
                    "show": SHOWN_AT_FIRST,
                },
                server_functions=[locate],
            )
        with gr.Column(scale=1, min_width=280):
            network, mode = network_and_mode(models)
            smoothing = gr.Checkbox(True, label="Smooth landmarks", info="Watch jitter change.")
            max_faces = gr.Slider(1, MOST_FACES, value=1, step=1, label="Faces at most")
            show = shown()
    controls: list[Control] = [network, mode, smoothing, max_faces, show]
    with gr.Accordion("If the picture above stays empty: stream pictures instead", open=False):
        stream_view(models, places, controls)
    for control in controls:
        control.change(None, controls, js=settings_script("live", _NAMES))


def answer(
    page: gr.Blocks,
    state: gr.State,
    places: Admission,
    body: DataWithFiles,
    look: Callable[..., dict[str, Any]],
) -> dict[str, Any]:
    """What a page gets for a frame it sent: what ``look`` makes of it, or "error" and what to do.

    Args:
        state: Where the page's visitor is kept.
        look: Takes the visitor, the frame, when it was taken, and settings.
    """
    try:
        data = body.data
        session = str(data["session_hash"])
        with places.frame(session) as admitted:
            if not admitted:
                return {"late": True}
            settings = read_settings(data["settings"])
            image = decode_frame(str(data["frame"]))
            visitor = page.state_holder[session][state._id]
            return look(visitor, image, data["time_s"], settings)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return {"error": str(error)}
