"""Landmark schemes: permutations and groups."""

import numpy as np
import pytest

from pfld.landmarks import IBUG_68, SCHEMES, WFLW_98, WFLW_TO_IBUG, scheme_named, scheme_with

schemes = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)


@schemes
def test_mirroring_twice_changes_nothing(scheme):
    mirror = np.array(scheme.mirror)
    np.testing.assert_array_equal(mirror[mirror], np.arange(scheme.num_landmarks))


@schemes
def test_groups_hold_every_point_once_and_survive_the_mirror(scheme):
    points = sorted(point for group in scheme.groups.values() for point in group)
    assert points == list(range(scheme.num_landmarks))
    for group in scheme.groups.values():
        assert {scheme.mirror[point] for point in group} == set(group)


@schemes
def test_mirror_swaps_the_outer_eye_corners(scheme):
    left, right = scheme.outer_eye_corners
    assert scheme.mirror[left] == right


def test_98_to_68_commutes_with_the_mirror():
    of_wflw = np.array(WFLW_TO_IBUG)
    mirrored_first = np.array(WFLW_98.mirror)[of_wflw]
    mirrored_after = of_wflw[list(IBUG_68.mirror)]
    np.testing.assert_array_equal(mirrored_first, mirrored_after)


def test_schemes_are_found_by_name_and_count():
    assert scheme_named("wflw-98") is scheme_with(98) is WFLW_98
    with pytest.raises(ValueError, match="ibug-68"):
        scheme_named("wflw")
    with pytest.raises(ValueError, match="98"):
        scheme_with(5)
