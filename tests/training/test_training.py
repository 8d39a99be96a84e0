"""Training: schedule, checkpoints, averaging, and whole runs of ``train.py`` on drawn faces."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

import train
from pfld.data.face_set import FaceSet
from pfld.data.wflw_writer import write_wflw_layout
from pfld.synthetic.faces import synthetic_faces
from pfld.training.averaging import WeightAverage
from pfld.training.checkpoints import load_checkpoint, save_checkpoint
from pfld.training.config import TrainingConfig
from pfld.training.faces import label_weights
from pfld.training.schedule import (
    FaceOrder,
    augmentation_strength,
    learning_rate,
    repeated,
    rows_of_process,
    wing_width,
)
from pfld.weights import load_weights
from support.paths import ROOT
from support.training import SMALL, losses, newest, run

# Schedule


def test_faces_in_large_pose_come_as_often_as_asked_for():
    attributes = np.zeros((6, 6), np.uint8)
    attributes[[1, 4, 5], 0] = 1
    attributes[2, 1:] = 1
    faces = np.array([0, 1, 2, 4])
    assert sorted(repeated(faces, attributes, 3)) == [0, 1, 1, 1, 2, 4, 4, 4]
    assert list(repeated(faces, attributes, 1)) == list(faces)


def test_faces_weigh_by_how_far_their_labels_agree():
    spread = np.array([0, 0.01, np.nan, 0.03], np.float32)
    crops = np.zeros((4, 2, 2, 3), np.uint8)
    points, attributes = np.zeros((4, 98, 2), np.float32), np.zeros((4, 6), np.uint8)
    faces = FaceSet(crops, points, attributes, spread, ("a", "b", "c", "d"), "test")
    mean = (1 + 0.5 + 1) / 3  # of the first three: the last is held out
    weights = label_weights(faces, np.arange(3), trust=0.01)
    assert_close(weights, torch.tensor([1, 0.5, 1, 0.1]) / mean)
    assert_close(label_weights(faces, np.arange(3), trust=0), torch.ones(4))


def test_wing_width_goes_from_start_to_end():
    config = TrainingConfig(wing_width=16, wing_width_end=4)
    assert [wing_width(config, part) for part in (0, 0.5, 1)] == pytest.approx([16, 8, 4])
    assert wing_width(TrainingConfig(wing_width=5), 0.7) == 5


def test_learning_rate_rises_to_its_peak_and_falls_to_its_fraction():
    config = TrainingConfig(lr=1.0, warmup=0.1, final_lr_fraction=0.05)
    rates = [learning_rate(config, step / 1000) for step in range(1000)]
    assert 0 < rates[0] < 0.02 and max(rates) == pytest.approx(1.0, abs=0.02)
    assert int(np.argmax(rates)) == pytest.approx(100, abs=2)
    assert rates[-1] == pytest.approx(0.05, abs=1e-3)
    assert all(a >= b for a, b in zip(rates[101:], rates[102:]))


def test_augmentation_grows_and_stays():
    config = TrainingConfig(augmentation_start=0.2, augmentation_until=0.5)
    assert augmentation_strength(config, 0) == pytest.approx(0.2)
    assert augmentation_strength(config, 0.25) == pytest.approx(0.6)
    assert augmentation_strength(config, 0.5) == augmentation_strength(config, 0.99) == 1.0


def test_augmentation_can_grow_less():
    config = TrainingConfig(augmentation=0.2, augmentation_start=3, augmentation_until=1)
    assert [augmentation_strength(config, part) for part in (0, 0.5)] == pytest.approx([0.6, 0.4])


def test_every_face_comes_once_an_epoch_across_batches():
    order = FaceOrder(num_faces=10, batch_size=4, seed=0)
    seen = np.concatenate([order.batch(step) for step in range(5)])
    for epoch in (seen[:10], seen[10:]):
        assert sorted(epoch) == list(range(10))
    assert list(seen[:10]) != list(seen[10:])
    assert list(FaceOrder(10, 4, 0).batch(3)) == list(seen[12:16])


def test_processes_share_a_batch_without_overlap():
    rows = [rows_of_process(12, process, 3) for process in range(3)]
    assert [i for part in rows for i in range(12)[part]] == list(range(12))
    with pytest.raises(ValueError, match="--batch-size"):
        rows_of_process(10, 0, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "resnet"}, "--network"),
        ({"lr": 0.0}, "--lr"),
        ({"ema": 1.0}, "--ema"),
        ({"faces": 5}, "--faces"),
        ({"augmentation": 1.5}, "--augmentation"),
        ({"augmentation": 0.5, "augmentation_start": 3.0}, "--augmentation-start"),
        ({"lr": math.nan}, "--lr"),
        ({"input_size": 100}, "--input-size"),
        ({"frozen_statistics": True}, "--initial-weights"),
        ({"label_trust": 0.01, "loss": "pfld"}, "--label-trust"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**options)


# Checkpoints and averaging


def test_two_newest_checkpoints_are_kept(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, {"value": torch.tensor(step)})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000002.pt",
        "step-00000003.pt",
    ]
    assert load_checkpoint(tmp_path)[0] == 3


@pytest.mark.parametrize("left", [0, 100, -50], ids=["empty", "start", "all but the end"])
def test_truncated_checkpoint_falls_back_saying_so(tmp_path, left):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"value": torch.full((1000,), step)})
    path = tmp_path / "step-00000002.pt"
    path.write_bytes(path.read_bytes()[:left])
    said = []
    step, state = load_checkpoint(tmp_path, said.append)
    assert step == 1 and state["value"][0] == 1
    assert len(said) == 1 and "step-00000002.pt" in said[0]


def test_checkpoints_that_carry_code_do_not_run_it(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path / 'ran'}",))

    torch.save({"value": Evil()}, tmp_path / "step-00000001.pt")
    with pytest.raises(ValueError, match="none of the 1"):
        load_checkpoint(tmp_path, lambda line: None)
    assert not (tmp_path / "ran").exists()


def test_no_checkpoint_is_none(tmp_path):
    assert load_checkpoint(tmp_path / "missing") is None


def test_average_follows_weights_and_running_statistics():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    average = WeightAverage(network, decay=0.9)
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        network[1].running_mean.fill_(1.0)
        average.network[0].weight.fill_(0.0)
    for step in range(1, 1001):
        average.update(step + 1000)
        expected = 1 - 0.9**step
        if step in (1, 5):
            assert average.network[0].weight.item() == pytest.approx(expected, rel=1e-4)
            assert average.network[1].running_mean.item() == pytest.approx(expected, rel=1e-4)
    assert not average.network.training and network.training


# Whole runs


@pytest.mark.slow
def test_run_leaves_weights_onnx_metrics_log_and_pictures(tmp_path, capsys):
    assert run(tmp_path, "--faces", "160", "--evaluate-every", "80") == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {
        "ghostone-w0.25.safetensors", "ghostone-w0.25.onnx", "ghostone-w0.25.json", "log.csv",
        "curves.png", "validation.png", "tensorboard",
    } <= names  # fmt: skip
    report = json.loads((tmp_path / "ghostone-w0.25.json").read_text())
    assert report["data"] == "synthetic" and math.isfinite(report["validation_nme"])
    assert [row["faces"] for row in report["history"]] == [80, 160]
    assert "validation NME" in capsys.readouterr().err


@pytest.mark.slow
def test_training_lowers_the_error(tmp_path):
    options = (
        "--network", "ghostnet", "--synthetic-faces", "240", "--batch-size", "16",
        "--faces", "2400", "--lr", "0.005", "--ema", "0.95", "--augmentation", "0",
    )  # fmt: skip
    assert run(tmp_path, *options, "--evaluate-every", "480") == 0
    report = json.loads((tmp_path / "ghostnet-w0.25.json").read_text())
    nmes = [row["validation_nme"] for row in report["history"]]
    assert nmes[-1] < 0.7 * nmes[0]


@pytest.mark.slow
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, monkeypatch):
    options = ("--faces", "240", "--evaluate-every", "80")
    monkeypatch.setattr(train, "write_results", lambda *_: [])
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(whole, *options) == 0

    class StopAfter:
        def __init__(self, steps):
            self.steps = steps

        def __call__(self, request):
            self.steps -= 1
            request.stopped = self.steps < 0
            return request.stopped

    for steps in (13, 9):
        stop = StopAfter(steps)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pfld.training.process.StopRequest.check", lambda self, s=stop: s(self))
            assert run(parts, *options, "--resume") == train.STOPPED
    assert run(parts, *options, "--resume") == 0
    np.testing.assert_allclose(losses(parts), losses(whole), rtol=1e-5)
    mine, theirs = newest(parts), newest(whole)
    for part in ("module", "average"):
        assert_close(mine[part], theirs[part], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_killed_run_resumes_to_the_same_loss(tmp_path):
    options = [*SMALL, "--faces", "240", "--evaluate-every", "40", "--seed", "3"]
    command = [sys.executable, ROOT / "train.py", *options]
    killed = tmp_path / "killed"
    for _ in range(2):
        process = subprocess.Popen(
            [*command, "--out", killed, "--resume"], stderr=subprocess.DEVNULL, env=one_thread()
        )
        before = set(killed.glob("step-*.pt")) if killed.exists() else set()
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if killed.exists() and set(killed.glob("step-*.pt")) - before:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL  # it had not ended by itself
    subprocess.run([*command, "--out", killed, "--resume"], check=True, env=one_thread())
    whole = tmp_path / "whole"
    subprocess.run([*command, "--out", whole], check=True, env=one_thread())
    assert_close(newest(killed)["module"], newest(whole)["module"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(losses(killed), losses(whole), rtol=1e-5)


def one_thread():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_ctrl_c_saves_and_exits_cleanly(tmp_path):
    command = [sys.executable, ROOT / "train.py", *SMALL, "--faces", "80000", "--out", tmp_path]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=one_thread())
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("tensorboard/*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == train.STOPPED
    assert "--resume" in said and "Traceback" not in said
    assert len(list(tmp_path.glob("step-*.pt"))) >= 1


def test_resume_refuses_other_options_and_names_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train, "write_results", lambda *_: [])
    assert run(tmp_path, "--faces", "80") == 0
    assert run(tmp_path, "--faces", "80", "--lr", "0.1", "--resume") == 2
    assert "lr was 0.003, is 0.1" in capsys.readouterr().err


def test_second_run_into_the_same_folder_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train, "write_results", lambda *_: [])
    assert run(tmp_path, "--faces", "80") == 0
    assert run(tmp_path, "--faces", "80") == 2
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ("--loss", "smooth-l1"), ("--loss", "pfld"), ("--loss", "pfld-original"),
        ("--fraction-units",), ("--network", "pfld"), ("--network", "ghostnet-slim"),
        ("--plain-branches",), ("--wing-width-end", "4"), ("--ema", "0"), ("--clip", "0"),
        ("--loss", "rle"), ("--head", "heatmap"), ("--head", "heatmap", "--parts-weight", "0"),
    ],
    ids="".join,
)  # fmt: skip
def test_choices_train(tmp_path, options, monkeypatch):
    monkeypatch.setattr(train, "write_results", lambda *_: [])
    assert run(tmp_path, "--faces", "24", *options) == 0
    assert losses(tmp_path) and np.isfinite(losses(tmp_path)).all()


@pytest.mark.slow
def test_bf16_trains_in_a_process_of_its_own(tmp_path):
    command = [sys.executable, ROOT / "train.py", *SMALL, "--faces", "16", "--precision", "bf16"]
    subprocess.run([*command, "--out", tmp_path], check=True, env=one_thread())
    assert math.isfinite(losses(tmp_path)[-1])


@pytest.mark.slow
def test_teacher_draws_the_student_to_its_points(tmp_path):
    assert run(tmp_path / "teacher", "--faces", "80") == 0
    for suffix in ("safetensors", "onnx"):
        teacher = tmp_path / "teacher" / f"ghostone-w0.25.{suffix}"
        out = tmp_path / suffix
        # A rate so low that rounding in early steps cannot grow.
        options = ("--faces", "80", "--lr", "1e-6", "--teacher", str(teacher))
        assert run(out, *options, "--teacher-weight", "1") == 0
    first, second = (losses(tmp_path / suffix) for suffix in ("safetensors", "onnx"))
    np.testing.assert_allclose(first, second, rtol=1e-4)
    assert run(tmp_path / "alone", "--faces", "80", "--lr", "1e-6") == 0
    assert abs(first[0] / losses(tmp_path / "alone")[0] - 1) > 0.01


@pytest.mark.slow
def test_run_starts_from_given_weights_and_their_statistics(tmp_path):
    assert run(tmp_path / "first", "--faces", "80") == 0
    start = tmp_path / "first" / "ghostone-w0.25.safetensors"
    options = ("--faces", "8", "--initial-weights", str(start), "--lr", "1e-9")
    assert run(tmp_path / "second", *options, "--frozen-statistics") == 0
    states, errors = [], []
    for name in ("first", "second"):
        states.append(load_weights(tmp_path / name / start.name)[0].state_dict())
        about = json.loads((tmp_path / name / "ghostone-w0.25.json").read_text())
        errors.append(about["validation_nme"])
    assert errors[1] < 1.5 * errors[0]
    assert [run["faces_seen"] for run in about["earlier_runs"]] == [80]
    for name, before in states[0].items():
        if "running_" in name:
            assert_close(states[1][name], before, rtol=0, atol=0)


def test_without_data_five_lines_say_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("train.find_data", lambda root: None)
    assert train.main([]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 5
    assert "WFLW" in said and "--data synthetic" in said


def test_data_that_is_not_there_is_one_line(tmp_path, capsys):
    assert train.main(["--data", str(tmp_path / "missing"), "--out", str(tmp_path / "out")]) == 2
    assert "error: no folder at" in capsys.readouterr().err


def test_contact_sheet_is_written_without_training(tmp_path):
    assert run(tmp_path / "out", "--contact-sheet", str(tmp_path / "sheet.png")) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 100_000
    assert not list((tmp_path / "out").glob("step-*.pt"))


@pytest.mark.slow
def test_faces_that_may_be_missing_may_be_missing_at_the_end_as_well(tmp_path):
    data = tmp_path / "data"
    for split, count in (("train", 40), ("test", 4)):
        write_wflw_layout(synthetic_faces(count, size=144, seed=count), data, split=split)
    next((data / "WFLW_images" / "synthetic-test").glob("*.png")).unlink()
    options = ["--data", str(data), "--faces", "16", "--allow-missing", "0.5"]
    assert train.main([*SMALL, "--out", str(tmp_path / "run"), *options]) == 0
    report = json.loads((tmp_path / "run" / "ghostone-w0.25.json").read_text())
    assert (report["test"]["count"], report["test"]["skipped"]) == (3, 1)


@pytest.mark.slow
def test_a_run_whose_evaluation_fails_has_its_weights(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "pfld.evaluation.evaluate.evaluate",
        lambda *_, **__: (_ for _ in ()).throw(ValueError("no faces")),
    )
    data = tmp_path / "data"
    for split in ("train", "test"):
        write_wflw_layout(synthetic_faces(30, size=144), data, split=split)
    options = ["--data", str(data), "--faces", "16", "--out", str(tmp_path / "run")]
    assert train.main([*SMALL, *options]) == 2
    assert "no faces" in capsys.readouterr().err
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"ghostone-w0.25.safetensors", "ghostone-w0.25.onnx"} <= names


def test_an_existing_run_is_refused_before_pictures_are_decoded(tmp_path, monkeypatch, capsys):
    (tmp_path / "step-00000001.pt").write_bytes(b"")
    monkeypatch.setattr(train, "load_faces", lambda *_: pytest.fail("decoded"))
    assert run(tmp_path, "--faces", "16") == 2
    assert "holds a run already" in capsys.readouterr().err
