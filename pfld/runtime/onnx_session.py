"""ONNX Runtime sessions, with telemetry turned off and without external files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime


def import_onnxruntime() -> None:
    """Imports ONNX Runtime, which from its first import on sends usage statistics, without these."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: F401


def open_session(
    source: bytes | str | os.PathLike[str], *, threads: int = 1
) -> onnxruntime.InferenceSession:
    """ONNX Runtime on so many threads of the CPU, for a file or what is in one.

    Raises:
        ValueError: For a file that wants to have other files read.
    """
    import_onnxruntime()
    import onnxruntime

    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    # External tensors name their file under this key; this package's files hold all they need.
    if b"location" in data:
        raise ValueError("its tensors may lie in other files, and those are never read")

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def output_names(*, knows_uncertainty: bool) -> list[str]:
    """What a file returns in fractions of the crop; in pixels each has ``_px`` behind it."""
    return ["landmarks", "uncertainty"] if knows_uncertainty else ["landmarks"]
