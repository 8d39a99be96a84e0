"""Landmarks of pictures on many machines with Ray Data, written as Parquet.

Needs the extra ``ray``. Ray's usage statistics are switched off, unless RAY_USAGE_STATS_ENABLED says else.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
from numpy.typing import NDArray

from pfld.geometry import size_hw_of
from pfld.media.pictures import read_picture
from pfld.media.signatures import PICTURE_SUFFIXES
from pfld.prediction.rows import csv_rows, json_line, parquet_schema, parquet_table
from pfld.prediction.sources import Source, find_sources
from pfld.runtime.landmarker import FaceLandmarker
from pfld.weights.shipped import DEFAULT_WEIGHTS, find_weights

if TYPE_CHECKING:
    import pyarrow
    import ray.data

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray looks when it starts

PROBLEM = "problem"  # the column after those of faces.parquet
_BATCH_SIZE = 16  # pictures for an actor at a time
# A task whose process dies is tried again so often. Without a limit, a picture that kills its process would
# keep a run from ever ending.
_TASK_RETRIES = 3
# Reading and writing wait for disks and networks most of the time. They take no CPU from the actors, which
# have all of them.
_WAITING = {"num_cpus": 0}


class PictureLandmarks:
    """Finds the faces of pictures in batches of bytes, for :meth:`ray.data.Dataset.map_batches`.

    Each actor has its own network, on one thread. Rows are those of ``pfld predict --parquet``, with a
    column ``problem`` at the end. Every picture has at least one row:

    - a row for each face, ``face_id`` from 1;
    - a picture without faces has one row whose ``face_id`` and ``problem`` are null;
    - a picture that cannot be read has one row that says why in ``problem``.

    Args:
        weights: Shipped weights, by name, or a weight file, which every machine then must have.
        backend: As :func:`pfld.runtime.backends.load_backend` takes it.
        min_score, max_faces: As :class:`pfld.runtime.detector.FaceDetector` takes them.

    Raises:
        FileNotFoundError, ValueError, ImportError: As :meth:`FaceLandmarker.from_pretrained`.
    """

    def __init__(
        self,
        weights: str = DEFAULT_WEIGHTS,
        backend: str = "onnx",
        *,
        min_score: float = 0.5,
        max_faces: int | None = None,
    ) -> None:
        self._landmarker = FaceLandmarker.from_pretrained(
            weights, backend, threads=1, min_score=min_score, max_faces=max_faces
        )

    def __call__(self, batch: Mapping[str, NDArray[Any]]) -> pyarrow.Table:
        """The rows of a batch of pictures.

        Args:
            batch: ``path`` ``(N,)`` of text and ``bytes`` ``(N,)`` of whole files, as
                :func:`ray.data.read_binary_files` gives them with ``include_paths=True``.

        Returns:
            A table of at least N rows with the columns of :func:`table_schema`, in the order of the batch.
        """
        schema = table_schema(self._landmarker.backend.metadata.num_landmarks)
        rows = [
            row
            for path, data in zip(batch["path"], batch["bytes"])
            for row in self._rows(str(path), bytes(data), len(schema))
        ]
        return parquet_table(rows, schema)

    def _rows(self, source: str, data: bytes, width: int) -> list[list[Any]]:
        empty = [source, *[None] * (width - 1)]
        try:
            image = _decoded(data)
            line = json_line(source, self._landmarker(image), size_hw_of(image))
        except (ValueError, cv2.error, MemoryError) as error:
            reason = " ".join(str(error).split()) or "not enough memory"
            return [[*empty[:-1], reason]]
        return [[*row, None] for row in csv_rows(line)] or [empty]


def table_schema(num_landmarks: int) -> pyarrow.Schema:
    """The columns of ``pfld predict --parquet``, and ``problem``."""
    import pyarrow

    return parquet_schema(num_landmarks).append(pyarrow.field(PROBLEM, "string"))


@dataclass
class ClusterSummary:
    """What a run on Ray did.

    Attributes:
        pictures: Number of pictures that were read.
        with_faces, faces: Number of pictures with faces, and of faces.
        problems: Why pictures were left out; a line each.
    """

    pictures: int = 0
    with_faces: int = 0
    faces: int = 0
    problems: list[str] = field(default_factory=list)


def predict_on_ray(
    paths: Sequence[str],
    out: str,
    *,
    weights: str = DEFAULT_WEIGHTS,
    backend: str = "onnx",
    min_score: float = 0.5,
    max_faces: int | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    warn: Callable[[str], object] = lambda line: None,
) -> ClusterSummary:
    """Finds faces in pictures on all CPUs of a Ray cluster, and writes them as Parquet.

    Connects to the cluster that RAY_ADDRESS names, or starts Ray on this machine until the end of the run.
    Processes that die are replaced and their pictures looked at again.

    Args:
        paths: Local files, folders and patterns, chosen as ``pfld predict`` chooses them, and URIs of files
            or folders, in which files are chosen by suffix. On several machines all must see the same.
        out: A folder, or the URI of one, for Parquet files with the columns of :func:`table_schema`.
        weights, backend, min_score, max_faces: As :class:`PictureLandmarks` takes them.
        workers: How many actors there are; as many as the cluster has CPUs by default.
        overwrite: Remove Parquet files that are in ``out``.
        warn: Called with each problem, as it is found.

    Raises:
        ValueError: If a path lies in ``out``, ``out`` has Parquet files already, or weights do not fit.
        OSError: If a path or ``out`` cannot be used, or Ray has to give up.
        ImportError: Without Ray.
    """
    import ray

    find_weights(weights, backend)
    summary = ClusterSummary()

    def note(problem: str) -> None:
        summary.problems.append(problem)
        warn(problem)

    addresses = list(dict.fromkeys(path for path in paths if _is_uri(path)))
    files = _local_pictures([path for path in paths if not _is_uri(path)], out, note)
    filesystem, folder = _place(out)
    _clear(filesystem, folder, out, overwrite=overwrite)
    if not files and not addresses:
        return summary
    with _running(workers), _one_line_errors():
        pictures, count = _pictures(files, addresses)
        faces = find_faces(
            pictures,
            weights=weights,
            backend=backend,
            min_score=min_score,
            max_faces=max_faces,
            workers=workers or max(1, int(ray.cluster_resources().get("CPU", 1))),
        )
        faces.write_parquet(folder, filesystem=filesystem, ray_remote_args=_WAITING)
    lost = count - _count_rows(filesystem, folder, summary, note)
    if lost:
        note(f"lost: {lost} of {count} pictures have no row")
    return summary


def find_faces(pictures: ray.data.Dataset, *, workers: int, **options: Any) -> ray.data.Dataset:
    """Rows of faces, by a fixed number of actors with one CPU each that are replaced when they die.

    Args:
        pictures: With columns ``path`` and ``bytes``.
        options: Arguments of :class:`PictureLandmarks`.
    """
    from ray.data import ActorPoolStrategy

    return pictures.map_batches(
        PictureLandmarks,
        fn_constructor_kwargs=options,
        batch_size=_BATCH_SIZE,
        compute=ActorPoolStrategy(size=workers),
        num_cpus=1,
        max_restarts=-1,
        max_task_retries=_TASK_RETRIES,
    )


def _decoded(data: bytes) -> NDArray[Any]:
    """The picture ``(H, W, 3)`` uint8 RGB in a file's content."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture")
        path.write_bytes(data)
        try:
            return read_picture(path)
        except ValueError as error:
            reason = str(error).removeprefix(f"{path} ").removeprefix("is ")
            raise ValueError(reason) from error


def _is_uri(path: str) -> bool:
    return "://" in path


def _local_pictures(paths: Sequence[str], out: str, note: Callable[[str], object]) -> list[str]:
    """Absolute paths of the pictures that local paths name; reports what is left out."""
    sources, problems = find_sources(paths, Path(out))
    found = []
    for problem in problems:
        note(f"skipped: {problem}")
    for source in sources:
        reason = _reason_against(source)
        if reason:
            note(f"skipped: {source.name}: {reason}")
        else:
            found.append(os.fsdecode(source.key))
    return found


def _reason_against(source: Source) -> str:
    """Why Ray cannot read a source; empty if it can."""
    if source.kind != "picture":
        return "--ray takes pictures only"
    if "\ufffd" in source.name:
        return "its name is not UTF-8"
    # Ray would end the whole run.
    if not os.path.isfile(source.location):
        return f"no picture at {source.name}"
    return "" if os.access(source.location, os.R_OK) else "permission denied"


def _pictures(files: list[str], addresses: list[str]) -> tuple[ray.data.Dataset, int]:
    """Paths and bytes of pictures, and how many there are."""
    import ray
    from pyarrow.fs import LocalFileSystem

    options: dict[str, Any] = {"include_paths": True, "ray_remote_args": _WAITING}
    parts = []
    if files:
        # The file system is given so that names such as "50%20.jpg" are not taken for URIs.
        local = ray.data.read_binary_files(files, filesystem=LocalFileSystem(), **options)
        parts.append(local)
    if addresses:
        suffixes = sorted(suffix.removeprefix(".") for suffix in PICTURE_SUFFIXES)
        parts.append(ray.data.read_binary_files(addresses, file_extensions=suffixes, **options))
    count = sum(part.count() for part in parts)  # known without reading
    return (parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0]), count


def _place(out: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system of a folder, and its path there."""
    from pyarrow import fs

    if _is_uri(out):
        return fs.FileSystem.from_uri(out)
    return fs.LocalFileSystem(), os.path.abspath(out)


def _parquet_files(filesystem: pyarrow.fs.FileSystem, folder: str) -> list[str]:
    from pyarrow.fs import FileSelector

    found = filesystem.get_file_info(FileSelector(folder, allow_not_found=True))
    return sorted(about.path for about in found if about.path.endswith(".parquet"))


def _clear(filesystem: pyarrow.fs.FileSystem, folder: str, out: str, *, overwrite: bool) -> None:
    """Removes Parquet files of earlier runs; without ``overwrite``, raises ValueError if there are any."""
    files = _parquet_files(filesystem, folder)
    if files and not overwrite:
        raise ValueError(
            f"{out} has Parquet files; choose another --out, or --overwrite to remove them"
        )
    for file in files:
        filesystem.delete_file(file)


def _count_rows(
    filesystem: pyarrow.fs.FileSystem,
    folder: str,
    summary: ClusterSummary,
    note: Callable[[str], object],
) -> int:
    """Adds up what was written; returns the number of pictures."""
    from pyarrow import dataset

    total = 0
    files = _parquet_files(filesystem, folder)
    written = dataset.dataset(files, filesystem=filesystem, format="parquet")
    for batch in written.to_batches(columns=["source", "face_id", PROBLEM]):
        for source, face_id, problem in zip(*(column.to_pylist() for column in batch.columns)):
            total += face_id in (None, 1)  # the first row of a picture
            if problem is not None:
                note(f"skipped: {source}: {problem}")
                continue
            summary.pictures += face_id in (None, 1)
            summary.with_faces += face_id == 1
            summary.faces += face_id is not None
    return total


@contextmanager
def _running(workers: int | None) -> Iterator[None]:
    """Connects to Ray, unless it is already; quietly, with progress bars on a terminal only."""
    import ray
    from ray.data import DataContext

    loud = sys.stderr.isatty()
    logger = logging.getLogger("ray.data")
    level = logger.level
    ours = not ray.is_initialized()
    # Ray prints there what it tries again.
    with warnings.catch_warnings(), redirect_stdout(sys.stderr):
        warnings.filterwarnings("ignore", message=".*ray_remote_args.*")
        for category in (FutureWarning, DeprecationWarning, UserWarning):
            warnings.filterwarnings("ignore", category=category, module="ray")
        if ours:
            try:
                _start(workers)
            except Exception as error:  # Ray raises Exception itself
                raise OSError(f"Ray does not start: {' '.join(str(error).split())}") from error
        context = DataContext.get_current()
        bars = context.enable_progress_bars
        context.enable_progress_bars = bars and loud
        logger.setLevel(logging.CRITICAL)  # what ends a run is raised as well
        try:
            yield
        finally:
            logger.setLevel(level)
            context.enable_progress_bars = bars
            if ours:
                ray.shutdown()


def _start(workers: int | None) -> None:
    import ray

    os.environ.setdefault("RAY_COLOR_PREFIX", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(address="auto", **quiet)
        return
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # it warns of what Ray Data itself does
    with _no_standard_error():  # where Ray tells the level it was given
        # "local", as otherwise Ray joins any cluster that it finds on this machine.
        ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet)


@contextmanager
def _no_standard_error() -> Iterator[None]:
    """Discards what this process writes to standard error, also from C++."""
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turns Ray's errors, which hold the traceback of another process, into an OSError of one line."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        lines = str(getattr(error, "cause", None) or error).strip().splitlines()
        reason = lines[-1] if lines else type(error).__name__
        raise OSError(f"Ray gave up: {reason}") from error
