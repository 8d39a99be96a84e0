"""Who asks, and who may: the page itself, under names of this machine; no other website."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from landmark_app.server.address import EVERYWHERE

_PORTS = {"http": 80, "https": 443}
_OWN_BITS = 64  # of an IPv6 address, those of the network of one host or home


class Visitors:
    """Decides by a request's headers whether it may be answered.

    A website may have its own name resolve to this machine, so names that are not this machine's are
    refused. Numbers cannot be misused so, and are always fine.

    Args:
        host: The address listened at.
        names: Further names by which browsers know the app, as those of a reverse proxy.
        framers: Origins, as https://example.org, that may show the page in a frame.
    """

    def __init__(self, host: str, names: Iterable[str] = (), framers: Iterable[str] = ()) -> None:
        self.named = {name.lower().rstrip(".") for name in names}
        self.framers = tuple(framers)
        self._own = {"localhost", *self.named}
        host = host.strip("[]").lower()
        if not _is_number(host):
            self._own.add(host)
        if host in EVERYWHERE:
            own = {socket.gethostname().lower(), socket.getfqdn().lower()}
            self._own |= own | {f"{name}.local" for name in own}

    def allow(self, name: str) -> None:
        """Adds a name by which browsers know the app."""
        self.named.add(name.lower())
        self._own.add(name.lower())

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> str | None:
        """Why a request is refused, in words; None if it is not.

        Args:
            headers: By names in lower case.
        """
        hosts = [headers.get("host", "")]
        if "x-forwarded-host" in headers:
            hosts.append(headers["x-forwarded-host"].split(",")[0].strip())
        for host in hosts:
            if not self._is_own(host):
                return "This name is not one of the app's. --allow-host adds names."
        if not self._is_same_site(method, path, headers):
            return "Other websites may not use the app."
        origin = headers.get("origin")
        if origin is not None and not self._is_own_origin(origin, hosts):
            return "Other websites may not use the app."
        return None

    def _is_own(self, host: str) -> bool:
        name, _ = _name_and_port(f"//{host}", "http")
        return name is not None and (name in self._own or _is_number(name))

    def _is_own_origin(self, origin: str, hosts: list[str]) -> bool:
        scheme = origin.partition(":")[0]
        name, port = _name_and_port(origin, scheme)
        if name is None or scheme not in _PORTS:
            return False
        return name in self.named or any(
            (name, port) == _name_and_port(f"//{host}", scheme) for host in hosts
        )

    def _is_same_site(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        site = headers.get("sec-fetch-site", "none")
        if site in ("same-origin", "none"):
            return True
        # A link to the page is fine. So is a frame, where frames are allowed; browsers see to that.
        places = ("document", "iframe") if self.framers else ("document",)
        return (
            (method, path) == ("GET", "/")
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") in places
        )


def visitor_of(scope: Mapping[str, Any]) -> str:
    """The address a request comes from, for limits; of IPv6 the network, of which one host has many.

    Behind a reverse proxy on this machine it is the address that the proxy names.

    Args:
        scope: As ASGI has it.
    """
    client = scope.get("client")
    return _visitor_at(str(client[0]) if client else "")


@lru_cache(1000)
def _visitor_at(name: str) -> str:
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, _OWN_BITS), strict=False))


def _name_and_port(address: str, scheme: str) -> tuple[str | None, int | None]:
    """Name in lower case and port of an address; no name for what is none."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(scheme)
    except ValueError:
        return None, None
    whole = parts.netloc and not (
        parts.path or parts.query or parts.fragment or "@" in parts.netloc
    )
    name = parts.hostname.rstrip(".") if whole and parts.hostname else None
    return name or None, port


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
