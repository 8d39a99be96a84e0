"""Importing the package under a Python it is not made for."""

import subprocess
import sys

import pytest

IMPORT = """
import collections, sys
Version = collections.namedtuple("Version", "major minor micro")
sys.version_info = Version{version}
import pfld
"""


@pytest.mark.parametrize("version", [(3, 9, 0), (3, 14, 1)], ids=["3.9", "3.14"])
def test_another_python_gets_one_clear_line(version):
    command = [sys.executable, "-c", IMPORT.format(version=version)]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 1
    last = process.stderr.strip().splitlines()[-1]
    assert last == f"ImportError: pfld needs Python 3.10 to 3.13, this is 3.{version[1]}"
