"""A disk that is full, for one process."""

import resource
from contextlib import contextmanager


@contextmanager
def full_disk(size):
    """No file grows beyond ``size`` bytes; what is longer is refused as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
