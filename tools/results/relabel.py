"""Relabels a data set with a network's own points (self-distillation): ``python tools/results/relabel.py``.

Writes a new data set in WFLW's layout that links to the pictures of the old one. Points in its training
list are a weighted mean of the old labels and of the network's points, which are averaged over several
views of the face: three rotations, each with its mirror image. Faces with human labels move half as far.
Held-out pictures and the test list keep their labels, so that errors can be compared.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from pfld.data.annotations import FaceAnnotation, read_wflw
from pfld.data.face_set import split_by_picture
from pfld.evaluation.metrics import normalized_mean_errors
from pfld.files import write_whole
from pfld.geometry import FaceCrop
from pfld.landmarks import WFLW_98
from pfld.media.pictures import read_image
from pfld.runtime.backends import Backend, load_own_backend
from pfld.training.config import TrainingConfig

LISTS = Path("WFLW_annotations/list_98pt_rect_attr_train_test")
TRAIN, TEST = (f"list_98pt_rect_attr_{split}.txt" for split in ("train", "test"))
SPREAD = "label_spread.csv"
TURNS = (-12, 0, 12)  # degrees by which crops are turned


def seen_in_views(
    network: Backend, face: FaceAnnotation, turns: Sequence[float] = TURNS, *, mirror: bool = True
) -> NDArray[np.float32]:
    """The network's points ``(98, 2)``, averaged over views of a face, in pixels of its picture.

    Args:
        turns: Degrees by which the crop is turned, one view each.
        mirror: Look at the mirror image of each view as well.
    """
    image = read_image(face.image_path)
    wanted = network.metadata.preprocessing
    crops = [
        FaceCrop.around(face.landmarks_px, scale=wanted.crop_scale, angle=math.radians(degrees))
        for degrees in turns
    ]
    pixels = np.stack([crop.extract(image, wanted.input_size) for crop in crops])
    seen = network.predict(pixels)
    if mirror:
        mirrored = network.predict(pixels[:, :, ::-1])
        seen = (seen + mirrored[:, WFLW_98.mirror] * (-1, 1) + (1, 0)) / 2
    points = [crop.to_image(found) for crop, found in zip(crops, seen)]
    return np.mean(points, axis=0, dtype=np.float32)


def read_spread(path: Path) -> tuple[dict[str, str], set[str]]:
    """From label_spread.csv: the source picture of each crop, and the crops that people labelled.

    Both are empty without such a file.
    """
    origins, by_people = {}, set()
    if path.is_file():
        with path.open(newline="") as file:
            for line in csv.DictReader(file):
                name = f"WFLW_images/{line['image']}"
                origins[name] = line["source_picture"]
                if line["human_labels"] == "1":
                    by_people.add(name)
    return origins, by_people


def write_list(
    path: Path, faces: list[FaceAnnotation], points: list[NDArray[np.float32]], images: Path
) -> None:
    """Writes a list in WFLW's layout with these points ``(98, 2)`` for the faces."""
    lines = []
    for face, landmarks in zip(faces, points):
        name = face.image_path.relative_to(images).as_posix()
        numbers = [f"{value:.3f}" for value in landmarks.ravel()]
        numbers += [f"{value:g}" for value in face.box_xyxy]
        lines.append(" ".join([*numbers, *map(str, face.attributes), name]) + "\n")
    write_whole(path, "".join(lines))


def write_copy(
    data: Path, out: Path, faces: list[FaceAnnotation], points: list[NDArray[np.float32]]
) -> None:
    """A data set that links to the pictures of ``data`` and has these points for its training faces."""
    images = data / "WFLW_images"
    (out / LISTS).mkdir(parents=True)
    (out / images.name).symlink_to(images.resolve(), target_is_directory=True)
    write_list(out / LISTS / TRAIN, faces, points, images)
    for kept in (LISTS / TEST, Path(SPREAD)):
        if (data / kept).is_file():
            write_whole(out / kept, (data / kept).read_bytes())


def main() -> int:
    """Writes the new data set; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data set in WFLW's layout")
    parser.add_argument(
        "--weights", type=Path, required=True, help="weights of the network that labels"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the new data set")
    parser.add_argument(
        "--share",
        type=float,
        default=0.5,
        help="the network's weight in a label, 0 to 1 (default: 0.5)",
    )
    arguments = parser.parse_args()
    data, out, share = arguments.data, arguments.out, arguments.share
    network = load_own_backend(arguments.weights)
    faces = read_wflw(data, "train")
    origins, by_people = read_spread(data / SPREAD)
    names = [face.image_path.relative_to(data).as_posix() for face in faces]
    pictures = [origins.get(name, name) for name in names]
    trained, _ = split_by_picture(pictures, TrainingConfig.validation_fraction)

    points = [face.landmarks_px for face in faces]
    moved = []
    for index in track(trained, "labelling"):
        found = seen_in_views(network, faces[index])
        moved.append(float(normalized_mean_errors(found[None], points[index][None], WFLW_98)[0]))
        part = share / 2 if names[index] in by_people else share
        points[index] = points[index] + np.float32(part) * (found - points[index])

    write_copy(data, out, faces, points)
    print(f"{len(moved)} faces: the network is {100 * np.mean(moved):.2f} % from their labels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
