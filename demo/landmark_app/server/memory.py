"""Memory that threads have freed, kept from piling up, and what garbage collection need not look at."""

from __future__ import annotations

import ctypes
import gc
import sys

_M_ARENA_MAX = -8  # of glibc's malloc.h
_MOST_ARENAS = 2


def few_arenas() -> None:
    """Has glibc take memory from two arenas rather than up to eight for each core.

    What a thread frees stays in its arena, where others cannot use it. Does nothing with other C libraries.
    """
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, _MOST_ARENAS)


def stay() -> None:
    """Has everything that is there now stay out of later garbage collections, which stop all threads."""
    gc.collect()
    gc.freeze()
