"""Gradio app ``python demo/app.py``: landmarks from camera, photos and videos, computed on this machine."""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from landmark_app.camera.admission import Admission
from landmark_app.files.results import remove_old
from landmark_app.models import Choice, Models
from landmark_app.proxies import use_no_proxy_for
from pfld.commands.arguments import positive
from pfld.weights.shipped import DEFAULT_WEIGHTS

ENDED = 130  # exit status after Ctrl-C, as shells have it


def main(argv: list[str] | None = None) -> int:
    """Runs the app until it is interrupted; returns the exit status."""
    start = time.perf_counter()
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names are printed in any locale
    try:
        models = Models(arguments.network)
        places = Admission(arguments.max_live)
        # SIGTERM ends the app as Ctrl-C does, so that visitors' files are removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        folder = Path(tempfile.mkdtemp(prefix="pfld-demo-"))
    except (ValueError, OSError) as error:
        print(f"demo/app.py: {error}", file=sys.stderr)
        return 2
    try:
        return _serve(arguments, models, places, folder, start)
    except KeyboardInterrupt:  # before the page is there; afterwards Gradio notices it
        return ENDED
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(
    arguments: argparse.Namespace, models: Models, places: Admission, folder: Path, start: float
) -> int:
    # Gradio reads these when it is imported. It stores and serves files in this folder only.
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    unusable = use_no_proxy_for(arguments.host, os.environ)
    if unusable:
        print(f"  {unusable}", file=sys.stderr, flush=True)
    from landmark_app import page as ui

    # The default network is loaded before the page opens, the others in a thread afterwards.
    loading = models.load()
    _report(next(loading, None))
    limits = ui.Limits(max_video_s=arguments.max_video_s, max_jobs=arguments.max_jobs)
    page = ui.build(models, places, limits, folder)
    try:
        _, address, shared = page.launch(
            server_name=arguments.host,
            server_port=arguments.port,
            share=arguments.share,
            root_path=arguments.root_path or None,
            max_file_size=f"{arguments.max_upload_mb}mb",
            max_threads=4 * arguments.max_live + arguments.max_jobs,
            prevent_thread_lock=True,
            **ui.launch_options(),
        )
    except OSError as error:
        # Gradio's message names its own environment variables and arguments.
        taken = f"port {arguments.port} is taken" if arguments.port else "no port is free"
        reason = taken if "empty port" in str(error) else error
        print(f"demo/app.py: {reason}; choose another --port", file=sys.stderr)
        return 1
    except Exception as error:  # Gradio has none of its own for a page that it cannot reach
        print("demo/app.py:", " ".join(str(error).split()), file=sys.stderr)
        return 1
    print(f"\n  Open {address} (ready after {time.perf_counter() - start:.1f} s)", flush=True)
    if shared:
        print(f"  Shared at {shared}: pictures pass through Gradio's servers.", flush=True)
    threading.Thread(target=_load_rest, args=(models, loading), daemon=True).start()
    threading.Thread(target=_tidy, args=(folder, ui.KEPT_S), daemon=True).start()
    page.block_thread()
    return 0


def _load_rest(models: Models, loading: Iterator[tuple[Choice, float]]) -> None:
    for loaded in loading:
        _report(loaded)
    for failure in models.failures.values():
        print(f"  {failure}", file=sys.stderr, flush=True)


def _tidy(folder: Path, kept_s: float) -> None:
    while True:
        time.sleep(kept_s / 4)
        try:
            remove_old(folder, kept_s)
        except OSError as error:  # the next round tries again
            print(f"  results cannot be removed: {error}", file=sys.stderr, flush=True)


def _report(loaded: tuple[Choice, float] | None) -> None:
    if loaded:
        print("  loaded {} in {:.1f} s".format(*loaded), flush=True)


def _sub_path(text: str) -> str:
    """A path as Gradio takes it, with a slash before it and none behind it; or an address."""
    path = text.rstrip("/")
    if not path or re.fullmatch(r"https?://[^\s?#]+", path):
        return path
    path = "/" + path.removeprefix("/")
    if not re.fullmatch(r"(/[\w~%-][\w.~%-]*)+", path):
        raise argparse.ArgumentTypeError(f"must be a path such as /face, got {text!r}")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo/app.py", description=__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, help="port (default the first free one from 7860)")
    parser.add_argument(
        "--root-path",
        metavar="PATH",
        type=_sub_path,
        default="",
        help="sub-path, or address, that a reverse proxy has the app at and removes (default none)",
    )
    parser.add_argument(
        "--network", default=DEFAULT_WEIGHTS, help="network chosen at first (default %(default)s)"
    )
    parser.add_argument(
        "--share", action="store_true", help="a public link, through Gradio's servers (default no)"
    )
    parser.add_argument(
        "--max-upload-mb", type=positive, default=200, help="largest upload in MB (default 200)"
    )
    parser.add_argument(
        "--max-video-s", type=positive, default=120, help="longest video in seconds (default 120)"
    )
    parser.add_argument(
        "--max-live", type=positive, default=4, help="most cameras at once (default 4)"
    )
    parser.add_argument(
        "--max-jobs", type=positive, default=2, help="most photos and videos at once (default 2)"
    )
    return parser


if __name__ == "__main__":
    ended_with = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads may still compute a frame; Python's normal exit would abort with an error then.
    os._exit(ended_with)
