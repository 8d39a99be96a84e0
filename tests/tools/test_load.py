"""Several visitors at once and an end in the middle of their frames, by the tool that measures it."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

import load_app
from load_replay import replay
from load_visitors import visits
from pfld.weights.shipped import shipped_networks

pytestmark = pytest.mark.slow

if not shipped_networks("onnx"):
    pytest.skip("needs weights/*.onnx", allow_module_level=True)


def test_three_visitors_in_two_places_are_served_or_refused_and_the_app_ends(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(load_app, "END_S", 30.0)
    monkeypatch.setattr(load_app, "SMALLEST_SHARE", 0.0)
    all_visits = visits(3)
    found = asyncio.run(load_app.load(all_visits, 2, 10.0, tmp_path))
    assert load_app.report(all_visits, 3, 2, found) == [], capsys.readouterr().out

    first, second = (visit for visit in all_visits if visit.answers)
    swapped = replace(first, answers=second.answers)
    assert replay(swapped).different == len(second.answers)  # it can tell one from the other


def test_answers_are_put_in_the_order_of_their_frames():
    from load_replay import in_order_of_taking
    from load_visitors import Answer

    def answer(sent_s: float, answered_s: float) -> Answer:
        return Answer(0, sent_s, answered_s, ())

    overtaken = [answer(1.0, 1.4), answer(1.2, 1.3), answer(1.1, 1.5)]
    assert [a.sent_s for a in in_order_of_taking(overtaken)] == [1.0, 1.1, 1.2]
    anew = [answer(1.0, 3.0), answer(2.5, 2.9)]  # more than a second late: not passed over
    assert [a.sent_s for a in in_order_of_taking(anew)] == [2.5, 1.0]


def test_other_faces_and_points_elsewhere_are_different_answers():
    from load_replay import compare
    from load_visitors import Answer

    points = np.zeros(196, np.float32)
    answer = Answer(0, 0.0, 0.1, ((1, points),))
    assert compare(answer, ((1, points + 0.1),)).different == 0
    assert compare(answer, ((1, points + 0.2),)).different == 1
    assert compare(answer, ((2, points),)).different == 1
    assert compare(answer, ()).different == 1
