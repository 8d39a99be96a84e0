"""ONNX Runtime sessions, with telemetry turned off and without external files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime


def import_onnxruntime() -> None:
    """Imports ONNX Runtime with its telemetry turned off, which must happen before the first import."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: F401


def open_session(
    source: bytes | str | os.PathLike[str], *, threads: int = 1
) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU.

    Args:
        source: Path of an ONNX file, or its content.
        threads: Threads within one call.

    Raises:
        ValueError: For a file that refers to other files.
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
    options.log_severity_level = 4  # errors are raised, so they need no log
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def output_names(*, knows_uncertainty: bool) -> list[str]:
    """Names of outputs in fractions of the crop; those in pixels have ``_px`` after the name."""
    return ["landmarks", "uncertainty"] if knows_uncertainty else ["landmarks"]
