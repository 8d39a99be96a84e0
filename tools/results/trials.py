"""What still moves the best network: ``python tools/results/trials.py --data DIR --out runs/trials``.

Each row of :data:`ROWS` goes on from shipped weights (or those in ``--starts``) for equally many faces and
differs from the first row of the same network in one thing. Errors are measured on held-out faces with
their labels, on those of them that people labelled, with people's own points (``human68.npz``), and on the
test list. docs/trials.csv and the table in docs/family.md are rewritten. Rows that are finished in
``--out`` are not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from dataclasses import astuple, dataclass, fields
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from markdown_tables import percent, rewrite, table
from pfld.data.annotations import read_wflw
from pfld.data.face_set import FaceSet, split_by_picture
from pfld.evaluation.metrics import normalized_mean_errors
from pfld.files import write_whole
from pfld.landmarks import WFLW_98, WFLW_TO_IBUG
from pfld.networks.reparameterize import reparameterize
from pfld.training.config import TrainingConfig
from pfld.training.faces import FaceBatches, training_faces
from pfld.weights import load_weights
from relabel import write_copy
from training_variants import program

ROOT = Path(__file__).parents[2]
COMMON = (
    "--head heatmap --frozen-statistics --faces 25000 --lr 0.0006 --warmup 0.02 --pose-repeats 3 "
    "--label-trust 0.08 --augmentation 0.2 --augmentation-start 1.7 --augmentation-until 1"
)
INNER = slice(27, 68)  # of 68 points: nose, eyes and mouth, where both definitions agree best
BATCH = 64
SMALL, HALF = "ghostone-small-heatmap", "--width-multiplier 0.5"


@dataclass(frozen=True)
class Row:
    """One run: its name, what differs from the first, and the options for that.

    ``OWN`` in the options is the data set with labels halfway to the network's own points over six views,
    ``PEOPLE`` the one where people's points replace those of the nose, eyes and mouth, ``FLAGSHIP`` the
    ONNX file of ``ghostone-heatmap``. ``variant`` is one of training_variants.py, ``start`` the network
    whose weights the run begins with.
    """

    name: str
    change: str
    options: str = ""
    variant: str = ""
    start: str = "ghostone-heatmap"


ROWS = (
    Row("same", "as before"),
    Row("seed1", "another seed", "--seed 1"),
    Row("own", "labels halfway to its own points over six views", "--data OWN"),
    Row("people", "people's points in place of means, where there are any", "--data PEOPLE"),
    Row("strong", "strong augmentation to the end", "--augmentation 0.6 --augmentation-start 1"),
    Row("weak", "weak augmentation throughout", "--augmentation 0.1 --augmentation-start 1"),
    Row("alike", "all labels trusted alike", "--label-trust 0"),
    Row("sure", "points weigh more where the network is sure", variant="sure-points"),
    Row("small", f"`{SMALL}` as before", HALF, start=SMALL),
    Row(
        "taught",
        f"`{SMALL}` with the larger network as teacher",
        f"{HALF} --teacher FLAGSHIP",
        start=SMALL,
    ),
)


@dataclass(frozen=True)
class Errors:
    """NME of one row: by labels of held-out faces, by people's points on them, on the test list."""

    name: str
    faces: int
    held_out: float
    people: float
    test: float


class People:
    """People's own 68 points of faces, in WFLW's definition.

    Args:
        path: ``human68.npz``: ``index`` (M,) of the training face, ``points`` (M, 68, 2) in fractions of
            the stored picture, NaN where hidden, ``source`` (M,), and for each source an offset (68, 2)
            from WFLW's definition, in distances of the outer eye corners, in the frame of the face.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as file:
            self._table = {name: file[name] for name in file.files}
        self._rows = {int(face): row for row, face in enumerate(self._table["index"])}

    def __contains__(self, face: object) -> bool:
        return face in self._rows

    def points(self, face: int, labels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points ``(68, 2)`` in the units of ``labels`` ``(98, 2)``, which say how the eyes lie.

        Both are fractions of the stored picture; NaN where people gave none.
        """
        row = self._rows[face]
        offset = self._table[f"offset_{self._table['source'][row]}"]
        right, left = (labels[corner].astype(np.float64) for corner in WFLW_98.outer_eye_corners)
        x, y = left - right
        frame = np.array([[x, y], [-y, x]])
        return self._table["points"][row] - offset @ frame


def own_labels(data: Path, out: Path, start: Path, people: Path) -> None:
    """Writes the data set ``OWN``."""
    tool = Path(__file__).with_name("relabel.py")
    words: list[str | Path] = [sys.executable, tool, "--data", data, "--out", out]
    subprocess.run([*words, "--weights", start.with_suffix(".onnx")], check=True)


def people_labels(data: Path, out: Path, start: Path, people: Path) -> None:
    """Writes the data set ``PEOPLE``."""
    known = People(people)
    faces = read_wflw(data, "train")
    labels = [face.landmarks_px.copy() for face in faces]
    for index, points in enumerate(labels):
        if index in known:
            side = picture_side(faces[index].image_path)
            wanted = known.points(index, points / side)[INNER] * side
            targets = np.array(WFLW_TO_IBUG)[INNER]
            seen = np.isfinite(wanted).all(axis=1)
            points[targets[seen]] = wanted[seen]
    write_copy(data, out, faces, labels)


def picture_side(path: Path) -> int:
    """The side of a square picture in pixels."""
    from PIL import Image

    with Image.open(path) as picture:
        return int(picture.width)


DATA = {"OWN": own_labels, "PEOPLE": people_labels}


def train(row: Row, data: Path, out: Path, cache: Path, starts: Path, people: Path) -> None:
    """Trains a row from weights in the folder ``starts``, unless that has been done.

    Raises:
        subprocess.CalledProcessError: When training fails.
    """
    folder = out / row.name
    if any(folder.glob("*.json")):
        return
    start = starts / f"{row.start}.safetensors"
    flagship = str(starts / "ghostone-heatmap.onnx")
    words = [*COMMON.split(), *row.options.replace("FLAGSHIP", flagship).split()]
    for name, write in DATA.items():
        if name in words:
            made = out / f"data-{name.lower()}"
            if not (made / "WFLW_annotations").is_dir():
                shutil.rmtree(made, ignore_errors=True)
                write(data, made, start, people)
            words[words.index(name)] = str(made)
    command: list[str | Path] = [sys.executable, *program(row.variant), "--data", data]
    command += ["--cache", cache, "--out", folder, "--initial-weights", start, *words, "--resume"]
    print(f"{row.name}: {row.options}", flush=True)
    subprocess.run(command, check=True)


@torch.inference_mode()
def measure(weights: Path, faces: FaceSet, known: People) -> tuple[float, float]:
    """NME on held-out faces by their labels, and by people's points on those that have them."""
    network, metadata = load_weights(weights)
    fused = reparameterize(network).eval()
    batches = FaceBatches(faces, metadata.preprocessing, torch.device("cpu"))
    _, held_out = split_by_picture(faces.pictures, TrainingConfig.validation_fraction)
    by_labels: list[float] = []
    by_people: list[float] = []
    for start in range(0, len(held_out), BATCH):
        indices = held_out[start : start + BATCH]
        images, labels, _ = batches.batch(indices)
        found = fused(batches.normalized(images)).view_as(labels)
        by_labels += normalized_mean_errors(found.numpy(), labels.numpy(), WFLW_98).tolist()
        for face, points, wanted in zip(indices, found.numpy(), labels.numpy()):
            if face in known:
                stored = faces.landmarks[face]
                # Both frames show the same face: what brings its labels from one to the other.
                to_crop = np.linalg.lstsq(with_ones(stored), wanted, rcond=None)[0]
                human = with_ones(known.points(int(face), stored)) @ to_crop
                off = np.linalg.norm(points[list(WFLW_TO_IBUG)] - human, axis=1)
                right, left = wanted[list(WFLW_98.outer_eye_corners)]
                by_people.append(np.nanmean(off) / np.linalg.norm(left - right))
    return float(np.mean(by_labels)), float(np.mean(by_people))


def with_ones(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points ``(N, 2)`` with a third column of ones."""
    return np.column_stack([points, np.ones(len(points))])


def errors(row: Row, out: Path, faces: FaceSet, people: People) -> Errors | None:
    """The errors of a row; None if it has not been run."""
    about = next((out / row.name).glob("*.json"), None)
    if about is None:
        return None
    facts = json.loads(about.read_text())
    seen = facts["history"][-1]["faces"]
    by_labels, by_people = measure(about.with_suffix(".safetensors"), faces, people)
    return Errors(row.name, seen, by_labels, by_people, facts["test"]["nme"])


def to_csv(rows: list[Errors]) -> str:
    """CSV with a line for each row."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Errors)])
    for row in rows:
        writer.writerow([row.name, row.faces, *(f"{error:.5f}" for error in astuple(row)[2:])])
    return text.getvalue()


def read_csv(path: Path) -> dict[str, Errors]:
    """Errors that :func:`to_csv` wrote, by name of row."""
    if not path.is_file():
        return {}
    found = {}
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            numbers = (float(line[name]) for name in ("held_out", "people", "test"))
            found[line["name"]] = Errors(line["name"], int(line["faces"]), *numbers)
    return found


def to_markdown(rows: list[Errors]) -> str:
    """Markdown table, errors in per cent."""
    known = {row.name: row for row in ROWS}
    lines = []
    for row in rows:
        options = known[row.name].options
        shown = map(percent, (row.held_out, row.people, row.test))
        lines.append([known[row.name].change, f"`{options}`" if options else "", *shown])
    return table(["", "further options", "held out", "people's points", "test list"], lines)


def main() -> int:
    """Runs the rows asked for and rewrites the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data set in WFLW's layout")
    parser.add_argument("--people", type=Path, help="human68.npz (default: beside --data)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--cache", type=Path, help="folder for decoded crops (default in --out)")
    parser.add_argument(
        "--starts",
        type=Path,
        default=ROOT / "weights",
        help="folder of weights to go on from, with ONNX files beside them (default: weights)",
    )
    parser.add_argument("--rows", nargs="*", help="names of the rows to run (default: all)")
    given = parser.parse_args()
    data, out, cache = given.data, given.out, given.cache or given.out / "cache"
    people = given.people or data.parent / "human68.npz"
    for row in ROWS:
        if given.rows is None or row.name in given.rows:
            train(row, data, out, cache, given.starts, people)
    table_file = ROOT / "docs" / "trials.csv"
    before = read_csv(table_file)
    faces = training_faces(TrainingConfig(data=str(data), cache=str(cache)), print)
    known = People(people)
    found = (errors(row, out, faces, known) or before.get(row.name) for row in ROWS)
    rows = [row for row in found if row is not None]
    write_whole(table_file, to_csv(rows))
    rewrite(ROOT / "docs" / "family.md", {"trials": to_markdown(rows)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
