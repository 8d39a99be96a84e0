"""Side by side for photos: two networks on the same faces, and where their points differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from landmark_app.camera.pair_html import headline, pair_table, photo_texts
from landmark_app.files.differences import magnified_differences
from landmark_app.files.examples import PHOTOS
from landmark_app.files.found_pair import FoundPair, keep_pair
from landmark_app.files.photo import NO_FACE, PhotoPair, on_pair_photo
from landmark_app.files.uploads import uploaded
from landmark_app.look.charts import progress_bar
from landmark_app.look.tables import notice
from landmark_app.model_facts import model_facts
from landmark_app.models import Choice, Models
from landmark_app.tabs.examples import examples
from landmark_app.tabs.photo import photo_input
from pfld.draw import Drawing

_DIFFERENCES = "Differences on the largest face"
_INVITATION = "Choose a photo, or an example."


def pair_photo(
    models: Models,
    folder: Path,
    names: Mapping[str, str],
    choices: Sequence[gr.Dropdown],
    show: gr.CheckboxGroup,
) -> None:
    """Adds the photo, both pictures, their differences and the table.

    Args:
        folder: Holds uploads, and results.
        names: Titles of what ``choices`` offer, by its text.
        choices: What is compared, left and right.
        show: What is drawn.
    """
    titles = [names[str(choice.value)] for choice in choices]
    found = gr.State(None)

    def compare_photo(
        path: str | None, first: str, second: str, show: list[str], found: FoundPair | None = None
    ) -> Iterator[tuple[Any, ...]]:
        chosen = first, second
        if path and (found is None or (found.path, *map(str, found.choices)) != (path, *chosen)):
            told = progress_bar("Finding faces, then timing both networks …", 0, None)
            yield *[gr.skip()] * 4, told, *[gr.skip()] * 3
        yield compared(models, folder, names, path, chosen, show, found)

    factor = gr.HTML(headline(), elem_id="pair-factor", apply_default_css=False)
    with gr.Row(elem_classes="pf-split pf-stacked"):
        with gr.Column():
            photo = photo_input("pair-photo")
            examples(PHOTOS, photo, folder)
        together = gr.ImageSlider(
            label="Left and right",
            format="jpeg",
            interactive=False,
            buttons=["fullscreen"],
            elem_id="pair-slider",
        )
    status = gr.HTML(notice(_INVITATION), elem_id="pair-status", apply_default_css=False)
    table = gr.HTML(elem_id="pair-table", apply_default_css=False)
    differences = gr.Image(
        label=_DIFFERENCES,
        format="jpeg",
        interactive=False,
        buttons=["fullscreen"],
        elem_id="pair-differences",
        elem_classes="pf-once-there",
        height=520,
    )
    with gr.Row(elem_classes="pf-split pf-stacked"):
        left, right = (
            gr.Image(
                label=title,
                format="jpeg",
                interactive=False,
                buttons=["fullscreen"],
                elem_classes="pf-once-there",
            )
            for title in titles
        )
    parts: list[Any] = [photo, *choices, show]
    gr.on(
        [part.change for part in parts],
        compare_photo,
        [*parts, found],
        [together, left, right, differences, status, factor, table, found],
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
        concurrency_id="jobs",
    )


def compared(
    models: Models,
    folder: Path,
    names: Mapping[str, str],
    path: str | None,
    choices: tuple[str, str],
    show: Sequence[str],
    found: FoundPair | None = None,
) -> tuple[Any, ...]:
    """Values of both pictures in one, left, right, differences, status, factor, table, and what was found.

    Args:
        folder, names: As of :func:`pair_photo`.
        path: As the page sends it; None without a photo.
        choices: What is compared, left and right, as text.
        show: Names of what is drawn.
        found: What was found before; it is only drawn again if it is of this photo and these choices.
    """
    heads = names.get(choices[0], choices[0]), names.get(choices[1], choices[1])
    if not path:
        return *[None] * 4, notice(_INVITATION), headline(), "", None
    rest: tuple[Any, ...] = tuple([gr.skip()] * 4)
    try:
        parsed = Choice.parse(choices[0]), Choice.parse(choices[1])
        if found is None or not found.is_of(path, parsed):
            pair = on_pair_photo(models, uploaded(path, folder), *parsed)
            rest = _told(models, pair, parsed, heads)
            found = keep_pair(pair, path, parsed, folder)
        left, right = found.drawn(Drawing.of(show))
    except (ValueError, OSError) as error:
        return *[None] * 4, notice(str(error), "error"), headline(), "", None
    labelled = gr.Image(left, label=heads[0]), gr.Image(right, label=heads[1])
    return (left, right), *labelled, *rest, found


def _told(
    models: Models, pair: PhotoPair, choices: tuple[Choice, Choice], heads: tuple[str, str]
) -> tuple[Any, ...]:
    """Values of differences, status, factor and table."""
    sizes = model_facts(models.backend(choices[0])), model_facts(models.backend(choices[1]))
    texts = photo_texts(choices, sizes, pair.comparison)
    apart, meaning = None, _DIFFERENCES
    count = len(pair.first)
    if count:
        faces = pair.first[0].landmarks, pair.second[0].landmarks
        apart, meaning = magnified_differences(pair.image_rgb, *faces)
    text = f"{count} face{'s' * (count > 1)}: both networks got the same." if count else NO_FACE
    return gr.Image(apart, label=meaning), notice(text), headline(texts), pair_table(heads, texts)
