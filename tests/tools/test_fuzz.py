"""The fuzzing tool: every target takes what it begins with, and what is found is told and kept."""

import subprocess
import sys

import pytest

import fuzz_targets
from support.paths import ROOT

TOOLS = ROOT / "tools" / "stress"
NAMES = "picture frame lines points safetensors header checkpoint graph metadata video page".split()


@pytest.fixture
def targets():
    assert list(fuzz_targets.TARGETS) == NAMES
    return fuzz_targets


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_a_target_refuses_or_takes_what_it_begins_with(targets, tmp_path, name):
    seeds = targets.seeds_of(name, tmp_path)
    (tmp_path / "own").mkdir()
    assert seeds
    for data in (*seeds, b"", b"\xff" * 50):
        targets.refused(lambda data=data: targets.TARGETS[name](data, tmp_path / "own"))


def test_edits_stay_within_the_input(targets):
    from fuzz import edited

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
