"""Texts of the About tab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_VENDOR = "pfld-browser/vendor/onnxruntime-web"  # relative, as the app may be below a sub-path

FOLD = """
<p><b>A network is trained with many branches and runs with one.</b> While GhostOne is trained, each of its
blocks computes the same input along up to eight branches and adds them up: six convolutions, a 1 × 1
convolution and a plain connection, each with its batch norm. More ways to learn the same thing make it easier
to learn.</p>
<p>Once trained, a batch norm only scales and shifts. So each branch is a convolution with a bias, kernels of
the same size can be added, and one convolution is left. It gives the same landmarks, but for rounding: less
than a thousandth of a pixel. <b>Live</b> has a switch between the two, <b>Side by side</b> shows both at
once, and <b>Benchmark</b> has the times.</p>
"""

PRIVACY = """
<dl class="pf-terms">
<div><dt>Camera, computed by the app</dt><dd>Frames go to the machine that runs the app. They are held in
memory while they are processed, and never written to a disk.</dd></div>
<div><dt>Camera, computed in your browser</dt><dd>With <i>your browser</i> as the runtime in Live, no picture
leaves the page.</dd></div>
<div><dt>Photos and videos</dt><dd>They and their results are in a temporary folder of the app. They are
removed after an hour, earlier if space is short, and when the app ends.</dd></div>
<div><dt>Saved pictures, recordings and landmarks of Live</dt><dd>They are made in your browser and go to your
downloads only.</dd></div>
<div><dt>Settings</dt><dd>Tab, network and what is drawn are kept in your browser, until you clear its data
for this page.</dd></div>
<div><dt>Other visitors</dt><dd>Each page has its own trackers and smoothing: visitors do not see each other's
faces.</dd></div>
<div><dt>Other hosts</dt><dd>The page fetches nothing from elsewhere, and the usage statistics of Gradio and
ONNX Runtime are off. Only with <code>--share</code>, which is off unless asked for, everything passes through
Gradio's servers.</dd></div>
</dl>
"""

LIMITS = """
<p>The networks place 98 points on faces that a detector has found. They do not recognise anybody and tell
neither age nor mood. Expect less of them in profile, in the dark, and behind hands or masks. The lower the
<b>quality</b> of a face, the less its points can be trusted. Networks with a heatmap also say how unsure they
are of each point: <b>Thin where unsure</b> shows it.</p>
<p>Do not decide about people with them.</p>
"""

FACES98 = """
<p><b>faces98</b> is the name of the data that the networks were trained on: 22,025 face crops from WIDER
FACE, 300-W, AFLW, LFW, YouTube Faces, UTKFace and others. Most of their points come from networks, not from
people. These data sets are for research, so <b>the weights are for research only</b>. The code's licence does
not change that. None of the pictures is part of this project.</p>
"""

_SOURCES = {
    "PFLD, the network": ("Guo et al. 2019", "https://arxiv.org/abs/1902.10859"),
    "GhostNet, its blocks": ("Han et al. 2020", "https://arxiv.org/abs/1911.11907"),
    "MobileOne, re-parameterization": ("Vasu et al. 2023", "https://arxiv.org/abs/2206.04040"),
    "MobileNetV2, its blocks": ("Sandler et al. 2018", "https://arxiv.org/abs/1801.04381"),
    "PFLD-GhostOne, the architectures": (
        "AnthonyF333/PFLD_GhostOne",
        "https://github.com/AnthonyF333/PFLD_GhostOne",
    ),
    "WFLW, points and test faces": ("Wu et al. 2018", "https://arxiv.org/abs/1805.10483"),
    "Wing loss": ("Feng et al. 2018", "https://arxiv.org/abs/1711.06753"),
    "Soft-argmax, heatmap head": ("Sun et al. 2018", "https://arxiv.org/abs/1711.08229"),
    "Residual log-likelihood, a loss for regression": (
        "Li et al. 2021",
        "https://arxiv.org/abs/2107.11291",
    ),
    "BlazeFace, face detection": ("Bazarevsky et al. 2019", "https://arxiv.org/abs/1907.05047"),
    "1 Euro filter, smoothing": ("Casiez et al. 2012", "https://doi.org/10.1145/2207676.2208639"),
    "POSIT, head pose": ("DeMenthon and Davis 1995", "https://doi.org/10.1007/BF01450852"),
}

_LICENCES = {
    "This project's code": "Apache-2.0",
    "This project's weights": "research only, as the data they were trained on",
    "Face detection: BlazeFace models of MediaPipe, converted to ONNX": "Apache-2.0",
    "ONNX Runtime Web 1.22.0, for networks in your browser": (
        f'<a href="{_VENDOR}/LICENSE" target="_blank">MIT</a>, '
        f'<a href="{_VENDOR}/ThirdPartyNotices.txt" target="_blank">third-party notices</a>'
    ),
    "ONNX Runtime": "MIT",
    "PyTorch": "BSD-3-Clause",
    "Gradio, OpenCV": "Apache-2.0",
    "PyAV": "BSD-3-Clause; the FFmpeg in it has licences of its own",
    "NumPy, SciPy": "BSD-3-Clause",
    "Pictures of Eileen Collins (NASA) and Grace Hopper (US Navy)": "public domain",
    "Picture of a photographer, by Lav Varshney": "CC0",
}


def sources_html() -> str:
    """Table of papers and code that the project builds on, with links."""
    rows = {
        what: f'<a href="{address}" target="_blank" rel="noopener noreferrer">{escape(title)}</a>'
        for what, (title, address) in _SOURCES.items()
    }
    return facts_table(("What", "By"), rows)


def licences_html() -> str:
    """Table of licences of the parts."""
    return facts_table(("Part", "Licence"), _LICENCES)


def facts_table(heads: Sequence[str], rows: Mapping[str, str]) -> str:
    """A table of two columns; values of ``rows`` are HTML."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{value}</td></tr>'
        for name, value in rows.items()
    )
    return f'<table class="pf-table pf-left"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
