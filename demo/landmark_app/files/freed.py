"""Memory of large pictures, given back to the system after use."""

from __future__ import annotations

import ctypes
import gc
import sys


def free_memory() -> None:
    """Gives memory that is not used any more back to the system, where glibc would keep it."""
    gc.collect()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
