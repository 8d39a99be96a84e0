"""Two trainings in one folder: the second is refused, and a dead one holds nothing."""

import subprocess
import sys

import pytest

import train
from pfld.training.folder_lock import hold_folder
from support.paths import ROOT

HOLD = """
import sys, time
from pathlib import Path
from pfld.training.folder_lock import hold_folder
with hold_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder ``run``."""
    command = [sys.executable, "-c", HOLD, tmp_path / "run"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_second_training_in_a_folder_is_refused_and_the_first_is_named(tmp_path, holder, capsys):
    partial = tmp_path / "run" / ".log.csv.1.part"
    partial.touch()  # a file that the first is writing
    assert train.main(["--data", "synthetic", "--out", str(tmp_path / "run")]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert f"process {holder.pid}" in lines[0] and "another --out" in lines[0]
    assert partial.exists()


def test_killed_training_holds_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    with hold_folder(tmp_path / "run"):
        pass


def test_a_folder_is_free_again_afterwards_and_after_an_error(tmp_path):
    with pytest.raises(KeyError), hold_folder(tmp_path):
        raise KeyError
    with hold_folder(tmp_path), pytest.raises(ValueError, match="in use"), hold_folder(tmp_path):
        pass
    with hold_folder(tmp_path):
        pass


@pytest.mark.parametrize("text", [b"", b"\xff\x00", b"x" * 10_000, b"a\x1b]0;b\x07\nc"])
def test_whatever_the_holder_s_note_says_it_is_one_line(tmp_path, text):
    with hold_folder(tmp_path):
        (tmp_path / ".lock-holder").write_bytes(text)
        with pytest.raises(ValueError, match="in use") as refused, hold_folder(tmp_path):
            pass
    assert len(str(refused.value)) < 600 and str(refused.value).isprintable()
