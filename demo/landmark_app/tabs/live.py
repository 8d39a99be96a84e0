"""The Live tab: landmarks drawn on the camera's picture, and what re-parameterizing changes."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import DataWithFiles

from landmark_app.camera.admission import Admission
from landmark_app.camera.answer import answer
from landmark_app.camera.fold_facts import FoldFacts, has_branches
from landmark_app.camera.follow import on_frame
from landmark_app.camera.live_html import BUTTONS, aside_html, options_html
from landmark_app.camera.live_view import live_view
from landmark_app.camera.visitor import Visitor
from landmark_app.models import Models
from landmark_app.tabs.controls import SHOWN_AT_FIRST

_READOUTS = {
    "fps": ("Frames/s", "Frames shown in a second, over the last four seconds."),
    "network": ("Network", "Time the network computes for one frame; median, and p95 below it."),
    "server": ("In the app", "Time the app works on one frame: finding faces, network, tracking."),
    "whole": ("Camera to screen", "From the camera's frame until it is on the screen."),
    "faces": ("Faces", "Faces followed, and their numbers."),
    "jitter": (
        "Jitter",
        "How much points tremble from frame to frame, as a share of the face's size. "
        "Smoothing lessens it.",
    ),
    "yaw": ("Yaw", "Head turned to a side, in degrees."),
    "pitch": ("Pitch", "Head raised or lowered, in degrees."),
    "roll": ("Roll", "Head tilted, in degrees."),
}
RUNTIMES = {
    "reparameterized": "PyTorch",
    "onnx": "ONNX Runtime",
    "onnx-int8": "ONNX Runtime, int8",
    "openvino": "OpenVINO",
    "browser": "your browser",
}
_PRESETS = {"fast": "Fast", "accurate": "Accurate"}
_FAST = "ghostone-small-heatmap"


def live_tab(page: gr.Blocks, models: Models, places: Admission, facts: FoldFacts) -> None:
    """Builds the tab."""
    visitor = gr.State(Visitor())
    default = models.default

    def locate(body: DataWithFiles) -> dict[str, Any]:
        return answer(page, visitor, places, body, lambda *frame: on_frame(models, *frame))

    def sizes(network: str) -> dict[str, Any]:
        return facts.sizes(network)

    def example(choice: str) -> dict[str, Any]:
        return facts.example(choice)

    live_view(
        "live",
        panes=["your face"],
        readouts=_READOUTS,
        settings={
            "network": default.network,
            "runtime": default.mode if default.mode != "train-time" else "reparameterized",
            "folded": True,
            "smoothing": True,
            "max_faces": 1,
            "show": SHOWN_AT_FIRST,
            "width": 1,
            "camera": "",
            "side": 640,
        },
        server_functions=[locate, sizes, example],
        above=aside_html({name: _title(models, name) for name in models.networks}, _PRESETS),
        buttons=BUTTONS,
        below=options_html(),
        networks={
            name: {"modes": models.modes(name), "folds": _folds(models, name)}
            for name in models.networks
        },
        runtimes=RUNTIMES,
        presets=_presets(models),
    )


def _title(models: Models, network: str) -> str:
    """A network's name with its error on the test set, where its weights tell it."""
    try:
        error = models.metadata(network).metrics.get("test_nme")
    except ValueError:  # damaged weights; the page says so once the network is chosen
        error = None
    return network if error is None else f"{network} · error {100 * error:.1f} %"


def _folds(models: Models, network: str) -> bool:
    try:
        return has_branches(models, network)
    except ValueError:
        return False


def _presets(models: Models) -> dict[str, list[str]]:
    """Network and mode of each preset."""
    fast = models.preferred(_FAST if _FAST in models.networks else models.default_network)
    return {
        "fast": [fast.network, fast.mode],
        "accurate": [models.default.network, models.default.mode],
    }
