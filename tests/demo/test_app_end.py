"""Ending the app, a process of its own, before its page is there."""

import os
import signal
import subprocess
import sys
import time

import pytest

import app
from pfld.weights.shipped import shipped_networks
from support.paths import ROOT

pytestmark = pytest.mark.slow

if not shipped_networks("onnx"):
    pytest.skip("needs weights/*.onnx", allow_module_level=True)

PATIENCE_S = 120


@pytest.mark.parametrize(
    "number, moment",
    [
        (signal.SIGINT, "folder made"),
        (signal.SIGTERM, "folder made"),
        (signal.SIGINT, "network loaded"),
    ],
    ids=["Ctrl-C", "SIGTERM", "later Ctrl-C"],
)
def test_an_end_while_it_starts_leaves_nothing_and_says_nothing(tmp_path, number, moment):
    kept, said = tmp_path / "kept", tmp_path / "said"
    kept.mkdir()
    with open(said, "w") as output:
        process = subprocess.Popen(
            [sys.executable, ROOT / "demo" / "app.py"],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(kept), "PYTHONUNBUFFERED": "1"},
        )

    def is_there():
        if moment == "folder made":
            return list(kept.glob("pfld-demo-*"))
        return "loaded" in said.read_text()

    deadline = time.monotonic() + PATIENCE_S
    try:
        while not is_there() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)  # so that the signal does not come between two lines of that moment
        assert list(kept.glob("pfld-demo-*"))
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, errors) == (app.ENDED, "")
    assert not list(kept.iterdir()) and "Open http" not in said.read_text()
