"""Who may compute when many want to: turns, and frames of one page on their way."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from landmark_app.camera.admission import Admission
from landmark_app.camera.answer import answer
from landmark_app.camera.follow import on_frame
from landmark_app.camera.visitor import Visitor
from landmark_app.turns import Turns
from support.fake_models import FakeBackend, fake_models

PATIENCE_S = 10
SETTINGS = {"network": "face", "mode": "onnx", "smoothing": True, "max_faces": 1}


def in_threads(*calls):
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
        time.sleep(0.02)  # so that they come in this order
    return threads


def test_turns_are_given_in_the_order_of_coming():
    turns, order, hold = Turns(1), [], threading.Event()

    def take(number):
        with turns:
            order.append(number)
            hold.wait(PATIENCE_S)

    threads = in_threads(*[lambda number=number: take(number) for number in range(5)])
    assert order == [0]
    hold.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == list(range(5))


def test_a_turn_ends_with_an_error_too():
    turns = Turns(1)
    for _ in range(2):
        with pytest.raises(KeyError), turns:
            raise KeyError
    with turns:
        pass


def test_nobody_having_a_turn_is_refused():
    with pytest.raises(ValueError, match="one must"):
        Turns(0)


def test_no_more_frames_are_looked_at_at_once_than_there_are_turns(monkeypatch, tmp_path):
    now, most, lock = [0], [0], threading.Lock()

    def detect(image, *, thorough=False):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1
        return []

    models = fake_models(monkeypatch, tmp_path, load=lambda _, mode: FakeBackend(mode))
    models.detector, models.turns = detect, Turns(2)
    image = np.zeros((48, 64, 3), np.uint8)

    def look():
        on_frame(models, Visitor(), image, 0.0, SETTINGS)

    for thread in in_threads(*[look] * 8):
        thread.join(PATIENCE_S)
    assert most[0] <= 2 and now[0] == 0


def test_a_third_frame_of_a_page_is_passed_over_and_another_page_is_not():
    places = Admission(2)
    with places.frame("a") as first, places.frame("a") as second:
        with places.frame("a") as third, places.frame("b") as other:
            assert first and second and other and not third
    with places.frame("a") as later:
        assert later


def test_a_page_that_floods_the_app_is_told_so_at_once():
    places = Admission(1)
    body = SimpleNamespace(data={"session_hash": "a", "settings": "{}", "frame": "", "time_s": 0})
    with places.frame("a"), places.frame("a"):
        assert answer(None, None, places, body, None) == {"late": True}
    assert "error" in answer(None, None, places, body, None)
