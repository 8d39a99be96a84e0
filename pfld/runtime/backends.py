"""Inference backends: PyTorch, ONNX Runtime or OpenVINO behind one call."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pfld.runtime.forks import ForkedLock, OpenedInEachProcess, is_fork, keep_in_children
from pfld.runtime.onnx_limits import MOST_BYTES, require_harmless
from pfld.runtime.onnx_session import open_session, output_names
from pfld.weights.metadata import PIXELS, WeightMetadata, require_channel_order
from pfld.weights.shipped import DEFAULT_WEIGHTS, find_weights

if TYPE_CHECKING:
    import onnxruntime

BATCH_SIZE = 32  # crops per call; more are no faster and take memory

# Thread counts of the open contexts of torch_threads, the latest last; under None the original one.
_THREAD_USES: dict[object, int] = {}
_THREADS_LOCK = ForkedLock()


class Prediction(NamedTuple):
    """Landmarks found in N crops, as fractions of the crops' sides.

    Attributes:
        landmarks: ``(N, L, 2)`` float32.
        uncertainty: Expected error of each, ``(N, L)`` float32; NaN for networks without, see
            :attr:`pfld.weights.metadata.WeightMetadata.knows_uncertainty`.
    """

    landmarks: NDArray[np.float32]
    uncertainty: NDArray[np.float32]

    @classmethod
    def of(
        cls, landmarks: NDArray[np.float32], uncertainty: NDArray[np.float32] | None = None
    ) -> Prediction:
        """With uncertainty, or with NaN if there is none."""
        if uncertainty is None:
            uncertainty = np.full(landmarks.shape[:2], np.nan, np.float32)
        return cls(landmarks, uncertainty)


class Backend(ABC):
    """A loaded network: crops in, landmarks out. Threads may share it.

    Attributes:
        name: One of :data:`pfld.weights.shipped.BACKENDS`.
        path: The weight file.
        metadata: What the file says about itself.
    """

    def __init__(self, name: str, path: Path, metadata: WeightMetadata) -> None:
        self.name = name
        self.path = path
        self.metadata = metadata

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Landmarks ``(N, L, 2)`` float32 in fractions of the crop.

        Args:
            batch: ``(N, 3, S, S)`` float32 as ``metadata.preprocessing`` makes it.

        Raises:
            ValueError: For another shape or dtype, and landmarks that are not finite.
        """
        return self.run(batch).landmarks

    def predict(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Landmarks ``(N, L, 2)`` float32 in fractions of the crop.

        Args:
            crops: ``(N, S, S, 3)`` uint8 RGB, any number of them.

        Raises:
            ValueError: For another shape or dtype, and landmarks that are not finite.
        """
        return self.predict_with_uncertainty(crops).landmarks

    def predict_with_uncertainty(self, crops: NDArray[np.uint8]) -> Prediction:
        """Landmarks as in :meth:`predict`, and the uncertainty of each.

        Raises:
            ValueError: For another shape or dtype, and landmarks that are not finite.
        """
        preprocessing = self.metadata.preprocessing
        return in_batches(lambda part: self.run(preprocessing(part)), crops)

    def run(self, batch: NDArray[np.float32]) -> Prediction:
        """Landmarks as in :meth:`__call__`, and the uncertainty of each.

        Raises:
            ValueError: For another shape or dtype, and landmarks that are not finite.
        """
        size, landmarks = self.metadata.preprocessing.input_size, self.metadata.num_landmarks
        shape, dtype = np.shape(batch), getattr(batch, "dtype", type(batch).__name__)
        if dtype != np.float32 or shape[1:] != (3, size, size):
            raise ValueError(f"a batch is float32 (N, 3, {size}, {size}), got {dtype} {shape}")
        if not len(batch):
            return Prediction.of(np.zeros((0, landmarks, 2), np.float32))
        return _finite(self._run(batch), self.path)

    @abstractmethod
    def _run(self, batch: NDArray[np.float32]) -> Prediction:
        """The landmarks for a batch that is valid and not empty."""


def _finite(found: Prediction, path: Path) -> Prediction:
    """What was found; raises ValueError for landmarks that are no numbers, as of worthless weights."""
    if not np.isfinite(found.landmarks).all():
        raise ValueError(f"{path} finds landmarks that are not finite: its weights are of no use")
    return found


def in_batches(
    call: Callable[[NDArray[np.uint8]], Prediction], crops: NDArray[np.uint8]
) -> Prediction:
    """The results of ``call`` for :data:`BATCH_SIZE` crops at a time, joined.

    No crops are a call as well, so that a wrong shape is noticed.
    """
    starts = range(0, max(len(crops), 1), BATCH_SIZE)
    found = [call(crops[start : start + BATCH_SIZE]) for start in starts]
    return found[0] if len(found) == 1 else Prediction(*map(np.concatenate, zip(*found)))


class _FileBackend(Backend):
    """A backend that copies, deep ones and those of pickle, load again from the weight file.

    Attributes:
        threads: Threads within one call.
    """

    def __init__(self, name: str, path: Path, metadata: WeightMetadata, *, threads: int) -> None:
        super().__init__(name, path, metadata)
        self.threads = threads
        self._found_at = path.absolute()

    def __reduce__(self) -> tuple[Any, ...]:
        order = self.metadata.preprocessing.channel_order
        return _loaded_again, (type(self), self.name, self._found_at, self.threads, order)


def _loaded_again(
    kind: Callable[..., Backend], name: str, path: Path, threads: int, channel_order: str
) -> Backend:
    if not path.is_file():
        raise FileNotFoundError(f"no weight file at {path}")
    return kind(name, path, threads=threads, channel_order=channel_order)


class TorchBackend(_FileBackend):
    """PyTorch in eager mode on the CPU, in channels_last. In forked processes it computes on one thread.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: As :func:`pfld.weights.load_weights`, and for weights in another form.
    """

    def __init__(
        self, name: str | None, path: Path, *, threads: int, channel_order: str | None
    ) -> None:
        import torch

        from pfld.networks.reparameterize import reparameterize
        from pfld.weights import load_weights

        _torch_threads_here(threads)
        network, metadata = load_weights(path, channel_order=channel_order)
        name = metadata.form if name is None else name
        if name == "reparameterized":
            network = reparameterize(network)
        elif name != metadata.form:
            raise ValueError(f"{path} holds a {metadata.form} network, not a train-time one")
        super().__init__(name, path, metadata, threads=threads)
        self.network = network.eval().requires_grad_(False)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack memory_format

    def _run(self, batch: NDArray[np.float32]) -> Prediction:
        import torch

        with torch.inference_mode(), torch_threads(_torch_threads_here(self.threads)):
            pixels = torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)
            landmarks, uncertainty = self.network.forward_with_uncertainty(pixels)
        return Prediction.of(
            landmarks.unflatten(1, (-1, 2)).numpy(),
            None if uncertainty is None else uncertainty.numpy(),
        )


def _torch_threads_here(count: int) -> int:
    """How many threads PyTorch may use: 1 in a fork, which would wait for OpenMP's, that it does not have."""
    import torch

    if is_fork():
        torch.set_num_threads(1)  # for good
        return 1
    return count


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """A context with this number of PyTorch threads; it applies to the whole process.

    If contexts overlap, the latest one decides. The last one to end restores the original number.
    """
    import torch

    use = object()
    with _THREADS_LOCK:
        if not _THREAD_USES:
            _THREAD_USES[None] = torch.get_num_threads()
        _THREAD_USES[use] = count
        _take_latest_threads()
    try:
        yield
    finally:
        with _THREADS_LOCK:
            del _THREAD_USES[use]
            _take_latest_threads()
            if len(_THREAD_USES) == 1:
                _THREAD_USES.clear()


def _take_latest_threads() -> None:
    import torch

    count = next(reversed(_THREAD_USES.values()))
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


class OnnxBackend(_FileBackend):
    """ONNX Runtime on the CPU. Needs no PyTorch.

    A self-contained file works with :meth:`predict` only; it does the preprocessing itself.

    Raises:
        ValueError: For a file that is damaged, or not written by this package.
    """

    def __init__(self, name: str, path: Path, *, threads: int, channel_order: str | None) -> None:
        try:
            session = _open_checked(path, threads=threads)
        except (
            Exception
        ) as error:  # ONNX Runtime's classes of error have no common base of their own
            raise ValueError(f"{path} is damaged or no ONNX file: {error}") from error
        metadata = _onnx_metadata(session, path)
        require_channel_order(metadata, channel_order, path)
        ports = [
            (p.name, p.type, p.shape[1:]) for p in (*session.get_inputs(), *session.get_outputs())
        ]
        _require_ports(ports, metadata, path)
        super().__init__(name, path, metadata, threads=threads)
        reopen = partial(_open_checked, self._found_at, threads=threads)
        self._session = OpenedInEachProcess(reopen, session)

    def predict_with_uncertainty(self, crops: NDArray[np.uint8]) -> Prediction:
        if self.metadata.interface != PIXELS:
            return super().predict_with_uncertainty(crops)
        preprocessing = self.metadata.preprocessing
        preprocessing.require_crops(crops)
        found = in_batches(lambda part: self._answer("crops_rgb", part, "_px"), crops)
        _finite(found, self.path)
        side = np.float32(preprocessing.input_size)
        return Prediction(found.landmarks / side, found.uncertainty / side)

    def _run(self, batch: NDArray[np.float32]) -> Prediction:
        if self.metadata.interface == PIXELS:
            raise ValueError(f"{self.path} takes uint8 crops, not a normalised batch: use predict")
        return self._answer("crops", batch)

    def _answer(self, given: str, batch: NDArray[Any], unit: str = "") -> Prediction:
        names = output_names(knows_uncertainty=self.metadata.knows_uncertainty)
        try:
            found = self._session().run([name + unit for name in names], {given: batch})
        except Exception as error:  # as above; a graph may do anything once it runs
            raise ValueError(f"{self.path} cannot be run: {error}") from error
        points = (len(batch), self.metadata.num_landmarks)
        for values, expected in zip(found, ((*points, 2), points)):
            if values.shape != expected:
                raise ValueError(f"{self.path} must return {expected}, it returned {values.shape}")
        return Prediction.of(*found)


class OpenVinoBackend(_FileBackend):
    """Intel's OpenVINO on the CPU, in float32. Needs no PyTorch.

    Raises:
        ImportError: If OpenVINO is not installed.
        ValueError: As :class:`OnnxBackend`, and for a self-contained file.
    """

    def __init__(self, name: str, path: Path, *, threads: int, channel_order: str | None) -> None:
        try:
            import openvino
        except ImportError as error:
            raise ImportError("the openvino backend needs: pip install openvino") from error
        metadata = OnnxBackend("onnx", path, threads=1, channel_order=channel_order).metadata
        if metadata.interface == PIXELS:
            raise ValueError(f"the openvino backend normalises crops itself; {path} does so, too")
        super().__init__(name, path, metadata, threads=threads)
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._process = os.getpid()
        self._compiled = openvino.Core().compile_model(str(path), "CPU", settings)
        keep_in_children(self._compiled)

    def _run(self, batch: NDArray[np.float32]) -> Prediction:
        if self._process != os.getpid():
            raise RuntimeError('OpenVINO does not survive a fork; start processes with "spawn"')
        # A request serves one call at a time, so each call has its own.
        found = self._compiled.create_infer_request().infer({"crops": batch})
        return Prediction.of(
            *(
                found[name].copy()
                for name in output_names(knows_uncertainty=self.metadata.knows_uncertainty)
            )
        )


_CLASSES: dict[str, Callable[..., Backend]] = {
    "train-time": TorchBackend,
    "reparameterized": TorchBackend,
    "onnx": OnnxBackend,
    "onnx-int8": OnnxBackend,
    "openvino": OpenVinoBackend,
}


def load_backend(
    weights: str | os.PathLike[str] = DEFAULT_WEIGHTS,
    backend: str = "onnx",
    *,
    threads: int = 1,
    channel_order: str | None = None,
) -> Backend:
    """A network, ready to compute.

    Args:
        weights: Name of shipped weights, such as "ghostone", or a weight file the backend can read.
        backend: One of :data:`pfld.weights.shipped.BACKENDS`. Those of ONNX Runtime and OpenVINO do not
            import PyTorch.
        threads: Threads within one call. For single faces one is fastest: more wait for each other.
        channel_order: As :func:`pfld.weights.load_weights` takes it.

    Raises:
        FileNotFoundError: When there are no such weights.
        ValueError: For an unknown backend, a file that is damaged or not for this backend.
        ImportError: For "openvino" where that is not installed.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    path = find_weights(weights, backend)
    return _CLASSES[backend](backend, path, threads=threads, channel_order=channel_order)


def load_own_backend(
    path: str | os.PathLike[str], *, threads: int | None = None, channel_order: str | None = None
) -> Backend:
    """A backend that runs a weight file in its own form, not re-parameterized; by default on all cores.

    Raises:
        FileNotFoundError, ValueError: As :func:`load_backend`.
    """
    threads = threads or os.cpu_count() or 1
    path = Path(path)
    if path.suffix == ".onnx":
        return load_backend(path, threads=threads, channel_order=channel_order)
    return TorchBackend(None, path, threads=threads, channel_order=channel_order)


def _open_checked(path: Path, *, threads: int) -> onnxruntime.InferenceSession:
    """A session of a file that may come from anyone; raises ValueError for one that could do harm."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    data = path.read_bytes()
    require_harmless(data)
    return open_session(data, threads=threads)


def _onnx_metadata(session: onnxruntime.InferenceSession, path: Path) -> WeightMetadata:
    try:
        return WeightMetadata.from_strings(session.get_modelmeta().custom_metadata_map)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; pfld export writes such files") from error


def _require_ports(
    ports: list[tuple[str, str, list[int | str]]], metadata: WeightMetadata, path: Path
) -> None:
    """Raises ValueError unless the graph takes crops and returns landmarks as its metadata says."""
    size, landmarks = metadata.preprocessing.input_size, metadata.num_landmarks
    if metadata.interface == PIXELS:
        given, unit = ("crops_rgb", "tensor(uint8)", [size, size, 3]), "_px"
    else:
        given, unit = ("crops", "tensor(float)", [3, size, size]), ""
    shapes = ([landmarks, 2], [landmarks])
    made = [
        (name + unit, "tensor(float)", shape)
        for name, shape in zip(output_names(knows_uncertainty=metadata.knows_uncertainty), shapes)
    ]
    expected = [given, *made]
    if ports != expected:
        raise ValueError(f"{path} must take and return {expected} per face, it has {ports}")
