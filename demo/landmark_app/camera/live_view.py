"""Camera view in HTML and JavaScript: the page sends frames and draws the landmarks itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from landmark_app.browser.routes import FILM
from landmark_app.look.glossary import TERMS
from pfld.draw import AXIS_COLORS, CURVES, GROUP_COLORS, RIM_COLOR
from pfld.head.model import head_points
from pfld.landmarks import SCHEMES
from pfld.runtime.face import EYE_DISTANCE_PER_SPREAD

# The body of one JavaScript function, in this order, with those of one kind of view before the last.
_SCRIPTS = ("settings", "stage", "readout", "facts", "overlay", "film", "capture", "link")
_SCRIPTS_OF = {"live": ("trace", "switch"), "pair": ("pair",)}
_LAST_SCRIPT = "live"

_PANE = (
    '<figure><canvas width="640" height="480" role="img" aria-label="Camera picture with landmarks: '
    '{label}"></canvas><figcaption>{label}</figcaption></figure>'
)
_READOUT = (
    '<div data-read="{name}" title="{help}"><dt>{title}</dt><dd><b>–</b> <small></small></dd></div>'
)

_TEMPLATE = """
<div class="pf-live pf-{kind} pf-untouched">
  {above}
  <div class="pf-stage">
    <div class="pf-panes">{panes}</div>
    <div class="pf-empty">
      <p class="pf-title"></p>
      <p class="pf-message" role="status" aria-live="polite">Pictures go to the app's machine only,
        and are not kept.</p>
      <p class="pf-starts">
        <button type="button" class="pf-button pf-start">Start camera</button>
        <button type="button" class="pf-button pf-film">Show an example</button>
      </p>
    </div>
    <p class="pf-trouble" role="status" aria-live="polite" hidden>
      <i class="pf-spinner" aria-hidden="true"></i><b></b> <span></span></p>
    <p class="pf-notice" role="status" aria-live="polite" hidden></p>
    <video muted playsinline tabindex="-1" aria-hidden="true"></video>
  </div>
  <div class="pf-bar">
    <button type="button" class="pf-button pf-stop">Stop camera</button>
    {buttons}
    <label><input type="checkbox" class="pf-mirror" checked> Mirror</label>
  </div>
  {below}
  <dl class="pf-readout" aria-label="Measured while the camera runs">{readout}</dl>
  {words}
</div>
"""


def live_view(
    kind: str,
    *,
    panes: Sequence[str],
    readouts: dict[str, tuple[str, str]],
    settings: dict[str, Any],
    server_functions: list[Callable[..., dict[str, Any]]],
    above: str = "",
    buttons: str = "",
    below: str = "",
    **properties: Any,
) -> gr.HTML:
    """The camera view as a component.

    Args:
        kind: "live" for one picture, "pair" for two.
        panes: A caption for each picture.
        readouts: Titles and explanations of measurements, by the names that JavaScript has for them.
        settings: What frames are looked at with at first.
        server_functions: What JavaScript may call; among them ``locate``, which takes a frame and
            returns faces.
        above, buttons, below: HTML over the picture, in the bar under it, and under that.
        properties: More JSON values for JavaScript.
    """
    template = _TEMPLATE.format(
        kind=kind,
        above=above,
        panes="".join(_PANE.format(label=pane) for pane in panes),
        buttons=buttons,
        below=below,
        readout="".join(
            _READOUT.format(name=name, title=title, help=help_)
            for name, (title, help_) in readouts.items()
        ),
        words=_glossary(readouts),
    )
    curves, groups = {}, {}
    for scheme in SCHEMES.values():
        count = str(scheme.num_landmarks)
        curves[count] = [
            [_css(group), list(run), closed] for group, run, closed in CURVES[scheme.name]
        ]
        groups[count] = [[_css(group), list(run)] for group, run in scheme.groups.items()]
    names = (*_SCRIPTS, *_SCRIPTS_OF[kind], _LAST_SCRIPT)
    scripts = (Path(__file__).with_name(f"{name}.js") for name in names)
    return gr.HTML(
        html_template=template,
        js_on_load="\n".join(script.read_text(encoding="utf-8") for script in scripts),
        server_functions=server_functions,
        apply_default_css=False,
        settings=settings,
        film=FILM,
        curves=curves,
        groups=groups,
        mesh={"98": face_mesh()},
        drawing={
            "rim": f"rgba{(*RIM_COLOR, 0.85)}",
            "axes": [f"rgb{color}" for color in AXIS_COLORS],
            "eye_distance_per_spread": EYE_DISTANCE_PER_SPREAD,
        },
        elem_id=f"{kind}-view",
        **properties,
    )


def settings_script(kind: str, names: Sequence[str]) -> str:
    """JavaScript for a Gradio event: makes its inputs the settings of these names of the camera view."""
    return (
        "(...values) => { window.pfldSettings = window.pfldSettings || {}; window.pfldSettings["
        f"{json.dumps(kind)}] = Object.fromEntries({json.dumps(list(names))}.map("
        "(name, index) => [name, values[index]])); "
        f"window.dispatchEvent(new CustomEvent('pfld-settings', {{detail: {json.dumps(kind)}}})); }}"
    )


@lru_cache
def face_mesh() -> list[tuple[int, int]]:
    """Edges between the 98 points: the Delaunay triangulation of the averaged frontal face."""
    points = head_points()[:, :2].astype(np.float32) * 10
    left, top = np.floor(points.min(axis=0)).astype(int) - 1
    right, bottom = np.ceil(points.max(axis=0)).astype(int) + 1
    plane = cv2.Subdiv2D()
    plane.initDelaunay((int(left), int(top), int(right - left), int(bottom - top)))
    for x, y in points.tolist():
        plane.insert((x, y))
    ends = np.asarray(plane.getEdgeList()).reshape(-1, 2, 2)
    apart = np.linalg.norm(ends[:, :, None] - points, axis=-1)
    pairs = apart.argmin(axis=-1)[(apart.min(axis=-1) < 1e-3).all(axis=1)]  # not those to the frame
    return sorted({(int(min(pair)), int(max(pair))) for pair in pairs})


def color_legend() -> str:
    """The colours of facial parts."""
    names = {"contour": "jaw", "brows": "brows", "nose": "nose", "eyes": "eyes", "mouth": "mouth"}
    items = "".join(
        f'<span><i style="background:{_css(group)}"></i>{names.get(group, group)}</span>'
        for group in GROUP_COLORS
    )
    return f'<p class="pf-legend" aria-label="Colours of facial parts">{items}</p>'


def _glossary(readouts: dict[str, tuple[str, str]]) -> str:
    words = {title: text for title, text in readouts.values() if text}
    words |= {term: TERMS[term] for term in _TERMS}
    rows = "".join(f"<dt>{word}</dt><dd>{text}</dd>" for word, text in words.items())
    return f'<details class="pf-words"><summary>What do these words mean?</summary><dl>{rows}</dl></details>'


_TERMS = (
    "Train-time", "Re-parameterization", "Multiplications", "Latency, median, p95",
    "ONNX, PyTorch, OpenVINO", "int8", "Quality",
)  # fmt: skip


def _css(group: str) -> str:
    return f"rgb{GROUP_COLORS[group]}"
