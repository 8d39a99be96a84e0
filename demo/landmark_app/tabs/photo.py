"""The Photo tab: finds every face in a picture, with PNG, JSON and CSV files to download."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from landmark_app.files.freed import free_memory
from landmark_app.files.photo import NO_FACE, Photo, find_faces, fit, read_upload, save_photo
from landmark_app.files.uploads import uploaded
from landmark_app.look.charts import progress_bar
from landmark_app.look.snippets import photo_snippet
from landmark_app.look.tables import face_table, notice
from landmark_app.models import Choice, Models
from landmark_app.tabs.controls import Control, downloads, network_and_mode, python_code, shown
from pfld.draw import Drawing, draw_faces
from pfld.geometry import size_hw_of
from pfld.runtime.face import Face

EXAMPLES = (Path(__file__).parents[2] / "examples" / "astronaut.jpg",)
_INVITATION = "Drop a photo, paste one, or take the example."
_LARGE = 8_000_000  # pixels from which on memory is given back to the system
_NUM_FILES = 3


def photo_tab(models: Models, folder: Path) -> None:
    """Builds the tab."""

    def annotate(
        path: str | None, network: str, mode: str, show: list[str]
    ) -> Iterator[tuple[Any, ...]]:
        yield from photo_steps(models, folder, path, Choice(network, mode), show)

    with gr.Row(equal_height=False, elem_classes="pf-split pf-files"):
        with gr.Column(scale=1, min_width=280, elem_classes="pf-input"):
            picture = photo_input("photo")
            gr.Examples([[str(path)] for path in EXAMPLES], picture, label="Example")
        with gr.Column(scale=2, min_width=320, elem_classes="pf-result"):
            status = gr.HTML(notice(_INVITATION), elem_id="photo-status", apply_default_css=False)
            drawn = gr.Image(
                label="Landmarks",
                format="jpeg",
                interactive=False,
                buttons=["fullscreen"],
                elem_id="photo-out",
            )
            faces = gr.HTML(elem_id="photo-faces", apply_default_css=False)
            with gr.Row(elem_classes="pf-downloads"):
                png, data, table = (
                    gr.DownloadButton(
                        f"Download {kind}", interactive=False, elem_id=f"photo-{kind.lower()}"
                    )
                    for kind in ("PNG", "JSON", "CSV")
                )
                cancel = gr.Button("Cancel", interactive=False, elem_id="photo-cancel")
        with gr.Column(scale=1, min_width=280, elem_classes="pf-settings"):
            network, mode = network_and_mode(models)
            show = shown()
            python_code(photo_snippet, models.default, network, mode)
    inputs: list[Control] = [picture, network, mode, show]
    outputs = [drawn, status, faces, png, data, table, cancel]
    run = gr.on(
        [part.change for part in inputs],
        annotate,
        inputs,
        outputs,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
        concurrency_id="jobs",
    )
    cancel.click(
        lambda: (None, notice("Cancelled. Nothing was kept."), "", *_files(), _cancel(False)),
        None,
        outputs,
        cancels=[run],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def photo_steps(
    models: Models, folder: Path, path: str | None, choice: Choice, show: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """Values of picture, status, table of faces, three downloads and cancel, as the work on a photo goes on.

    Args:
        folder: Holds uploads, and results.
        path: As the page sends it; None without a photo.
        show: Names of what is drawn.
    """
    if not path:
        yield None, notice(_INVITATION), "", *_files(), _cancel(False)
        return
    large, summary = False, ""
    try:
        yield gr.skip(), _step("Reading the photo …", 0), gr.skip(), *_files(), _cancel(True)
        image = read_upload(uploaded(path, folder))
        large = image.size // 3 > _LARGE
        yield gr.skip(), _step("Finding faces …", 1), *[gr.skip()] * (_NUM_FILES + 2)
        photo = find_faces(models, image, choice)
        drawn = drawn_photo(photo, Drawing.of(show))
        summary = _summary(photo.faces, size_hw_of(image), photo.seconds)
        shown_now = fit(drawn), _step("Writing files …", 2), face_table(photo.faces)
        yield *shown_now, *[gr.skip()] * (_NUM_FILES + 1)
        files = save_photo(photo, drawn, choice, folder)
    except (ValueError, OSError) as error:
        yield None, notice(str(error), "error"), "", *_files(), _cancel(False)
        return
    finally:
        if large:
            image = photo = drawn = None  # type: ignore[assignment]
            free_memory()
    yield gr.skip(), summary, gr.skip(), *downloads(files), _cancel(False)


def drawn_photo(photo: Photo, drawing: Drawing) -> NDArray[np.uint8]:
    """The picture with its faces; where there are several, each has its number in the table."""
    faces = [replace(face, identity=number) for number, face in enumerate(photo.faces, 1)]
    labels: bool | list[str] = drawing.labels
    if not labels and len(faces) > 1:
        labels = [f"#{face.identity}" for face in faces]
    return draw_faces(photo.image_rgb, faces, **(asdict(drawing) | {"labels": labels}))


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


def _step(text: str, done: int) -> str:
    return progress_bar(text, done, 3)


def _files() -> list[gr.DownloadButton]:
    return downloads([None] * _NUM_FILES)


def _cancel(usable: bool) -> gr.Button:
    return gr.Button(interactive=usable)


def _summary(faces: Sequence[Face], size_hw: tuple[int, int], seconds: float) -> str:
    if not faces:
        return notice(NO_FACE)
    height, width = size_hw
    count = len(faces)
    return notice(
        f"{count} face{'s' * (count > 1)} in {width} × {height} pixels; found in {seconds:.2f} s."
    )
