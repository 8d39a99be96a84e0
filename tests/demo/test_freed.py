"""Memory is given back at once, and then no more than once in a while."""

import threading
from types import SimpleNamespace

import pytest

from landmark_app.files import freed


@pytest.fixture
def times(monkeypatch):
    """How often memory was given back; a thread of the test's own does it."""
    counted, done = [], threading.Event()

    def free():
        counted.append(1)
        done.set()

    monkeypatch.setattr(freed, "_free_memory", free)
    monkeypatch.setattr(freed, "_threads", [])
    monkeypatch.setattr(freed, "_WANTED", threading.Event())
    return counted, done


def test_many_wishes_are_met_once_and_the_last_one_later(times, monkeypatch):
    counted, done = times
    rest = threading.Event()
    monkeypatch.setattr(freed, "time", SimpleNamespace(sleep=lambda seconds: rest.wait(10)))
    freed.free_memory_soon()
    assert done.wait(10)
    done.clear()
    for _ in range(20):
        freed.free_memory_soon()
    assert len(counted) == 1
    rest.set()
    assert done.wait(10) and len(counted) == 2
