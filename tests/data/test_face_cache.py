"""The cache of crops on bad days: full disks, damaged files, processes that were killed."""

import os
import time

import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pfld.data.face_set import load_face_set
from support.damage import flip
from support.full_disk import full_disk

resource = pytest.importorskip("resource")  # POSIX


def test_cache_without_room_is_one_error_and_leaves_nothing(wflw, tmp_path):
    cache = tmp_path / "cache"
    with full_disk(100_000), pytest.raises(OSError, match="cannot be written.*--cache"):
        load_face_set(wflw, "train", size=160, cache=cache)
    assert not list(cache.iterdir())


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: flip(entry / "crops.npy", 100_000),
        lambda entry: flip(entry / "faces.npz", 2000),
        lambda entry: (entry / "about.json").write_text("{}"),
        lambda entry: (entry / "about.json").write_text("[]"),
        lambda entry: (entry / "crops.npy").unlink(),
    ],
    ids=["crops", "faces", "nothing known", "no table", "no crops"],
)
def test_damaged_cache_is_noticed_and_made_again(wflw, tmp_path, damage):
    cache, said = tmp_path / "cache", []
    before = load_face_set(wflw, "train", size=160, cache=cache, report=said.append)
    crops, landmarks = before.crops.copy(), before.landmarks.copy()
    (entry,) = cache.iterdir()
    damage(entry)
    after = load_face_set(wflw, "train", size=160, cache=cache, report=said.append)
    assert_array_equal(after.crops, crops)
    assert_allclose(after.landmarks, landmarks)
    assert len(said) == 1 and "damaged" in said[0]


def test_what_a_killed_process_left_of_a_cache_is_removed_after_an_hour(wflw, tmp_path):
    cache = tmp_path / "cache"
    for name, age_s in ((".building-old", 7200), (".building-young", 60)):
        (cache / name).mkdir(parents=True)
        (cache / name / "crops.npy").write_bytes(b"")
        for path in (cache / name / "crops.npy", cache / name):
            os.utime(path, (time.time() - age_s,) * 2)
    load_face_set(wflw, "train", size=160, cache=cache)
    assert [path.name for path in cache.glob(".*")] == [".building-young"]
