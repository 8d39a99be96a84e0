"""Nothing is told to anybody about how this package is used."""

import os
import subprocess
import sys

import pytest

from pfld.weights.shipped import shipped_networks
from support.paths import ROOT

pytestmark = pytest.mark.slow

LOAD = "from pfld.runtime.backends import load_backend; load_backend({!r})"


def test_onnx_runtime_collects_no_usage_statistics(tmp_path):
    networks = shipped_networks("onnx")
    if not networks:
        pytest.skip("needs weights/*.onnx")
    # What would be sent, and under which number, is kept in these folders.
    places = dict.fromkeys(("TMPDIR", "HOME", "XDG_CACHE_HOME"), str(tmp_path))
    environment = {n: v for n, v in os.environ.items() if n != "ORT_DISABLE_TELEMETRY"} | places
    command = [sys.executable, "-c", LOAD.format(networks[0])]
    subprocess.run(command, check=True, env=environment, cwd=ROOT)
    assert not list(tmp_path.iterdir())
