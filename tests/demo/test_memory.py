"""Measuring memory in a process of its own: what it tells, and that it ends with the app."""

import subprocess
import sys

import pytest

from landmark_app.benchmark import memory
from pfld.benchmark.memory import peak_memory_mib
from pfld.weights.shipped import shipped_networks


def test_it_does_not_outlive_the_app():
    command = [sys.executable, memory.__file__, "ghostone", "train-time", "--with-input"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # Closes its standard input. A process that fails ends with 1 as well, but says why.
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 1


@pytest.mark.skipif(peak_memory_mib() is None, reason="this system does not tell")
def test_memory_is_told_in_mib():
    networks = shipped_networks("onnx")
    if not networks:
        pytest.skip("needs weights/*.onnx")
    used = memory.measure_memory(networks[0], "onnx")
    assert used is not None and 20 < used < 2000


def test_of_no_network_there_is_no_memory():
    assert memory.measure_memory("nothing", "onnx") is None
