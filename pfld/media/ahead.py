"""Reading ahead: a thread makes the next items while the last one is being used."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


def read_ahead(items: Iterator[Item], depth: int) -> Generator[Item]:
    """The items, of which up to ``depth`` are made by a thread before they are asked for.

    What the iterator raises is raised in its place. Closing this generator ends the thread.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="pfld-read-ahead") as executor:
        waiting = deque(executor.submit(next, items, _END) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(executor.submit(next, items, _END))
                yield item  # type: ignore[misc]  # it is not _END
        finally:
            for future in waiting:
                future.cancel()
