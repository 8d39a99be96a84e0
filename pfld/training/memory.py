"""The C allocator, told to keep what a training step frees for the next one."""

from __future__ import annotations

import ctypes

# Options of glibc's mallopt.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_LARGEST = 1 << 30  # bytes


def keep_freed_memory() -> bool:
    """Whether this C library could be told; on others nothing changes.

    By default glibc gives large blocks back at once and asks for fresh, zeroed pages a moment later,
    which on the CPU can cost a quarter of a training step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, _LARGEST))
