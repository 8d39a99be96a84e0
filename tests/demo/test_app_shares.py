"""What is computed for one visitor while others use the app: counted, bounded, refused in words."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from landmark_app.server import shares as rules
from landmark_app.server.shares import Shares

pytest.importorskip("gradio")
from landmark_app.server.jobs import share_jobs


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def shares(clock):
    """Of an app that two visitors use."""
    shares = Shares(clock)
    for visitor in ("a", "b"):
        shares.see(visitor)
    return shares


def test_who_has_had_a_share_is_told_how_long_to_wait(shares, clock):
    assert shares.refusal("a", 0) is None
    shares.spend("a", rules.AT_ONCE_S + 10)
    assert "Try again in 41 s" in shares.refusal("a", 0)
    assert shares.refusal("b", 0) is None
    for _ in range(41):
        clock.now_s += 1
        shares.see("a")
        shares.see("b")
    assert shares.refusal("a", 0) is None


def test_the_more_visitors_are_here_the_less_comes_back_to_each(shares):
    assert shares.rate() == rules.CORES / 2
    for number in range(8):
        shares.see(f"{number}")
    assert shares.rate() == rules.CORES / 10
    shares.spend("a", rules.AT_ONCE_S + 1)
    assert "Try again in 21 s" in shares.refusal("a", 0)


def test_nothing_is_refused_to_a_visitor_who_is_alone(shares, clock):
    shares.spend("a", 1000)
    assert shares.refusal("a", 0) and shares.refusal("b", rules.MOST_WAITING)
    clock.now_s += 61
    shares.see("a")
    assert shares.refusal("a", 0) is None and shares.refusal("a", 30) is None


def test_only_visitors_of_late_are_remembered(clock):
    shares = Shares(clock)
    for number in range(1000):
        shares.see(f"{number}")
        shares.spend(f"{number}", 1)
        clock.now_s += 1
    assert len(shares._seen) < 100 and len(shares._owed) < 200


def event(visitor, *, line="jobs", limit=2):
    block = SimpleNamespace(fn=len, queue=True, connection="sse", concurrency_limit=limit)
    request = SimpleNamespace(scope={"client": (visitor, 1)})
    return SimpleNamespace(request=request, fn=block, concurrency_id=line)


class Queue:
    """A queue that starts the first event of its line, as Gradio's does, while there are places."""

    def __init__(self, waiting, places=2):
        self.line = SimpleNamespace(queue=list(waiting), concurrency_limit=places)
        self.event_queue_per_concurrency_id = {"jobs": self.line}
        self.active_jobs = [None] * 8
        self.places = places

    async def push(self, body, request, username):
        return True, "id", "success"

    def get_events(self):
        running = sum(events is not None for events in self.active_jobs)
        if self.line.queue and running < self.places:
            return [self.line.queue.pop(0)]
        return None

    def start(self):
        """Who of the waiting visitors have their jobs started."""
        started = []
        while events := self.get_events():
            self.active_jobs[self.active_jobs.index(None)] = events
            started.append(events[0].request.scope["client"][0])
        return started


def shared(queue, shares, blocks=()):
    share_jobs(SimpleNamespace(fns=dict(enumerate(blocks)), _queue=queue), shares)
    return queue


def test_one_job_of_a_visitor_runs_at_a_time(shares):
    queue = shared(Queue(map(event, "aaab")), shares)
    assert queue.start() == ["a", "b"]
    assert [e.request.scope["client"][0] for e in queue.line.queue] == ["a", "a"]


def test_a_visitor_who_is_alone_has_all_places(clock):
    alone = Shares(clock)
    alone.see("a")
    assert shared(Queue(map(event, "aaa")), alone).start() == ["a", "a"]


def test_visitors_with_much_leave_a_place_and_go_behind(shares):
    for visitor in "ab":
        shares.spend(visitor, rules.LITTLE_S + 1)
    queue = shared(Queue(map(event, "aabb")), shares)
    assert queue.start() == ["a"]
    queue.line.queue.append(event("c"))
    assert queue.start() == ["c"]
    assert shared(Queue(map(event, "abc"), places=1), shares).start() == ["c"]


def test_cameras_and_what_many_may_do_at_once_are_no_jobs(shares):
    changes = [event("a", limit=None) for _ in range(2)]
    assert shared(Queue(changes), shares).start() == ["a", "a"]


@pytest.mark.parametrize("why", ["waiting", "had a share", "neither"])
def test_jobs_are_refused_in_words(shares, why):
    block = event("a").fn
    waiting = map(event, "aaaa" if why == "waiting" else "aaab")
    queue = shared(Queue(waiting), shares, [block])
    if why == "had a share":
        shares.spend("a", 1000)
    request = SimpleNamespace(scope={"client": ("a", 1)})
    done, words, kind = asyncio.run(queue.push(SimpleNamespace(fn_index=0), request, None))
    assert done == (why == "neither")
    if not done:
        assert kind == "error" and "Try again" in words


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@pytest.mark.parametrize("kind", ["at once", "in steps", "closed", "failed"])
def test_what_a_job_computes_is_counted_for_its_visitor(monkeypatch, clock, kind):
    from gradio.context import LocalContext

    from landmark_app.server.jobs import counted

    counts = Shares(clock)
    steps_done = []

    def at_once(fails):
        burn(0.05)
        if fails:
            raise ValueError("no")
        return 5

    def in_steps(_):
        try:
            burn(0.05)
            yield 5
            burn(10)
        finally:
            steps_done.append(True)

    scope = {"client": ("a", 1)}
    LocalContext.request.set(SimpleNamespace(request=SimpleNamespace(scope=scope)))
    try:
        if kind == "at once":
            assert counted(at_once, counts)(False) == 5
        elif kind == "failed":
            with pytest.raises(ValueError, match="no"):
                counted(at_once, counts)(True)
        elif kind == "in steps":
            assert list(counted(lambda _: (yield from [1, 2]), counts)(0)) == [1, 2]
        else:
            steps = counted(in_steps, counts)(0)
            assert next(steps) == 5
            steps.close()
            assert steps_done
    finally:
        LocalContext.request.set(None)
    seconds, _ = counts._owed["a"]
    assert seconds < 0.05 if kind == "in steps" else 0.05 <= seconds < 1
