"""The benchmark of backends and video measures what there is. No test depends on timings."""

import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

from pfld.__main__ import main
from pfld.benchmark.backends import count_macs, measure_backends, network_size
from pfld.benchmark.report import format_backends, format_video
from pfld.benchmark.video import VideoSpeed, camera_over
from pfld.runtime.backends import load_backend


def test_every_backend_with_weights_takes_its_turns():
    speeds = measure_backends(["ghostone"], ["reparameterized", "onnx"], rounds=1)
    assert [speed.backend for speed in speeds] == ["reparameterized", "onnx"]
    for speed in speeds:
        assert 0 < speed.p50_ms <= speed.p95_ms and speed.faces_per_second > 0
        assert speed.parameters == 702_864 and speed.difference_px < 1e-2
    with pytest.raises(FileNotFoundError, match="no shipped weights"):
        measure_backends(["nothing"], ["onnx"])


def test_sizes_are_those_of_the_form_that_runs():
    train_time = network_size(load_backend("ghostone", "train-time"))
    fused = network_size(load_backend("ghostone", "onnx"))
    assert (train_time[0], fused[0]) == (2_754_488, 702_864)
    assert train_time[1] > 4 * fused[1]


def test_macs_are_counted_by_hand():
    network = nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), nn.Flatten(), nn.Linear(96, 5)
    )
    assert count_macs(network, torch.zeros(1, 4, 8, 8)) == 6 * 16 * (2 * 9) + 96 * 5


def test_the_camera_moves_and_has_noise():
    portrait = np.full((200, 300, 3), 128, np.uint8)
    portrait[80:120, 130:170] = 250
    first, *_, last = camera_over(portrait, 40)
    assert first.shape == (480, 640, 3) and first.dtype == np.uint8
    assert np.abs(first.astype(int) - last).mean() > 1


@pytest.mark.parametrize("face_mesh", [True, False], ids=["with Face Mesh", "without"])
def test_json_alone_on_standard_output_and_a_plot(capsys, tmp_path, monkeypatch, face_mesh):
    if face_mesh:
        pytest.importorskip("mediapipe.python.solutions")
    else:
        monkeypatch.setitem(sys.modules, "mediapipe.python.solutions", None)
    plot = tmp_path / "speeds.png"
    options = ["--backends", "onnx", "--rounds", "1", "--frames", "4", "--plot", str(plot)]
    assert main(["benchmark", "--networks", "ghostone", *options, "--json", "-"]) == 0
    output = capsys.readouterr()
    assert ("pip install mediapipe" in output.err) != face_mesh
    results = json.loads(output.out)
    assert [row["backend"] for row in results["backends"]] == ["onnx"]
    names = [row["name"] for row in results["video"]]
    assert names == ["ghostone, onnx", *(["Face Mesh, irises", "Face Mesh"] if face_mesh else [])]
    assert all(row["found"] == 1 for row in results["video"])
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_tables_have_a_line_for_each():
    speeds = measure_backends(["ghostone"], ["onnx"], rounds=1)
    assert len(format_backends(speeds).splitlines()) == 2
    assert "50%" in format_video([VideoSpeed("x", 1, 2, 1.5, 0.5)])


def test_a_plot_of_another_kind_is_refused_before_anything_runs(capsys):
    assert main(["benchmark", "--plot", "speeds.gif"]) == 2
    assert "a plot ends in" in capsys.readouterr().err
