"""The process that measures memory: what it tells, and its end with the app's."""

import subprocess
import sys

import pytest

from landmark_app.benchmark import memory
from pfld.weights.shipped import shipped_networks


def test_it_does_not_outlive_the_app():
    command = [sys.executable, memory.__file__, "ghostone", "train-time", "--with-input"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said, _ = process.communicate(timeout=60)  # closes its standard input
    assert process.returncode == 1 and said == ""


def test_memory_is_told_in_mib_and_of_no_network_is_none():
    networks = shipped_networks("onnx")
    if not networks:
        pytest.skip("needs weights/*.onnx")
    used = memory.measure_memory(networks[0], "onnx")
    assert used is None or 20 < used < 2000
    assert memory.measure_memory("nothing", "onnx") is None
