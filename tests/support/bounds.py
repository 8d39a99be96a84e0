"""Bounds on what a hostile file may take."""

import resource
import time
from contextlib import contextmanager

# The most that a file may take; it takes less than one on a machine that does nothing else.
SECONDS = 10


@contextmanager
def bounded(memory):
    """What is within ends in time, and takes little memory (in bytes)."""
    begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - begun < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < memory
