"""FaceTracker: face tracking in a video, frame by frame; each face keeps its number."""

from __future__ import annotations

import copy
import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pfld.geometry import FaceCrop, box_overlaps, size_hw_of
from pfld.runtime.face import Face
from pfld.tracking.assignment import assign
from pfld.tracking.identities import Identities
from pfld.tracking.smoothing import require_time
from pfld.tracking.track import Track, look_of, plausible, size_of

GAP_S = 1.0  # seconds without a frame after which tracking starts anew
SEARCH_S = 0.15  # seconds between detections while a lost face is remembered
RATE_EVERY = 3  # frames; rating may need a second prediction
BAD_FRAMES = 3  # of low quality in a row after which a face is lost
BAD_S = 0.09  # seconds of low quality after which it is lost, where frames are rare
UNCONFIRMED = 3  # detections in a row that miss a doubtful face, after which it is dropped
SAME_OVERLAP = 0.5  # intersection over union of two boxes around one face


class Landmarker(Protocol):
    """What a tracker needs of a landmarker; trackers share it and do not change it."""

    def detect(self, image_rgb: NDArray[np.uint8], thorough: bool = False) -> list[Any]:
        """Faces with a ``box`` (x0, y0, x1, y1 in pixels) and a ``score``, 0..1."""

    def crop_of(self, detected: Any) -> FaceCrop:
        """The first crop for the landmarks of a detected face."""

    def crop_around(self, landmarks: NDArray[np.float32]) -> FaceCrop:
        """The crop for the landmarks of a face that had these ``(L, 2)``."""

    def locate(
        self, image_rgb: NDArray[np.uint8], crops: list[FaceCrop], *, rate: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Landmarks, quality and uncertainty of the faces in crops.

        Landmarks ``(F, L, 2)`` and uncertainty ``(F, L)`` are in pixels; uncertainty may be NaN. Quality
        ``(F,)`` is 0..1, or NaN if ``rate`` does not ask for it and it needs a second prediction.
        """


class FaceTracker:
    """Follows faces by their last landmarks, and runs the detector only now and then.

    The detector runs while no face is known, when one is lost and for a while after, and every
    ``detect_every_s`` for new faces and to confirm the known ones. A face that is lost and comes back
    near where it should be within 1.5 seconds keeps its number, and so do faces that cross.

    One tracker belongs to one video or visitor. Copies, deep ones too, share the landmarker.

    Args:
        smoothing: Whether landmarks are smoothed, see
            :class:`pfld.tracking.smoothing.LandmarkSmoother`. The attribute may be changed at any time.
        detect_every_s: Seconds between detections while all is well.
        max_faces: How many are followed: those found first, the largest of a frame first. While so many are
            followed with ``sure_quality``, the detector does not run.
        min_quality: A new face with a lower quality is rejected; a followed one is lost after three such
            frames in a row, or after 0.09 seconds. If rating needs a second prediction, followed faces are
            rated every third frame, and every frame once there is doubt or frames are that far apart.
        sure_quality: From this average quality on a face is followed even if detections do not confirm it.

    Raises:
        ValueError: If ``detect_every_s`` is not positive or ``max_faces`` below 1.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        *,
        smoothing: bool = True,
        detect_every_s: float = 0.5,
        max_faces: int = 8,
        min_quality: float = 0.3,
        sure_quality: float = 0.6,
    ) -> None:
        if not detect_every_s > 0 or max_faces < 1:
            raise ValueError(
                "detect_every_s must be positive and max_faces at least 1, got "
                f"{detect_every_s} and {max_faces}"
            )
        self.landmarker = landmarker
        self.smoothing = smoothing
        self.detect_every_s = detect_every_s
        self.max_faces = max_faces
        self.min_quality = min_quality
        self.sure_quality = sure_quality
        self.reset()

    def reset(self) -> None:
        """Forgets everything; numbers start at 1 again."""
        self._identities = Identities()
        self._tracks: list[Track] = []
        self._size_hw: tuple[int, int] | None = None
        self._time_s = -math.inf
        self._frames = 0
        self._forget()

    def __deepcopy__(self, memo: dict[int, Any]) -> FaceTracker:
        memo[id(self.landmarker)] = self.landmarker
        new = object.__new__(type(self))
        memo[id(self)] = new
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return new

    def __call__(self, image_rgb: NDArray[np.uint8], time_s: float) -> list[Face]:
        """The faces in a frame, largest first.

        Args:
            image_rgb: ``(H, W, 3)`` uint8. After a change of size everything is detected anew.
            time_s: When it was taken, in seconds from anywhere. After more than a second without a
                frame, or a step back by as much, everything is detected anew.

        Raises:
            ValueError: For another shape or dtype, or a time that is not finite.
            TypeError: For a time that is no number.
        """
        shape, dtype = np.shape(image_rgb), getattr(image_rgb, "dtype", type(image_rgb).__name__)
        if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8:
            raise ValueError(f"a frame must be RGB (H, W, 3) uint8, got {shape} {dtype}")
        require_time(time_s)
        size_hw = size_hw_of(image_rgb)
        if size_hw != self._size_hw or abs(time_s - self._time_s) > GAP_S:
            self._forget()
        far = abs(time_s - self._time_s) > BAD_S
        self._size_hw, self._time_s = size_hw, time_s
        self._frames += 1

        lost = self._follow(image_rgb, time_s, rate=far)
        crop_around = self.landmarker.crop_around
        self._tracks = self._identities.watch(self._tracks, image_rgb, crop_around, time_s)
        self._identities.forget_old(time_s)
        if lost or self._is_due(time_s):
            self._search(image_rgb, time_s)
        faces = [t.as_face() for t in self._tracks]
        return sorted(faces, key=lambda face: size_of(face.landmarks), reverse=True)

    def _forget(self) -> None:
        self._tracks = []
        self._identities.forget()
        self._searched_s = -math.inf

    def _is_due(self, time_s: float) -> bool:
        interval_s = self.detect_every_s
        if self._identities.searching:
            interval_s = min(interval_s, SEARCH_S)
        elif len(self._tracks) >= self.max_faces and all(
            track.usual_quality >= self.sure_quality for track in self._tracks
        ):
            return False  # there is no room for another, and these need no confirmation
        return not self._tracks or abs(time_s - self._searched_s) >= interval_s - 1e-6

    def _follow(self, image_rgb: NDArray[np.uint8], time_s: float, *, rate: bool) -> bool:
        """Locates every face near its expected place; returns whether any was lost.

        Args:
            rate: Whether to rate this frame in any case.
        """
        expected = [track.predicted(time_s) for track in self._tracks]
        crops = [self.landmarker.crop_around(landmarks) for landmarks in expected]
        doubtful = any(track.bad_frames for track in self._tracks)
        rate = rate or doubtful or self._frames % RATE_EVERY == 0
        kept = []
        for track, place, landmarks, quality, uncertainty in zip(
            self._tracks, expected, *self._locate(image_rgb, crops, rate=rate)
        ):
            if math.isnan(quality):
                quality = track.quality
            track.uncertainty = uncertainty
            if not plausible(landmarks, size_hw_of(image_rgb), place):
                track.bad_frames = BAD_FRAMES
            elif quality < self.min_quality:
                track.doubt(float(quality))
                if abs(time_s - track.time_s) > BAD_S:
                    track.bad_frames = BAD_FRAMES
            else:
                track.take(landmarks, float(quality), time_s)
            if track.bad_frames >= BAD_FRAMES:
                self._identities.lose(track, time_s)
            else:
                track.show(landmarks, time_s, smoothing=self.smoothing)
                kept.append(track)
        lost = len(kept) < len(self._tracks)
        self._tracks = kept
        return lost

    def _search(self, image_rgb: NDArray[np.uint8], time_s: float) -> None:
        """Detects faces: confirms the known ones and takes up new ones."""
        self._searched_s = time_s
        detected = self.landmarker.detect(image_rgb)
        found = dict(assign(_distances(self._tracks, detected)))
        for index, track in enumerate(self._tracks):
            if index in found:
                track.score, track.unconfirmed = float(detected[found[index]].score), 0
                if not track.claim:
                    crop = self.landmarker.crop_around(track.landmarks)
                    track.note_look(look_of(image_rgb, crop))
            else:
                track.unconfirmed += 1
        self._tracks = [
            track
            for track in self._tracks
            if track.unconfirmed < UNCONFIRMED or track.usual_quality >= self.sure_quality
        ]
        rest = [item for index, item in enumerate(detected) if index not in found.values()]
        rest.sort(key=lambda item: _area(item.box), reverse=True)
        newcomers = self._take_up(image_rgb, rest[: self.max_faces - len(self._tracks)], time_s)
        if newcomers:
            crop_around = self.landmarker.crop_around
            self._identities.name(newcomers, self._tracks, image_rgb, crop_around, time_s)
            for track in newcomers:
                track.show(track.landmarks, time_s, smoothing=self.smoothing)
            self._tracks += newcomers

    def _take_up(
        self, image_rgb: NDArray[np.uint8], detected: list[Any], time_s: float
    ) -> list[Track]:
        """Tracks, without numbers yet, of detected faces that have plausible landmarks and are new."""
        crops = [self.landmarker.crop_of(item) for item in detected]
        size_hw = size_hw_of(image_rgb)
        # Twice, as crops around landmarks give better landmarks than a detector's box.
        first, _, _ = self._locate(image_rgb, crops, rate=False)
        likely = [index for index, landmarks in enumerate(first) if plausible(landmarks, size_hw)]
        crops = [self.landmarker.crop_around(first[index]) for index in likely]
        tracks: list[Track] = []
        located = zip(likely, *self._locate(image_rgb, crops))
        for index, landmarks, quality, uncertainty in located:
            if quality < self.min_quality or not plausible(landmarks, size_hw, first[index]):
                continue
            score = float(detected[index].score)
            track = Track(0, landmarks, score=score, quality=float(quality), time_s=time_s)
            track.uncertainty = uncertainty
            known = [other.box for other in (*self._tracks, *tracks)]
            if not known or box_overlaps(track.box, known).max() < SAME_OVERLAP:
                tracks.append(track)
        return tracks

    def _locate(
        self, image_rgb: NDArray[np.uint8], crops: list[FaceCrop], *, rate: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        if not crops:
            none = np.zeros((0, 0), np.float32)
            return np.zeros((0, 0, 2), np.float32), np.zeros(0, np.float32), none
        return self.landmarker.locate(image_rgb, crops, rate=rate)


def _distances(tracks: list[Track], detected: list[Any]) -> NDArray[np.float64]:
    """Costs ``(N, M)`` of matching detected faces to tracks; infinite for impossible pairs."""
    costs = np.full((len(tracks), len(detected)), np.inf)
    for row, track in enumerate(tracks):
        for column, item in enumerate(detected):
            sides = track.box[2:] - track.box[:2], item.box[2:] - item.box[:2]
            size, other = (float(max(side)) for side in sides)
            middles = (track.box[:2] + track.box[2:]) / 2, (item.box[:2] + item.box[2:]) / 2
            distance = math.dist(*middles) / max(size, other)
            # A detector's box may leave out the chin or take in the hair.
            if distance < 0.5 and 1 / 2.2 < other / size < 2.2:
                costs[row, column] = distance
    return costs


def _area(box: NDArray[np.float32]) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))
