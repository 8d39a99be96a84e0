"""Prediction run: finds faces in pictures, videos and cameras, and writes results to a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from pfld.geometry import size_hw_of
from pfld.interruption import Interruption
from pfld.media.camera import CameraReader
from pfld.media.pictures import read_picture
from pfld.media.video import VideoReader, VideoWriter
from pfld.prediction.folder import PredictionFolder
from pfld.prediction.options import PredictionOptions
from pfld.prediction.record import UnwritableRecord
from pfld.prediction.rows import json_line
from pfld.prediction.sources import Source, find_sources
from pfld.runtime.face import Face
from pfld.tracking.tracker import FaceTracker, Landmarker

_JPEG_QUALITY = 95


@dataclass
class PredictionSummary:
    """Counts, problems and files of a prediction run.

    Attributes:
        pictures, videos, frames: Number of each processed; frames are those of videos.
        with_faces: Pictures and frames that have a face.
        done_before: Sources that an earlier run had processed.
        left: Sources still to process, after an interruption.
        problems: Why sources were left out, or ended early; a line each.
        files: The files that hold all faces of the folder.
    """

    pictures: int = 0
    videos: int = 0
    frames: int = 0
    with_faces: int = 0
    done_before: int = 0
    left: int = 0
    problems: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


class PredictionProgress:
    """Callbacks for the progress of a run; this base class shows nothing."""

    def planned(self, waiting: int, done_before: int) -> None:
        """Called once: how many sources there are to process, and were processed before."""

    def began(self, source: Source, num_frames: int | None) -> None:
        """A source begins; ``num_frames`` is None for pictures, and 0 for videos of unknown length."""

    def advanced(self) -> None:
        """A frame of a video has been processed."""

    def ended(self) -> None:
        """The source has been processed, or left out."""

    def warn(self, line: str) -> None:
        """Reports a problem with a source, in one line."""


class PictureLandmarker(Landmarker, Protocol):
    """What a run needs of a landmarker, see :class:`pfld.runtime.landmarker.FaceLandmarker`."""

    backend: Any

    def __call__(self, image_rgb: NDArray[np.uint8]) -> list[Face]: ...


def predict(
    paths: str | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    landmarker: PictureLandmarker,
    options: PredictionOptions,
    *,
    workers: int = 1,
    progress: PredictionProgress | None = None,
    interruption: Interruption | None = None,
) -> PredictionSummary:
    """Finds faces in the sources that ``paths`` name, and writes the results into ``out``.

    Sources that cannot be read, or whose results cannot be written, are left out. Sources that an earlier
    run into the same folder completed are not processed again; unfinished ones are, however that run ended.

    Args:
        paths: As :func:`pfld.prediction.sources.find_sources` takes them.
        workers: Processes that look at files, each with a copy of the landmarker by pickle; with 1, this
            process does it. Results are the same. Cameras are recorded by this process, at the end.
        interruption: Ends the run after a picture; within a video, which the next run processes again;
            or after a frame of a camera, whose recording is then complete.

    Raises:
        ValueError: If a source lies in ``out``, or these results cannot be added to it: see
            :class:`pfld.prediction.folder.PredictionFolder`.
        OSError: If ``out`` cannot be written to, or nothing more can be recorded in it.
        ModuleNotFoundError: If Parquet is asked for, and there is no PyArrow.
    """
    if options.parquet:
        import pyarrow.parquet  # noqa: F401  what is missing is said before any work
    sources, problems = find_sources(paths, Path(out))
    progress, interruption = progress or PredictionProgress(), interruption or Interruption()
    folder = PredictionFolder(Path(out), options.settings(), overwrite=options.overwrite)
    run = PredictionRun(folder, landmarker, options, progress, interruption)
    return run(sources, problems, workers)


class PredictionRun:
    """One call of :func:`predict`."""

    def __init__(
        self,
        folder: PredictionFolder,
        landmarker: PictureLandmarker,
        options: PredictionOptions,
        progress: PredictionProgress,
        interruption: Interruption,
        read: Callable[[Path], NDArray[np.uint8]] = read_picture,
    ) -> None:
        self._folder = folder
        self._read = read
        self._landmarker = landmarker
        self._options = options
        self._progress = progress
        self.summary = PredictionSummary()
        self._interruption = interruption

    def __call__(
        self, sources: Sequence[Source], problems: Sequence[str], workers: int = 1
    ) -> PredictionSummary:
        """Processes the sources that are not done yet."""
        summary = self.summary
        with self._folder as folder:
            waiting, known = folder.plan(sources, copies=self._options.pictures)
            for problem in (*(f"skipped: {problem}" for problem in problems), *known):
                self._warn(problem)
            summary.done_before = len(sources) - len(waiting)
            self._progress.planned(len(waiting), summary.done_before)
            summary.left = len(waiting)
            try:
                if workers > 1:
                    waiting = self._do_in_workers(waiting, workers)
                for source in waiting:
                    if self._interruption.requested:
                        break
                    self.do(source)
                    summary.left -= 1
            except _Interrupted:
                pass  # ``summary.left`` says it
            if self._options.json:
                summary.files.append(folder.write_json())
            num_landmarks = self._landmarker.backend.metadata.num_landmarks
            if self._options.csv:
                summary.files.append(folder.write_csv(num_landmarks))
            if self._options.parquet:
                summary.files.append(folder.write_parquet(num_landmarks))
        return summary

    def do(self, source: Source) -> None:
        """Processes one source."""
        with self._reporting(source):
            if source.kind == "picture":
                self._do_picture(source)
            else:
                self._do_video(source)
        self._progress.ended()

    @contextmanager
    def _reporting(self, source: Source) -> Iterator[None]:
        """Reports problems with a source, which is left out."""
        try:
            yield
        except (UnwritableRecord, BrokenPipeError):
            raise
        except (_Unreadable, ValueError, cv2.error, MemoryError) as error:
            reason = " ".join(str(error).split()) or "not enough memory"
            reason = reason.removeprefix(f"{source.location} ").removeprefix("is ")
            self._warn(f"skipped: {source.name}: {reason}")
        except OSError as error:
            reason = f"its results cannot be written: {error.strerror or error}"
            self._warn(f"skipped: {source.name}: {reason}")

    def _do_in_workers(self, sources: Sequence[Source], count: int) -> list[Source]:
        """Has worker processes process the files among the sources; returns the other ones."""
        from pfld.prediction.workers import Workers

        files = [source for source in sources if source.kind != "camera"]
        if len(files) < 2:  # in this process, an only video shows its frames
            return list(sources)
        folder = self._folder.folder
        with Workers(count, self._landmarker, self._options, folder) as workers:
            for source, done in workers(files, self._interruption):
                self._progress.began(source, None)
                with self._reporting(source):
                    done.record(self._folder, source)
                    for name in ("pictures", "videos", "frames", "with_faces"):
                        total = getattr(self.summary, name) + getattr(done.summary, name)
                        setattr(self.summary, name, total)
                for problem in done.summary.problems:
                    self._warn(problem)
                self.summary.left -= 1
                self._progress.ended()
        return [source for source in sources if source.kind == "camera"]

    def _do_picture(self, source: Source) -> None:
        assert isinstance(source.location, Path)
        self._progress.began(source, None)
        with self._folder.adding(source) as add:
            try:
                image = self._read(source.location)
            except OSError as error:  # others are of writing results
                raise _Unreadable(error) from error
            faces = self._landmarker(image)
            add(0, json_line(source.name, faces, size_hw_of(image)))
            if self._options.pictures:
                drawn = self._options.drawing(image, faces)
                with self._folder.writing(source.target) as unfinished:
                    unfinished.write_bytes(_encoded(drawn, unfinished.suffix))
        self.summary.pictures += 1
        self.summary.with_faces += bool(faces)

    def _do_video(self, source: Source) -> None:
        with _opened(source) as reader, self._folder.adding(source) as add:
            self._progress.began(source, reader.num_frames or 0)
            limit = {"max_faces": self._options.max_faces} if self._options.max_faces else {}
            track = FaceTracker(self._landmarker, smoothing=self._options.smoothing, **limit)
            with_faces = 0
            with self._copy_of(source, reader) as copy:
                for index, (time_s, frame) in enumerate(_frames_of(reader)):
                    faces = track(frame, time_s)
                    size_hw = size_hw_of(frame)
                    line = json_line(source.name, faces, size_hw, frame=index, time_s=time_s)
                    add(index, line)
                    if copy is not None:
                        draw = partial(self._options.drawing, faces=faces, copy=False)
                        copy.write(frame, time_s, draw)
                    with_faces += bool(faces)
                    self._progress.advanced()
                    if self._interruption.requested:
                        if source.kind == "camera":
                            break
                        raise _Interrupted
        self.summary.videos += 1
        self.summary.frames += reader.num_read
        self.summary.with_faces += with_faces
        reasons = []
        if reader.num_missing:
            reasons.append(f"only {reader.num_read} of {reader.num_frames} frames could be read")
        if copy is not None and copy.sound_left_out:
            reasons.append(f"its sound is left out, as {copy.sound_left_out} is not read here")
        if reasons:
            kind = "damaged" if reader.num_missing else "incomplete"
            problem = f"{kind}: {source.name}: {'; '.join(reasons)}"
            self._folder.note(source, problem)
            self._warn(problem)

    @contextmanager
    def _copy_of(
        self, source: Source, reader: VideoReader | CameraReader
    ) -> Iterator[VideoWriter | None]:
        """The annotated copy, if there is to be one."""
        if not self._options.pictures:
            yield None
            return
        sound = None if isinstance(source.location, int) else source.location
        with (
            self._folder.writing(source.target) as unfinished,
            VideoWriter(unfinished, reader.size_hw, reader.rate, sound_of=sound) as writer,
        ):
            yield writer

    def _warn(self, problem: str) -> None:
        self.summary.problems.append(problem)
        self._progress.warn(problem)


class _Unreadable(Exception):
    """A source cannot be read; it is left out."""


class _Interrupted(Exception):
    """The run was interrupted within a source."""


def _opened(source: Source) -> VideoReader | CameraReader:
    try:
        if isinstance(source.location, int):
            return CameraReader(source.location)
        return VideoReader(source.location)
    except OSError as error:
        raise _Unreadable(error) from error


def _frames_of(reader: VideoReader | CameraReader) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    try:
        yield from reader
    except OSError as error:
        raise _Unreadable(error) from error


def _encoded(image_rgb: NDArray[np.uint8], suffix: str) -> bytes:
    image_bgr = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)
    is_jpeg = suffix.lower() in (".jpg", ".jpeg")
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if is_jpeg else []
    written, data = cv2.imencode(suffix, image_bgr, options)
    if not written:
        height, width = image_rgb.shape[:2]
        raise ValueError(f"{width} x {height} pixels cannot be written as {suffix}")
    return data.tobytes()
