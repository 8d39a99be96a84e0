"""Whether a tracker's memory stays level: ``python tools/stress/tracking.py --frames 100000``.

Follows drawn faces in small frames of one long video, in which faces come, move and go. Prints
memory ten times; the exit status is 1 if it grows after the first tenth.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import psutil

from pfld import FaceLandmarker, FaceTracker
from pfld.commands.arguments import positive
from pfld.synthetic.faces import synthetic_faces

SIDE = 160  # pixels of a frame
STAY = 60  # frames from one face to the next, for half of which nobody is there
GROWTH_MIB = 20.0


def follow(frames: int, network: str) -> bool:
    """Follows faces for that many frames and prints memory; whether it stays level."""
    faces = synthetic_faces(60, size=SIDE).crops
    tracker = FaceTracker(FaceLandmarker.from_pretrained(network, backend="onnx-int8"))
    process, memory, found = psutil.Process(), [], 0
    for number in range(frames):
        face, moment = divmod(number, STAY)
        image = np.roll(faces[face % len(faces)], (moment % 5, moment % 7), (0, 1))
        if moment >= STAY / 2:  # nobody there
            image = np.full_like(image, 120)
        found += bool(tracker(image, number / 30))
        if (number + 1) % max(frames // 10, 1) == 0:
            memory.append(process.memory_info().rss / 2**20)
            print(f"{number + 1} frames: {memory[-1]:.1f} MiB", flush=True)
    print(f"faces in {found} frames")
    grown = max(memory) - memory[0]
    print(f"growth after the first tenth: {grown:.1f} MiB")
    return found > 0 and grown < GROWTH_MIB


def main(argv: list[str] | None = None) -> int:
    """Runs the test; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=positive, default=100_000, help="default: %(default)s")
    parser.add_argument("--network", default="ghostone-small", help="default: %(default)s")
    arguments = parser.parse_args(argv)
    return int(not follow(arguments.frames, arguments.network))


if __name__ == "__main__":
    sys.exit(main())
