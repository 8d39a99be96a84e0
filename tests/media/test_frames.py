"""Frames are brought into other formats without threads of their own."""

import os
import sys

import av
import numpy as np
import pytest

from pfld.media.frames import UprightFrames, reformatted


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize(
    "convert",
    [lambda frame: reformatted(frame, format="yuv420p"), UprightFrames()],
    ids=["reformatted", "upright"],
)
def test_no_thread_is_started_for_a_frame(convert):
    image = np.zeros((480, 640, 3), np.uint8)
    # A frame keeps the threads that were started to convert it.
    frames = [av.VideoFrame.from_ndarray(image, format="bgr24") for _ in range(5)]
    before = len(os.listdir("/proc/self/task"))
    kept = [convert(frame) for frame in frames]
    assert len(os.listdir("/proc/self/task")) <= before and len(kept) == 5
