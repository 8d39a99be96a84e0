"""``pfld predict``: faces of photos, folders, videos and cameras."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pfld.commands.arguments import Subcommands, positive
from pfld.files import visible
from pfld.interruption import Interruption
from pfld.prediction.sources import printable
from pfld.weights.shipped import BACKENDS, DEFAULT_WEIGHTS, find_weights

if TYPE_CHECKING:
    from pfld.prediction.run import PredictionSummary

_INTERRUPTED = 130  # exit status that says Ctrl-C
# Switches of annotated copies, videos and other files than Parquet.
_NOT_ON_RAY = "json csv no-smoothing no-pictures boxes axes indices labels uncertainty".split()

_DESCRIPTION = """\
Finds faces and their landmarks in photos, folders and their subfolders, file patterns, videos and
cameras. Writes annotated copies into --out, in the folder structure of the originals, and on request
all faces into faces.jsonl, faces.csv or faces.parquet there. Videos are written as .mp4.

An interrupted run continues when the same command is run again. Files that cannot be read, or whose
results cannot be written, are reported and left out."""

_EPILOG = """\
exit status: 0 all done, 1 something was left out, 2 bad arguments or nowhere to write, 130 Ctrl-C

examples:
  pfld predict photo.jpg --out annotated
  pfld predict holiday 'clips/*.mp4' --out annotated --json
  pfld predict - --out recordings      a camera, until Ctrl-C
  pfld predict --ray s3://photos --out s3://faces      pictures on a Ray cluster"""


def format_summary(summary: PredictionSummary) -> str:
    """The summary as readable text, one line per fact."""
    done = [_counted(summary.pictures, "picture")] if summary.pictures else []
    if summary.videos:
        done.append(f"{_counted(summary.videos, 'video')} of {_counted(summary.frames, 'frame')}")
    lines = ["nothing new done"]
    if done:
        lines = [f"{' and '.join(done)} done, {summary.with_faces} with faces"]
    if summary.done_before:
        lines.append(f"skipped {summary.done_before} already done")
    if summary.problems:
        lines.append(f"{_counted(len(summary.problems), 'problem')} reported")
    lines += [f"wrote {visible(printable(path))}" for path in summary.files]
    return "\n".join(lines)


def add_parser(commands: Subcommands) -> None:
    """Adds the ``predict`` command."""
    parser = commands.add_parser(
        "predict",
        help="find landmarks in photos, folders, videos and cameras",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="photo, video, folder, pattern such as 'a/**/*.jpg', or camera: its number, - for 0",
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write into")
    parser.add_argument(
        "--json",
        action="store_true",
        help="write DIR/faces.jsonl, a line for each picture or frame (default no)",
    )
    parser.add_argument(
        "--csv", action="store_true", help="write DIR/faces.csv, a row for each face (default no)"
    )
    parser.add_argument(
        "--parquet",
        action="store_true",
        help="write DIR/faces.parquet, with the rows of faces.csv; needs PyArrow (default no)",
    )
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument(
        "--network",
        default=DEFAULT_WEIGHTS,
        help="shipped weights, by name (default %(default)s)",
    )
    weights.add_argument(
        "--weights", metavar="FILE", type=Path, help="a weight file instead (default none)"
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        help="inference backend (default onnx, reparameterized for weights of PyTorch)",
    )
    parser.add_argument(
        "--threads", metavar="N", type=positive, default=1, help="for the network (default 1)"
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=positive,
        default=1,
        help="processes that look at files, one file at a time each (default 1)",
    )
    parser.add_argument(
        "--max-faces",
        metavar="N",
        type=positive,
        help="find at most N faces, the largest (default all in pictures, 8 at a time in videos)",
    )
    parser.add_argument(
        "--min-score",
        metavar="X",
        type=_score,
        default=0.5,
        help="leave out faces with a lower detection score, 0 to 1 (default 0.5)",
    )
    parser.add_argument(
        "--no-smoothing",
        action="store_true",
        help="do not smooth landmarks in videos (default smoothed)",
    )
    parser.add_argument(
        "--no-pictures",
        action="store_true",
        help="write no annotated copies; needs --json, --csv or --parquet (default copies)",
    )
    for name, what in (
        ("boxes", "the landmarks' boxes"),
        ("axes", "the head's axes"),
        ("indices", "the landmarks' numbers"),
        ("labels", "the face's number and quality"),
        ("uncertainty", "uncertain points thinner"),
    ):
        parser.add_argument(f"--{name}", action="store_true", help=f"draw {what} (default no)")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="begin anew: forget what an earlier run did in DIR and replace its files (default no)",
    )
    parser.add_argument(
        "--ray",
        action="store_true",
        help="pictures on a Ray cluster, into Parquet files; PATH and --out may be URIs (default no)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.ray:
        return _run_on_ray(arguments)
    if arguments.no_pictures and not (arguments.json or arguments.csv or arguments.parquet):
        raise ValueError(
            "with --no-pictures give --json, --csv or --parquet, or nothing is written"
        )
    try:
        with Interruption() as interruption:
            summary = _predict(arguments, interruption)
    except KeyboardInterrupt:  # the second Ctrl-C
        print("interrupted; the same command goes on", file=sys.stderr)
        return _INTERRUPTED
    if summary.left:
        left = f"interrupted, {summary.left} left; the same command goes on"
        print(left, file=sys.stderr)
        return _INTERRUPTED
    print(format_summary(summary))
    return 1 if summary.problems else 0


def _run_on_ray(arguments: argparse.Namespace) -> int:
    given = [f"--{name}" for name in _NOT_ON_RAY if getattr(arguments, name.replace("-", "_"))]
    given += [f"--{name}" for name in ("threads", "workers") if getattr(arguments, name) > 1]
    if given:
        raise ValueError(f"{given[0]} does not go with --ray")
    from pfld.prediction.ray_data import predict_on_ray

    weights = arguments.weights and os.path.abspath(arguments.weights)
    try:
        summary = predict_on_ray(
            arguments.paths,
            arguments.out,
            weights=weights or arguments.network,
            backend=_backend_of(arguments),
            min_score=arguments.min_score,
            max_faces=arguments.max_faces,
            overwrite=arguments.overwrite,
            warn=lambda line: print(visible(line), file=sys.stderr),
        )
    except KeyboardInterrupt:
        print("interrupted; --overwrite begins anew", file=sys.stderr)
        return _INTERRUPTED
    print(f"{_counted(summary.pictures, 'picture')} done, {summary.with_faces} with faces")
    if summary.problems:
        print(f"{_counted(len(summary.problems), 'problem')} reported")
    if summary.pictures:
        print(f"wrote {_counted(summary.faces, 'face')} to {visible(arguments.out)}")
    return 1 if summary.problems else 0


def _predict(arguments: argparse.Namespace, interruption: Interruption) -> PredictionSummary:
    from pfld.commands.progress import TerminalProgress
    from pfld.draw import DRAWN_ON_REQUEST, Drawing
    from pfld.prediction.options import PredictionOptions
    from pfld.prediction.run import predict
    from pfld.runtime.landmarker import FaceLandmarker

    weights = arguments.weights or arguments.network
    backend = _backend_of(arguments)
    path = find_weights(weights, backend)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    options = PredictionOptions(
        weights=f"{printable(path.name)} ({digest[:12]})",
        backend=backend,
        min_score=arguments.min_score,
        max_faces=arguments.max_faces,
        smoothing=not arguments.no_smoothing,
        pictures=not arguments.no_pictures,
        drawing=Drawing(**{name: getattr(arguments, name) for name in DRAWN_ON_REQUEST}),
        json=arguments.json,
        csv=arguments.csv,
        parquet=arguments.parquet,
        overwrite=arguments.overwrite,
    )
    landmarker = FaceLandmarker.from_pretrained(
        path,
        backend,
        threads=arguments.threads,
        min_score=arguments.min_score,
        max_faces=arguments.max_faces,
    )
    with TerminalProgress() as progress:
        return predict(
            arguments.paths,
            arguments.out,
            landmarker,
            options,
            workers=arguments.workers,
            progress=progress,
            interruption=interruption,
        )


def _backend_of(arguments: argparse.Namespace) -> str:
    is_torch = arguments.weights and arguments.weights.suffix != ".onnx"
    return arguments.backend or ("reparameterized" if is_torch else "onnx")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _score(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, got {value:g}")
    return value
