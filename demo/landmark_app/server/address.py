"""The address that the app listens at: found, or refused in words."""

from __future__ import annotations

import errno
import os
import socket

FIRST_PORT, LAST_PORT = 7860, 7959
EVERYWHERE = ("0.0.0.0", "::")  # all addresses of the machine


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens at a host's port.

    Args:
        host: A name or number, IPv6 with or without brackets.
        port: 0 for any free one; None for the first free one from 7860.

    Raises:
        ValueError: When that is not possible; the message says which option to change.
    """
    host = host.strip("[]")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ValueError(f"--host {host} is not known: {_words(error)}") from error
    for candidate in range(FIRST_PORT, LAST_PORT + 1) if port is None else (port,):
        try:
            return _bound(family, (address[0], candidate, *address[2:]))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise ValueError(f"--host {host} is no address of this machine") from error
            if error.errno != errno.EADDRINUSE:
                raise ValueError(
                    f"port {candidate} of {host} cannot be used: {_words(error)}"
                ) from error
    taken = f"ports {FIRST_PORT} to {LAST_PORT} are" if port is None else f"port {port} is"
    raise ValueError(f"{taken} taken; choose another --port")


def address_of(listening: socket.socket, scheme: str = "http") -> str:
    """The address of a listening socket for a browser on this machine, as http://127.0.0.1:7860/."""
    host, port = listening.getsockname()[:2]
    if host in EVERYWHERE:
        host = "localhost"
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    # Without the protocol asyncio would not set TCP_NODELAY, and answers of two parts take 40 ms more.
    own = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two programs share a port
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind(address)
        own.listen(128)  # only now is a port taken for sure
    except BaseException:
        own.close()
        raise
    return own


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
