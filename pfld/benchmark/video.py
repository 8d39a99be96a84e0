"""Face tracking benchmark: this package and MediaPipe's Face Mesh on the same video frames."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pfld.benchmark.backends import seconds
from pfld.geometry import FaceCrop

FPS = 30
WITHOUT_FACE_MESH = (
    "without Face Mesh: in an environment with NumPy 1.26, pip install mediapipe==0.10.21"
)
TURN = 30  # frames in a row before the next tracker takes its turn

# Takes a frame (H, W, 3) and its time in seconds; returns whether a face was found in it.
Follower = Callable[[NDArray[np.uint8], float], bool]


@dataclass(frozen=True)
class VideoSpeed:
    """Speed of one face tracker on a video: milliseconds per frame, without decoding.

    Attributes:
        found: Part of the frames in which a face was found.
    """

    name: str
    p50_ms: float
    p95_ms: float
    mean_ms: float
    found: float


def measure_video(
    portrait: NDArray[np.uint8], networks: Iterable[tuple[str, str]], *, frames: int = 300
) -> list[VideoSpeed]:
    """Measures tracking with smoothing, and Face Mesh with and without irises, in turns.

    Where MediaPipe is not installed, a line on standard error says so, and Face Mesh is left out.
    Each follows one face at most, which is Face Mesh's default.

    Args:
        portrait: ``(H, W, 3)`` uint8 RGB with one face; a simulated camera of 640 x 480 pixels moves
            over it.
        networks: The name or weight file of each network, and the backend it runs on.

    Raises:
        FileNotFoundError, ValueError, ImportError: As :func:`pfld.runtime.backends.load_backend`.
    """
    pictures = list(camera_over(portrait, frames))
    with ExitStack() as stack:
        followers = {
            f"{network}, {backend}": _tracker(network, backend) for network, backend in networks
        }
        try:
            for name, irises in (("Face Mesh, irises", True), ("Face Mesh", False)):
                followers[name] = stack.enter_context(_face_mesh(irises))
        except ImportError:
            print(WITHOUT_FACE_MESH, file=sys.stderr)
        for follow in followers.values():
            follow(pictures[0], -10.0)
        times: dict[str, list[float]] = {name: [] for name in followers}
        found = dict.fromkeys(followers, 0)
        for start in range(0, frames, TURN):
            for name, follow in followers.items():
                for index in range(start, min(start + TURN, frames)):
                    answer = []
                    call = lambda: answer.append(follow(pictures[index], index / FPS))  # noqa: B023, E731
                    times[name].append(seconds(call))
                    found[name] += answer[0]
    return [
        VideoSpeed(
            name,
            float(1e3 * np.percentile(times[name], 50)),
            float(1e3 * np.percentile(times[name], 95)),
            float(1e3 * np.mean(times[name])),
            found[name] / frames,
        )
        for name in followers
    ]


def camera_over(
    portrait: NDArray[np.uint8], frames: int, *, width: int = 640, height: int = 480
) -> Iterator[NDArray[np.uint8]]:
    """A picture as a shaky, zooming camera sees it: frames ``(height, width, 3)`` uint8, with noise."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 4, (2 * height, 2 * width, 3)).astype(np.float32)
    rows, columns = portrait.shape[:2]
    top = (width - height) // 2
    for index in range(frames):
        phase = 2 * math.pi * index / 150
        zoom = 1 + 0.15 * math.sin(phase)
        crop = FaceCrop(
            columns * (0.5 + 0.04 * math.sin(2 * phase)),
            rows * (0.5 + 0.03 * math.cos(3 * phase)),
            max(rows, columns) * zoom,
            math.radians(8) * math.sin(phase),
        )
        frame = crop.extract(portrait, width)[top : top + height]
        y, x = rng.integers(0, (height, width))
        noisy = frame + noise[y : y + height, x : x + width]
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def _tracker(network: str, backend: str) -> Follower:
    from pfld.runtime.landmarker import FaceLandmarker
    from pfld.tracking.tracker import FaceTracker

    tracker = FaceTracker(FaceLandmarker.from_pretrained(network, backend), max_faces=1)
    return lambda frame, time_s: bool(tracker(frame, time_s))


@contextmanager
def _face_mesh(irises: bool) -> Iterator[Follower]:
    from mediapipe.python.solutions import face_mesh

    mesh = face_mesh.FaceMesh(refine_landmarks=irises)
    try:
        yield lambda frame, time_s: bool(mesh.process(frame).multi_face_landmarks)
    finally:
        mesh.close()
