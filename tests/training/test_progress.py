"""What a training run prints of its progress where there is no terminal."""

import pytest
from accelerate import Accelerator

from pfld.training.clock import RunClock
from pfld.training.config import TrainingConfig
from pfld.training.progress import TrainingProgress

ROW = {"faces": 3200.0, "loss": 1.5, "images_per_second": 80.0, "validation_nme": 0.05}


@pytest.mark.parametrize(
    ("options", "left"),
    [({"faces": 32_000, "batch_size": 64}, "6 min left"), ({"minutes": 10.0}, "9 min left")],
    ids=["by faces", "by minutes"],
)
def test_time_left_follows_from_the_present_rate(capsys, options, left):
    """The run was slow at first: its mean rate would give an hour and a half."""
    config = TrainingConfig(data="synthetic", **options)
    accelerator = Accelerator(cpu=True)
    clock = RunClock(config, accelerator)
    clock.resume(50, spent_s=60 if config.minutes else 600)
    with TrainingProgress(config, accelerator) as progress:
        progress.start(clock)
        progress.show(ROW, clock)
    line = capsys.readouterr().err
    assert left in line and "validation NME 0.0500" in line and "80.0 images/s" in line
