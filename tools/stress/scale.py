"""How fast `predict` is on a phone's video and on a folder of pictures, and whether it survives kills.

    python tools/stress/scale.py video --work DIR [--against CHECKOUT]
    python tools/stress/scale.py workers --work DIR
    python tools/stress/scale.py kills --work DIR --kills 50
    python tools/stress/scale.py long --work DIR

`video` writes a video of a minute in 1080p with sound and a variable frame rate, runs `predict` on it
and compares the copy's times and sound with the source's; with `--against` it runs the `predict` of
another checkout in turn and gives the factor between the medians. `workers` finds faces in 2,000
pictures with one process and with two. `kills` ends `predict --workers 2` at random moments and
compares the finished results with those of an undisturbed run. `long` follows a video of an hour and
prints how memory goes. Timings need a machine that does nothing else.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "demo" / "examples" / "astronaut.jpg"


def photo(size: int) -> Image.Image:
    return Image.open(PHOTO).convert("RGB").resize((size, size))


def write_phone_video(
    path: Path, seconds: float = 60, size: tuple[int, int] = (1920, 1080)
) -> None:
    """A face that moves, 30 frames a second with jitter and pauses, and a tone."""
    rng = random.Random(0)
    width, height = size
    face = np.asarray(photo(height))
    with av.open(str(path), "w") as container:
        video = container.add_stream(
            "libx264", rate=30, options={"preset": "ultrafast", "crf": "23"}
        )
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = video.time_base = Fraction(1, 90000)
        sound = container.add_stream("aac", rate=48000)
        now, samples = 0.0, 0
        while now < seconds:
            picture = np.full((height, width, 3), 96, np.uint8)
            left = int((width - height) * (0.5 + 0.4 * np.sin(now)))
            picture[:, left : left + height] = face
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(now * 90000), Fraction(1, 90000)
            container.mux(video.encode(frame))
            # A pause now and then, as phones make in the dark.
            now += (
                1 / 30
                + rng.choice([0, 0, 0, 0.001, -0.001, 0.02])
                + (0.4 if rng.random() < 0.005 else 0)
            )
            while samples / 48000 < min(now, seconds):
                tone = 0.1 * np.sin(2 * np.pi * 440 * (samples + np.arange(1024)) / 48000)
                block = av.AudioFrame.from_ndarray(
                    tone.astype(np.float32)[None], format="fltp", layout="mono"
                )
                block.sample_rate, block.pts, block.time_base = 48000, samples, Fraction(1, 48000)
                container.mux(sound.encode(block))
                samples += 1024
        container.mux(video.encode())
        container.mux(sound.encode())


def times_of(path: Path) -> tuple[np.ndarray, float]:
    """When each frame is shown, in seconds from the first, and how long the sound lasts (0: no sound)."""
    with av.open(str(path)) as container:
        times = sorted(
            float(p.pts * p.time_base) for p in container.demux(video=0) if p.pts is not None
        )
    with av.open(str(path)) as container:
        sound = 0.0
        if container.streams.audio:
            sound = sum(f.samples / f.sample_rate for f in container.decode(audio=0))
    return np.array(times) - times[0], sound


def predict(checkout: Path, *arguments: str) -> float:
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pfld", "predict", *arguments]
    begun = time.perf_counter()
    subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def measure_video(work: Path, against: Path | None) -> None:
    source = work / "phone.mp4"
    if not source.exists():
        write_phone_video(source)
    times, sound = times_of(source)
    print(f"{len(times)} frames in {times[-1]:.1f} s, sound of {sound:.1f} s")
    checkouts = {"this": ROOT} | ({"other": against} if against else {})
    taken: dict[str, list[float]] = {name: [] for name in checkouts}
    for turn in range(3):
        for name, checkout in checkouts.items():
            out = work / f"{name}-{turn}"
            shutil.rmtree(out, ignore_errors=True)
            taken[name].append(predict(checkout, str(source), "--out", str(out), "--json"))
            print(f"{name}: {taken[name][-1]:.1f} s", flush=True)
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        copy = next(p for p in (work / f"{name}-0").iterdir() if p.suffix in (".mp4", ".webm"))
        copied, copied_sound = times_of(copy)
        fits = len(copied) == len(times)
        furthest = (
            f"{1000 * np.abs(copied - times).max():.1f} ms"
            if fits
            else f"{len(copied)} frames only"
        )
        rate = len(times) / median
        print(f"{name}: {rate:.1f} frames/s, furthest frame {furthest}, sound {copied_sound:.1f} s")
    if against:
        ratio = statistics.median(taken["other"]) / statistics.median(taken["this"])
        print(f"{ratio:.2f} times the rate of the other checkout")


def write_pictures(folder: Path, count: int) -> None:
    if folder.exists():
        return
    folder.mkdir(parents=True)
    rng = random.Random(0)
    for number in range(count):
        size = rng.randint(400, 640)
        photo(size).rotate(rng.uniform(-15, 15)).save(folder / f"{number:05d}.jpg", quality=85)


def digest(folder: Path) -> str:
    """One number for all results: what is kept between runs is left out, as it has times in it."""
    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and ".predict" not in p.parts):
        found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()


def measure_workers(work: Path) -> None:
    pictures = work / "pictures"
    write_pictures(pictures, 2000)
    taken: dict[int, list[float]] = {1: [], 2: []}
    digests = set()
    for _ in range(2):
        for workers in taken:
            out = work / f"workers-{workers}"
            shutil.rmtree(out, ignore_errors=True)
            taken[workers].append(
                predict(ROOT, str(pictures), "--out", str(out), "--json", "--workers", str(workers))
            )
            print(f"{workers} workers: {taken[workers][-1]:.1f} s", flush=True)
            digests.add(digest(out))
    print(
        f"{min(taken[1]) / min(taken[2]):.2f} times as fast; the same results: {len(digests) == 1}"
    )


def kill_workers(work: Path, kills: int, count: int) -> None:
    pictures = work / f"few-{count}"
    write_pictures(pictures, count)
    whole, killed = work / "whole", work / "killed"
    for folder in (whole, killed):
        shutil.rmtree(folder, ignore_errors=True)
    seconds = predict(ROOT, str(pictures), "--out", str(whole), "--json", "--csv")
    rng = random.Random(1)
    command = [
        sys.executable,
        "-m",
        "pfld",
        "predict",
        str(pictures),
        "--out",
        str(killed),
        "--json",
        "--csv",
    ]
    hit = 0
    while hit < kills:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(
            [*command, "--workers", "2"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
        ) as process:
            time.sleep(rng.uniform(0.2, max(1.0, seconds / 3)))
            family = (
                psutil.Process(process.pid).children(recursive=True)
                if process.poll() is None
                else []
            )
            # Half of the kills hit one worker, half the whole command.
            if family and rng.random() < 0.5:
                rng.choice(family).send_signal(signal.SIGKILL)
                time.sleep(rng.uniform(0.2, 1.0))
            if process.poll() is not None:
                if process.returncode == 0:
                    print("the same bytes:", digest(killed) == digest(whole), flush=True)
                shutil.rmtree(
                    killed
                )  # It had ended: begin again, so that there is something to kill.
                continue
            process.kill()
            for member in family:
                if member.is_running():
                    member.kill()
        hit += 1
        done = sum(1 for _ in killed.glob("*.jpg")) if killed.exists() else 0
        print(f"kill {hit}: {done} pictures done", flush=True)
        if done > 5 / 6 * count:
            predict(ROOT, str(pictures), "--out", str(killed), "--json", "--csv", "--workers", "2")
            print("the same bytes:", digest(killed) == digest(whole), flush=True)
            shutil.rmtree(killed)
    predict(ROOT, str(pictures), "--out", str(killed), "--json", "--csv", "--workers", "2")
    print("the same bytes:", digest(killed) == digest(whole))


def follow_long(work: Path) -> None:
    source = work / "hour.mp4"
    if not source.exists():
        write_phone_video(source, 3600, (320, 240))
    out = work / "hour"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "pfld", "predict", str(source), "--out", str(out), "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        begun = time.monotonic()
        while process.poll() is None:
            time.sleep(20)
            try:
                family = [
                    psutil.Process(process.pid),
                    *psutil.Process(process.pid).children(recursive=True),
                ]
                memory = sum(p.memory_info().rss for p in family) / 2**20
            except psutil.NoSuchProcess:
                break
            print(f"{time.monotonic() - begun:5.0f} s: {memory:.0f} MiB", flush=True)
    print(f"status {process.returncode}; {len(times_of(source)[0])} frames")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["video", "workers", "kills", "long"])
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for what is made and measured"
    )
    parser.add_argument("--kills", type=int, default=20, help="how many `kills` does (default 20)")
    parser.add_argument(
        "--pictures", type=int, default=300, help="how many pictures `kills` has (default 300)"
    )
    parser.add_argument("--against", type=Path, help="another checkout to compare `video` with")
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if options.what == "video":
        measure_video(work, options.against)
    elif options.what == "kills":
        kill_workers(work, options.kills, options.pictures)
    else:
        {"workers": measure_workers, "long": follow_long}[options.what](work)


if __name__ == "__main__":
    main()
