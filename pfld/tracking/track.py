"""Track: the state of one tracked face: landmarks, motion, look, quality and identity."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pfld.geometry import FaceCrop, box_of, part_outside
from pfld.runtime.face import Face
from pfld.tracking.smoothing import LandmarkSmoother

# A face's size here is the longer side of its landmarks' box.
MOTION_S = 0.1  # seconds over which the velocity is averaged
COAST_S = 1.0  # seconds; time constant with which the velocity of a lost face decays
STEADY_S = 0.25  # seconds; the same for a tracked face: heads turn back
MOST_LEAP = 0.6  # x size, from one frame to the next; beyond, the crop hardly showed the face
MOST_GROWTH = 1.6  # from one frame to the next
MOST_ASPECT = 3.0  # of an upright box; a face in profile reaches 1.6
LEAST_SIZE = 8.0  # pixels
LEAST_INSIDE = 0.4  # part of the landmarks, within the picture
LOOK_PART = 0.7  # of a crop's side
LOOK_SIZE = 8  # pixels of the thumbnail that faces are told apart by


@dataclass(frozen=True)
class Claim:
    """Identity, place, motion and look of a face when last seen; new faces are compared with it.

    Attributes:
        center, velocity: ``(2,)`` in pixels, and pixels a second.
        size: In pixels.
        look: As :func:`look_of` gives it; None if it was never taken.
        time_s: When it was last seen, in seconds.
    """

    identity: int
    center: NDArray[np.float64]
    velocity: NDArray[np.float64]
    size: float
    look: NDArray[np.float32] | None
    time_s: float

    def expected_center(self, time_s: float, size_hw: tuple[int, int]) -> NDArray[np.float64]:
        """Its expected center ``(2,)`` in pixels: its velocity decays, and it stays in the picture."""
        seconds = max(time_s - self.time_s, 0)
        center = self.center + coast(self.velocity, seconds, COAST_S)
        return np.clip(center, 0, (size_hw[1], size_hw[0]))


class Track:
    """A face that is being followed; all coordinates in pixels of the picture.

    Attributes:
        landmarks: ``(L, 2)`` as last located, not smoothed.
        shown: ``(L, 2)`` as shown to users, smoothed on request.
        score, quality: As in :class:`pfld.runtime.face.Face`.
        uncertainty: Expected error of each landmark ``(L,)``; NaN for networks without.
        usual_quality: Quality averaged over about ten frames.
        bad_frames: For how many frames the quality has been too low.
        unconfirmed: How many detections in a row did not find it.
        claim: Its state before it overlapped another face, until it is clear who is who.
        meets: Whether it overlaps another face.
        look: As :func:`look_of` gives it; None if it was never taken.
    """

    def __init__(
        self,
        identity: int,
        landmarks: NDArray[np.float32],
        *,
        score: float,
        quality: float,
        time_s: float,
    ) -> None:
        self.identity = identity
        self.landmarks = self.shown = landmarks
        self.score, self.quality, self.usual_quality = score, quality, quality
        self.uncertainty = np.full(len(landmarks), np.nan, np.float32)
        self.time_s = time_s
        self.velocity: NDArray[np.float64] = np.zeros(2)
        self.bad_frames = self.unconfirmed = 0
        self.claim: Claim | None = None
        self.meets = False
        self.look: NDArray[np.float32] | None = None
        self.smoother = LandmarkSmoother()

    @property
    def box(self) -> NDArray[np.float32]:
        """The landmarks' box ``(4,)``: x0, y0, x1, y1."""
        return box_of(self.landmarks)

    @property
    def size(self) -> float:
        """The longer side of the box."""
        return size_of(self.landmarks)

    @property
    def center(self) -> NDArray[np.float64]:
        """The landmarks' mean ``(2,)``."""
        return center_of(self.landmarks)

    def predicted(self, time_s: float) -> NDArray[np.float32]:
        """The landmarks ``(L, 2)`` moved by the expected motion, at most by half the size."""
        step = coast(self.velocity, max(time_s - self.time_s, 0), STEADY_S)
        length, most = math.hypot(*step), self.size / 2
        if length > most:
            step *= most / length
        return (self.landmarks + step).astype(np.float32)

    def take(self, landmarks: NDArray[np.float32], quality: float, time_s: float) -> None:
        """Takes over landmarks that were located well, and updates the velocity."""
        seconds = time_s - self.time_s
        if seconds > 0:
            new = 1 - math.exp(-seconds / MOTION_S)
            velocity = (center_of(landmarks) - self.center) / seconds
            self.velocity = self.velocity + new * (velocity - self.velocity)
        self.landmarks, self.time_s, self.bad_frames = landmarks, time_s, 0
        self._note_quality(quality)

    def doubt(self, quality: float) -> None:
        """Keeps the last landmarks, as new ones were located badly."""
        self.bad_frames += 1
        self._note_quality(quality)

    def show(self, landmarks: NDArray[np.float32], time_s: float, *, smoothing: bool) -> None:
        """Sets the landmarks to show, smoothed on request."""
        if smoothing:
            self.shown = self.smoother(landmarks, time_s)
        else:
            self.smoother.reset()
            self.shown = landmarks

    def note_look(self, look: NDArray[np.float32]) -> None:
        """Averages the look over the last few detections."""
        self.look = look if self.look is None else (self.look + look) / np.float32(2)

    def as_face(self) -> Face:
        """The face as shown to users."""
        known = None if np.isnan(self.uncertainty).any() else self.uncertainty
        return Face(self.shown, self.score, self.quality, self.identity, known)

    def as_claim(self) -> Claim:
        """Its present state as a claim."""
        return Claim(
            self.identity, self.center, self.velocity, self.size, self.look, self.time_s
        )  # fmt: skip

    def become(self, claim: Claim) -> None:
        """Takes over the identity and look of ``claim``; place and motion stay its own."""
        self.identity, self.look = claim.identity, claim.look
        if self.claim:
            self.claim = claim

    def _note_quality(self, quality: float) -> None:
        self.quality = quality
        self.usual_quality += 0.1 * (quality - self.usual_quality)


def plausible(
    landmarks: NDArray[np.float32],
    size_hw: tuple[int, int],
    expected: NDArray[np.float32] | None = None,
) -> bool:
    """Whether landmarks ``(L, 2)`` can be a face in a picture of that size.

    Args:
        expected: ``(L, 2)`` where they were looked for; landmarks far from there, or of another size, are
            not plausible.
    """
    x0, y0, x1, y1 = box_of(landmarks).tolist()
    if not math.isfinite(x0 + y0 + x1 + y1):  # NaN and infinities reach the box
        return False
    width, height = x1 - x0, y1 - y0
    size = max(width, height)
    if min(width, height) * MOST_ASPECT < max(size, LEAST_SIZE) or size < LEAST_SIZE:
        return False
    if 1 - part_outside(landmarks, size_hw) < LEAST_INSIDE:
        return False
    if expected is None:
        return True
    expected_size = size_of(expected)
    leap = math.hypot(*(center_of(landmarks) - center_of(expected)))
    growing = 1 / MOST_GROWTH < size / expected_size < MOST_GROWTH
    return growing and leap < MOST_LEAP * expected_size


def coast(velocity: NDArray[np.float64], seconds: float, rest_s: float) -> NDArray[np.float64]:
    """The motion in ``seconds`` if the velocity decays exponentially, to about a third in ``rest_s``."""
    return velocity * rest_s * (1 - math.exp(-seconds / rest_s))


def look_of(image_rgb: NDArray[np.uint8], crop: FaceCrop) -> NDArray[np.float32]:
    """The look of a face, to tell it from others: a thumbnail ``(8, 8, 3)`` of mean brightness 1.

    Args:
        crop: Around the landmarks; only its middle is used, as faces that meet cover each other's edges.
    """
    inner = replace(crop, side=LOOK_PART * crop.side)
    thumbnail = inner.extract(image_rgb, LOOK_SIZE).astype(np.float32)
    return thumbnail / max(float(thumbnail.mean()), 1.0)


def size_of(landmarks: NDArray[np.float32]) -> float:
    """The longer side of the box of landmarks ``(L, 2)``."""
    width, height = np.maximum.reduce(landmarks) - np.minimum.reduce(landmarks)
    return float(max(width, height))


def center_of(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean ``(2,)`` of landmarks ``(L, 2)``."""
    middle: NDArray[np.float64] = np.add.reduce(landmarks, dtype=np.float64) / len(landmarks)
    return middle
