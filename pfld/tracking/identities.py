"""Re-identification of tracked faces: they keep their numbers when they leave and return, or cross."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pfld.geometry import FaceCrop, box_overlaps, size_hw_of
from pfld.tracking.assignment import assign
from pfld.tracking.track import Claim, Track, center_of, look_of, size_of

MEMORY_S = 1.5  # seconds for which a lost face is remembered
MEETING_OVERLAP = 0.15  # intersection over union from which faces can be taken for each other
SAME_FACE = 0.15  # x size, mean distance of the points of two tracks on one face

# Cost terms of matching a face to a lost one, together at most 0.9 for a pair within reach.
DISTANCE_COST, MOST_DISTANCE_COST = 0.4, 0.6  # per face size of distance
GROWTH_COST = 0.3  # per factor of e
LOOK_COST = 2.0  # per mean difference of looks
STRANGER_COST = 1.0  # of a new number instead; possible pairs cost less

REACH, REACH_PER_S = 0.75, 1.5  # x size, how far from its expected place a face may reappear
MOST_GROWTH = 1.8


class Identities:
    """The numbers of the faces of one video, also of those lost a moment ago."""

    def __init__(self) -> None:
        self._next = 1
        self._lost: list[tuple[Claim, float]] = []  # with the time they got lost

    @property
    def searching(self) -> bool:
        """Whether a lost face may still come back."""
        return bool(self._lost)

    def forget(self) -> None:
        """Forgets lost faces; numbers go on."""
        self._lost = []

    def forget_old(self, time_s: float) -> None:
        """Forgets faces that have been lost for long."""
        self._lost = [item for item in self._lost if abs(time_s - item[1]) <= MEMORY_S]

    def lose(self, track: Track, time_s: float) -> None:
        """Remembers a face that is not followed any more."""
        self._lost.append((track.claim or track.as_claim(), time_s))

    def watch(
        self,
        tracks: list[Track],
        image_rgb: NDArray[np.uint8],
        crop_around: Callable[[NDArray[np.float32]], FaceCrop],
        time_s: float,
    ) -> list[Track]:
        """The tracks without those that have moved onto the face of another one, which count as lost.

        When faces begin to overlap, their identities are remembered. When they part, their places and
        looks decide who is who, and numbers are swapped if needed.

        Args:
            crop_around: From landmarks to the crop that a look is taken from.
        """
        if len(tracks) < 2 and not any(track.claim for track in tracks):
            return tracks
        size_hw = size_hw_of(image_rgb)

        def look(track: Track) -> NDArray[np.float32]:
            return look_of(image_rgb, crop_around(track.landmarks))

        tracks = list(tracks)
        for first, second in _pairs_on_one_face(tracks):
            if first not in tracks or second not in tracks:
                continue
            costs = [
                _cost(track.claim or track.as_claim(), track, look(track), time_s, size_hw)
                for track in (first, second)
            ]
            older, younger = sorted((first, second), key=lambda track: track.identity)
            loser = younger
            if abs(costs[0] - costs[1]) > 0.1:
                loser = first if costs[0] > costs[1] else second
            tracks.remove(loser)
            self.lose(loser, time_s)

        boxes = np.array([track.box for track in tracks])
        meeting = (box_overlaps(boxes, boxes) > MEETING_OVERLAP).sum(axis=1) > 1
        parted = []
        for track, meets in zip(tracks, meeting):
            # Faces that overlap for long have not been confused with each other so far.
            if meets and (not track.claim or time_s - track.claim.time_s > MEMORY_S):
                track.claim = track.as_claim()
            elif track.meets and not meets:
                parted.append(track)
            track.meets = bool(meets)
        if len(parted) > 1:
            self._settle(parted, [look(track) for track in parted], time_s, size_hw)
        if not self._lost:
            for track in tracks:
                if not track.meets:
                    track.claim = None
        return tracks

    def name(
        self,
        newcomers: list[Track],
        tracks: list[Track],
        image_rgb: NDArray[np.uint8],
        crop_around: Callable[[NDArray[np.float32]], FaceCrop],
        time_s: float,
    ) -> None:
        """Gives new faces their numbers: those of lost faces, or new ones.

        If it was not clear which of two overlapping faces was lost, the remaining one may be given the
        other number.
        """
        faces = [*newcomers, *(track for track in tracks if track.claim and not track.meets)]
        looks = [look_of(image_rgb, crop_around(face.landmarks)) for face in faces]
        self._settle(faces, looks, time_s, size_hw_of(image_rgb))
        for face, look in zip(newcomers, looks):
            face.note_look(look)

    def _settle(
        self,
        faces: list[Track],
        looks: list[NDArray[np.float32]],
        time_s: float,
        size_hw: tuple[int, int],
    ) -> None:
        """Gives each face the number of the claim it fits best, or a new one."""
        claims = [claim for claim, _ in self._lost]
        claims += [face.claim for face in faces if face.claim]
        costs = np.full((len(faces), len(claims) + len(faces)), np.inf)
        for row, (face, look) in enumerate(zip(faces, looks)):
            for column, claim in enumerate(claims):
                if claim is face.claim or _within_reach(claim, face, time_s, size_hw):
                    costs[row, column] = _cost(claim, face, look, time_s, size_hw)
            costs[row, len(claims) + row] = STRANGER_COST
        taken = set()
        for row, column in assign(costs):
            face = faces[row]
            if column < len(claims):
                claim = claims[column]
                taken.add(id(claim))
                face.become(claim)
            else:
                face.identity, self._next, face.claim = self._next, self._next + 1, None
        self._lost = [item for item in self._lost if id(item[0]) not in taken]


def _pairs_on_one_face(tracks: list[Track]) -> list[tuple[Track, Track]]:
    pairs = []
    for index, first in enumerate(tracks):
        for second in tracks[index + 1 :]:
            size = min(first.size, second.size)
            if math.dist(first.center, second.center) < SAME_FACE * size:
                distances = np.linalg.norm(first.landmarks - second.landmarks, axis=1)
                if distances.mean() < SAME_FACE * size:
                    pairs.append((first, second))
    return pairs


def _within_reach(claim: Claim, face: Track, time_s: float, size_hw: tuple[int, int]) -> bool:
    distance = math.dist(claim.expected_center(time_s, size_hw), center_of(face.landmarks))
    reach = (REACH + REACH_PER_S * max(time_s - claim.time_s, 0)) * claim.size
    growth = size_of(face.landmarks) / claim.size
    return distance < reach and 1 / MOST_GROWTH < growth < MOST_GROWTH


def _cost(
    claim: Claim,
    face: Track,
    look: NDArray[np.float32],
    time_s: float,
    size_hw: tuple[int, int],
) -> float:
    distance = math.dist(claim.expected_center(time_s, size_hw), face.center) / claim.size
    cost = min(DISTANCE_COST * distance, MOST_DISTANCE_COST)
    cost += GROWTH_COST * abs(math.log(face.size / claim.size))
    if claim.look is not None:
        cost += LOOK_COST * float(np.abs(claim.look - look).mean())
    return min(cost, 0.9 * STRANGER_COST)
