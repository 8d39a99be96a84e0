"""Faces as values: compared, in sets, copied."""

import copy
import pickle

import numpy as np
import pytest

from pfld.runtime.detector import DetectedFace
from pfld.runtime.face import Face


def face():
    return Face(np.zeros((98, 2), np.float32), 0.9, 0.8)


def detected():
    return DetectedFace(np.zeros(4, np.float32), 0.9, np.zeros((2, 2), np.float32))


@pytest.mark.parametrize("make", [face, detected])
def test_faces_can_be_compared_and_looked_up(make):
    """Their arrays cannot be compared as a whole, so a face equals itself alone."""
    one, other = make(), make()
    assert one == one and one != other
    assert one in [other, one] and one not in [other]
    assert [other, one].index(one) == 1
    assert len({one, other, one}) == 2


@pytest.mark.parametrize("make", [face, detected])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda face: pickle.loads(pickle.dumps(face))])
def test_copies_of_faces_have_their_values(make, copied):
    one = make()
    assert copied(one).box.tolist() == one.box.tolist() and copied(one).score == one.score
