"""Streaming camera view: frames go to the server and come back with landmarks drawn on them."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from landmark_app.camera.admission import Admission
from landmark_app.camera.follow import on_streamed_frame
from landmark_app.camera.frames import encode_frame
from landmark_app.camera.visitor import Visitor
from landmark_app.look.tables import notice
from landmark_app.models import Choice, Models
from landmark_app.tabs.choosing import choose_network
from landmark_app.tabs.controls import shown
from pfld.draw import Drawing

_EVERY_S = 0.03  # between frames
_TURN_S = 60  # after which a page queues again, so that other visitors get a turn


def stream_view(models: Models, places: Admission) -> None:
    """Adds a camera whose frames come back with faces drawn on them."""
    visitor = gr.State(Visitor())
    shown_at = gr.State([])

    def look(
        frame: NDArray[np.uint8] | None,
        choice: Choice,
        show: list[str],
        visitor: Visitor,
        shown_at: list[float],
        request: gr.Request,
    ) -> tuple[Any, ...]:
        if frame is None:
            return *[gr.skip()] * 2, visitor, shown_at
        settings = {"network": choice.network, "mode": choice.mode}
        now = time.monotonic()
        try:
            places.enter(str(request.session_hash))
            drawn, answer = on_streamed_frame(
                models, visitor, frame, now, settings, Drawing.of(show)
            )
        except ValueError as error:
            return gr.skip(), notice(str(error), "error"), visitor, shown_at
        if "late" in answer:
            return *[gr.skip()] * 2, visitor, shown_at
        shown_at = [at for at in shown_at if now - at < 2] + [now]
        rate = (len(shown_at) - 1) / max(now - shown_at[0], 1e-6)
        text = (
            f"{rate:.1f} frames/s, network {answer['network_ms']:.1f} ms, "
            f"on the server {answer['server_ms']:.1f} ms, faces {len(answer['faces'])}"
        )
        return encode_frame(drawn), notice(text), visitor, shown_at

    choice = choose_network(models)
    show = shown()
    with gr.Row():
        camera = gr.Image(
            label="Camera",
            sources=["webcam"],
            streaming=True,
            webcam_options=gr.WebcamOptions(
                mirror=False, constraints={"video": {"width": 640, "height": 480}}
            ),
            elem_id="stream-in",
        )
        # gr.Image would write every frame into a file.
        drawn = gr.HTML(
            html_template="${value ? `<img src='${value}' alt='Camera picture with landmarks'>` : ''}",
            apply_default_css=False,
            elem_id="stream-out",
        )
    status = gr.HTML(notice("Start the camera in the left picture."), elem_id="stream-status")
    camera.stream(
        look,
        [camera, choice, show, visitor, shown_at],
        [drawn, status, visitor, shown_at],
        stream_every=_EVERY_S,
        time_limit=_TURN_S,
        concurrency_limit=places.places,
        show_progress="hidden",
        api_visibility="private",
    )
