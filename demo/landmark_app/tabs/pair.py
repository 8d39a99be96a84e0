"""The Side by side tab: compares two networks or modes on the same faces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import DataWithFiles

from landmark_app.camera.admission import Admission
from landmark_app.camera.answer import answer
from landmark_app.camera.fold_facts import FoldFacts
from landmark_app.camera.follow import MOST_FACES, on_pair_frame
from landmark_app.camera.live_view import live_view, settings_script
from landmark_app.camera.pair_html import SLIDER, fact_texts, headline, pair_table, ways_html
from landmark_app.camera.visitor import Visitor
from landmark_app.model_facts import model_facts
from landmark_app.models import Choice, Models
from landmark_app.tabs.controls import SHOWN_AT_FIRST, shown, titled_choices
from landmark_app.tabs.pair_photo import pair_photo

_READOUTS = {
    "fps": ("Frames/s", "Frames shown in a second, over the last four seconds."),
    "whole": ("Camera to screen", "From the camera's frame until it is on the screen."),
    "server": ("In the app", "Time the app works on one frame, with both networks."),
    "faces": ("Faces", "Faces followed. Both networks get the same ones."),
}
_NAMES = ("first", "second", "max_faces", "show")
# Takes what the visitor chose last, if it is still offered.
_RESTORE = """(first, second) => {
  let kept = {};
  try { kept = JSON.parse(window.localStorage.getItem("pfld")).pair || {}; } catch { kept = {}; }
  const offered = %s;
  return [kept.first, kept.second].map((choice, i) => offered.includes(choice) ? choice : [first, second][i]);
}"""


def pair_tab(
    page: gr.Blocks, models: Models, places: Admission, known: FoldFacts, folder: Path
) -> None:
    """Builds the tab."""
    visitor = gr.State(Visitor())
    left_choice, right_choice = models.default_pair
    values = str(left_choice), str(right_choice)
    names = {str(choice): title for choice, title in titled_choices(models).items()}
    for choice in (left_choice, right_choice):  # whatever there is to choose from
        names.setdefault(str(choice), str(choice))
    choices = [(title, name) for name, title in names.items()]
    titles = names[values[0]], names[values[1]]
    sizes: dict[str, dict[str, str]] = {}

    def locate(body: DataWithFiles) -> dict[str, Any]:
        return answer(page, visitor, places, body, lambda *frame: on_pair_frame(models, *frame))

    def facts(choice: str) -> dict[str, str]:
        if choice not in sizes:
            parsed = Choice.parse(choice)
            sizes[choice] = fact_texts(model_facts(models.backend(parsed)), parsed)
        return sizes[choice]

    def example(chosen: list[str]) -> dict[str, Any]:
        first, second = map(str, chosen)
        return known.example(second, beside=first)

    with gr.Row(elem_classes="pf-split"):
        first, second = (
            gr.Dropdown(
                choices,
                value=value,
                label=label,
                filterable=False,
                min_width=200,
                elem_classes="pf-choice",
            )
            for value, label in zip(values, ("Left", "Right"))
        )
    with gr.Tabs(elem_classes="pf-subtabs"):
        with gr.Tab("Camera"):
            live_view(
                "pair",
                panes=titles,
                readouts=_READOUTS,
                settings={
                    "first": values[0],
                    "second": values[1],
                    "max_faces": 1,
                    "show": SHOWN_AT_FIRST,
                },
                server_functions=[locate, facts, example],
                titles=names,
                above=headline() + ways_html(),
                below=SLIDER + pair_table(titles),
                buttons='<button type="button" class="pf-button pf-snapshot pf-while-on">'
                "Save picture</button>",
            )
        with gr.Tab("Photo"):
            photo_place = gr.Column()
    with gr.Accordion("What is drawn, and how many faces the camera follows", open=False):
        show = shown("")
        max_faces = gr.Slider(1, MOST_FACES, value=1, step=1, label="Faces at most (camera)")
    controls = (first, second, max_faces, show)
    for control in controls:
        control.change(None, controls, js=settings_script("pair", _NAMES))
    page.load(None, [first, second], [first, second], js=_RESTORE % json.dumps(list(names)))
    with photo_place:
        pair_photo(models, folder, names, (first, second), show)
