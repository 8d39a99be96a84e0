"""What the app would have answered a visitor had nobody else been there."""

from __future__ import annotations

import multiprocessing
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from load_visitors import Answer, Visit, faces_of, frames_of

DEMO = Path(__file__).parents[2] / "demo"
ROUNDED_PX = 0.1  # the app rounds what it says to this


@dataclass(frozen=True)
class Replay:
    """How answers to one visitor among many and to the same one alone compare.

    Attributes:
        different: Answers with other faces, or points further away than rounding explains.
        largest_px: Between points of the same faces.
    """

    answers: int = 0
    different: int = 0
    largest_px: float = 0.0

    def __add__(self, other: Replay) -> Replay:
        return Replay(
            self.answers + other.answers,
            self.different + other.different,
            max(self.largest_px, other.largest_px),
        )


def replay_all(visits: list[Visit]) -> Replay:
    """Sends every visitor's answered frames again, to a visitor of their own in a process of their own."""
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        return sum(pool.imap(replay, visits), Replay())


def replay(visit: Visit) -> Replay:
    """Sends one visitor's answered frames again, to networks that nobody else uses."""
    sys.path.insert(0, str(DEMO))
    from landmark_app.camera.follow import on_frame
    from landmark_app.camera.frames import decode_frame
    from landmark_app.camera.visitor import Visitor
    from landmark_app.models import Models

    images = [decode_frame(frame) for frame, _ in frames_of(visit)]
    models, visitor, found = Models(), Visitor(), Replay()
    for answer in in_order_of_taking(visit.answers):
        said = on_frame(models, visitor, images[answer.frame], answer.sent_s, visit.settings)
        found += compare(answer, tuple(faces_of(said)))
    return found


def in_order_of_taking(answers: list[Answer]) -> list[Answer]:
    """Answers in the order in which the app looked at the frames.

    That is the order of the frames' times, whatever the way of their answers: the app passes a frame
    over that comes after a later one, but for those that are later by a second, with which it begins
    anew.
    """
    ordered: list[Answer] = []
    for answer in sorted(answers, key=lambda answer: answer.answered_s):
        place = len(ordered)
        while place and 0 < ordered[place - 1].sent_s - answer.sent_s < 1:
            place -= 1
        ordered.insert(place, answer)
    return ordered


def compare(answer: Answer, faces: tuple[tuple[int, np.ndarray], ...]) -> Replay:
    """An answer beside the faces that another has."""
    if [identity for identity, _ in answer.faces] != [identity for identity, _ in faces]:
        return Replay(answers=1, different=1)
    distances = [np.abs(a - b).max() for (_, a), (_, b) in zip(answer.faces, faces)]
    largest_px = float(max(distances, default=0.0))
    return Replay(1, int(largest_px > 1.5 * ROUNDED_PX), largest_px)
