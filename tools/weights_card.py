"""Rewrites the tables of weights/README.md: ``python tools/weights_card.py --data DIR``.

Every shipped file is evaluated on the test list of ``--data``; commands come from what each network's
JSON file says of its run. Text outside the ``<!-- name -->`` marks stays. The errors go to
docs/accuracy.json as well.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from markdown_tables import percent, rewrite, table

from pfld.evaluation import Evaluation, evaluate
from pfld.files import write_whole
from pfld.protocols import DETECTOR
from pfld.runtime.backends import SHIPPED
from pfld.training.config import TrainingConfig

DOCS = Path(__file__).parents[1] / "docs"
ENDINGS = {"train-time": ".safetensors", "ONNX": ".onnx", "ONNX int8": "-int8.onnx"}
NOT_RECIPE = {"data", "out", "cache", "initial_weights", "evaluate_every", "checkpoint_minutes"}


def shipped() -> dict[str, dict[str, Any]]:
    """By name, the most accurate on held-out faces first, what the JSON files say."""
    about = {p.stem: json.loads(p.read_text()) for p in SHIPPED.glob("*.json")}
    return dict(sorted(about.items(), key=lambda item: item[1]["validation_nme"]))


def command(config: dict[str, Any], number: int) -> str:
    """The options of a run that differ from their defaults, and --data and --out."""
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
    if config.get("initial_weights"):
        words.append(f"--initial-weights OUT/{number - 1}/{config['network']}.safetensors")
    return " ".join(words)


def files(about: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, run in about.items():
        config = run["config"]
        sizes = [
            f"{(SHIPPED / (name + end)).stat().st_size / 2**20:.2f}" for end in ENDINGS.values()
        ]
        network = f"`{config['network']}`, width {config['width_multiplier']:g}, {config['input_size']} px"
        rows.append([f"`{name}`", network, *sizes])
    return table(["files", "network", *(f"`*{end}`, MiB" for end in ENDINGS.values())], rows)


def results(
    about: dict[str, dict[str, Any]], evaluations: dict[tuple[str, str], Evaluation]
) -> str:
    rows = []
    for name, run in about.items():
        reports = [evaluations[name, form].report for form in ENDINGS]
        one = reports[1]
        seen = sum(part["faces_seen"] for part in (*run.get("earlier_runs", ()), run))
        rows.append(
            [
                f"`{name}`",
                f"{seen:,.0f}",
                percent(run["validation_nme"]),
                *(percent(report.nme) for report in reports),
                percent(one.failure_rate, 1),
                f"{one.auc:.3f}",
            ]
        )
    head = ["", "faces seen", "validation", *ENDINGS, "failures over 10 %", "AUC"]
    return table(head, rows)


def subsets(evaluation: Evaluation) -> str:
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
    texts = []
    for name, run in about.items():
        runs = [*run.get("earlier_runs", ()), run]
        lines = [command(part["config"], number) for number, part in enumerate(runs, start=1)]
        texts.append("\n".join([f"`{name}`:", "", "```", *lines, "```"]))
    return "\n\n".join(texts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data set with WFLW's test list")
    data = parser.parse_args().data
    about = shipped()
    evaluations = {
        (name, form): evaluate(SHIPPED / (name + end), data)
        for name in about
        for form, end in ENDINGS.items()
    }
    detected = evaluate(SHIPPED / "ghostone.onnx", data, protocol=DETECTOR)
    errors = {n: {form: evaluations[n, form].report.nme for form in ENDINGS} for n in about}
    write_whole(DOCS / "accuracy.json", json.dumps(errors, indent=2) + "\n")
    tables = {
        "files": files(about),
        "results": results(about, evaluations),
        "detector": f"On faces as the detector finds them ({detected.missed} of "
        f"{detected.missed + detected.report.count} not found) `ghostone.onnx` has "
        f"{percent(detected.report.nme)}, failures {percent(detected.report.failure_rate, 1)}, "
        f"AUC {detected.report.auc:.3f}, median {percent(detected.report.p50)}.",
        "subsets": subsets(evaluations["ghostone", "ONNX"]),
        "commands": commands(about),
    }
    rewrite(SHIPPED / "README.md", tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
