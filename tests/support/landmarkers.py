"""Landmarkers that ruin, slow down or change what they work in."""

import os
import signal
import time

from support.prediction import KnowingLandmarker


class SlowLandmarker(KnowingLandmarker):
    """Takes its time, so that there is some to end processes in."""

    def _count(self):
        super()._count()
        time.sleep(0.02)


class DeadlyLandmarker(KnowingLandmarker):
    """Ends its process at bright pictures; ``once`` only where the file named so is not there yet."""

    def __init__(self, once=None):
        super().__init__()
        self._once = once

    def __call__(self, image):
        if image.mean() > 200:
            if self._once is None or not self._once.exists():
                if self._once:
                    self._once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(image)


class TouchingLandmarker(KnowingLandmarker):
    """Changes the time of a file when it sees a bright picture."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def __call__(self, image):
        if image.mean() > 200:
            os.utime(self._path, (1, 1))
        return super().__call__(image)


class FailingLandmarker(KnowingLandmarker):
    """Has a mistake."""

    def __call__(self, image):
        raise ZeroDivisionError("a mistake in the program")


class Unstartable(KnowingLandmarker):
    """Ends each process that it is sent to."""

    def __setstate__(self, state):
        os._exit(3)
