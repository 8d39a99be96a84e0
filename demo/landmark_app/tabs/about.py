"""The About tab: re-parameterization in one picture, model cards, licences, privacy."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from landmark_app.models import Models
from landmark_app.tabs.controls import mode_choices

_CONVOLUTIONS = 6
_ROW = 30
_METRICS = {"validation_nme": "Error, held-out faces", "test_nme": "Error, test list"}

_FOLD_TEXT = """
<p>While it trains, each block of GhostOne computes the same input along up to eight branches and adds
them up: six convolutions, a 1 × 1 convolution and a plain connection, each with its batch norm. More ways
to learn the same thing make it easier to learn.</p>
<p>Once trained, a batch norm only scales and shifts. So each branch is a convolution with a bias, kernels of
the same size can be added, and one convolution is left that gives the same landmarks, but for rounding: less
than a thousandth of a pixel, in a fraction of the time. <b>Side by side</b> shows both at once.</p>
"""

_PRIVACY = """
<ul>
<li>All is computed by the machine that runs <code>demo/app.py</code>. The page fetches nothing from
elsewhere, and the usage statistics of Gradio and ONNX Runtime are off.</li>
<li>Camera frames are held in memory while they are processed, and never written to a disk.</li>
<li>Photos and videos you choose, and results, are in a temporary folder of the app. They are removed after
an hour, and when the app ends.</li>
<li>Each page has its own trackers and smoothing: visitors do not see each other's faces.</li>
<li>With <code>--share</code>, which is off unless asked for, everything passes through Gradio's servers.</li>
</ul>
"""

_LICENCES = """
<div class="pf-scroll"><table class="pf-table pf-left"><thead>
<tr><th scope="col">Part</th><th scope="col">Licence</th></tr>
</thead><tbody>
<tr><th scope="row">This project's code</th><td>Apache-2.0</td></tr>
<tr><th scope="row">This project's weights</th><td>for research, as the data they were trained on</td></tr>
<tr><th scope="row">Face detection: models of MediaPipe</th><td>Apache-2.0</td></tr>
<tr><th scope="row">ONNX Runtime</th><td>MIT</td></tr>
<tr><th scope="row">PyTorch</th><td>BSD-3-Clause</td></tr>
<tr><th scope="row">OpenCV, Gradio</th><td>Apache-2.0</td></tr>
<tr><th scope="row">Example photo: Eileen Collins, NASA</th><td>public domain</td></tr>
</tbody></table></div>
"""

_LIMITS = """
<p>Errors are means over faces and points, in per cent of the distance between the outer corners of the eyes.
What the networks were trained on, and under which licences, is in <code>weights/README.md</code>.</p>
<p>The networks place 98 points on faces that a detector has found. They do not recognise anybody and tell
neither age nor mood. Expect less of them in profile, in the dark, and behind hands or masks. <b>Quality</b>
is how likely the error is under 10 % of the distance of the outer eye corners: the lower it is, the less the
points can be trusted. Networks with a heatmap head also say how unsure they are of each point: <b>Thin where
unsure</b> shows it.
Do not decide about people with them.</p>
"""


def about_html(models: Models) -> str:
    """The tab's content."""
    sections = (
        ("What re-parameterization does", fold_picture() + _FOLD_TEXT),
        ("Model cards", _cards(models) + _LIMITS),
        ("Privacy", _PRIVACY),
        ("Licences", _LICENCES),
    )
    return "".join(
        f'<section class="pf-about"><h2>{title}</h2>{text}</section>' for title, text in sections
    )


def fold_picture() -> str:
    """SVGs of branches that fold into one convolution; in a row or, on phones, in a column."""
    names = [f"3 × 3 conv {index + 1}" for index in range(_CONVOLUTIONS)] + ["1 × 1 conv", ""]
    height = _ROW * len(names) + 40
    middle = 20 + _ROW * len(names) / 2
    branches = []
    for index, name in enumerate(names):
        y = 20 + _ROW * (index + 0.5)
        branches.append(
            f'<path class="pf-wire" d="M56 {middle}C80 {middle} 70 {y} 96 {y}'
            f'H300C330 {y} 320 {middle} 338 {middle}"/>'
        )
        if name:
            branches.append(_block(98, y, 104, name, "pf-block-conv"))
        branches.append(_block(216, y, 82, "batch norm", "pf-block-bn"))
    before = (
        *branches,
        f'<circle class="pf-sum" cx="350" cy="{middle}" r="13"/>',
        _text(350, middle + 5, "+"),
        _text(30, middle + 4, "input"),
        f'<path class="pf-wire" d="M364 {middle}H392"/>',
        _text(200, height - 4, "training: eight branches", "pf-strong"),
    )
    arrow = (
        '<path class="pf-arrow" d="M8 44H80m-14 -11l14 11l-14 11"/>',
        _text(44, 24, "fold", "pf-strong"),
    )
    after = (
        _text(24, 40, "input"),
        '<path class="pf-wire" d="M48 36H226"/>',
        _block(70, 36, 132, "3 × 3 conv + bias", "pf-block-conv"),
        _text(136, 74, "afterwards: one", "pf-strong"),
    )
    return (
        '<div class="pf-fold">'
        + _svg(
            400,
            height,
            before,
            "Six 3 by 3 convolutions, a 1 by 1 convolution and a plain connection, each with a batch norm, "
            "are added up",
        )
        + _svg(90, 80, arrow, "fold into")
        + _svg(240, 80, after, "one 3 by 3 convolution with a bias")
        + "</div>"
    )


def _svg(width: int, height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" style="width: {width}px" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle" class="{kind}">{escape(text)}</text>'


def _block(x: float, y: float, width: float, name: str, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x}" y="{y - 11}" width="{width}" height="22" rx="6"/>'
        f'<text x="{x + width / 2}" y="{y + 4}" text-anchor="middle">{escape(name)}</text>'
    )


def _cards(models: Models) -> str:
    """A table with a row for each network, from the metadata of its weight file."""
    head = ("Network", "Modes", "Input", "Trained on", "Licence", *_METRICS.values())
    rows = "".join(_card(models, network) for network in models.networks)
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    return (
        '<div class="pf-scroll"><table class="pf-table pf-left">'
        f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _card(models: Models, network: str) -> str:
    name = f'<th scope="row">{escape(network)}</th>'
    try:
        metadata = models.metadata(network)
    except (ValueError, OSError) as error:
        return f'<tr>{name}<td colspan="{4 + len(_METRICS)}">{escape(str(error))}</td></tr>'
    preprocessing, size = metadata.preprocessing, metadata.preprocessing.input_size
    facts = (
        ", ".join(title for title, _ in mode_choices(models, network)),
        f"{size} × {size} pixels, {preprocessing.crop_scale:g} × the face, "
        f"{preprocessing.channel_order.upper()}",
        metadata.training_data,
        metadata.license,
        *(_percent(metadata.metrics.get(metric)) for metric in _METRICS),
    )
    return f"<tr>{name}{''.join(f'<td>{escape(fact)}</td>' for fact in facts)}</tr>"


def _percent(error: float | None) -> str:
    return "–" if error is None else f"{100 * error:.2f} %"
