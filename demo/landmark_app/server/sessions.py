"""Sessions: what Gradio keeps of each page, bounded for pages that are not open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

MOST_CLOSED = 50  # sessions; pages may come back after a pause


class OpenPages:
    """The pages that are open now, by the names of their sessions; each keeps a connection meanwhile."""

    def __init__(self) -> None:
        self._connections: Counter[str] = Counter()

    @contextmanager
    def connected(self, session: str) -> Iterator[None]:
        """A context for one connection of a page."""
        self._connections[session] += 1
        try:
            yield
        finally:
            self._connections[session] -= 1
            if not self._connections[session]:
                del self._connections[session]

    def __contains__(self, session: str) -> bool:
        return session in self._connections

    def __len__(self) -> int:
        return len(self._connections)


def bound_sessions(page: gr.Blocks, open_pages: OpenPages) -> None:
    """Has the oldest sessions of pages that are not open forgotten, once there are many.

    Gradio makes a session of some 200 KB for each name that a call has, whether it is a page's or made up.
    """
    holder: Any = page.state_holder
    update = holder.update

    def bounded_update(session: str) -> None:
        update(session)
        with holder.lock:
            found = holder.session_data
            too_many = len(found) - len(open_pages) - MOST_CLOSED
            if too_many > 0:
                closed = [name for name in found if name not in open_pages and name != session]
                for name in closed[:too_many]:
                    del found[name]
                    holder.time_last_used.pop(name, None)

    holder.update = bounded_update
