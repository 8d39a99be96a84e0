"""PFLD landmarks: 98 facial landmarks in real time on an ordinary CPU."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pfld import moved

if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    raise ImportError(
        f"pfld needs Python 3.10 to 3.13, this is {sys.version_info.major}.{sys.version_info.minor}"
    )

moved.install()

__version__ = "0.2.0"
__all__ = ["FaceLandmarker", "FaceTracker", "build_network", "read_picture", "reparameterize"]

_HOMES = {
    "FaceLandmarker": "pfld.runtime.landmarker",
    "FaceTracker": "pfld.tracking.tracker",
    "build_network": "pfld.networks",
    "read_picture": "pfld.media.pictures",
    "reparameterize": "pfld.networks.reparameterize",
}

if TYPE_CHECKING:
    from pfld.media.pictures import read_picture
    from pfld.networks import build_network
    from pfld.networks.reparameterize import reparameterize
    from pfld.runtime.landmarker import FaceLandmarker
    from pfld.tracking.tracker import FaceTracker
else:

    def __getattr__(name: str) -> object:
        # Looked up on first use, so that parts which need no torch do not import it.
        if name not in _HOMES:
            raise AttributeError(f"module 'pfld' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
