"""Drawing options: what a visitor wants drawn on faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pfld.draw import draw_faces
from pfld.runtime.face import Face


@dataclass(frozen=True)
class Drawing:
    """What is drawn on pictures, as :func:`pfld.draw.draw_faces` takes it."""

    points: bool = True
    contours: bool = True
    boxes: bool = False
    axes: bool = False
    indices: bool = False
    labels: bool = False
    uncertainty: bool = False

    @classmethod
    def of(cls, names: Sequence[str] | None) -> Drawing:
        """Options from the names of those that are on; unknown names are ignored."""
        return cls(**{name: name in (names or ()) for name in cls.__dataclass_fields__})

    def __call__(self, image_rgb: NDArray[np.uint8], faces: Sequence[Face]) -> NDArray[np.uint8]:
        """A copy of the picture ``(H, W, 3)`` with the faces drawn on it."""
        return draw_faces(image_rgb, faces, **asdict(self))
