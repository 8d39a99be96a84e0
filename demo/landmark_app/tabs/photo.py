"""The Photo tab: finds every face in a picture, with PNG and JSON files to download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from landmark_app.files.photo import NO_FACE, Photo, fit, on_photo, save_photo
from landmark_app.files.uploads import uploaded
from landmark_app.look.tables import face_table, notice
from landmark_app.models import Choice, Models
from landmark_app.tabs.controls import downloads, network_and_mode, run_on_change, shown
from pfld.draw import Drawing

EXAMPLES = (Path(__file__).parents[2] / "examples" / "astronaut.jpg",)
_INVITATION = "Drop a photo, paste one, or take the example."


def photo_tab(models: Models, folder: Path) -> None:
    """Builds the tab."""

    def annotate(path: str | None, network: str, mode: str, show: list[str]) -> tuple[Any, ...]:
        if not path:
            return None, notice(_INVITATION), *downloads([None] * 2)
        choice = Choice(network, mode)
        try:
            photo = on_photo(models, uploaded(path, folder), choice)
            drawn = Drawing.of(show)(photo.image_rgb, photo.faces)
            files = save_photo(photo, drawn, choice, folder)
        except (ValueError, OSError) as error:
            return None, notice(str(error), "error"), *downloads([None] * 2)
        return fit(drawn), _summary(photo), *downloads(files)

    with gr.Row(equal_height=False, elem_classes="pf-split"):
        with gr.Column(scale=1, min_width=280):
            picture = photo_input("photo")
            gr.Examples([[str(path)] for path in EXAMPLES], picture, label="Example")
            network, mode = network_and_mode(models)
            show = shown()
        with gr.Column(scale=2, min_width=320):
            drawn = gr.Image(
                label="Landmarks",
                format="jpeg",
                interactive=False,
                buttons=["fullscreen"],
                elem_id="photo-out",
            )
            status = gr.HTML(notice(_INVITATION), elem_id="photo-status")
            with gr.Row():
                png = gr.DownloadButton("Download PNG", interactive=False, elem_id="photo-png")
                data = gr.DownloadButton("Download JSON", interactive=False, elem_id="photo-json")
    run_on_change(annotate, [picture, network, mode, show], [drawn, status, png, data])


def photo_input(elem_id: str) -> gr.Image:
    """A picture input whose value is the path of the uploaded file.

    Gradio would decode the file itself, and its error message would show the file's path.
    """
    picture = gr.Image(
        label="Photo",
        type="filepath",
        sources=["upload", "clipboard"],
        buttons=["fullscreen"],
        elem_id=elem_id,
        height=280,
    )
    # A subclass would be another component to the page.
    picture.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]
    return picture


def _summary(photo: Photo) -> str:
    height, width = photo.image_rgb.shape[:2]
    if not photo.faces:
        return notice(NO_FACE)
    count = len(photo.faces)
    text = f"{count} face{'s' * (count > 1)} in {width} × {height} pixels, {photo.seconds:.2f} s."
    return notice(text) + face_table(photo.faces)
