"""Examples to click on: buttons with a small picture and a caption, which choose a file."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from landmark_app.files.examples import Example
from landmark_app.files.results import new_folder

_STYLE = """
.pf-examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); gap: 8px; }
.pf-example {
  display: flex;
  flex-direction: column;
  overflow: hidden;
  padding: 0;
  border: 1px solid var(--border-color-primary);
  border-radius: 10px;
  background: var(--block-background-fill);
  color: var(--body-text-color);
  font-size: 0.78rem;
  line-height: 1.25;
  text-align: center;
  cursor: pointer;
}
.pf-example:hover { border-color: var(--primary-500); }
.pf-example img { width: 100%; height: 76px; object-fit: cover; object-position: 50% 18%; }
.pf-example span { padding: 4px; }
"""
_SCRIPT = """
element.querySelectorAll(".pf-example").forEach((button, index) =>
  button.addEventListener("click", () => trigger("select", { index, value: button.textContent })));
"""


def examples(offered: Sequence[Example], chosen: gr.Image | gr.File, folder: Path) -> Dependency:
    """Adds the buttons; a click makes the example's file the value of ``chosen``.

    Args:
        folder: Of uploads. The files are copied into it, as the page is given no others.

    Returns:
        The event of a click, to go on from.
    """
    own = new_folder(folder)
    paths = [shutil.copyfile(example.path, own / example.file) for example in offered]

    def choose(click: gr.SelectData) -> str:
        if type(click.index) is not int or not 0 <= click.index < len(paths):
            raise ValueError("there is no such example")
        return str(paths[click.index])

    buttons = gr.HTML(
        html_template=examples_html(tuple(offered)),
        css_template=_STYLE,
        js_on_load=_SCRIPT,
        apply_default_css=False,
    )
    return buttons.select(
        choose,
        None,
        chosen,
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )


@lru_cache
def examples_html(offered: tuple[Example, ...]) -> str:
    """A button for each example."""
    buttons = "".join(
        '<button type="button" class="pf-example">'
        f'<img src="data:image/webp;base64,{base64.b64encode(example.thumbnail()).decode()}" '
        f'alt="{escape(example.words)}"><span>{escape(example.caption)}</span></button>'
        for example in offered
    )
    title = "Examples" if len(offered) > 1 else "Example"
    return f'<p class="pf-small">{title}</p><div class="pf-examples">{buttons}</div>'
