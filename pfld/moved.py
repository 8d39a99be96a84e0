"""Deprecated module names of version 0.1: they import for one more release, with a warning."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Modules that users of version 0.1 may import, and where their contents are now.
MOVED = {
    "pfld.crop_jitter": ("pfld.evaluation.crop_variants",),
    "pfld.data.face_model": ("pfld.head.model",),
    "pfld.data.images": ("pfld.media.pictures",),
    "pfld.data.pose": ("pfld.head.pose",),
    "pfld.data.synthetic": ("pfld.synthetic.faces", "pfld.data.wflw_writer"),
    "pfld.metrics": ("pfld.evaluation.metrics",),
    "pfld.quantize": ("pfld.export.quantize",),
    "pfld.reparam": ("pfld.networks.reparameterize",),
    "pfld.runtime.jitter": ("pfld.tracking.jitter", "pfld.runtime.face"),
    "pfld.runtime.pictures": ("pfld.media.pictures",),
    "pfld.runtime.smoothing": ("pfld.tracking.smoothing",),
    "pfld.runtime.tracker": ("pfld.tracking.tracker",),
    "pfld.runtime.video": ("pfld.media.video",),
    "pfld.sources": ("pfld.prediction.sources",),
    "pfld.weight_metadata": ("pfld.weights.metadata",),
}


class MovedModules(MetaPathFinder, Loader):
    """Import hook: an old module of :data:`MOVED` holds the names of the modules that replace it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in MOVED else None

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        places = MOVED[module.__name__]
        text = (
            f"{module.__name__} is now {' and '.join(places)}; the old name will be removed in 0.3"
        )
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        for place in places:
            names = vars(import_module(place))
            vars(module).update({k: v for k, v in names.items() if not k.startswith("__")})


def install() -> None:
    """Installs the import hook; further calls do nothing."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())
