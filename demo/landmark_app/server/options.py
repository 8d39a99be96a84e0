"""Options of ``python demo/app.py``."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from landmark_app.server.password import VARIABLE
from pfld.commands.arguments import positive
from pfld.weights.shipped import DEFAULT_WEIGHTS


def parser(description: str | None) -> argparse.ArgumentParser:
    """The parser of the app's options."""
    options = argparse.ArgumentParser(prog="demo/app.py", description=description)
    _add_address(options)
    options.add_argument(
        "--network", default=DEFAULT_WEIGHTS, help="network chosen at first (default %(default)s)"
    )
    options.add_argument(
        "--max-upload-mb", type=positive, default=200, help="largest upload in MB (default 200)"
    )
    options.add_argument(
        "--max-stored-mb",
        type=positive,
        default=2000,
        help="largest size of all uploads and results in MB (default 2000)",
    )
    options.add_argument(
        "--max-video-s", type=positive, default=120, help="longest video in seconds (default 120)"
    )
    options.add_argument(
        "--max-live", type=positive, default=4, help="most cameras at once (default 4)"
    )
    options.add_argument(
        "--max-jobs", type=positive, default=2, help="most photos and videos at once (default 2)"
    )
    return options


def _add_address(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)"
    )
    options.add_argument(
        "--port", type=port, help="port (default the first free one from 7860; 0 for any)"
    )
    options.add_argument(
        "--root-path",
        metavar="PATH",
        type=sub_path,
        default="",
        help="sub-path, or address, that a reverse proxy has the app at and removes (default none)",
    )
    options.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        type=host_name,
        default=[],
        help="a name that a reverse proxy has the app at; may be given several times (default none)",
    )
    options.add_argument(
        "--allow-frame",
        metavar="ORIGIN",
        action="append",
        type=origin,
        default=[],
        help="a website that may show the page in a frame, as https://example.org (default none)",
    )
    options.add_argument(
        "--auth",
        metavar="USER:PASSWORD",
        help=f"ask for a password (default none); others see it in the list of processes, so rather use "
        f"--auth-file or the variable {VARIABLE}",
    )
    options.add_argument(
        "--auth-file", metavar="FILE", type=Path, help="a file with USER:PASSWORD (default none)"
    )
    options.add_argument(
        "--ssl-certfile",
        metavar="FILE",
        type=Path,
        help="answer over https, with the certificate in this PEM file (default http)",
    )
    options.add_argument(
        "--ssl-keyfile",
        metavar="FILE",
        type=Path,
        help="the certificate's key (default: in the certificate's file)",
    )
    options.add_argument(
        "--share", action="store_true", help="a public link, through Gradio's servers (default no)"
    )


def port(text: str) -> int:
    """A port, 0 to 65535.

    Raises:
        argparse.ArgumentTypeError: For anything else.
    """
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be from 0 to 65535, got {text!r}")
    return int(text)


def sub_path(text: str) -> str:
    """A path as Gradio takes it, with a slash before it and none behind it; or an address.

    Raises:
        argparse.ArgumentTypeError: For anything else.
    """
    path = text.rstrip("/")
    if not path or re.fullmatch(r"https?://[^\s?#]+", path):
        return path
    path = "/" + path.removeprefix("/")
    if not re.fullmatch(r"(/[\w~%-][\w.~%-]*)+", path):
        raise argparse.ArgumentTypeError(f"must be a path such as /face, got {text!r}")
    return path


def host_name(text: str) -> str:
    """A name as in an address, without port.

    Raises:
        argparse.ArgumentTypeError: For anything else.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", text):
        raise argparse.ArgumentTypeError(f"must be a name such as example.org, got {text!r}")
    return text.lower()


def origin(text: str) -> str:
    """The origin of a website.

    Raises:
        argparse.ArgumentTypeError: For anything else.
    """
    if not re.fullmatch(r"https?://[A-Za-z0-9_.-]+(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"must be such as https://example.org, got {text!r}")
    return text.lower()
