"""The fuzzing tool: every target accepts one of its seeds, and findings are told and kept."""

import signal
import subprocess
import sys
import time

import pytest

import fuzz
import fuzz_targets
from support.paths import ROOT

TOOLS = ROOT / "tools" / "stress"
NAMES = "picture frame lines points safetensors header checkpoint pickled record".split()
NAMES += "graph metadata video page".split()
# Targets whose seeds are all as they should be.
GOOD_SEEDS = set("pickled record graph metadata video page".split())


@pytest.fixture
def targets():
    assert list(fuzz_targets.TARGETS) == NAMES
    return fuzz_targets


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_a_target_accepts_some_seed_and_only_refuses_the_others(targets, tmp_path, name):
    own = tmp_path / "own"
    own.mkdir()
    seeds = targets.seeds_of(name, tmp_path)
    refusals = [
        targets.refused(lambda data=data: targets.TARGETS[name](data, own)) for data in seeds
    ]
    assert None in refusals, refusals  # else fuzzing ends at the first check
    assert name not in GOOD_SEEDS or not any(refusals), refusals
    assert max(map(len, seeds)) <= fuzz.LONGEST  # longer ones would be cut off
    for data in (b"", b"\xff" * 50):
        targets.refused(lambda data=data: targets.TARGETS[name](data, own))


def test_edits_stay_within_the_input(targets):
    edited = fuzz.edited
    assert edited(b"abcdef", [(0.5, 2, b"X")], 1) == b"abcXf"
    assert edited(b"abcdef", [(1.0, 8, b"YZ")], 0.5) == b"abcd"
    assert edited(b"", [(0.3, 1, b"")], 1.5) == b""


FINDING = """
import fuzz, fuzz_targets, sys
def points(data, folder):
    if b"nan" in data:
        raise KeyError("deep inside")
fuzz_targets.TARGETS["points"] = points
sys.exit(fuzz.work("points", "hypothesis", 5, fuzz.Path(sys.argv[1])))
"""


def test_a_finding_is_told_and_its_input_kept(tmp_path):
    saved = tmp_path / "input"
    command = [sys.executable, "-c", FINDING, str(saved)]
    done = subprocess.run(command, cwd=TOOLS, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1 and "deep inside" in done.stderr, done.stderr
    assert b"nan" in saved.read_bytes()


def test_the_first_inputs_have_time_for_imports_and_later_ones_are_limited(
    targets, monkeypatch, tmp_path
):
    monkeypatch.setitem(targets.TARGETS, "points", lambda data, folder: time.sleep(0.2))
    before = signal.getsignal(signal.SIGALRM)
    try:
        watched = fuzz.Watched("points", tmp_path, tmp_path / "input")
        watched(b"")
        watched.limit_s = 0.02
        with pytest.raises(AssertionError, match="not done"):
            watched(b"")
    finally:
        signal.signal(signal.SIGALRM, before)
