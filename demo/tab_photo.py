"""The Photo tab: every face in a picture, and files to take away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
from controls import downloads, network_and_mode, run_on_change, shown
from drawing import Drawing
from handlers import NO_FACE, Photo, on_photo
from models import Choice, Models
from numpy.typing import NDArray
from results import new_folder
from tables import face_table, notice
from uploads import uploaded

from pfld.files import write_whole

EXAMPLES = (Path(__file__).parent / "examples" / "astronaut.jpg",)
_LONGEST_SHOWN = 1600  # pixels of a picture's longer side on the page; files have all
_INVITATION = "Drop a photo, paste one, or take the example."


def photo_tab(models: Models, folder: Path) -> None:
    """Fills the tab."""

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
    """A place for a picture, whose value is the path of the uploaded file as it is.

    Gradio would read the file itself and report one it cannot read by where it is kept.
    """
    picture = gr.Image(
        label="Photo",
        type="filepath",
        sources=["upload", "clipboard"],
        buttons=["fullscreen"],
        elem_id=elem_id,
        height=280,
    )
    picture.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]  # a subclass would be another component to the page
    return picture


def save_photo(
    photo: Photo, drawn: NDArray[np.uint8], choice: Choice, folder: Path
) -> tuple[Path, Path]:
    """The annotated picture as PNG and the faces as JSON, in a new folder of their own."""
    own = new_folder(folder)
    png, data = own / "landmarks.png", own / "landmarks.json"
    # Quick rather than small: level 9 takes ten times as long for a tenth less.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    try:
        encoded = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), options)[1]
        write_whole(png, encoded.tobytes())
        write_whole(data, json.dumps(photo.to_dict(choice), indent=2) + "\n")
    except BaseException:
        shutil.rmtree(own)
        raise
    return png, data


def fit(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture, smaller where it is larger than a page shows."""
    height, width = image_rgb.shape[:2]
    scale = _LONGEST_SHOWN / max(height, width)
    if scale >= 1:
        return image_rgb
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return cv2.resize(image_rgb, size, interpolation=cv2.INTER_AREA)


def _summary(photo: Photo) -> str:
    height, width = photo.image_rgb.shape[:2]
    if not photo.faces:
        return notice(NO_FACE)
    count = len(photo.faces)
    text = f"{count} face{'s' * (count > 1)} in {width} × {height} pixels, {photo.seconds:.2f} s."
    return notice(text) + face_table(photo.faces)
