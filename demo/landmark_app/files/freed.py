"""Memory of large pictures, given back to the system after use."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time

REST_S = 15.0  # in which memory is given back once at most, as all other threads wait meanwhile

_WANTED = threading.Event()
_LOCK = threading.Lock()
_threads: list[threading.Thread] = []


def free_memory_soon() -> None:
    """Has a thread give back memory that is not used any more: now, or when :data:`REST_S` are over."""
    _WANTED.set()
    with _LOCK:
        if not _threads:
            _threads.append(threading.Thread(target=_free_when_wanted, daemon=True))
            _threads[0].start()


def _free_when_wanted() -> None:
    while _WANTED.wait():
        _WANTED.clear()
        _free_memory()
        time.sleep(REST_S)


def _free_memory() -> None:
    """Gives memory back to the system where glibc would keep it."""
    gc.collect()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
