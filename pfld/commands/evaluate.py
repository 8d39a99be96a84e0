"""``pfld evaluate``: the errors of weights on an annotated data set."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pfld.commands.arguments import Subcommands, add_channel_order, add_json
from pfld.commands.progress import progress_bar
from pfld.evaluation.evaluate import Evaluation, RobustnessPoint, evaluate
from pfld.evaluation.plots import plot_evaluation
from pfld.evaluation.protocols import PROTOCOLS
from pfld.files import visible, write_whole
from pfld.plots import require_plot_suffix


def format_evaluation(evaluation: Evaluation) -> str:
    """The results as readable text, one line per fact; errors in percent."""
    report, metadata = evaluation.report, evaluation.metadata
    order = metadata.preprocessing.channel_order
    missed = f", {evaluation.missed} more not detected" if evaluation.missed else ""
    lines = [
        f"{evaluation.weights}: {metadata.architecture}, {metadata.form}, {order} input",
        f"{report.count} faces of {evaluation.split}, {evaluation.protocol} crops{missed}, "
        f"{evaluation.scheme.num_landmarks} points, errors over the distance of outer eye corners",
        f"NME              {report.nme:8.2%}  (95 % interval {report.nme_interval[0]:.2%} to "
        f"{report.nme_interval[1]:.2%})",
        f"failure rate     {report.failure_rate:8.2%}",
        f"AUC              {report.auc:8.4f}",
        f"P50, P90, P95    {report.p50:8.2%} {report.p90:8.2%} {report.p95:8.2%}",
    ]
    lines += [f"on {name:14}{error:8.2%}" for name, error in report.groups.items()]
    lines += [
        f"with {name:12}{subset.nme:8.2%}  ({subset.count} faces)"
        for name, subset in evaluation.subsets.items()
    ]
    for kind, curve in evaluation.robustness.items():
        lines.append(f"{kind:17}" + "  ".join(map(_format_point, curve)))
    return "\n".join(lines)


def _format_point(point: RobustnessPoint) -> str:
    if point.nme is None:
        return f"{point.amount:g}: none found"
    missed = f" ({point.missed} missed)" if point.missed else ""
    return f"{point.amount:g}: {point.nme:.2%}{missed}"


def add_parser(commands: Subcommands) -> None:
    """Adds the ``evaluate`` command."""
    parser = commands.add_parser("evaluate", help="measure weights on an annotated data set")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        type=Path,
        required=True,
        help="weights of this package, its ONNX file, or a published checkpoint",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder of annotated faces: WFLW, .pts files, COCO keypoints or LaPa",
    )
    parser.add_argument("--split", default="test", help="which faces (default test)")
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="ground-truth",
        help="where crops come from: ground-truth, around the annotated landmarks (default), or detector, "
        "around faces detected in the whole picture, as in an application",
    )
    add_channel_order(parser)
    parser.add_argument(
        "--robustness",
        action="store_true",
        help="also measure on scaled, shifted and rotated crops or, with the detector, on rotated pictures "
        "(default no)",
    )
    parser.add_argument(
        "--allow-missing",
        metavar="FRACTION",
        type=float,
        default=0.01,
        help="part of the faces, 0 to 1, whose pictures may be unreadable (default 0.01)",
    )
    add_json(parser)
    parser.add_argument(
        "--plot",
        metavar="FILE",
        type=Path,
        help="draw errors there, .png, .svg or .pdf (default none)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.plot:
        require_plot_suffix(arguments.plot)
    with progress_bar("faces") as progress:
        evaluation = evaluate(
            arguments.weights,
            arguments.data,
            arguments.split,
            protocol=arguments.protocol,
            channel_order=arguments.channel_order,
            robustness=arguments.robustness,
            allow_missing=arguments.allow_missing,
            progress=progress,
        )
    for reason in evaluation.skipped:
        print(visible(f"skipped: {reason}"), file=sys.stderr)
    text = json.dumps(evaluation.to_json(), indent=2, allow_nan=False)
    print(format_evaluation(evaluation), file=sys.stderr if arguments.json == "-" else sys.stdout)
    if arguments.plot:
        write_whole(arguments.plot, plot_evaluation(evaluation, arguments.plot))
    if arguments.json == "-":
        print(text)
    elif arguments.json:
        write_whole(arguments.json, text + "\n")
    return 0
