"""How far several looks and networks get together: ``python tools/results/together.py --data DIR``.

What a network finds in a face is averaged with what it finds in its mirror image and in turned crops, and
with what other networks find. Their mean is about what a network could learn from them as a teacher. The
errors on the test list are written to a table in docs/family.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from markdown_tables import percent, rewrite, table
from pfld.data.annotations import FaceAnnotation, read_wflw
from pfld.evaluation.metrics import normalized_mean_errors
from pfld.landmarks import WFLW_98
from pfld.runtime.backends import load_own_backend
from relabel import TURNS, seen_in_views

ROOT = Path(__file__).parents[2]
GROUPS = (
    ("ghostone-heatmap",),
    ("ghostone-small-heatmap",),
    ("ghostone-heatmap", "ghostone-small-heatmap"),
    ("ghostone-heatmap", "ghostone-small-heatmap", "ghostone"),
)
LOOKS = {
    "one look": ((0,), False),
    "with its mirror image": ((0,), True),
    "six views": (TURNS, True),
}


def points_px(
    network: str, faces: list[FaceAnnotation], turns: tuple[int, ...], mirror: bool
) -> NDArray[np.float32]:
    """What a shipped network finds in looks at faces, averaged: ``(N, 98, 2)``, in pixels."""
    backend = load_own_backend(ROOT / "weights" / f"{network}.onnx")
    return np.stack([seen_in_views(backend, face, turns, mirror=mirror) for face in faces])


def main(argv: list[str] | None = None) -> int:
    """Measures and rewrites the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data set in WFLW's layout")
    faces = read_wflw(parser.parse_args(argv).data, "test")
    truth = np.stack([face.landmarks_px for face in faces])
    names = dict.fromkeys(name for group in GROUPS for name in group)
    found = {
        look: {name: points_px(name, faces, *how) for name in names} for look, how in LOOKS.items()
    }
    rows = []
    for group in GROUPS:
        means = (np.mean([points[name] for name in group], axis=0) for points in found.values())
        errors = [float(normalized_mean_errors(mean, truth, WFLW_98).mean()) for mean in means]
        rows.append([", ".join(f"`{name}`" for name in group), *map(percent, errors)])
    rewrite(ROOT / "docs" / "family.md", {"together": table(["mean of", *LOOKS], rows)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
