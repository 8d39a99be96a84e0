"""Fork safety: native objects with threads of their own, in a process and in the processes forked from it."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_natives: weakref.WeakSet[object] = weakref.WeakSet()
_first_process = os.getpid()


class OpenedInEachProcess(Generic[T]):
    """A native object whose threads or locks do not survive a fork: the child opens its own on first use.

    Args:
        open_it: Opens it; called again in each forked process that uses it.
        opened: What this process has opened already.
    """

    def __init__(self, open_it: Callable[[], T], opened: T) -> None:
        self._open_it = open_it
        keep_in_children(opened)
        # Replaced as a whole, so that threads need no lock, which a fork might find locked.
        self._opened = os.getpid(), opened

    def __call__(self) -> T:
        """The object of this process."""
        process, opened = self._opened
        if process != os.getpid():
            opened = self._open_it()
            keep_in_children(opened)
            self._opened = os.getpid(), opened
        return opened


def keep_in_children(native: object) -> None:
    """Has forked processes never free this object; that would wait for threads that only the parent has."""
    _natives.add(native)


class ForkedLock:
    """A lock that is free in a forked process, where no thread is left that could free it."""

    def __init__(self) -> None:
        self._renew()
        in_children(self._renew)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _renew(self) -> None:
        self._lock = threading.Lock()


def in_children(call: Callable[[], object]) -> None:
    """Has a function called in each forked process at its beginning."""
    if hasattr(os, "register_at_fork"):  # Windows has no forks
        os.register_at_fork(after_in_child=call)


def is_fork() -> bool:
    """Whether this process was forked from one that had imported this module."""
    return os.getpid() != _first_process


def _keep_natives() -> None:
    for native in list(_natives):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(native))
    _natives.clear()


in_children(_keep_natives)
