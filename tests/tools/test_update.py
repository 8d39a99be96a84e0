"""One command makes all tables and figures of the shipped weights."""

import pytest

import update


@pytest.fixture
def called(monkeypatch):
    """The steps that were taken, which only note their options here."""
    steps = []

    def noting(name, status=0):
        return lambda options: steps.append((name, options)) or status

    modules = ("weights_card", "readme_table", "speed_tables", "browser_facts", "figures")
    for module in (getattr(update, name) for name in modules):
        monkeypatch.setattr(module, "main", noting(module.__name__))
    monkeypatch.setattr(update, "pfld", noting("pfld"))
    return steps


def test_errors_are_measured_before_the_tables_and_figures_that_show_them(called):
    assert update.main(["--data", "faces", "--cache", "crops"]) == 0
    names = [name for name, _ in called]
    assert names == ["weights_card", "readme_table", "speed_tables", "browser_facts", "figures"]
    assert called[0][1] == ["--data", "faces", "--cache", "crops"]


def test_latencies_are_measured_first_where_that_is_asked_for(called):
    assert update.main(["--data", "faces", "--cache", "crops", "--speed"]) == 0
    assert called[0][0] == "pfld" and called[0][1][-1].endswith("speed.json")
    assert len(called) == 6


def test_a_step_that_fails_is_the_last_one(called, monkeypatch):
    monkeypatch.setattr(update.readme_table, "main", lambda options: 2)
    assert update.main(["--data", "faces", "--cache", "crops"]) == 2
    assert [name for name, _ in called] == ["weights_card"]
