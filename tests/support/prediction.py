"""A landmarker that knows the answer, and pictures and videos for it to look at."""

import csv
import json
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from pfld.draw import DRAWN_ON_REQUEST, Drawing
from pfld.geometry import FaceCrop
from pfld.head.model import head_points
from pfld.interruption import Interruption
from pfld.media.video import VideoWriter
from pfld.prediction.options import PredictionOptions
from pfld.prediction.run import PredictionProgress, predict
from pfld.runtime.face import Face
from support.damage import cut
from support.motion_jpeg import motion_jpeg

SIZE_HW = (96, 128)
SHAPE = head_points()[:, :2].astype(np.float32)
SHAPE = 60 * (SHAPE - SHAPE.min(0)) / np.ptp(SHAPE) + (30, 15)


class KnowingLandmarker:
    """Finds a face in every picture that is not dark, at a place that tells the brightness."""

    backend = SimpleNamespace(metadata=SimpleNamespace(num_landmarks=98))

    def __init__(self, *, interrupt_after=None):
        self.calls = 0
        self._interrupt_after = interrupt_after

    def __call__(self, image):
        self._count()
        brightness = float(image.mean())
        return [] if brightness < 20 else [Face(self._points(brightness), 0.9, 0.8)]

    def detect(self, image, thorough=False):
        if image.mean() < 20:
            return []
        x0, y0 = SHAPE.min(0)
        x1, y1 = SHAPE.max(0)
        return [SimpleNamespace(box=np.float32([x0, y0, x1, y1]), score=0.7)]

    def crop_of(self, detected):
        return FaceCrop.from_box(detected.box, scale=1.2)

    def crop_around(self, landmarks):
        return FaceCrop.around(landmarks, scale=1.2)

    def locate(self, image, crops, *, rate=True):
        self._count()
        points = np.stack([self._points(float(image.mean()))] * len(crops))
        unsure = np.full(points.shape[:2], np.nan, np.float32)
        return points, np.full(len(crops), 0.8, np.float32), unsure

    def _count(self):
        self.calls += 1
        if self.calls == self._interrupt_after:
            signal.raise_signal(signal.SIGINT)

    @staticmethod
    def _points(brightness):
        return (SHAPE + (brightness / 50, 0)).astype(np.float32)


class Notes(PredictionProgress):
    """What progress was told."""

    def __init__(self):
        self.lines, self.advances, self.ends, self.plan = [], 0, 0, None

    def planned(self, waiting, done_before):
        self.plan = waiting, done_before

    def advanced(self):
        self.advances += 1

    def ended(self):
        self.ends += 1

    def warn(self, line):
        self.lines.append(line)


def photo(path, brightness=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE_HW[::-1], (brightness,) * 3).save(path)
    return path


def video(path, count=10, rate=10.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, SIZE_HW, rate) as writer:
        for index in range(count):
            writer.write(np.full((*SIZE_HW, 3), (80 + 5 * index) % 256, np.uint8))
    return path


def damaged_video(path, count=40, part=0.5):
    rng = np.random.default_rng(0)
    frames = (rng.integers(0, 256, (*SIZE_HW, 3), dtype=np.uint8) for _ in range(count))
    return cut(motion_jpeg(path, frames), part)


def run(paths, out, landmarker=None, workers=1, **options):
    paths = [str(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    landmarker = landmarker or KnowingLandmarker()
    with Interruption() as interruption:
        drawn = {name: options.pop(name) for name in DRAWN_ON_REQUEST if name in options}
        options = PredictionOptions(**options, drawing=Drawing(**drawn))
        return predict(paths, out, landmarker, options, workers=workers, interruption=interruption)


def results(out):
    return [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]


def table(out):
    with open(out / "faces.csv", newline="") as file:
        return list(csv.DictReader(file))


def files_in(folder):
    """Finished files, relative, sorted."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if path.parts[0] != ".predict")


def leftovers(out):
    return [path.name for path in (out / ".predict").iterdir() if path.name != "record.sqlite"]
