"""The Live tab: landmarks drawn on the camera's picture."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import DataWithFiles

from landmark_app.camera.admission import Admission
from landmark_app.camera.answer import answer
from landmark_app.camera.follow import MOST_FACES, on_frame
from landmark_app.camera.live_view import live_view, settings_script
from landmark_app.camera.visitor import Visitor
from landmark_app.models import Models
from landmark_app.tabs.controls import SHOWN_AT_FIRST, Control, network_and_mode, shown
from landmark_app.tabs.stream import stream_view

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
    """Builds the tab."""
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
