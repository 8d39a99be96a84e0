"""Tables of weights/README.md, rewritten: ``python tools/results/weights_card.py --data DIR --cache DIR``.

Evaluates every shipped file on the test list of ``--data``, and every network on its held-out faces. The
training commands come from each network's JSON file. Text outside the ``<!-- name -->`` marks stays. The
errors are written to docs/accuracy.json as well, and those with the detector to docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from ablation import held_out_nme
from markdown_tables import INTERVAL, interval, percent, rewrite, table
from pfld.evaluation.evaluate import Evaluation, evaluate
from pfld.evaluation.metrics import bootstrap_interval
from pfld.evaluation.protocols import DETECTOR
from pfld.files import write_whole
from pfld.training.config import TrainingConfig
from pfld.weights.metadata import architecture_name
from pfld.weights.shipped import SHIPPED

DOCS = Path(__file__).parents[2] / "docs"
ENDINGS = {"train-time": ".safetensors", "ONNX": ".onnx", "ONNX int8": "-int8.onnx"}
NOT_RECIPE = {
    "data", "out", "cache", "initial_weights", "evaluate_every", "log_every", "checkpoint_minutes",
}  # fmt: skip
FLAGSHIP, REFERENCE = "ghostone-heatmap", "ghostone"


def shipped() -> dict[str, dict[str, Any]]:
    """Content of the JSON files of shipped weights, by name."""
    return {p.stem: json.loads(p.read_text()) for p in sorted(SHIPPED.glob("*.json"))}


def command(config: dict[str, Any], number: int, before: dict[str, Any] | None) -> str:
    """The train.py command of a run, with the options that differ from their defaults.

    Args:
        config: Options of the run.
        number: Of the run, from 1 on.
        before: Options of the run whose weights it started from, if any.
    """
    words = [f"python train.py --data DIR --out OUT/{number}"]
    for option in fields(TrainingConfig):
        value = config.get(option.name, option.default)
        if option.name in NOT_RECIPE or value == option.default:
            continue
        name = "--" + option.name.replace("_", "-")
        words.append(
            name
            if value is True
            else f"{name} {value:g}"
            if isinstance(value, float)
            else f"{name} {value}"
        )
    if before:
        width = before.get("width_multiplier", 1)
        suffix = "" if width == 1 else f"-w{width:g}"
        name = architecture_name(before["network"], before.get("head", "regression")) + suffix
        words.append(f"--initial-weights OUT/{number - 1}/{name}.safetensors")
    return " ".join(words)


def files(about: dict[str, dict[str, Any]]) -> str:
    """Table of the weight files and their sizes."""
    rows = []
    for name, run in about.items():
        config = run["config"]
        sizes = [
            f"{(SHIPPED / (name + end)).stat().st_size / 2**20:.2f}" for end in ENDINGS.values()
        ]
        head = config.get("head", "regression")
        width, size = config["width_multiplier"], config["input_size"]
        network = f"`{config['network']}`, {head}, width {width:g}, {size} px"
        rows.append([f"`{name}`", network, *sizes])
    return table(["files", "network", *(f"`*{end}`, MiB" for end in ENDINGS.values())], rows)


def results(
    about: dict[str, dict[str, Any]],
    evaluations: dict[tuple[str, str], Evaluation],
    held_out: dict[str, float],
) -> str:
    """Table of errors on held-out faces and the test list."""
    rows = []
    for name, run in about.items():
        reports = [evaluations[name, form].report for form in ENDINGS]
        one = reports[1]
        seen = sum(part["faces_seen"] for part in (*run.get("earlier_runs", ()), run))
        rows.append(
            [
                f"`{name}`",
                f"{seen:,.0f}",
                percent(held_out[name]),
                *(percent(report.nme) for report in reports),
                interval(one.nme_interval),
                percent(one.failure_rate, 1),
                f"{one.auc:.3f}",
            ]
        )
    head = [
        "", "faces seen", "held out", *ENDINGS, "95 % interval", "failures over 10 %", "AUC",
    ]  # fmt: skip
    return table(head, rows)


def compared(evaluations: dict[tuple[str, str], Evaluation]) -> str:
    """A sentence that compares the flagship with the reference on the same faces of the test list."""
    mine, theirs = (evaluations[name, "ONNX"].errors for name in (FLAGSHIP, REFERENCE))
    change = (mine - theirs).mean() / theirs.mean()
    low, high = (bound / theirs.mean() for bound in bootstrap_interval(mine - theirs))
    return (
        f"On the same {len(mine)} faces `{FLAGSHIP}` has {100 * change:+.1f} % of the error of `{REFERENCE}` "
        f"(95 % interval of the paired difference: {100 * low:+.1f} to {100 * high:+.1f} %)."
    )


def detector(detected: dict[str, Evaluation]) -> str:
    """Table of errors with faces from the detector."""
    rows = []
    for name, found in detected.items():
        report = found.report
        of = f"{found.missed} of {found.missed + report.count}"
        rows.append(
            [
                f"`{name}`",
                of,
                percent(report.nme),
                interval(report.nme_interval),
                percent(report.failure_rate, 1),
                f"{report.auc:.3f}",
                percent(report.p50),
            ]
        )
    head = ["", "not found", "NME", "95 % interval", "failures over 10 %", "AUC", "median"]
    return table(head, rows)


def both_crops(
    evaluations: dict[tuple[str, str], Evaluation], detected: dict[str, Evaluation]
) -> str:
    """Table of errors on crops about the true landmarks beside those with faces from the detector."""
    rows = []
    for name, found in detected.items():
        reports = (evaluations[name, "ONNX"].report, found.report)
        errors = [f"{percent(r.nme)} ({interval(r.nme_interval)})" for r in reports]
        rows.append(
            [f"`{name}`", *errors, f"{found.missed} of {found.missed + found.report.count}"]
        )
    head = [
        "on the test list", "crops about the true landmarks", "faces as the detector finds them",
        "not found",
    ]  # fmt: skip
    return table(head, rows)


def off_place(evaluations: dict[str, Evaluation]) -> str:
    """Table of errors on crops of the wrong scale, place or rotation."""
    rows = []
    kinds = {"scale": "side x", "shift": "shift of", "rotation": "turn of"}
    for kind, word in kinds.items():
        curves = [evaluation.robustness[kind] for evaluation in evaluations.values()]
        for points in zip(*curves):
            amount = f"{points[0].amount:g}" + ("°" if kind == "rotation" else "")
            rows.append([f"{word} {amount}", *(percent(point.nme or 0) for point in points)])
    return table(["crop", *(f"`{name}`" for name in evaluations)], rows)


def subsets(evaluation: Evaluation) -> str:
    """Tables of errors by attribute and by part of the face."""
    rows = [
        [name, str(report.count), percent(report.nme), percent(report.failure_rate, 1)]
        for name, report in evaluation.subsets.items()
    ]
    parts = [[name, percent(error)] for name, error in evaluation.report.groups.items()]
    return (
        table(["subset", "faces", "NME", "failures"], rows)
        + "\n\n"
        + table(["part of the face", "NME"], parts)
    )


def commands(about: dict[str, dict[str, Any]]) -> str:
    """The training commands of all weights."""
    texts = []
    for name, run in about.items():
        runs = [*run.get("earlier_runs", ()), run]
        configs = [part["config"] for part in runs]
        pairs = zip(configs, [None, *configs])
        lines = [
            command(now, number, before) for number, (now, before) in enumerate(pairs, start=1)
        ]
        notes = [
            f"\nCommand {number}: {part['note']}"
            for number, part in enumerate(runs, start=1)
            if "note" in part
        ]
        texts.append("\n".join([f"`{name}`:", "", "```", *lines, "```", *notes]))
    return "\n\n".join(texts)


def main(argv: list[str] | None = None) -> int:
    """Evaluates all weights and rewrites the tables; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data set with WFLW's test list")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded crops")
    arguments = parser.parse_args(argv)
    data = arguments.data
    about = shipped()
    held_out = {
        name: held_out_nme(SHIPPED / f"{name}.safetensors", data, arguments.cache) for name in about
    }
    about = {name: about[name] for name in sorted(about, key=held_out.__getitem__)}
    evaluations = {
        (name, form): evaluate(SHIPPED / (name + end), data)
        for name in about
        for form, end in ENDINGS.items()
    }
    pair = (FLAGSHIP, REFERENCE)
    detected = {n: evaluate(SHIPPED / f"{n}.onnx", data, protocol=DETECTOR) for n in pair}
    moved = {n: evaluate(SHIPPED / f"{n}.onnx", data, robustness=True) for n in pair}
    errors = {
        n: {form: evaluations[n, form].report.nme for form in ENDINGS}
        | {INTERVAL: evaluations[n, "ONNX"].report.nme_interval}
        for n in about
    }
    write_whole(DOCS / "accuracy.json", json.dumps(errors, indent=2) + "\n")
    tables = {
        "files": files(about),
        "results": results(about, evaluations, held_out) + "\n\n" + compared(evaluations),
        "detector": detector(detected),
        "off place": off_place(moved),
        "subsets": subsets(evaluations[FLAGSHIP, "ONNX"]),
        "commands": commands(about),
    }
    rewrite(SHIPPED / "README.md", tables)
    rewrite(DOCS / "accuracy.md", {"detector": both_crops(evaluations, detected)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
