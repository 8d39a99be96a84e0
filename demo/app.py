"""Gradio app ``python demo/app.py``: landmarks from camera, photos and videos, computed on this machine."""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from landmark_app.camera.admission import Admission
from landmark_app.camera.fold_facts import FoldFacts
from landmark_app.models import Choice, Models
from landmark_app.server.address import EVERYWHERE, address_of, listen
from landmark_app.server.certificate import Certificate, read_certificate
from landmark_app.server.home import KEPT_S, Home
from landmark_app.server.memory import few_arenas, stay
from landmark_app.server.options import parser
from landmark_app.server.password import VARIABLE, Password, read_password
from pfld.media.isolated import end_decoders, lower_priority

ENDED = 130  # exit status after Ctrl-C, as shells have it
MB = 2**20  # bytes
TIDY_S = 30.0  # between looks for what is too old or too much
DECODERS_NICENESS = 19  # photos have what cameras leave


def main(argv: list[str] | None = None) -> int:
    """Runs the app until it is interrupted; returns the exit status."""
    start = time.perf_counter()
    arguments = parser(__doc__).parse_args(argv)
    few_arenas()
    lower_priority(DECODERS_NICENESS)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names are printed in any locale
    try:
        password = read_password(arguments.auth, arguments.auth_file, os.environ)
        os.environ.pop(VARIABLE, None)  # processes started later need not know it
        certificate = read_certificate(arguments.ssl_certfile, arguments.ssl_keyfile)
        if certificate and arguments.share:
            raise ValueError("--share has https of its own; leave out --ssl-certfile")
        models = Models(arguments.network)
        listening = listen(arguments.host, arguments.port)
        # SIGTERM ends the app as Ctrl-C does, so that visitors' files are removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        home = Home(KEPT_S, arguments.max_stored_mb * MB)
    except (ValueError, OSError) as error:
        print(f"demo/app.py: {error}", file=sys.stderr)
        return 2
    try:
        return _serve(arguments, models, password, certificate, listening, home, start)
    except KeyboardInterrupt:  # before the page is there
        return ENDED
    except Exception as error:  # whatever a start may fail with is one line
        print("demo/app.py:", " ".join(str(error).split()), file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second one would leave files
            signal.signal(number, signal.SIG_IGN)
        for child in multiprocessing.active_children():
            child.kill()
        end_decoders()
        home.end()


def _serve(
    arguments: argparse.Namespace,
    models: Models,
    password: Password | None,
    certificate: Certificate | None,
    listening: socket.socket,
    home: Home,
    start: float,
) -> int:
    from landmark_app.server.variables import prepare

    for line in prepare(os.environ, home, keep_proxies=arguments.share):
        print(f"  {line}", file=sys.stderr, flush=True)
    # These import Gradio, which reads its variables then.
    from landmark_app import page as ui
    from landmark_app.server.gradio_app import make_app
    from landmark_app.server.guard import Guard
    from landmark_app.server.routes import Routes
    from landmark_app.server.running import Running, share
    from landmark_app.server.sessions import OpenPages
    from landmark_app.server.shares import Shares
    from landmark_app.server.visitors import Visitors

    # The default network is loaded before the page opens, the others in a thread afterwards.
    loading = models.load()
    _report(next(loading, None))
    limits = ui.Limits(max_video_s=arguments.max_video_s, max_jobs=arguments.max_jobs)
    facts = FoldFacts(models)
    page = ui.build(models, Admission(arguments.max_live), limits, home.files, facts)
    most_upload = arguments.max_upload_mb * MB
    shares, open_pages = Shares(), OpenPages()
    app = make_app(
        page,
        ui.launch_options(),
        shares,
        open_pages,
        root_path=arguments.root_path,
        most_upload=most_upload,
        max_threads=4 * arguments.max_live + arguments.max_jobs,
    )
    home.keep_what_is_here()
    names = [*arguments.allow_host, urlsplit(arguments.root_path).hostname]
    visitors = Visitors(arguments.host, filter(None, names), arguments.allow_frame)
    routes = Routes(home.files, most_upload, arguments.root_path)
    guard = Guard(app, visitors, routes, home, shares, open_pages, password)
    running = Running(guard, listening, certificate=certificate)
    stay()
    try:
        address = address_of(listening, "https" if certificate else "http")
        print(f"\n  Open {address} (ready after {time.perf_counter() - start:.1f} s)", flush=True)
        if arguments.share:
            shared = share(listening)
            visitors.allow(urlsplit(shared).hostname or "")
            print(f"  Shared at {shared}: pictures pass through Gradio's servers.", flush=True)
        _warn_of_others(arguments, password)
        threading.Thread(target=_load_rest, args=(models, loading, facts), daemon=True).start()
        threading.Thread(target=_tidy, args=(home,), daemon=True).start()
        running.wait()
        raise RuntimeError("the server has ended")
    except KeyboardInterrupt:
        return 0
    finally:
        running.end()


def _warn_of_others(arguments: argparse.Namespace, password: Password | None) -> None:
    is_open = arguments.host.strip("[]") in EVERYWHERE
    if is_open or arguments.share:
        whom = "Whoever has the link" if arguments.share else "Everyone on this network"
        how = "with the password" if password else "without a password; --auth-file asks for one"
        print(f"  {whom} can use the app, {how}.", flush=True)


def _load_rest(models: Models, loading: Iterator[tuple[Choice, float]], facts: FoldFacts) -> None:
    # What Live shows before the camera is on, with the train-time network and PyTorch.
    facts.sizes(models.default_network)
    facts.example(str(models.default))
    facts.example(str(Choice(models.default_network, "reparameterized")))
    for loaded in loading:
        _report(loaded)
    for failure in models.failures.values():
        print(f"  {failure}", file=sys.stderr, flush=True)


def _tidy(home: Home) -> None:
    while True:
        time.sleep(TIDY_S)
        try:
            home.tidy()
            home.make_room(0)
        except OSError as error:  # the next round tries again
            print(f"  files cannot be removed: {error}", file=sys.stderr, flush=True)


def _report(loaded: tuple[Choice, float] | None) -> None:
    if loaded:
        print("  loaded {} in {:.1f} s".format(*loaded), flush=True)


if __name__ == "__main__":
    ended_with = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads may still compute a frame; Python's normal exit would abort with an error then.
    os._exit(ended_with)
