"""Face sets: all crops of a data set as one uint8 array, decoded once and kept on disk."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pfld.data.annotations import FaceAnnotation, read_faces
from pfld.data.face_cache import FORMAT, new_crops, new_entry, read_entry, write_faces
from pfld.data.label_table import TABLE, LabelTable, picture_name
from pfld.geometry import FaceCrop
from pfld.landmarks import LandmarkScheme, scheme_with
from pfld.media.pictures import read_image
from pfld.parent import end_with_parent
from pfld.preprocess import CROP_MARGIN, CROP_SCALE

_WORTH_PROCESSES = 1000  # pictures from which on decoding on all cores is faster
_PICTURES_AT_ONCE = 16  # for a process

_SNAP = 0.02  # faces this close to the stored scale are cut out without resampling


@dataclass(frozen=True)
class FaceSet:
    """Faces of one scheme, ready for training.

    Attributes:
        crops: ``(N, S, S, 3)`` uint8 RGB, with room around each face; may be memory-mapped.
        landmarks: ``(N, L, 2)`` float32, fractions of the crop.
        attributes: ``(N, 6)`` uint8 in WFLW's order.
        label_spread: ``(N,)`` float32, disagreement between annotators as a fraction of the diagonal of
            the face's box; NaN if unknown.
        pictures: Which picture each face was cut from; faces of one picture stay in one split.
        name: What the set is, for logs and weight files.
    """

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    attributes: NDArray[np.uint8]
    label_spread: NDArray[np.float32]
    pictures: tuple[str, ...]
    name: str

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def scheme(self) -> LandmarkScheme:
        """The landmark scheme, by the number of points."""
        return scheme_with(self.landmarks.shape[1])


def stored_size(input_size: int) -> int:
    """Side of stored crops in pixels, such that faces are as large as in the network's input."""
    return round(input_size * CROP_MARGIN / CROP_SCALE / 16) * 16


def split_by_picture(
    pictures: Sequence[str], validation_fraction: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to train on and to validate on; a picture's faces are all on one side.

    A picture's side follows from its name alone, so that it never changes as a set grows.

    Raises:
        ValueError: When a side would be empty.
    """
    held_out = np.array(
        [
            int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
            < validation_fraction * 2**64
            for name in pictures
        ],
        dtype=bool,
    )
    if not held_out.any() or held_out.all():
        raise ValueError(
            f"{len(held_out)} faces cannot be split with a validation fraction of "
            f"{validation_fraction}; pass faces of more pictures or another fraction"
        )
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def load_face_set(
    folder: str | Path,
    split: str,
    *,
    size: int,
    cache: str | Path | None = None,
    missing_allowed: float = 0.01,
    report: Callable[[str], None] = print,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FaceSet:
    """The faces of a data set, from its cache or, the first time, from its pictures.

    The cache is keyed by the annotations and by the pictures' names, sizes and times. It is written
    atomically, so several processes may call this at once.

    Args:
        folder: A data set in a layout :func:`read_faces` knows. A ``label_spread.csv`` in it
            (:class:`pfld.data.label_table.LabelTable`) says which crops come from one picture; its
            column ``spread`` becomes :attr:`FaceSet.label_spread`.
        size: Side of the stored crops in pixels; see :func:`stored_size`.
        cache: Folder of caches; by default ``.pfld-cache`` inside ``folder``.
        missing_allowed: Fraction of faces that may have no readable picture; they are left out.
        report: Called with one line about faces left out, skipped pictures or a damaged cache.
        progress: Called with the number of faces done and their total.

    Raises:
        FileNotFoundError, ValueError: For a folder or annotation that cannot be read, or when more
            pictures are unreadable than allowed.
        OSError: When the cache cannot be written.
    """
    folder = Path(folder)
    faces = read_faces(folder, split, report=report)
    entry = Path(cache or folder / ".pfld-cache") / _key(faces, folder, size)
    cached = read_entry(entry)
    if cached is None:
        if entry.exists():
            report(f"the cache in {entry} is damaged and made again")
            shutil.rmtree(entry, ignore_errors=True)
        try:
            _write_cache(entry, faces, folder, size, missing_allowed, report, progress)
        except OSError as error:
            raise OSError(
                f"the cache of crops in {entry.parent} cannot be written: {error.strerror or error}; "
                "pass a folder with room as --cache"
            ) from error
        cached = read_entry(entry)
        if cached is None:
            raise OSError(f"the cache just written to {entry} cannot be read back")
    return FaceSet(*cached, folder.name)


def _key(faces: list[FaceAnnotation], folder: Path, size: int) -> str:
    digest = hashlib.sha256(f"{FORMAT} {size} {CROP_MARGIN}".encode())
    for face in faces:
        digest.update(face.landmarks_px.tobytes() + face.attributes.tobytes())
        try:
            state = face.image_path.stat()
            stamp = f"{state.st_size} {state.st_mtime_ns}"
        except (OSError, ValueError):  # not a valid file name
            stamp = "missing"
        digest.update(f"{face.image_path.relative_to(folder)} {stamp}".encode())
    table = folder / TABLE
    digest.update(table.read_bytes() if table.is_file() else b"")
    return digest.hexdigest()[:24]


def _write_cache(
    entry: Path,
    faces: list[FaceAnnotation],
    folder: Path,
    size: int,
    missing_allowed: float,
    report: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> None:
    table = LabelTable(folder)
    with new_entry(entry) as building:
        crops = new_crops(building, (len(faces), size, size, 3))
        landmarks = np.empty((len(faces), *faces[0].landmarks_px.shape), np.float32)
        failures: dict[int, str] = {}
        for done, (index, cut) in enumerate(_cut_out_all(faces, size)):
            progress(done, len(faces))
            if isinstance(cut, str):
                failures[index] = cut
            else:
                crops[index], landmarks[index] = cut
        progress(len(faces), len(faces))
        _require_few(failures, len(faces), missing_allowed, report)
        kept = [index for index in range(len(faces)) if index not in failures]
        for row, index in enumerate(kept):
            if row != index:
                crops[row] = crops[index]
        rows = [table.row(picture_name(faces[index].image_path, folder)) for index in kept]
        write_faces(
            building,
            crops,
            len(kept),
            landmarks=landmarks[kept],
            attributes=np.stack([faces[index].attributes for index in kept]),
            label_spread=np.array([spread for _, spread in rows], np.float32),
            pictures=np.array([origin for origin, _ in rows]),
        )


# A face's crop and its landmarks as fractions of it, or the reason why there are none.
Cut = tuple[NDArray[np.uint8], NDArray[np.float32]] | str


def _cut_out_all(faces: list[FaceAnnotation], size: int) -> Iterator[tuple[int, Cut]]:
    """The index and cut of each face. Each picture is decoded once; large sets use all cores."""
    order = sorted(range(len(faces)), key=lambda index: faces[index].image_path)
    groups = [list(group) for _, group in groupby(order, key=lambda index: faces[index].image_path)]
    jobs = ([faces[index] for index in group] for group in groups)
    cut_out = partial(_cut_out, size=size)
    if len(groups) < _WORTH_PROCESSES:
        for group, cuts in zip(groups, map(cut_out, jobs)):
            yield from zip(group, cuts)
        return
    # Fresh processes: forked ones inherit locks that threads of this one may hold.
    context = multiprocessing.get_context("spawn")
    processes = ProcessPoolExecutor(os.cpu_count(), context, initializer=end_with_parent)
    with processes as pool:
        for group, cuts in zip(groups, pool.map(cut_out, jobs, chunksize=_PICTURES_AT_ONCE)):
            yield from zip(group, cuts)


def _cut_out(faces: list[FaceAnnotation], size: int) -> list[Cut]:
    """The faces of one picture."""
    try:
        image = read_image(faces[0].image_path)
    except (FileNotFoundError, ValueError) as error:
        return [str(error)] * len(faces)
    cuts: list[Cut] = []
    for face in faces:
        try:
            face.require_in(image)
        except ValueError as error:
            cuts.append(str(error))
            continue
        crop = _snapped(FaceCrop.around(face.landmarks_px, scale=CROP_MARGIN), size)
        cuts.append((crop.extract(image, size), crop.to_crop(face.landmarks_px)))
    return cuts


def _require_few(
    failures: dict[int, str], faces: int, allowed: float, report: Callable[[str], None]
) -> None:
    if not failures:
        return
    first = failures[min(failures)]
    message = f"{len(failures)} of {faces} faces cannot be used (first: {first})"
    if len(failures) > allowed * faces or len(failures) == faces:
        raise ValueError(
            f"{message}, more than the {allowed:.1%} allowed; fix the data or raise --allow-missing"
        )
    report(f"{message}; they are left out")


def _snapped(crop: FaceCrop, size: int) -> FaceCrop:
    """A crop of nearly its stored size moved to whole pixels, where cutting it out loses nothing."""
    if abs(crop.side / size - 1) > _SNAP:
        return crop
    left, top = round(crop.center_x - size / 2), round(crop.center_y - size / 2)
    return FaceCrop(left + size / 2, top + size / 2, size)
