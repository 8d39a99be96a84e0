"""MediaPipe's face detectors in a process of their own, for forks of a process that has started MediaPipe."""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_PROGRAM = """
import sys
sys.path[:] = {path!r}
from pfld.runtime.detector_process import serve
serve({descriptor}, {min_score!r})
"""


class _Answer(NamedTuple):
    detections: list[SimpleNamespace]


class DetectorProcess:
    """A process that looks at pictures with MediaPipe. It ends with this object or this process."""

    def __init__(self, min_score: float) -> None:
        self._connection, theirs = Pipe()
        program = _PROGRAM.format(
            path=sys.path, descriptor=theirs.fileno(), min_score=float(min_score)
        )
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for this process
            )

    def process(self, size: int, picture: NDArray[np.uint8]) -> _Answer:
        """MediaPipe's detections in an RGB picture, by the model of an input size.

        Raises:
            RuntimeError: If the process has ended.
        """
        try:
            self._connection.send((size, picture))
            return _Answer(self._connection.recv())
        except (OSError, EOFError) as error:
            raise RuntimeError("the process that finds faces has ended") from error

    def close(self) -> None:
        """Ends the process."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


class RemoteGraph:
    """One of the detectors of a process, called as MediaPipe's own."""

    def __init__(self, process: DetectorProcess, size: int) -> None:
        self._process, self._size = process, size

    def process(self, picture: NDArray[np.uint8]) -> _Answer:
        """As :meth:`DetectorProcess.process`."""
        return self._process.process(self._size, picture)

    def close(self) -> None:
        """Ends the process."""
        self._process.close()


def serve(descriptor: int, min_score: float) -> None:
    """What such a process does, until the other end of the connection is closed."""
    from pfld.runtime.detector import Models

    with Connection(descriptor) as connection:
        models = Models(min_score)
        try:
            while True:
                size, picture = connection.recv()
                connection.send([_plain(found) for found in models.detections(picture, size)])
        except (EOFError, OSError):
            os._exit(0)


def _plain(detection: Any) -> SimpleNamespace:
    """What is needed of a detection, as classes of Python: a fork may have imported MediaPipe half only."""
    place = detection.location_data
    box, points = place.relative_bounding_box, place.relative_keypoints[:2]
    sides = {name: getattr(box, name) for name in ("xmin", "ymin", "width", "height")}
    return SimpleNamespace(
        score=list(detection.score),
        location_data=SimpleNamespace(
            relative_bounding_box=SimpleNamespace(**sides),
            relative_keypoints=[SimpleNamespace(x=point.x, y=point.y) for point in points],
        ),
    )
