"""ONNX files of this package: adding metadata, and running a file to compare it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pfld.runtime.onnx_session import open_session
from pfld.weights.metadata import PIXELS, WeightMetadata

if TYPE_CHECKING:
    import onnx

BATCH_SIZE = 8


def labelled(model: onnx.ModelProto, metadata: WeightMetadata) -> bytes:
    """The content of a file: ``model`` with ``metadata``, and nothing about where it was made."""
    import onnx

    from pfld import __name__ as producer

    named = onnx.ModelProto()
    named.CopyFrom(model)
    graph = named.graph
    # Exporters write Python stack traces, with this machine's paths, into every node.
    for item in (
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    named.producer_name = producer
    named.ClearField("producer_version")
    named.doc_string = f"{metadata.num_landmarks} facial landmarks ({metadata.landmark_scheme})"
    onnx.helper.set_model_props(named, metadata.to_strings())
    return named.SerializeToString()


def landmarks_px(
    data: bytes, metadata: WeightMetadata, crops: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Landmarks ``(N, L, 2)`` that a file predicts, in pixels of the crops.

    Args:
        crops: RGB ``(N, S, S, 3)``, at least one.
    """
    session = open_session(data)
    found = []
    for start in range(0, len(crops), BATCH_SIZE):
        batch = crops[start : start + BATCH_SIZE]
        if metadata.interface == PIXELS:
            found += session.run(["landmarks_px"], {"crops_rgb": batch})
        else:
            (fractions,) = session.run(["landmarks"], {"crops": metadata.preprocessing(batch)})
            found.append(fractions * metadata.preprocessing.input_size)
    return np.concatenate(found)
