"""Jobs: functions of the page that wait in Gradio's queue, shared out among visitors."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from landmark_app.server.shares import Shares
from landmark_app.server.visitors import visitor_of
from pfld.media.isolated import seconds_for_this_thread


def share_jobs(page: gr.Blocks, shares: Shares) -> None:
    """Counts what the page's jobs compute for each visitor, and bounds it while others are here, too.

    Then one job of a visitor runs at a time, visitors for whom much was computed leave one place to others,
    and jobs of visitors with enough waiting, or who have had their share, are refused in words.
    """
    for block in page.fns.values():
        if block.fn and is_job(block):
            block.fn = counted(block.fn, shares)
    queue: Any = page._queue
    push, get_events = queue.push, queue.get_events

    async def push_shared(body: Any, request: Any, username: str | None) -> Any:
        block = page.fns.get(body.fn_index)
        if block is not None and is_job(block):
            visitor = visitor_of(request.scope)
            waiting = [visitor_of(event.request.scope) for event in _waiting_jobs(queue)]
            why = shares.refusal(visitor, waiting.count(visitor))
            if why:
                return False, why, "error"
        return await push(body=body, request=request, username=username)

    def get_shared_events() -> Any:
        for line in queue.event_queue_per_concurrency_id.values():
            line.queue.sort(key=lambda event: shares.has_had_much(visitor_of(event.request.scope)))
        held = [event for event in _waiting_jobs(queue) if is_held(event)]
        for event in held:
            _line_of(queue, event).remove(event)
        try:
            return get_events()
        finally:
            for event in held:  # behind those of other visitors
                _line_of(queue, event).append(event)

    def is_held(event: Any) -> bool:
        visitor = visitor_of(event.request.scope)
        running = [
            visitor_of(other.request.scope)
            for others in queue.active_jobs
            for other in others or ()
            if other.concurrency_id == event.concurrency_id
        ]
        places = queue.event_queue_per_concurrency_id[event.concurrency_id].concurrency_limit
        if not running or not shares.has_others(visitor):
            return False
        full = sum(map(shares.has_had_much, running)) >= max(places - 1, 1)
        return visitor in running or (full and shares.has_had_much(visitor))

    queue.push, queue.get_events = push_shared, get_shared_events


def is_job(block: Any) -> bool:
    """Whether a function of the page is one of which only some run at once."""
    return bool(block.fn and block.queue and block.concurrency_limit is not None)


def counted(work: Callable[..., Any], shares: Shares) -> Callable[..., Any]:
    """The function, whose seconds of computing are noted for the visitor who calls it."""

    @contextmanager
    def counting() -> Iterator[None]:
        request = LocalContext.request.get(None)
        start_s = _seconds()
        try:
            yield
        finally:
            if request is not None and request.request is not None:
                shares.spend(visitor_of(request.request.scope), _seconds() - start_s)

    @wraps(work)
    def at_once(*inputs: Any, **more: Any) -> Any:
        with counting():
            return work(*inputs, **more)

    @wraps(work)
    def in_steps(*inputs: Any, **more: Any) -> Iterator[Any]:
        done = object()
        with closing(work(*inputs, **more)) as steps:
            while True:  # each step may be in another thread
                with counting():
                    values = next(steps, done)
                if values is done:
                    return
                yield values

    return in_steps if inspect.isgeneratorfunction(work) else at_once


def _seconds() -> float:
    """Seconds of computing by this thread, and by decoders for it; codecs' own threads are not counted."""
    return time.thread_time() + seconds_for_this_thread()


def _waiting_jobs(queue: Any) -> list[Any]:
    lines = queue.event_queue_per_concurrency_id.values()
    return [event for line in lines for event in line.queue if is_job(event.fn)]


def _line_of(queue: Any, event: Any) -> list[Any]:
    return queue.event_queue_per_concurrency_id[event.concurrency_id].queue
