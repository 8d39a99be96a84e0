"""Terms of the page in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

TERMS = {
    "Landmark": "A point of the face with a fixed meaning, such as the left corner of the mouth. There are "
    "98, as in the data set WFLW.",
    "Re-parameterization": "Several branches of a trained network are added into one convolution. The points "
    "stay the same; the network gets smaller and faster.",
    "Train-time": "The network as it is trained, with all its branches.",
    "Parameters": "The numbers that a network has learnt.",
    "Multiplications": "Multiply-and-add steps for one face.",
    "ONNX, PyTorch, OpenVINO": "Programs that compute a network. They give the same points at "
    "different speeds.",
    "int8": "Numbers of 8 bits in place of 32: a smaller file, faster on many processors, and points that "
    "are a little less exact.",
    "Latency, median, p95": "The time for one face or frame. Half of them took no longer than the median, 95 "
    "of 100 no longer than p95.",
    "Error (NME)": "The mean distance from the true points, in per cent of the distance between the outer "
    "eye corners.",
    "95 % interval": "How uncertain an error is that was measured on few faces.",
    "Jitter": "How much points tremble from frame to frame, as a share of the face's size.",
    "Quality": "How likely the points of a face have an error under 10 %. Do not trust faces with a low one.",
    "Sure": "How sure the detector is that it has found a face.",
    "Yaw, pitch, roll": "How far a head is turned to a side, raised or lowered, and tilted, in degrees.",
    "Heatmap": "Networks with this word in their name also say how unsure they are of each point.",
}


def glossary_html(terms: Mapping[str, str] = TERMS) -> str:
    """The terms as an HTML list."""
    rows = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{escape(words)}</dd></div>"
        for term, words in terms.items()
    )
    return f'<dl class="pf-terms">{rows}</dl>'
