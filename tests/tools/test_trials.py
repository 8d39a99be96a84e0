"""tools/results/trials.py: people's points in the frame of a face, and its table of errors."""

import math

import numpy as np

from pfld.landmarks import WFLW_98, WFLW_TO_IBUG
from trials import Errors, People, read_csv, to_csv


def write_people(path, labels, offset, angle):
    """People's points that lie off the labels by an offset, in the frame of a face turned by an angle."""
    right, left = (labels[corner] for corner in WFLW_98.outer_eye_corners)
    unit = np.linalg.norm(left - right)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    points = labels[list(WFLW_TO_IBUG)] + unit * offset @ turn
    points[3] = np.nan
    np.savez(
        path,
        index=np.array([7]),
        points=points[None].astype(np.float32),
        source=np.array(["aflw"]),
        offset_aflw=offset.astype(np.float32),
    )


def test_an_offset_is_taken_off_in_the_frame_of_the_face(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.uniform(0.2, 0.8, (98, 2))
    angle = 0.7
    right, left = WFLW_98.outer_eye_corners
    labels[left] = labels[right] + 0.3 * np.array([math.cos(angle), math.sin(angle)])
    write_people(tmp_path / "people.npz", labels, rng.normal(0, 0.05, (68, 2)), angle)
    people = People(tmp_path / "people.npz")

    found = people.points(7, labels)

    assert 7 in people and 6 not in people
    assert np.isnan(found[3]).all()
    seen = np.isfinite(found).all(axis=1)
    assert seen.sum() == 67
    np.testing.assert_allclose(found[seen], labels[list(WFLW_TO_IBUG)][seen], atol=1e-5)


def test_errors_survive_a_table(tmp_path):
    rows = [Errors("same", 25000, 0.0136, 0.0399, 0.0489), Errors("own", 25000, 0.014, 0.04, 0.05)]
    (tmp_path / "trials.csv").write_text(to_csv(rows))
    assert list(read_csv(tmp_path / "trials.csv").values()) == rows
