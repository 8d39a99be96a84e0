"""The Photo tab: finds every face in a picture, with PNG, JSON and CSV files to download."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from landmark_app.files.examples import PHOTOS
from landmark_app.files.found import Found, keep_found, save_picture
from landmark_app.files.freed import free_memory_soon
from landmark_app.files.photo import NO_FACE, find_faces, read_upload
from landmark_app.files.uploads import uploaded
from landmark_app.look.charts import progress_bar
from landmark_app.look.snippets import photo_snippet
from landmark_app.look.tables import face_table, notice
from landmark_app.models import Choice, Models
from landmark_app.tabs.choosing import choose_network, python_code
from landmark_app.tabs.controls import downloads, shown
from landmark_app.tabs.examples import examples
from pfld.draw import Drawing

_INVITATION = "Drop a photo, paste one, or take an example."
_LARGE = 8_000_000  # pixels from which on memory is given back to the system
_PNG_FILE = "photo-png-file"
# Downloads the file of a button that is not in sight, once it has one.
_DOWNLOAD = """() => {
  const download = (tries) => {
    const button = document.getElementById("%s");
    if (button && !button.disabled) button.click();
    else if (tries) window.setTimeout(download, 50, tries - 1);
  };
  download(60);
}"""


def photo_tab(models: Models, folder: Path) -> None:
    """Builds the tab."""

    def annotate(
        path: str | None, choice: Choice, show: list[str], found: Found | None
    ) -> Iterator[tuple[Any, ...]]:
        yield from photo_steps(models, folder, path, choice, show, found)

    def write_png(found: Found | None, show: list[str]) -> Iterator[tuple[Any, ...]]:
        yield from png_steps(folder, found, show)

    found = gr.State(None)
    with gr.Row(equal_height=False, elem_classes="pf-split pf-files"):
        with gr.Column(scale=1, min_width=280, elem_classes="pf-input"):
            picture = photo_input("photo")
            examples(PHOTOS, picture, folder)
        with gr.Column(scale=2, min_width=320, elem_classes="pf-result"):
            status = gr.HTML(notice(_INVITATION), elem_id="photo-status", apply_default_css=False)
            drawn = gr.Image(
                label="Landmarks",
                format="jpeg",
                interactive=False,
                buttons=["fullscreen"],
                elem_id="photo-out",
            )
            with gr.Row(elem_classes="pf-downloads"):
                png = gr.Button("Download PNG", interactive=False, elem_id="photo-png")
                data, table = (
                    gr.DownloadButton(
                        f"Download {kind}", interactive=False, elem_id=f"photo-{kind.lower()}"
                    )
                    for kind in ("JSON", "CSV")
                )
                cancel = gr.Button("Cancel", interactive=False, elem_id="photo-cancel")
                png_file = gr.DownloadButton(interactive=False, visible="hidden", elem_id=_PNG_FILE)
            faces = gr.HTML(elem_id="photo-faces", apply_default_css=False)
        with gr.Column(scale=1, min_width=280, elem_classes="pf-settings"):
            choice = choose_network(models)
            show = shown()
            python_code(photo_snippet, models.default, choice)
    outputs = [drawn, status, faces, png, data, table, cancel, found]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    run = gr.on(
        [picture.change, choice.change, show.change],
        annotate,
        [picture, choice, show, found],
        outputs,
        trigger_mode="always_last",
        concurrency_id="jobs",
        **quiet,
    )
    writing = png.click(
        write_png, [found, show], [status, png, png_file, cancel], concurrency_id="jobs", **quiet
    )
    writing.then(None, js=_DOWNLOAD % _PNG_FILE)
    cancel.click(
        lambda found, path: cancelled_photo(found if found and found.path == path else None),
        [found, picture],
        outputs,
        cancels=[run, writing],
        queue=False,
        **quiet,
    )


def photo_steps(
    models: Models,
    folder: Path,
    path: str | None,
    choice: Choice,
    show: Sequence[str],
    found: Found | None = None,
) -> Iterator[tuple[Any, ...]]:
    """Values of the outputs as the work on a photo goes on.

    They are picture, status, table of faces, buttons for PNG, JSON and CSV, cancel, and what was found.

    Args:
        folder: Holds uploads, and results.
        path: As the page sends it; None without a photo.
        show: Names of what is drawn.
        found: What was found before; faces are looked for only if it is not of this photo and choice.
    """
    if not path:
        yield _nothing(notice(_INVITATION))
        return
    large = False
    try:
        if found is None or not found.is_of(path, choice):
            skipped = gr.skip()
            idle = [_usable(False), *downloads([None] * 2)]
            yield skipped, _step("Reading the photo …", 0), skipped, *idle, _usable(True), None
            image = read_upload(uploaded(path, folder))
            large = image.size // 3 > _LARGE
            yield skipped, _step("Finding faces …", 1), *[skipped] * 6
            found = keep_found(find_faces(models, image, choice), path, choice, folder)
        drawn = found.drawn(Drawing.of(show))
    except (ValueError, OSError) as error:
        yield _nothing(notice(str(error), "error"))
        return
    finally:
        if large:
            image = None  # type: ignore[assignment]
            free_memory_soon()
    files = [_usable(True), *downloads([found.data, found.table])]
    yield drawn, _summary(found), face_table(found.faces), *files, _usable(False), found


def png_steps(folder: Path, found: Found | None, show: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Values of status, the button, its file, and cancel, as a picture of full size is written."""
    if found is None:
        yield notice("Choose a photo first.", "error"), *[gr.skip()] * 3
        return
    text = "Drawing and writing the picture in full size …"
    yield progress_bar(text, 0, None), _usable(False), *downloads([None]), _usable(True)
    try:
        uploaded(found.path, folder)  # it may be gone
        png = save_picture(found, Drawing.of(show), folder)
    except (ValueError, OSError) as error:
        yield notice(str(error), "error"), _usable(True), gr.skip(), _usable(False)
        return
    finally:
        free_memory_soon()
    yield _summary(found), _usable(True), *downloads([png]), _usable(False)


def cancelled_photo(found: Found | None) -> tuple[Any, ...]:
    """Values of the outputs of :func:`photo_steps` after a cancellation; what was found before stays."""
    if found is None:
        return _nothing(notice("Cancelled. Nothing was kept."))
    skipped = gr.skip()
    told = notice("Cancelled. The picture was not written.")
    return skipped, told, skipped, _usable(True), skipped, skipped, _usable(False), skipped


def photo_input(elem_id: str) -> gr.Image:
    """A picture input whose value is the path of the uploaded file.

    Gradio would decode the file itself, and its error message would show the file's path.
    """
    picture = gr.Image(
        label="Photo",
        type="filepath",
        sources=["upload", "clipboard"],
        buttons=["fullscreen"],
        placeholder="Drop a photo here,\nor click to choose one\n(JPEG, PNG, WebP, …)",
        elem_id=elem_id,
        height=280,
    )
    # A subclass would be another component to the page.
    picture.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]
    return picture


def _nothing(status: str) -> tuple[Any, ...]:
    """Values of the outputs without a photo."""
    return None, status, "", _usable(False), *downloads([None] * 2), _usable(False), None


def _step(text: str, done: int) -> str:
    return progress_bar(text, done, 2)


def _usable(usable: bool) -> gr.Button:
    return gr.Button(interactive=usable)


def _summary(found: Found) -> str:
    if not found.faces:
        return notice(NO_FACE)
    height, width = found.size_hw
    count = len(found.faces)
    return notice(
        f"{count} face{'s' * (count > 1)} in {width} × {height} pixels; found in {found.seconds:.2f} s."
    )
