"""Answers to camera frames that a page sends: faces as JSON, or an error message."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.data_classes import DataWithFiles

from landmark_app.camera.admission import Admission, FullError
from landmark_app.camera.frames import decode_frame


def answer(
    page: gr.Blocks,
    state: gr.State,
    places: Admission,
    body: DataWithFiles,
    look: Callable[..., dict[str, Any]],
) -> dict[str, Any]:
    """The answer to one frame of a page: that of ``look``, only "late", or only "error", a message.

    Nothing is raised for what a page sends. A frame is late if its page has two in work already. An
    error because all places are taken comes with "full".

    Args:
        state: Holds the visitor of each page.
        places: Admits the page.
        body: Its data has "session_hash", "settings", "frame" and "time_s".
        look: Takes visitor, frame, time and settings; returns JSON values.
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
    except FullError as error:
        return {"error": str(error), "full": True}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return {"error": str(error)}


def read_settings(text: object) -> dict[str, Any]:
    """The settings that a page sends, from their JSON text.

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
