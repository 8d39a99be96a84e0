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
from landmark_app.models import Choice
from landmark_app.turns import Turns
from support.fake_models import FakeBackend, fake_models

PATIENCE_S = 10
ONNX = Choice("face", "onnx")
SETTINGS = {"network": "face", "mode": "onnx", "smoothing": True, "max_faces": 1}


def in_threads(*calls):
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def wait_until(is_so):
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_turns_are_given_in_the_order_of_coming():
    turns, order, hold = Turns(1), [], threading.Event()

    def take(number):
        with turns:
            order.append(number)
            hold.wait(PATIENCE_S)

    threads = []
    for number in range(5):
        threads += in_threads(lambda number=number: take(number))
        # The first has its turn, the others stand in line.
        wait_until(lambda: order == [0] and len(turns._line) == number)  # noqa: B023
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


def test_as_many_frames_are_looked_at_at_once_as_there_are_turns(monkeypatch, tmp_path):
    now, together, lock, both = 0, [], threading.Lock(), threading.Barrier(2, timeout=PATIENCE_S)

    def detect(image, *, thorough=False):
        nonlocal now
        with lock:
            now += 1
        both.wait()  # for a second frame; a third would come in meanwhile
        time.sleep(0.01)
        with lock:
            together.append(now)
        both.wait()
        with lock:
            now -= 1
        return []

    models = fake_models(monkeypatch, tmp_path, load=lambda _, mode: FakeBackend(mode))
    models.detector, models.turns = detect, Turns(2)
    image = np.zeros((48, 64, 3), np.uint8)

    def look():
        on_frame(models, Visitor(), image, 0.0, SETTINGS)

    for thread in in_threads(*[look] * 8):
        thread.join(PATIENCE_S)
    assert together == [2] * 8 and now == 0


def test_a_photo_is_searched_without_a_turn(models, portrait):
    """By a process of a low priority, with the result of a search here."""
    models.turns, found = Turns(1), []
    landmarker = models.landmarker(ONNX)

    def search():
        found.extend(landmarker.detect(portrait, thorough=True, doubtful=True))

    with models.turns:  # of this thread, as of a camera frame
        (thread,) = in_threads(search)
        thread.join(6 * PATIENCE_S)
    expected = models.detector(portrait, thorough=True)
    assert [values_of(face) for face in found] == [values_of(face) for face in expected] != []


def values_of(face):
    others = [values_of(other) for other in face.others]
    return face.box.tolist(), face.eyes.tolist(), face.score, face.box.dtype, others


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
