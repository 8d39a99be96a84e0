"""Models of the app without weights: a network that finds an average face in the middle of any crop."""

import hashlib
import threading

import numpy as np

from landmark_app.latency import computing_s
from landmark_app.models import Models
from pfld.head.model import head_points
from pfld.preprocess import Preprocessing
from pfld.runtime.backends import Backend, Prediction
from pfld.weights import shipped
from pfld.weights.metadata import WeightMetadata

_WORK = bytes(200_000)
_POINTS = head_points()[:, :2]
_MIDDLE = (_POINTS.max(axis=0) + _POINTS.min(axis=0)) / 2
# Fills a crop as faces do in training.
SHAPE = (0.5 + (_POINTS - _MIDDLE) / np.ptp(_POINTS, axis=0).max() / 1.2).astype(np.float32)


class FakeBackend(Backend):
    """Finds SHAPE, moved by ``shift`` crops to the right, and notes what it was asked."""

    def __init__(self, name="onnx", path=None, *, shift=0.0, preprocessing=None):
        super().__init__(name, path, WeightMetadata("ghostone", preprocessing or Preprocessing()))
        self.shift = shift
        self.batches = []
        self._lock = threading.Lock()

    def _run(self, batch):
        with self._lock:
            self.batches.append(batch)
        return Prediction.of(
            np.repeat(SHAPE[None] + np.float32([self.shift, 0]), len(batch), axis=0)
        )


def compute(seconds):
    """Computes for so long, without holding Python's lock, as networks do."""
    end = computing_s() + seconds
    while computing_s() < end:
        hashlib.sha256(_WORK)


def fake_models(monkeypatch, folder, files=("face.onnx", "face.safetensors"), load=None):
    """The app's models, with empty weight files."""
    for name in files:
        (folder / name).write_bytes(b"")
    monkeypatch.setattr(shipped, "SHIPPED", folder)
    return Models("face", load=load or (lambda network, mode: FakeBackend(mode)))
