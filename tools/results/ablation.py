"""Ablation study of training options: ``python tools/results/ablation.py --data DIR --out runs/ablation``.

Trains a small network once for every row of :data:`ROWS` and writes the errors to docs/ablation.csv and
into the tables of docs/family.md. Rows that are finished in ``--out`` are not run again, so the command
can be stopped and restarted. ``--rows`` runs only the rows named, or none without names. Results in
docs/ablation.csv of rows that are not in ``--out`` are kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from markdown_tables import percent, rewrite, table
from pfld.files import write_whole
from training_variants import program

ROOT = Path(__file__).parents[2]
COMMON = (
    "--width-multiplier 0.5 --faces 9600 --batch-size 32 --lr 4e-3 --ema 0.99 --augmentation 0.4 "
    "--evaluate-every 1920"
)
LONG = 28_800  # faces seen in rows for which a short run is misleading
LIST = Path("WFLW_annotations/list_98pt_rect_attr_train_test")
HUMAN = ("ibug/", "lfpw/", "aflw/")  # folders of faces with human labels


@dataclass(frozen=True)
class Row:
    """One run: its name, what differs from the base run, and the options for that.

    ``variant`` is one of training_variants.py.
    """

    name: str
    change: str
    options: str = ""
    variant: str = ""


ROWS = (
    Row("base", "as above"),
    Row("seed1", "another seed", "--seed 1"),
    Row("seed2", "another seed", "--seed 2"),
    Row("fractions", "Wing on fractions of the crop", "--fraction-units"),
    Row("smooth-l1", "SmoothL1, beta 1 px", "--loss smooth-l1"),
    Row("pfld-loss", "PFLD loss, corrected weighting", "--loss pfld"),
    Row("pfld-original", "PFLD loss, original weighting", "--loss pfld-original"),
    Row("branches1", "1 branch", "--num-conv-branches 1"),
    Row("branches3", "3 branches", "--num-conv-branches 3"),
    Row("plain", "branches one by one, not folded", "--plain-branches"),
    Row("no-ema", "no averaging of weights", "--ema 0"),
    Row("aug0", "no augmentation", "--augmentation 0"),
    Row("aug8", "twice the augmentation", "--augmentation 0.8"),
    Row("no-mean-shape", "head not started at the mean shape", "--no-mean-shape"),
    Row("no-floor", "conv8 and head as published", "--no-floor --head-lr-fraction 1"),
    Row("floor-only", "head at the full learning rate", "--head-lr-fraction 1"),
    Row("without-human", "without the faces that have human labels", "--data WITHOUT-HUMAN"),
    Row("without-others", "without as many others", "--data WITHOUT-OTHERS"),
    Row("pose2", "faces in large pose twice", "--pose-repeats 2"),
    Row("in96", "96 px", "--input-size 96"),
    Row("in128", "128 px", "--input-size 128"),
    Row("lr2e-3", "half the learning rate", "--lr 2e-3"),
    Row("lr8e-3", "twice the learning rate", "--lr 8e-3"),
    Row("lr16e-3", "four times the learning rate", "--lr 1.6e-2"),
    Row("batch16", "batches of 16", "--batch-size 16 --ema 0.995"),
    Row("batch64", "batches of 64", "--batch-size 64 --ema 0.98"),
    Row("batch128", "batches of 128", "--batch-size 128 --lr 8e-3 --ema 0.96"),
    Row("ghostnet", "GhostNet", "--network ghostnet"),
    Row("ghostnet-slim", "GhostNet-Slim", "--network ghostnet-slim"),
    Row("pfld", "PFLD", "--network pfld"),
    Row("long", "28,800 faces", f"--faces {LONG} --ema 0.995"),
    Row(
        "long-aug0", "28,800 faces, no augmentation", f"--faces {LONG} --ema 0.995 --augmentation 0"
    ),
    Row(
        "long-aug8",
        "28,800 faces, twice the augmentation",
        f"--faces {LONG} --ema 0.995 --augmentation 0.8",
    ),
)
# Regression beside the heatmap head over as many faces, on the labels of November 2026.
HEAD_RUN = "--faces 38400 --ema 0.995 --evaluate-every 4800"
HEATMAP_RUN = f"{HEAD_RUN} --head heatmap"
HEAD_ROWS = (
    Row("regression38", "regression", HEAD_RUN),
    Row("rle38", "regression, residual log-likelihood", f"{HEAD_RUN} --loss rle --lr 2e-3"),
    Row("heatmap38", "heatmap head", HEATMAP_RUN),
    Row("narrow38", "the same with half the channels", HEATMAP_RUN, "narrow"),
    Row("wide38", "the same with twice the channels", HEATMAP_RUN, "wide"),
    Row("fine38", "the same with 28 x 28 cells, and the maps of conv3", HEATMAP_RUN, "fine"),
    Row("axes38", "the same with softmaxes over rows and over columns", HEATMAP_RUN, "axes"),
    Row("in128-38", "the same at 128 px", f"{HEATMAP_RUN} --input-size 128"),
    Row("offsets38", "the same with learnt offsets within cells", HEATMAP_RUN, "offsets"),
)


@dataclass(frozen=True)
class Result:
    """Errors of a row as NME; the curve has pairs of faces seen and validation NME."""

    row: Row
    faces: int
    seed: int
    validation: float
    test: float
    curve: tuple[tuple[int, float], ...]


def run(row: Row, data: Path, out: Path, cache: Path) -> None:
    """Trains a row, unless that has been done.

    Raises:
        subprocess.CalledProcessError: When training fails.
    """
    folder = out / row.name
    if any(folder.glob("*.json")):
        return
    words: list[str | Path] = [
        sys.executable,
        *program(row.variant),
        "--data",
        data,
        "--out",
        folder,
        "--cache",
        cache,
    ]
    options = row.options.split()
    if "--data" in options:
        filtered = out / options[1].lower()
        write_filtered(data, filtered, human=options[1] == "WITHOUT-HUMAN")
        options = ["--data", str(filtered)]
    print(f"{row.name}: {row.options}", flush=True)
    subprocess.run([*words, *COMMON.split(), *options, "--resume"], check=True)


def write_filtered(data: Path, folder: Path, *, human: bool) -> None:
    """The data set without the training faces that have human labels, or without as many others."""
    (folder / LIST).mkdir(parents=True, exist_ok=True)
    if not (folder / "WFLW_images").exists():
        os.symlink((data / "WFLW_images").resolve(), folder / "WFLW_images")
    lines = (data / LIST / "list_98pt_rect_attr_train.txt").read_text().splitlines(keepends=True)
    labelled = [line.split()[-1].startswith(HUMAN) for line in lines]
    if human:
        kept = [line for line, has_human in zip(lines, labelled) if not has_human]
    else:
        others = [index for index, has_human in enumerate(labelled) if not has_human]
        step = len(others) / sum(labelled)
        dropped = {others[int(i * step)] for i in range(sum(labelled))}
        kept = [line for index, line in enumerate(lines) if index not in dropped]
    (folder / LIST / "list_98pt_rect_attr_train.txt").write_text("".join(kept))
    test = "list_98pt_rect_attr_test.txt"
    (folder / LIST / test).write_text((data / LIST / test).read_text())


def result(row: Row, data: Path, out: Path, cache: Path) -> Result | None:
    """The result of a row; None if it has not been run."""
    about = next((out / row.name).glob("*.json"), None)
    if about is None:
        return None
    facts = json.loads(about.read_text())
    curve = [(row["faces"], row["validation_nme"]) for row in facts["history"]]
    validation = facts["validation_nme"]
    if "--data" in row.options:
        validation = held_out_nme(about.with_suffix(".safetensors"), data, cache)
    return Result(
        row,
        int(facts["faces_seen"]),
        facts["config"]["seed"],
        validation,
        facts["test"]["nme"],
        tuple(curve),
    )


def held_out_nme(weights: Path, data: Path, cache: Path) -> float:
    """NME of weights on the held-out faces of the whole data set."""
    import torch

    from pfld.data.face_set import split_by_picture
    from pfld.training.config import TrainingConfig
    from pfld.training.faces import FaceBatches, training_faces
    from pfld.training.validation import validate
    from pfld.weights import load_weights

    network, metadata = load_weights(weights)
    config = TrainingConfig(data=str(data), cache=str(cache), input_size=network.input_size)
    faces = training_faces(config, print)
    _, held_out = split_by_picture(faces.pictures, config.validation_fraction)
    batches = FaceBatches(faces, metadata.preprocessing, torch.device("cpu"))
    return float(validate(network, batches, held_out).mean())


def read_csv(path: Path) -> dict[str, Result]:
    """Results that :func:`to_csv` wrote, by name of row; rows that no longer exist are left out."""
    if not path.exists():
        return {}
    known = {row.name: row for row in (*ROWS, *HEAD_ROWS)}
    results = {}
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            if line["name"] not in known:
                continue
            points = (point.split(":") for point in line["curve"].split())
            results[line["name"]] = Result(
                known[line["name"]],
                int(line["faces"]),
                int(line["seed"]),
                float(line["validation"]),
                float(line["test"]),
                tuple((int(faces), float(nme)) for faces, nme in points),
            )
    return results


def to_csv(results: list[Result]) -> str:
    """CSV with a line for each row; a curve is written as faces:NME, separated by blanks."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "change", "options", "seed", "faces", "validation", "test", "curve"])
    for r in results:
        curve = " ".join(f"{faces}:{nme:.5f}" for faces, nme in r.curve)
        errors = [f"{r.validation:.5f}", f"{r.test:.5f}"]
        writer.writerow([r.row.name, r.row.change, r.row.options, r.seed, r.faces, *errors, curve])
    return text.getvalue()


def to_markdown(results: list[Result]) -> str:
    """Markdown table, errors in per cent."""
    head = ["", "further options", "seed", "faces seen", "validation", "test list"]
    rows = []
    for r in results:
        options = f"`{r.row.options}`" if r.row.options else ""
        errors = percent(r.validation), percent(r.test)
        rows.append([r.row.change, options, str(r.seed), f"{r.faces:,}", *errors])
    return table(head, rows)


def main() -> int:
    """Runs the rows asked for and rewrites the tables; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data set in WFLW's layout")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--cache", type=Path, help="folder for decoded crops (default in --out)")
    parser.add_argument("--rows", nargs="*", help="names of the rows to run (default: all)")
    arguments = parser.parse_args()
    data, out, cache = arguments.data, arguments.out, arguments.cache or arguments.out / "cache"
    for row in (*ROWS, *HEAD_ROWS):
        if arguments.rows is None or row.name in arguments.rows:
            run(row, data, out, cache)
    table_file = ROOT / "docs" / "ablation.csv"
    before = read_csv(table_file)

    def known(rows: tuple[Row, ...]) -> list[Result]:
        found = (result(row, data, out, cache) or before.get(row.name) for row in rows)
        return [r for r in found if r is not None]

    choices, heads = known(ROWS), known(HEAD_ROWS)
    write_whole(table_file, to_csv([*choices, *heads]))
    command = f"```\npython train.py --data DIR --out OUT {COMMON}\n```"
    tables = {"command": command, "ablation": to_markdown(choices), "heads": to_markdown(heads)}
    rewrite(ROOT / "docs" / "family.md", tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
