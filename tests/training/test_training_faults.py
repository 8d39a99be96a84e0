"""Training on bad days: full disks, folders that cannot be written, damaged files, lost processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import train
from pfld.data.wflw_writer import write_wflw_layout
from pfld.files import prepare_folder, write_whole
from pfld.synthetic.faces import synthetic_faces
from pfld.training.checkpoints import load_checkpoint, save_checkpoint
from support.damage import flip
from support.full_disk import full_disk
from support.paths import ROOT

pytestmark = pytest.mark.slow

resource = pytest.importorskip("resource")  # POSIX

SMALL = [
    "--data", "synthetic", "--synthetic-faces", "60", "--network", "ghostnet-slim",
    "--width-multiplier", "0.25", "--input-size", "96", "--batch-size", "8",
    "--validation-fraction", "0.2", "--faces", "120", "--evaluate-every", "40",
]  # fmt: skip
TOO_SMALL = 100_000  # bytes; a checkpoint has more


def run(out, *options):
    return train.main([*SMALL, "--out", str(out), *options])


@pytest.fixture(scope="module", autouse=True)
def quick_files():
    """Curves and ONNX files take longer than all the rest; they are whole or not as other files are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pfld.training.history.curves_png", lambda rows: b"")
        patch.setattr(
            "pfld.training.results.export_onnx", lambda _, path, __: write_whole(path, "")
        )
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    assert run(out) == 0
    return out


def assert_same_result(out, undisturbed):
    (step, mine), (last, theirs) = load_checkpoint(out), load_checkpoint(undisturbed)
    assert step == last
    for part in ("module", "average"):
        assert_close(mine[part], theirs[part], rtol=1e-5, atol=1e-5)
    names = [sorted(path.name for path in folder.iterdir()) for folder in (out, undisturbed)]
    assert names[0] == names[1]
    lengths = [len((folder / "log.csv").read_text().splitlines()) for folder in (out, undisturbed)]
    assert lengths[0] == lengths[1]


def one_error(capsys, *words):
    said = capsys.readouterr().err
    assert "Traceback" not in said
    errors = [line for line in said.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and all(word in errors[0] for word in words)


# Full disk


def test_checkpoint_without_room_leaves_those_before_and_no_rest(tmp_path):
    state = {"value": torch.zeros(100_000)}
    save_checkpoint(tmp_path, 1, state)
    with (
        full_disk(TOO_SMALL),
        pytest.raises(OSError, match="step-00000002.pt cannot be written.*--resume"),
    ):
        save_checkpoint(tmp_path, 2, state)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.pt"]
    assert load_checkpoint(tmp_path)[0] == 1


def test_run_on_a_full_disk_ends_with_one_error_and_goes_on(
    tmp_path, undisturbed, capsys, monkeypatch
):
    def save(folder, step, state):
        if step < 15:
            return save_checkpoint(folder, step, state)
        with full_disk(TOO_SMALL):
            return save_checkpoint(folder, step, state)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(train, "save_checkpoint", save)
        assert run(out) == 2
    one_error(capsys, "step-00000015.pt", "--resume")
    assert {path.name for path in out.glob("step-*")} == {"step-00000005.pt", "step-00000010.pt"}
    assert run(out, "--resume") == 0
    assert_same_result(out, undisturbed)


def test_results_without_room_are_written_later(tmp_path, undisturbed, capsys, monkeypatch):
    def write_results(*arguments):
        with full_disk(TOO_SMALL):
            return finish(*arguments)

    finish, out = train.write_results, tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(train, "write_results", write_results)
        assert run(out) == 2
    one_error(capsys, "ghostnet-slim-w0.25.safetensors")
    assert run(out, "--resume") == 0
    assert_same_result(out, undisturbed)


def test_log_without_room_is_one_error(tmp_path, capsys):
    # Not even TensorBoard's file has room, which another thread must not complain of.
    with full_disk(size=10):
        assert run(tmp_path / "run") == 2
    one_error(capsys, "tfevents")


def test_whole_files_name_themselves_when_there_is_no_room(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with full_disk(TOO_SMALL), pytest.raises(OSError, match="a.bin"):
        write_whole(path, bytes(2 * TOO_SMALL))
    assert path.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


# Folders that cannot be written


def test_output_that_cannot_be_written_is_told_before_faces_are_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train, "load_faces", lambda *_: pytest.fail("read faces first"))
    (tmp_path / "file").write_text("not a folder")
    assert run(tmp_path / "file" / "run") == 2
    one_error(capsys, str(tmp_path / "file"))


def test_cache_that_cannot_be_written_names_the_option(tmp_path, capsys):
    wflw = tmp_path / "wflw"
    write_wflw_layout(synthetic_faces(6, size=160), wflw, split="train")
    (tmp_path / "file").write_text("not a folder")
    options = ("--data", str(wflw), "--cache", str(tmp_path / "file" / "cache"))
    assert run(tmp_path / "run", *options) == 2
    one_error(capsys, str(tmp_path / "file"), "--cache")


# Damaged and half-written files


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_checkpoint_with_one_wrong_byte_is_passed_over(tmp_path, part):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"value": torch.full((1000,), step)})
    path = tmp_path / "step-00000002.pt"
    flip(path, int(part * path.stat().st_size))
    said = []
    assert load_checkpoint(tmp_path, said.append)[0] == 1
    assert len(said) == 1 and "step-00000002.pt is damaged" in said[0]


def test_damaged_checkpoint_takes_no_good_ones_place(tmp_path):
    for step in (10, 20):
        save_checkpoint(tmp_path, step, {"value": torch.full((1000,), step)})
    (tmp_path / "step-00000020.pt").write_bytes(b"damaged")
    save_checkpoint(tmp_path, 15, {"value": torch.full((1000,), 15)})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000010.pt",
        "step-00000015.pt",
    ]


def test_run_with_a_damaged_newest_checkpoint_ends_the_same(tmp_path, undisturbed, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(train, "write_results", lambda *_: [])
        assert run(out) == 0
    flip(max(out.glob("step-*.pt")), 100_000)
    assert run(out, "--resume") == 0
    assert_same_result(out, undisturbed)


def test_log_is_whole_though_killed_between_checkpoint_and_log(tmp_path, undisturbed, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(train, "write_results", lambda *_: [])
        assert run(out) == 0
    (out / "log.csv").unlink()
    assert run(out, "--resume") == 0
    assert_same_result(out, undisturbed)


def test_half_written_files_of_a_killed_run_are_removed(tmp_path):
    for name in ("step-00000003.partial", ".log.csv.123.part", "notes.txt"):
        (tmp_path / name).write_text("half")
    prepare_folder(tmp_path)
    save_checkpoint(tmp_path, 5, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "step-00000005.pt"]


# Lost processes


def test_process_left_alone_ends_with_an_error_and_the_run_goes_on(tmp_path):
    out = tmp_path / "run"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in ("0", "1"):
        environment = {
            "OMP_NUM_THREADS": "1", "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        }  # fmt: skip
        command = [sys.executable, Path(train.__file__), *SMALL, "--faces", "8000", "--out", out]
        processes.append(
            subprocess.Popen(
                command, env=os.environ | environment, stderr=subprocess.PIPE, text=True
            )
        )
    kept, lost = processes
    try:
        deadline = time.monotonic() + 120
        while not list(out.glob("step-*.pt")) and time.monotonic() < deadline:
            time.sleep(0.05)
        lost.send_signal(signal.SIGKILL)
        _, said = kept.communicate(timeout=60)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert kept.returncode == 2
    assert "error: another process of this run has ended" in said and "Traceback" not in said
    step, state = load_checkpoint(out)
    faces = str(8 * (step + 5))
    # Only the length of the run is another one.
    state["config"]["faces"] = int(faces)
    save_checkpoint(out, step, state)
    assert run(out, "--faces", faces, "--resume") == 0
    report = json.loads((out / "ghostnet-slim-w0.25.json").read_text())
    assert np.isfinite(report["validation_nme"])


# Checkpoints that somebody has changed


def _deep_nan(value):
    if isinstance(value, dict):
        return {key: _deep_nan(inner) for key, inner in value.items()}
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return torch.full_like(value, np.nan)
    return value


def _in(state, path, value):
    """A copy of nested dicts with the value at a path replaced, or removed if it is None."""
    name, *rest = path
    changed = dict(state)
    if rest:
        changed[name] = _in(state[name], rest, value)
    elif value is None:
        del changed[name]
    else:
        changed[name] = value
    return changed


def _first(state, part):
    return next(iter(state[part]))


CHANGES = {
    "another program's": lambda s: {"model": s["module"]},
    "a list": lambda s: [1, 2],
    "without a part": lambda s: _in(s, ["spent_s"], None),
    "config is a number": lambda s: s | {"config": 5},
    "module is text": lambda s: s | {"module": "x"},
    "module with a number": lambda s: _in(s, ["module", _first(s, "module")], 5),
    "NaN weights": lambda s: s | {"module": _deep_nan(s["module"])},
    "NaN average": lambda s: s | {"average": _deep_nan(s["average"])},
    "NaN moments": lambda s: s | {"optimizer": _deep_nan(s["optimizer"])},
    "no average": lambda s: s | {"average": 0},
    "optimizer emptied": lambda s: _in(s, ["optimizer", "state"], {}),
    "optimizer is a list": lambda s: s | {"optimizer": []},
    "moments of another shape": lambda s: _in(
        s, ["optimizer", "state", 0, "exp_avg"], torch.zeros(7)
    ),
    "moments of another name": lambda s: _in(s, ["optimizer", "state", 0], {"x": torch.zeros(7)}),
    "an optimizer's unknown entry": lambda s: _in(s, ["optimizer", "state", 10**6], {}),
    "history is a number": lambda s: s | {"history": 5},
    "history of other rows": lambda s: s | {"history": [{"step": "x"}, 7]},
    "history of unknown columns": lambda s: s | {"history": [{"step": 1, "faces": 8, "x": 1.0}]},
    "history of later steps": lambda s: s | {"history": [{"step": 10**6, "faces": 8}]},
    "losses are a list": lambda s: s | {"losses": [1.0]},
    "losses of another shape": lambda s: s | {"losses": torch.zeros(2, 2)},
    "time is NaN": lambda s: s | {"spent_s": float("nan")},
    "time is text": lambda s: s | {"spent_s": "x"},
    "number of faces is text": lambda s: s | {"num_faces": "x"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_checkpoint_is_told_in_words(tmp_path, undisturbed, capsys, change):
    step, state = load_checkpoint(undisturbed)
    save_checkpoint(tmp_path, step, change(state))
    assert run(tmp_path, "--resume") == 2
    one_error(capsys, "--out")


def test_settings_of_the_optimizer_are_those_of_the_options(tmp_path, undisturbed):
    step, state = load_checkpoint(undisturbed)
    groups = [group | {"betas": "x", "eps": -1.0} for group in state["optimizer"]["param_groups"]]
    save_checkpoint(tmp_path, step, _in(state, ["optimizer", "param_groups"], groups))
    assert run(tmp_path, "--resume") == 0


def test_tool_kills_a_training_and_finds_the_same_result():
    tool = ROOT / "tools" / "stress" / "training_faults.py"
    done = subprocess.run(
        [sys.executable, tool, "--kills", "1", "--seed", "1"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed: 1 times in 1 runs" in done.stdout
    assert "largest difference of a final weight or loss: 0.0e+00" in done.stdout
