"""Sessions: what Gradio keeps of each page, bounded for pages that are not open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.state_holder import SessionState, StateHolder

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


class Session(SessionState):
    """What Gradio keeps of a page, without the properties of all its components.

    Gradio describes each component anew for each session, for links that bring back a page as it was. There
    are no such links here, and it would take 10 ms, in which nothing else is answered, and 200 KB.
    """

    def __init__(self, page: gr.Blocks) -> None:
        described: Any = SimpleNamespace(default_config=page.default_config, blocks=())
        super().__init__(described)

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class _Sessions(StateHolder):
    """Makes a :class:`Session` for each name that a call has, whether it is a page's or made up."""

    def __getitem__(self, session_id: str) -> SessionState:
        if session_id not in self.session_data:
            self.session_data[session_id] = Session(self.blocks)
        return super().__getitem__(session_id)


def bound_sessions(page: gr.Blocks, open_pages: OpenPages) -> None:
    """Makes sessions small, and has the oldest of pages that are not open forgotten, once there are many."""
    holder: Any = page.state_holder
    holder.__class__ = _Sessions
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
