"""The Side by side tab: compares two networks or modes on the same faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import DataWithFiles

from landmark_app.camera.admission import Admission
from landmark_app.camera.answer import answer
from landmark_app.camera.follow import MOST_FACES, on_pair_frame
from landmark_app.camera.live_view import live_view, settings_script
from landmark_app.camera.visitor import Visitor
from landmark_app.files.photo import NO_FACE, fit, on_pair_photo
from landmark_app.files.uploads import uploaded
from landmark_app.look.tables import fact_texts, notice, pair_table, pair_values
from landmark_app.model_facts import model_facts
from landmark_app.models import Choice, Models
from landmark_app.tabs.controls import SHOWN_AT_FIRST, Control, run_on_change, shown
from landmark_app.tabs.photo import EXAMPLES, photo_input
from pfld.draw import Drawing

_READOUTS = {"fps": "Frames/s", "whole": "Whole frame", "server": "On the server", "faces": "Faces"}
_NAMES = ("first", "second", "max_faces", "show")


def pair_tab(page: gr.Blocks, models: Models, places: Admission, folder: Path) -> None:
    """Builds the tab."""
    visitor = gr.State(Visitor())
    left_choice, right_choice = models.default_pair
    titles = str(left_choice), str(right_choice)
    choices = [str(choice) for choice in models.choices()]

    def locate(body: DataWithFiles) -> dict[str, Any]:
        return answer(page, visitor, places, body, lambda *frame: on_pair_frame(models, *frame))

    def facts(choice: str) -> dict[str, str]:
        return fact_texts(model_facts(models.backend(Choice.parse(choice))))

    def compare_photo(
        path: str | None, first: str, second: str, show: list[str]
    ) -> tuple[Any, ...]:
        empty = pair_table((first, second))
        if not path:
            return None, None, notice("Choose a photo, or the example below."), empty
        try:
            parsed = Choice.parse(first), Choice.parse(second)
            pair = on_pair_photo(models, uploaded(path, folder), *parsed)
            backends = models.backend(parsed[0]), models.backend(parsed[1])
            sizes = model_facts(backends[0]), model_facts(backends[1])
        except (ValueError, OSError) as error:
            return None, None, notice(str(error), "error"), empty
        drawing = Drawing.of(show)
        pictures = [fit(drawing(pair.image_rgb, faces)) for faces in (pair.first, pair.second)]
        count = len(pair.first)
        text = f"{count} face{'s' * (count > 1)}, computed together." if count else NO_FACE
        table = pair_table((first, second), pair_values(sizes, pair.comparison))
        return *pictures, notice(text), table

    with gr.Row(elem_classes="pf-split"):
        first = gr.Dropdown(choices, value=titles[0], label="Left", filterable=False, min_width=240)
        second = gr.Dropdown(
            choices, value=titles[1], label="Right", filterable=False, min_width=240
        )
        max_faces = gr.Slider(1, MOST_FACES, value=1, step=1, label="Faces at most (camera)")
    with gr.Accordion("What is drawn", open=False):
        show = shown("")
    with gr.Tabs(elem_classes="pf-subtabs"):
        with gr.Tab("Camera"):
            live_view(
                "pair",
                panes=titles,
                readouts=_READOUTS,
                settings={
                    "first": titles[0],
                    "second": titles[1],
                    "max_faces": 1,
                    "show": SHOWN_AT_FIRST,
                },
                server_functions=[locate, facts],
                below=pair_table(titles),
            )
        with gr.Tab("Photo"):
            with gr.Row(elem_classes="pf-split"):
                photo = photo_input("pair-photo")
                left = gr.Image(
                    label="Left", format="jpeg", interactive=False, buttons=["fullscreen"]
                )
                right = gr.Image(
                    label="Right", format="jpeg", interactive=False, buttons=["fullscreen"]
                )
            gr.Examples([[str(path)] for path in EXAMPLES], photo, label="Example")
            status = gr.HTML(notice("Choose a photo, or the example above."))
            table = gr.HTML(pair_table(titles), elem_id="pair-table")
    controls: list[Control] = [first, second, max_faces, show]
    for control in controls:
        control.change(None, controls, js=settings_script("pair", _NAMES))
    run_on_change(compare_photo, [photo, first, second, show], [left, right, status, table])
