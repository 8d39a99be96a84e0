"""Camera view in HTML and JavaScript: the page sends frames and draws the landmarks itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from pfld.draw import AXIS_COLORS, CURVES, GROUP_COLORS, RIM_COLOR
from pfld.landmarks import SCHEMES
from pfld.runtime.face import EYE_DISTANCE_PER_SPREAD

_SCRIPTS = [Path(__file__).with_name(name) for name in ("readout.js", "overlay.js", "live.js")]

_PANE = '<figure><canvas width="640" height="480" role="img" aria-label="{label}"></canvas>{caption}</figure>'
_READOUT = '<div data-read="{name}"><dt>{title}</dt><dd><b>–</b> <small></small></dd></div>'

_TEMPLATE = """
<div class="pf-live pf-{kind}">
  <div class="pf-stage">
    <div class="pf-panes">{panes}</div>
    <div class="pf-empty">
      <svg viewBox="0 0 48 48" aria-hidden="true">
        <path d="M6 15h8l4-5h12l4 5h8v24H6z"/><circle cx="24" cy="26" r="8"/>
      </svg>
      <p class="pf-title"></p>
      <p class="pf-message" role="status" aria-live="polite">{invitation}</p>
      <button type="button" class="pf-button pf-start">Start camera</button>
    </div>
    <p class="pf-notice" role="status" aria-live="polite" hidden></p>
    <video muted playsinline tabindex="-1" aria-hidden="true"></video>
  </div>
  <div class="pf-bar">
    <button type="button" class="pf-button pf-stop">Stop camera</button>
    <label><input type="checkbox" class="pf-mirror" checked> Mirror the picture</label>
  </div>
  <dl class="pf-readout" aria-label="Measured while the camera runs">{readout}</dl>
  {below}
</div>
"""


def live_view(
    kind: str,
    *,
    panes: Sequence[str],
    readouts: dict[str, str],
    settings: dict[str, Any],
    server_functions: list[Callable[..., dict[str, Any]]],
    below: str = "",
) -> gr.HTML:
    """The camera view as a component.

    Args:
        kind: "live" for one picture, "pair" for two; :func:`settings_script` sends settings by it.
        panes: A description of each picture; of two they are captions as well.
        readouts: Titles of measurements, by the names that readout.js has for them.
        settings: Used until the page sends others.
        server_functions: What JavaScript may call; among them ``locate``, which takes a frame and
            returns faces.
        below: HTML under the measurements.
    """
    captions = ["" if len(panes) == 1 else f"<figcaption>{pane}</figcaption>" for pane in panes]
    template = _TEMPLATE.format(
        kind=kind,
        panes="".join(
            _PANE.format(label=f"Camera picture with landmarks: {pane}", caption=caption)
            for pane, caption in zip(panes, captions)
        ),
        invitation="Your camera's pictures go to this machine only, and are not kept.",
        readout="".join(_READOUT.format(name=n, title=t) for n, t in readouts.items()),
        below=below,
    )
    curves, groups = {}, {}
    for scheme in SCHEMES.values():
        count = str(scheme.num_landmarks)
        curves[count] = [
            [_css(group), list(run), closed] for group, run, closed in CURVES[scheme.name]
        ]
        groups[count] = [[_css(group), list(run)] for group, run in scheme.groups.items()]
    return gr.HTML(
        html_template=template,
        js_on_load="\n".join(script.read_text(encoding="utf-8") for script in _SCRIPTS),
        server_functions=server_functions,
        apply_default_css=False,
        kind=kind,
        settings=settings,
        curves=curves,
        groups=groups,
        drawing={
            "rim": f"rgba{(*RIM_COLOR, 0.85)}",
            "axes": [f"rgb{color}" for color in AXIS_COLORS],
            "eye_distance_per_spread": EYE_DISTANCE_PER_SPREAD,
        },
        elem_id=f"{kind}-view",
    )


def settings_script(kind: str, names: Sequence[str]) -> str:
    """JavaScript for a Gradio event: makes its inputs the settings of these names of the camera view."""
    return (
        "(...values) => { window.pfldSettings = window.pfldSettings || {}; window.pfldSettings["
        f"{json.dumps(kind)}] = Object.fromEntries({json.dumps(list(names))}.map("
        "(name, index) => [name, values[index]])); "
        f"window.dispatchEvent(new CustomEvent('pfld-settings', {{detail: {json.dumps(kind)}}})); }}"
    )


def _css(group: str) -> str:
    return f"rgb{GROUP_COLORS[group]}"
