"""``pfld site``: writes a page that finds landmarks in browsers, for any static web server."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pfld.commands.arguments import Subcommands
from pfld.files import write_whole
from pfld.web import INDEX, index_page, site_files
from pfld.weights.shipped import shipped_networks


def add_parser(commands: Subcommands) -> None:
    """Adds the ``site`` command."""
    parser = commands.add_parser("site", help="write a page that finds landmarks in browsers")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="folder to write into"
    )
    parser.add_argument(
        "--networks",
        metavar="NAME",
        nargs="+",
        help="which networks the page offers (default all that are shipped)",
    )
    parser.add_argument(
        "--address",
        metavar="URL",
        default="",
        help="where the page will be, so that chats can show its picture with a link (default not known)",
    )
    parser.set_defaults(run=_run)


def write_site(folder: Path, networks: Sequence[str] | None = None, address: str = "") -> int:
    """Writes the page's files; returns their size in bytes.

    Other files in the folder stay.

    Args:
        networks: Names of shipped weights; all by default.
        address: Where the page will be, as ``https://example.org/faces/``, if that is known.

    Raises:
        ValueError: For an address that is none of a web page.
        FileNotFoundError: For a network that is not shipped, or when none is.
        OSError: When the folder cannot be written.
    """
    names = list(dict.fromkeys(networks or shipped_networks("onnx")))
    if not names:
        raise FileNotFoundError("there are no ONNX weights that the page could offer")
    page = index_page(names, f"{address.rstrip('/')}/" if address else "")
    total = 0
    for name, source in site_files(names).items():
        data = source.read_bytes()
        write_whole(folder / name, data)
        total += len(data)
    write_whole(folder / INDEX, page)  # last, so that the page has all it needs
    return total + len(page)


def _run(arguments: argparse.Namespace) -> int:
    size = write_site(arguments.out, arguments.networks, arguments.address)
    print(f"wrote {arguments.out / INDEX} and what it needs, {size / 2**20:.1f} MiB")
    print(
        f"to try it: python -m http.server --bind 127.0.0.1 --directory {arguments.out}, "
        "then open http://127.0.0.1:8000/"
    )
    return 0
