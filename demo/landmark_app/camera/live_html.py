"""HTML of Live: the switch, what it changes, and the other controls; switch.js has their names."""

from __future__ import annotations

from html import escape

from landmark_app.camera.live_view import color_legend
from landmark_app.tabs.controls import SHOWN

_BRANCHES = (-36, -18, 0, 18, 36)  # where they lie above and below the middle of the drawing
CARD_ROWS = {
    "parameters": "Parameters",
    "macs": "Multiplications",
    "fps": "Frames/s",
    "runtime": "Runs in",
}
_SIDES = ("Train-time", "Re-parameterized")

_SWITCH = """
<fieldset class="pf-switch">
  <legend>Network as</legend>
  <label><input type="radio" name="pf-form" value="train-time"><span>Train-time</span></label>
  <label><input type="radio" name="pf-form" value="folded" checked><span>Re-parameterized</span></label>
  <small></small>
</fieldset>
"""


# Frames/s over time, which trace.js draws.
_TRACE = (
    '<figure class="pf-trace pf-while-on"><figcaption>Frames/s, last 30 s</figcaption>'
    '<svg viewBox="0 0 240 36" preserveAspectRatio="none" role="img" '
    'aria-label="Frames/s of the last 30 seconds"></svg></figure>'
)


def aside_html(networks: dict[str, str], presets: dict[str, str]) -> str:
    """What stands beside the picture: the switch, what it changes, network, runtime, camera and tracking.

    Args:
        networks: Titles of the networks, by name.
        presets: Titles of the presets, by name.
    """
    parts = _SWITCH + _card_html() + _choices_html(networks, presets) + _camera_html()
    return f'<div class="pf-aside">{parts}</div>'


def _card_html() -> str:
    """What the switch changes: a factor, a drawing of the branches, bars of both latencies, and a table."""
    bars = "".join(
        f'<p data-side="{side}"><span>{title}</span><b data-cell="latency-{side}">–</b>'
        f'<i class="pf-length" data-bar="{side}"></i></p>'
        for side, title in enumerate(_SIDES)
    )
    heads = "".join(
        f'<th scope="col" data-side="{side}">{title}</th>' for side, title in enumerate(_SIDES)
    )
    rows = []
    for name, title in CARD_ROWS.items():
        cells = "".join(
            f'<td data-side="{side}" data-cell="{name}-{side}">–</td>' for side in (0, 1)
        )
        kind = ' class="pf-frames"' if name == "fps" else ""
        rows.append(f'<tr{kind}><th scope="row">{title}</th>{cells}</tr>')
    return (
        '<section class="pf-card" aria-label="What the switch changes">'
        '<p class="pf-factor" role="status" aria-live="polite"><b></b><span></span></p>'
        f"{_fold_svg()}"
        f'<div class="pf-race" aria-label="Latency for one face" role="group">{bars}</div>'
        f'<table class="pf-table pf-pairs"><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
        f"{_TRACE}"
        '<p class="pf-fair"><span></span> <button type="button" class="pf-link"></button></p>'
        "</section>"
    )


def _choices_html(networks: dict[str, str], presets: dict[str, str]) -> str:
    """Network, runtime and presets."""
    options = "".join(
        f'<option value="{escape(name)}">{escape(title)}</option>'
        for name, title in networks.items()
    )
    buttons = "".join(
        f'<button type="button" class="pf-button" data-preset="{name}">{title}</button>'
        for name, title in presets.items()
    )
    return f"""
<div class="pf-controls">
  <label class="pf-field pf-wide">Network <select class="pf-network">{options}</select></label>
  <label class="pf-field">Runtime <select class="pf-runtime"></select></label>
  <div class="pf-presets" role="group" aria-label="Presets">{buttons}</div>
</div>
"""


def _camera_html() -> str:
    """Camera and tracking."""
    return f"""
<details class="pf-more"><summary>Camera and tracking</summary>
  <div class="pf-controls">
    <label class="pf-field">Camera
      <select class="pf-camera" data-own="camera" data-text data-restart disabled>
      <option value="">shown once it runs</option></select></label>
    <label class="pf-field">Picture <select data-own="side" data-restart>
      <option value="320">320 pixels wide</option><option value="640">640 pixels wide</option>
      <option value="1280">1280 pixels wide</option></select></label>
    <label class="pf-field">Faces at most <select data-own="max_faces">
      {"".join(f"<option>{count}</option>" for count in range(1, 9))}</select></label>
    <label><input type="checkbox" data-own="smoothing"> Smooth landmarks</label>
  </div>
</details>
"""


def options_html() -> str:
    """What is drawn."""
    shown = (*SHOWN[:2], ("Mesh", "mesh"), *SHOWN[2:])
    checks = "".join(
        f'<label><input type="checkbox" data-show="{name}"> {title}</label>'
        for title, name in shown
    )
    return f"""
<details class="pf-more" open><summary>What is drawn</summary>
  <div class="pf-checks">{checks}</div>
  <label class="pf-field">Width of lines
    <input type="range" min="0.5" max="3" step="0.25" data-own="width" data-drawing></label>
  {color_legend()}
</details>
"""


BUTTONS = """
<button type="button" class="pf-button pf-snapshot pf-while-on">Save picture</button>
<button type="button" class="pf-button pf-record pf-while-on">Record</button>
<button type="button" class="pf-button pf-save pf-while-on">Save landmarks</button>
"""


def _fold_svg() -> str:
    """Branches between two points; live.css moves them into one where the view is ``pf-folded``."""
    branches = "".join(
        f'<g><path d="M18 48 C40 48 44 {48 + y} 70 {48 + y} H170 C196 {48 + y} 200 48 222 48"/>'
        f'<rect x="84" y="{41 + y}" width="72" height="14" rx="4" style="--offset:{-y}px"/></g>'
        for y in _BRANCHES
    )
    return (
        '<svg class="pf-branches" viewBox="0 0 240 96" role="img" '
        'aria-label="Branches that fold into one convolution">'
        f'{branches}<circle cx="18" cy="48" r="5"/><circle cx="222" cy="48" r="5"/></svg>'
    )
