"""The answer to a frame that a page sends: faces as JSON, or what went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.data_classes import DataWithFiles

from landmark_app.camera.admission import Admission
from landmark_app.camera.frames import decode_frame


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


def read_settings(text: object) -> dict[str, Any]:
    """Settings as a page sends them.

    Raises:
        ValueError: For anything but a JSON object.
    """
    try:
        settings = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"settings are a JSON object: {error}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"settings are a JSON object, not {type(settings).__name__}")
    return settings
