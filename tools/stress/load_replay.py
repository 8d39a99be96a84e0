"""Replay of a visitor's frames without other visitors, to check that visitors do not affect each other."""

from __future__ import annotations

import multiprocessing
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from load_visitors import Answer, Visit, faces_of, frames_of

DEMO = Path(__file__).parents[2] / "demo"
ROUNDED_PX = 0.1  # the app rounds coordinates to this


@dataclass(frozen=True)
class Replay:
    """Comparison of the answers to a visitor among many and to the same visitor alone.

    Attributes:
        answers: Number of answers compared.
        different: Answers with other faces, or with points further away than rounding explains.
        largest_px: Largest difference of a coordinate of the same face.
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
    """Processes the answered frames of every visitor again, each in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        return sum(pool.imap(replay, visits), Replay())


def replay(visit: Visit) -> Replay:
    """Processes the answered frames of one visitor again, with networks that nobody else uses."""
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
    """Answers in the order in which the app processed the frames.

    That is the order of the frames' times, whatever the order of the answers: the app leaves out a frame
    if a later one was processed before. But after a step back of a second or more it starts anew.
    """
    ordered: list[Answer] = []
    for answer in sorted(answers, key=lambda answer: answer.answered_s):
        place = len(ordered)
        while place and 0 < ordered[place - 1].sent_s - answer.sent_s < 1:
            place -= 1
        ordered.insert(place, answer)
    return ordered


def compare(answer: Answer, faces: tuple[tuple[int, np.ndarray], ...]) -> Replay:
    """Compares an answer with the faces of another one."""
    if [identity for identity, _ in answer.faces] != [identity for identity, _ in faces]:
        return Replay(answers=1, different=1)
    distances = [np.abs(a - b).max() for (_, a), (_, b) in zip(answer.faces, faces)]
    largest_px = float(max(distances, default=0.0))
    return Replay(1, int(largest_px > 1.5 * ROUNDED_PX), largest_px)
