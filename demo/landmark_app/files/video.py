"""Videos: faces tracked in every frame, an annotated copy, a CSV table, and progress reports."""

from __future__ import annotations

import csv
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from landmark_app.files.results import filled_folder
from landmark_app.models import Choice, Models
from pfld.draw import Drawing
from pfld.geometry import size_hw_of
from pfld.media.video import VideoReader, VideoWriter
from pfld.prediction.rows import csv_header, csv_rows, json_line
from pfld.runtime.face import Face
from pfld.tracking.tracker import FaceTracker

MOST_PIXELS = 3840 * 2160  # of a frame
_TELL_EVERY_S = 0.4  # between reports


@dataclass(frozen=True)
class VideoOptions:
    """Options for a video.

    Attributes:
        max_s: Longest video in seconds; longer ones are refused.
        max_faces: Most faces tracked at once.
        smoothing: Whether landmarks are smoothed.
        drawing: What is drawn on the copy.
    """

    max_s: float = 120
    max_faces: int = 4
    smoothing: bool = True
    drawing: Drawing = field(default_factory=Drawing)


@dataclass
class VideoReport:
    """Progress and results of a video.

    Attributes:
        num_frames: Frames that the file says it has; None if it does not say.
        times_s: Time of each frame done so far.
        latencies_ms: Time for finding and tracking the faces of each frame.
        faces: Faces of each frame.
        seconds: Time since the start, with reading, drawing and writing.
        video, table, data: The annotated copy, the CSV table, and JSON with a line for each frame; None
            before the end.
        problem: What was wrong with the file, if only a part could be read; else empty.
        sound_left_out: The codec of a sound track that the copy lacks, as it is not read here; else None.
    """

    num_frames: int | None
    times_s: list[float] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    faces: list[list[Face]] = field(default_factory=list)
    seconds: float = 0.0
    video: Path | None = None
    table: Path | None = None
    data: Path | None = None
    problem: str = ""
    sound_left_out: str | None = None

    def main_face(self) -> tuple[list[float], list[Face]]:
        """Times and landmarks of the face that is in most frames; empty without faces."""
        counts = Counter(face.identity for faces in self.faces for face in faces)
        if not counts:
            return [], []
        main = counts.most_common(1)[0][0]
        seen = [
            (time_s, face)
            for time_s, faces in zip(self.times_s, self.faces)
            for face in faces
            if face.identity == main
        ]
        return [time_s for time_s, _ in seen], [face for _, face in seen]


def open_video(path: str | os.PathLike[str]) -> VideoReader:
    """A video that a visitor has chosen.

    Raises:
        ValueError: When it cannot be read; the message, which is shown to the visitor, does not tell its
            path.
    """
    try:
        return VideoReader(path)
    except (ValueError, OSError) as error:
        reason = str(error).replace(os.fspath(path), "This file")
        raise ValueError(f"{reason}. Choose another video.") from error


def on_video(
    models: Models, path: str, choice: Choice, folder: Path, options: VideoOptions
) -> Iterator[VideoReport]:
    """Processes a video and yields a report now and then; the last one has the files.

    Closing the iterator stops the work and removes the files.

    Args:
        folder: A new folder for the files is made in it.

    Raises:
        ValueError: For a file that is no video, is too long or has too large frames; the message is
            shown to the visitor.
        OSError: When the files cannot be written; then none are left.
    """
    with open_video(path) as reader:
        _require_size(reader, options.max_s)
        with filled_folder(folder) as own:
            report = VideoReport(reader.num_frames)
            yield from _process(reader, models, choice, own, options, report)


def _require_size(reader: VideoReader, max_s: float) -> None:
    height, width = reader.size_hw
    if height * width > MOST_PIXELS:
        raise ValueError(f"{width} × {height} pixels are too many; 3840 × 2160 are the most.")
    length_s = (reader.num_frames or 0) / reader.rate
    if length_s > max_s:
        raise ValueError(
            f"This video lasts {length_s:.0f} s; {max_s:.0f} s are the most. Cut it shorter, start the "
            "app with a larger --max-video-s, or use pfld predict."
        )


def _process(
    reader: VideoReader,
    models: Models,
    choice: Choice,
    own: Path,
    options: VideoOptions,
    report: VideoReport,
) -> Iterator[VideoReport]:
    track = FaceTracker(
        models.landmarker(choice), smoothing=options.smoothing, max_faces=options.max_faces
    )
    num_landmarks = models.backend(choice).metadata.num_landmarks
    start = told = time.perf_counter()
    video, table, data = (own / f"landmarks{ending}" for ending in (".mp4", ".csv", ".jsonl"))
    with (
        open(table, "w", newline="", encoding="utf-8") as rows_file,
        open(data, "w", newline="", encoding="utf-8") as lines_file,
        VideoWriter(video, reader.size_hw, reader.rate, sound_of=reader.path) as writer,
    ):
        rows = csv.writer(rows_file)
        rows.writerow(csv_header(num_landmarks))
        for index, (time_s, frame) in enumerate(reader):
            if time_s > options.max_s:  # files may not say how long they are
                report.problem = f"Only the first {options.max_s:.0f} s were processed."
                break
            before = time.perf_counter()
            faces = track(frame, time_s)
            report.latencies_ms.append(1000 * (time.perf_counter() - before))
            report.times_s.append(time_s)
            report.faces.append(faces)
            size_hw = size_hw_of(frame)
            line = json_line("video", faces, size_hw, frame=index, time_s=time_s)
            rows.writerows(csv_rows(line))
            lines_file.write(line + "\n")
            draw = partial(options.drawing, faces=faces, copy=False)
            writer.write(frame, time_s, draw)
            now = time.perf_counter()
            if now - told > _TELL_EVERY_S:
                told, report.seconds = now, now - start
                yield report
    if reader.num_missing and not report.problem:
        report.problem = (
            f"The file is damaged: {reader.num_read} of {reader.num_frames} frames could be read."
        )
    report.sound_left_out = writer.sound_left_out
    report.video, report.table, report.data = video, table, data
    report.seconds = time.perf_counter() - start
    yield report
