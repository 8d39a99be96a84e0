"""Training steps as functions of tensors: a captured one does what a plain one does; runs by the clock."""

import json

import pytest
import torch
from accelerate import Accelerator
from torch.testing import assert_close

from pfld.training import clock as clock_module
from pfld.training.clock import RunClock
from pfld.training.config import TrainingConfig
from pfld.training.faces import training_faces
from pfld.training.schedule import in_float32
from pfld.training.step import BatchesAhead, CapturedUpdate, StepInputs
from pfld.training.trainer import Trainer
from support.training import SMALL_CONFIG, newest, run


class ReplayedUpdate(CapturedUpdate):
    """Captures by remembering: a replay reads the captured tensors, as a CUDA graph does."""

    def _aside(self, inputs):
        return self._update(inputs).detach()

    def _captured(self, inputs):
        def replay():
            self._loss = self._update(inputs).detach()

        return replay

    def _pace(self):
        pass


@pytest.fixture(scope="module")
def faces():
    return training_faces(TrainingConfig(**SMALL_CONFIG), print)


def trained(faces, steps=6, *, captured=False, **options):
    trainer = Trainer(TrainingConfig(**SMALL_CONFIG | options), faces, Accelerator(cpu=True))
    if captured:
        trainer._wrap = ReplayedUpdate
    for _ in range(steps):
        trainer.step()
    return trainer


@pytest.mark.parametrize("head", ["regression", "heatmap"])
@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_captured_step_trains_like_a_plain_one(faces, head, precision):
    options = {"head": head, "precision": precision, "float32_end": 0.5}
    plain, captured = (trained(faces, captured=c, **options) for c in (False, True))
    assert isinstance(captured._take_step, ReplayedUpdate)
    assert_close(torch.stack(captured._losses), torch.stack(plain._losses), rtol=0, atol=0)
    theirs = plain.averaged_network.state_dict()
    for name, tensor in captured.averaged_network.state_dict().items():
        assert_close(tensor, theirs[name], rtol=0, atol=0)


def test_the_graph_has_inputs_of_its_own_and_losses_are_kept_apart():
    seen = []

    def update(inputs):
        seen.append(inputs.images)
        return inputs.images.sum()

    def batch(value):
        return StepInputs(*[torch.full((2,), float(value))] * 5)

    call = ReplayedUpdate(update, warm_up=1)
    losses = [call(batch(value)) for value in range(4)]
    assert [loss.item() for loss in losses] == [0, 2, 4, 6]
    assert seen[1] is seen[2] is seen[3] and seen[0] is not seen[1]


def test_mixed_precision_ends_in_float32(faces):
    config = TrainingConfig(precision="bf16", float32_end=0.25)
    assert [in_float32(config, part) for part in (0, 0.7, 0.75, 1)] == [False, False, True, True]
    assert in_float32(TrainingConfig(), 0.0)
    low = trained(faces, precision="bf16", float32_end=0.0)
    full = trained(faces, precision="no")
    switched = trained(faces, precision="bf16", float32_end=1.0)
    assert not torch.equal(torch.stack(low._losses), torch.stack(full._losses))
    assert torch.equal(torch.stack(switched._losses), torch.stack(full._losses))


def test_batches_are_made_when_asked_for_on_a_cpu():
    made = []
    ahead = BatchesAhead(lambda step: made.append(step) or step, torch.device("cpu"))
    ahead.prepare(0)
    assert made == [] and ahead.take(0) == 0 and made == [0]


# By the clock


@pytest.fixture
def stopped_time(monkeypatch):
    """Time that passes only as it is told to."""
    now = [100.0]
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: now[0])
    return now


def test_a_run_by_the_clock_is_as_far_as_its_time(stopped_time):
    clock = RunClock(TrainingConfig(minutes=2), Accelerator(cpu=True))
    clock.begin()
    assert clock.progress == 0
    stopped_time[0] += 30
    clock.tick()
    assert (clock.step, clock.progress, clock.done) == (1, 0.25, False)
    stopped_time[0] += 120
    clock.tick()
    assert (clock.progress, clock.done) == (1.0, True)


def test_the_time_before_a_resumption_counts_and_the_pause_does_not(stopped_time):
    config = TrainingConfig(minutes=2)
    clock = RunClock(config, Accelerator(cpu=True))
    clock.begin()
    stopped_time[0] += 60
    clock.tick()
    spent_s = clock.spent_s
    stopped_time[0] += 1000
    again = RunClock(config, Accelerator(cpu=True))
    again.resume(clock.step, spent_s)
    assert again.progress == 0.5
    stopped_time[0] += 1000  # until its first step
    again.begin()
    stopped_time[0] += 30
    again.tick()
    assert (again.step, again.progress) == (2, 0.75)


@pytest.mark.slow
def test_a_run_by_the_clock_ends_in_time_with_results(tmp_path):
    assert run(tmp_path, "--minutes", "0.05", "--faces", "1000000", "--head", "heatmap") == 0
    state = newest(tmp_path)
    assert 3 <= state["spent_s"] < 60
    report = json.loads((tmp_path / "ghostone-heatmap-w0.25.json").read_text())
    assert 8 <= report["faces_seen"] < 1_000_000
    assert report["history"][-1]["lr"] < 0.1 * report["config"]["lr"]
    assert (tmp_path / "ghostone-heatmap-w0.25.onnx").exists()
