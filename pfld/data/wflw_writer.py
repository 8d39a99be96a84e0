"""Writer of annotated faces in WFLW's layout of folders and lists."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from pfld.synthetic.faces import SyntheticFaces


def write_wflw_layout(
    faces: SyntheticFaces, folder: str | os.PathLike[str], *, split: str = "train"
) -> Path:
    """Writes faces in the layout of the WFLW download; returns the annotation file's path.

    Pictures go to ``WFLW_images/synthetic-<split>/``, lossless, and the 207 fields of each face to
    ``WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_<split>.txt``. An existing
    split is replaced.

    Raises:
        ValueError: For a split other than ``train`` and ``test``.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    root = Path(folder)
    pictures = root / "WFLW_images" / f"synthetic-{split}"
    lists = root / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    for directory in (pictures, lists):
        directory.mkdir(parents=True, exist_ok=True)
    lines = []
    for index, crop in enumerate(faces.crops):
        path = pictures / f"{index:06d}.png"
        written, data = cv2.imencode(".png", crop[..., ::-1])
        assert written
        path.write_bytes(data.tobytes())
        landmarks_px = faces.landmarks[index].astype(np.float64) * len(crop)
        low = np.floor(landmarks_px.min(axis=0)).astype(int)
        high = np.ceil(landmarks_px.max(axis=0)).astype(int)
        fields = [f"{value:.6f}" for value in landmarks_px.ravel()]
        fields += [str(value) for value in (*low, *high, *faces.attributes[index])]
        lines.append(" ".join([*fields, f"{pictures.name}/{path.name}"]) + "\n")
    annotations = lists / f"list_98pt_rect_attr_{split}.txt"
    annotations.write_text("".join(lines), encoding="utf-8")
    return annotations
