"""Predictions by several worker processes: the same bytes, whatever happens to the processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

from support.landmarkers import (
    DeadlyLandmarker,
    FailingLandmarker,
    SlowLandmarker,
    TouchingLandmarker,
    Unstartable,
)
from support.paths import ROOT
from support.prediction import (
    damaged_video,
    files_in,
    leftovers,
    photo,
    results,
    run,
    video,
)

pytestmark = pytest.mark.slow


def sources(folder, pictures=6):
    for index in range(pictures):
        photo(folder / f"{index}" / "a.jpg", brightness=25 * index)
    (folder / "text.jpg").write_text("not a picture")
    video(folder / "b.mp4")
    video(folder / "c.mp4", count=25)
    damaged_video(folder / "d.avi")
    return folder


def contents(out):
    return {name: (out / name).read_bytes() for name in files_in(out)}


def copies(out):
    return [name for name in files_in(out) if name.endswith(".jpg")]


def children():
    return [child for child in psutil.Process().children() if is_worker(child)]


def is_worker(process):
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False


@pytest.mark.slow
def test_results_are_the_same_with_every_number_of_workers(tmp_path):
    folder = sources(tmp_path / "in")
    summaries = []
    for workers in (1, 2, 3):
        summaries.append(run(folder, tmp_path / f"{workers}", workers=workers, json=True, csv=True))
        assert contents(tmp_path / f"{workers}") == contents(tmp_path / "1")
        assert not leftovers(tmp_path / f"{workers}") and not children()
    first, *others = summaries
    assert len(first.problems) == 2 and (first.pictures, first.videos) == (6, 3)
    for summary in others:
        assert sorted(summary.problems) == sorted(first.problems)
        for name in ("pictures", "videos", "frames", "with_faces", "done_before", "left"):
            assert getattr(summary, name) == getattr(first, name)
    again = run(folder, tmp_path / "2", workers=2, json=True, csv=True)
    assert again.done_before == 9 and len(again.problems) == 2
    assert contents(tmp_path / "2") == contents(tmp_path / "1")


@pytest.mark.slow
def test_a_source_whose_worker_dies_is_done_again(tmp_path):
    folder = sources(tmp_path / "in")
    photo(folder / "bright.jpg", brightness=250)
    landmarker = DeadlyLandmarker(once=tmp_path / "died")
    summary = run(folder, tmp_path / "out", landmarker, workers=2, json=True)
    assert (tmp_path / "died").exists() and len(summary.problems) == 2
    run(folder, tmp_path / "straight", json=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "straight")


def test_a_source_that_kills_two_workers_is_left_out(tmp_path):
    for index in range(4):
        photo(tmp_path / f"in/{index}.jpg")
    photo(tmp_path / "in/bright.jpg", brightness=250)
    summary = run(tmp_path / "in", tmp_path / "out", DeadlyLandmarker(), workers=2, json=True)
    assert summary.problems == [
        f"skipped: {tmp_path}/in/bright.jpg: two processes ended in it (signal 9)"
    ]
    assert (summary.pictures, summary.left) == (4, 0) and not leftovers(tmp_path / "out")
    assert len(results(tmp_path / "out")) == 4


@pytest.mark.slow
def test_workers_killed_at_random_moments_change_nothing(tmp_path):
    folder = sources(tmp_path / "in", pictures=30)
    out, over, killed = tmp_path / "out", threading.Event(), []
    rng = np.random.default_rng(0)

    def kill_now_and_then():
        while not over.wait(rng.uniform(0.01, 0.3)) and len(killed) < 8:
            begun = {int(path.name.split(".")[1]) for path in out.glob(".predict/partial.*.*.*")}
            for child in children():
                if child.pid in begun - set(killed):
                    child.kill()
                    killed.append(child.pid)
                    break

    thread = threading.Thread(target=kill_now_and_then)
    thread.start()
    try:
        for _ in range(8):
            summary = run(folder, out, SlowLandmarker(), workers=2, json=True, csv=True)
            if len(summary.problems) == 2:
                break
    finally:
        over.set()
        thread.join()
    assert len(killed) > 2
    run(folder, tmp_path / "straight", json=True, csv=True)
    assert contents(out) == contents(tmp_path / "straight") and not leftovers(out)


def test_ctrl_c_ends_workers_and_the_next_run_goes_on(tmp_path):
    folder = sources(tmp_path / "in", pictures=20)
    out, main = tmp_path / "out", threading.main_thread().ident

    def interrupt():
        while len(copies(out)) < 3:
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    summary = run(folder, out, SlowLandmarker(), workers=2, json=True, csv=True)
    thread.join()
    assert summary.left > 0 and summary.pictures >= 3
    assert not children() and not leftovers(out)
    assert len(copies(out)) == summary.pictures
    again = run(folder, out, workers=2, json=True, csv=True)
    assert again.left == 0 and again.done_before == summary.pictures + summary.videos
    run(folder, tmp_path / "straight", json=True, csv=True)
    assert contents(out) == contents(tmp_path / "straight")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_workers_end_with_a_run_that_is_killed_and_the_next_one_goes_on(tmp_path, number):
    folder = sources(tmp_path / "in")
    video(folder / "long.mp4", count=400)
    program = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from pathlib import Path
from support.prediction import run
from support.landmarkers import SlowLandmarker
if __name__ == "__main__":
    run({str(folder)!r}, Path({str(tmp_path / "out")!r}), SlowLandmarker(), workers=2, json=True)
"""
    script = tmp_path / "program.py"
    script.write_text(program)
    process = subprocess.Popen(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        while len(copies(tmp_path / "out")) < 3:  # so that at least one is on record
            assert process.poll() is None
            time.sleep(0.02)
        processes = psutil.Process(process.pid).children(recursive=True)  # those of pictures, too
    finally:
        process.send_signal(number)
        process.wait()
    gone, alive = psutil.wait_procs(processes, timeout=30)
    assert gone and not alive
    summary = run(folder, tmp_path / "out", workers=2, json=True)
    assert summary.done_before > 0
    run(folder, tmp_path / "straight", json=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "straight")
    assert not leftovers(tmp_path / "out")


@pytest.mark.slow
def test_mistakes_and_workers_that_cannot_start_end_the_run(tmp_path):
    for name in "abc":
        photo(tmp_path / f"in/{name}.jpg")
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        run(tmp_path / "in", tmp_path / "out", FailingLandmarker(), workers=2)
    with pytest.raises(OSError, match=r"end as they start \(exit status 3\)"):
        run(tmp_path / "in", tmp_path / "out", Unstartable(), workers=2)
    assert not children() and not leftovers(tmp_path / "out")


def test_results_that_cannot_be_written_are_reported(tmp_path):
    for name in ("a", "b", "c"):
        photo(tmp_path / "in" / name / "a.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b").touch()
    summary = run(tmp_path / "in", tmp_path / "out", workers=2, json=True)
    (problem,) = summary.problems
    assert problem.startswith(f"skipped: {tmp_path}/in/b/a.jpg: its results cannot be written")
    assert summary.pictures == 2 == len(results(tmp_path / "out")) and not leftovers(
        tmp_path / "out"
    )


def test_a_file_that_changes_while_it_is_looked_at_is_done_again(tmp_path):
    for name in "abc":
        photo(tmp_path / f"in/{name}.png")
    bright = photo(tmp_path / "in/bright.png", brightness=250)
    landmarker = TouchingLandmarker(bright)
    assert run(tmp_path / "in", tmp_path / "out", landmarker, workers=2, json=True).pictures == 4
    again = run(tmp_path / "in", tmp_path / "out", json=True)
    assert (again.pictures, again.done_before) == (1, 3)


@pytest.mark.slow
def test_the_command_has_workers(tmp_path):
    (tmp_path / "in").mkdir()
    portrait = (ROOT / "demo/examples/astronaut.jpg").read_bytes()
    for name in "ab":
        (tmp_path / f"in/{name}.jpg").write_bytes(portrait)
    for workers in (1, 2):
        command = [sys.executable, "-m", "pfld", "predict", str(tmp_path / "in"), "--json"]
        command += ["--out", str(tmp_path / f"{workers}"), "--workers", str(workers)]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
        assert (ended.returncode, ended.stderr) == (0, "")
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert len(json.loads((tmp_path / "2/faces.jsonl").read_text().splitlines()[0])["faces"]) == 1
