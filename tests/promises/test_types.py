"""Annotations hold: mypy, as pyproject.toml sets it up, has nothing to say."""

import subprocess
import sys
from pathlib import Path

import pytest

import pfld
from support.paths import ROOT

pytestmark = pytest.mark.slow


def test_the_package_passes_mypy(cache):
    pytest.importorskip("mypy")
    # Kept from run to run, as most of the time goes into reading PyTorch's annotations once.
    command = [sys.executable, "-m", "mypy", "pfld", "--cache-dir", str(cache.mkdir("mypy"))]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_package_says_that_it_is_typed():
    assert (Path(pfld.__file__).parent / "py.typed").is_file()
