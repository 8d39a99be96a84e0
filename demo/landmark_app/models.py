"""Models: the app's networks in all their backends, each loaded once and shared by all visitors."""

from __future__ import annotations

import importlib.util
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landmark_app.search import search_isolated
from landmark_app.turns import Turns
from pfld.geometry import FaceCrop
from pfld.runtime.backends import Backend, Prediction, load_backend
from pfld.runtime.detector import DetectedFace, FaceDetector
from pfld.runtime.landmarker import DOUBTFUL_SCORE, FaceLandmarker
from pfld.weights import read_metadata
from pfld.weights.metadata import WeightMetadata
from pfld.weights.shipped import BACKENDS, DEFAULT_WEIGHTS, find_weights, shipped_networks

MODE_TITLES = {
    "train-time": "Train-time",
    "reparameterized": "Re-parameterized",
    "onnx": "ONNX",
    "onnx-int8": "ONNX int8",
    "openvino": "OpenVINO",
}
PREFERRED_FIRST = ("onnx", "openvino", "onnx-int8", "reparameterized", "train-time")


@dataclass(frozen=True)
class Choice:
    """A network in one of its modes, which are backends."""

    network: str
    mode: str

    def __str__(self) -> str:
        return f"{self.network} · {self.mode}"

    @classmethod
    def parse(cls, text: str) -> Choice:
        """The inverse of ``str``.

        Raises:
            ValueError: For text of another form.
        """
        network, separator, mode = str(text).partition(" · ")
        if not separator:
            raise ValueError(f"a choice reads like 'ghostone · onnx', got {text!r}")
        return cls(network, mode)


class Models:
    """All networks with shipped weights, in all modes. Safe to share between threads.

    Args:
        default_network: The network that is chosen at first. Nothing is loaded before :meth:`load` or
            :meth:`backend` is called.
        load: Loads the weights of a network for a mode.

    Attributes:
        networks: Names, the default network first.
        detector: The face detector, shared by all landmarkers.
        turns: Limits how many pictures are processed at once.
        failures: Why choices could not be loaded.

    Raises:
        FileNotFoundError: When there are no weights, or none of the default network.
    """

    def __init__(
        self,
        default_network: str = DEFAULT_WEIGHTS,
        *,
        load: Callable[[str, str], Backend] = load_backend,
    ) -> None:
        shipped = {mode: shipped_networks(mode) for mode in BACKENDS}
        if importlib.util.find_spec("openvino") is None:
            del shipped["openvino"]
        networks = sorted({name for names in shipped.values() for name in names})
        if not networks:
            raise FileNotFoundError(
                "there are no weights in the weights folder; python train.py makes some"
            )
        if default_network not in networks:
            raise FileNotFoundError(
                f"--network {default_network} has no weights; there are {', '.join(networks)}"
            )
        networks.sort(key=lambda name: name != default_network)
        self.default_network = default_network
        self.networks = tuple(networks)
        self._modes = {
            name: tuple(mode for mode, names in shipped.items() if name in names)
            for name in networks
        }
        self.detector = FaceDetector(min_score=DOUBTFUL_SCORE)
        # Half of a turn is waiting for Python's interpreter lock.
        self.turns = Turns(2 * (os.cpu_count() or 1))
        self._load = load
        self._loaded: dict[Choice, Backend] = {}
        self._locks = {choice: threading.Lock() for choice in self.choices()}
        self.failures: dict[Choice, str] = {}

    def modes(self, network: str) -> tuple[str, ...]:
        """The modes of a network that have weights; empty for an unknown network."""
        return self._modes.get(network, ())

    def choices(self) -> list[Choice]:
        """Every network in every mode, the default network first."""
        return [Choice(name, mode) for name in self.networks for mode in self._modes[name]]

    @property
    def default(self) -> Choice:
        """The default network in its preferred mode."""
        return self.preferred(self.default_network)

    def preferred(self, network: str) -> Choice:
        """A network in the first of PREFERRED_FIRST that has weights; "onnx" if none has."""
        modes = self.modes(network)
        return Choice(network, next((mode for mode in PREFERRED_FIRST if mode in modes), "onnx"))

    @property
    def default_pair(self) -> tuple[Choice, Choice]:
        """The pair compared at first: train-time and re-parameterized, or else the first and last mode."""
        modes = self.modes(self.default_network)
        pair = ("train-time", "reparameterized")
        if not set(pair) <= set(modes):
            pair = (modes[0], modes[-1])
        first, second = (Choice(self.default_network, mode) for mode in pair)
        return first, second

    def backend(self, choice: Choice) -> Backend:
        """The network in that mode; loaded and warmed up at the first call.

        Raises:
            ValueError: When there is no such choice, or it cannot be loaded.
        """
        if choice not in self._locks:
            have = ", ".join(map(str, self.choices()))
            raise ValueError(f"there are no weights for {choice}; there are {have}")
        with self._locks[choice]:
            if choice in self.failures:
                raise ValueError(self.failures[choice])
            if choice not in self._loaded:
                try:
                    backend = self._load(choice.network, choice.mode)
                    warm_up(backend)
                except (OSError, ValueError, ImportError) as error:
                    self.failures[choice] = f"{choice} cannot be used: {error}"
                    raise ValueError(self.failures[choice]) from error
                self._loaded[choice] = backend
            return self._loaded[choice]

    def landmarker(self, choice: Choice) -> FaceLandmarker:
        """A landmarker with that network, for photos and videos; all of them share one detector.

        Each run of the network, and each search for faces in a video's frame, is a turn of its own, so that
        camera frames come between. Photos are searched by another process.

        Raises:
            ValueError: As :meth:`backend`.
        """
        return _InTurn(self.backend(choice), self.detector, self.turns)

    def metadata(self, network: str) -> WeightMetadata:
        """A network's metadata, read from its weight file without loading the network if possible.

        Raises:
            ValueError: As :meth:`backend`.
            FileNotFoundError: When the weight file has been removed.
        """
        if "train-time" in self.modes(network):
            try:
                return read_metadata(find_weights(network, "train-time"))
            except ValueError:
                pass  # a damaged file; another mode may be whole
        return self.backend(self.preferred(network)).metadata

    def load(self) -> Iterator[tuple[Choice, float]]:
        """Loads and warms up what is not loaded yet, the default first; yields each with the seconds it took.

        Choices that cannot be loaded are left out and noted in ``failures``.
        """
        self.detector(np.zeros((64, 64, 3), np.uint8))
        for choice in sorted(self.choices(), key=lambda choice: choice != self.default):
            if choice in self._loaded:
                continue
            start = time.perf_counter()
            try:
                self.backend(choice)
            except ValueError:
                continue
            yield choice, time.perf_counter() - start


class _InTurn(FaceLandmarker):
    """A landmarker that waits for its turn before it computes."""

    def __init__(self, backend: Backend, detector: FaceDetector, turns: Turns) -> None:
        super().__init__(backend, detector)
        self._turns = turns

    def detect(
        self, image_rgb: NDArray[np.uint8], thorough: bool = False, *, doubtful: bool = False
    ) -> list[DetectedFace]:
        if thorough and doubtful:  # as in photos
            return search_isolated(image_rgb)
        with self._turns:
            return super().detect(image_rgb, thorough, doubtful=doubtful)

    def _look(
        self, image_rgb: NDArray[np.uint8], crops: list[FaceCrop], *, mirror: bool
    ) -> tuple[Prediction, Prediction | None]:
        with self._turns:
            return super()._look(image_rgb, crops, mirror=mirror)


def warm_up(backend: Backend) -> None:
    """Runs a backend on one and on two crops, the batch sizes that one face needs."""
    for crops in (_blank(backend, 1), _blank(backend, 2)):
        for _ in range(2):
            backend.predict(crops)


def _blank(backend: Backend, count: int) -> NDArray[np.uint8]:
    size = backend.metadata.preprocessing.input_size
    return np.full((count, size, size, 3), 127, np.uint8)
