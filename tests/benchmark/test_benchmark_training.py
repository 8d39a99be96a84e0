"""The benchmark measures, compares and writes what it says. No test depends on timings."""

import json

import pytest

from pfld.__main__ import main
from pfld.benchmark.report import format_training
from pfld.benchmark.training import TrainingSpeed, measure_training


@pytest.mark.parametrize(
    "variant", ["folded", "frozen", "heatmap", "heatmap-frozen", "branches", "single"]
)
def test_each_variant_takes_real_steps(variant):
    speed = measure_training(variant, batch_size=2, steps=1, width_multiplier=0.25)
    assert speed.variant == variant and speed.images_per_second > 0


def test_json_alone_on_standard_output(capsys):
    arguments = ["--variant", "single", "--batch-size", "2", "--steps", "1", "--json", "-"]
    assert main(["benchmark", "training", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)[0]["variant"] == "single"


def test_table_compares_with_the_plain_branches():
    table = format_training([TrainingSpeed("folded", 30, 900), TrainingSpeed("branches", 10, 3000)])
    assert "3.00 x" in table and "30%" in table


def test_bad_arguments_are_refused():
    with pytest.raises(
        ValueError, match="folded, frozen, heatmap, heatmap-frozen, branches, single"
    ):
        measure_training("fast", batch_size=2, steps=1)
    with pytest.raises(SystemExit):
        main(["benchmark", "training", "--steps", "0"])
