"""Labelling a data set again."""

import sys

import numpy as np
import pytest

from pfld.data.annotations import read_wflw
from pfld.data.wflw_writer import write_wflw_layout
from pfld.landmarks import WFLW_98
from pfld.media.pictures import read_image
from pfld.runtime.backends import load_own_backend
from pfld.synthetic.faces import synthetic_faces
from pfld.weights.shipped import SHIPPED

WEIGHTS = SHIPPED / "ghostone-small.onnx"


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "faces"
    write_wflw_layout(synthetic_faces(4, size=160, seed=5), folder)
    write_wflw_layout(synthetic_faces(2, size=160, seed=6), folder, split="test")
    return folder


def test_views_see_a_face_and_its_mirror_image_alike(data, tmp_path):
    import cv2

    from relabel import seen_in_views

    network = load_own_backend(WEIGHTS)
    face = read_wflw(data, "train")[0]
    pixels = read_image(face.image_path)
    there = tmp_path / "mirrored.png"
    cv2.imwrite(str(there), np.ascontiguousarray(pixels[:, ::-1, ::-1]))
    flipped = face.landmarks_px[list(WFLW_98.mirror)] * (-1, 1) + (pixels.shape[1], 0)
    mirrored = type(face)(there, flipped.astype(np.float32), *[
        getattr(face, name) for name in ("box_xyxy", "attributes", "source")
    ])  # fmt: skip

    points, others = seen_in_views(network, face), seen_in_views(network, mirrored)
    back = others[list(WFLW_98.mirror)] * (-1, 1) + (pixels.shape[1], 0)
    assert np.abs(points - back).max() < 0.5
    assert np.linalg.norm(points - face.landmarks_px, axis=1).mean() < 8


def test_labels_move_towards_the_network_but_for_held_out_faces(data, tmp_path, monkeypatch):
    import relabel

    faces = read_wflw(data, "train")
    names = [face.image_path.relative_to(data / "WFLW_images").as_posix() for face in faces]
    lines = ["image,spread,human_labels,source_picture"]
    lines += [f"{name},0.01,{int(i == 1)},{name}" for i, name in enumerate(names)]
    (data / "label_spread.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(relabel, "split_by_picture", lambda pictures, _: ([0, 1, 2], [3]))
    out = tmp_path / "again"
    words = ["relabel", "--data", data, "--weights", WEIGHTS, "--out", out, "--share", "0.4"]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    assert relabel.main() == 0

    network = load_own_backend(WEIGHTS)
    for index, (old, new) in enumerate(zip(faces, read_wflw(out, "train"))):
        wanted = relabel.seen_in_views(network, old) - old.landmarks_px
        moved = new.landmarks_px - old.landmarks_px
        part = (0.4, 0.2, 0.4, 0)[index]
        assert np.abs(wanted).max() > 0.5
        np.testing.assert_allclose(moved, part * wanted, atol=2e-3)
        np.testing.assert_array_equal(new.attributes, old.attributes)
        np.testing.assert_array_equal(new.box_xyxy, old.box_xyxy)
        assert new.image_path.resolve() == old.image_path.resolve()
    for kept in (relabel.LISTS / relabel.TEST, "label_spread.csv"):
        assert (out / kept).read_bytes() == (data / kept).read_bytes()
