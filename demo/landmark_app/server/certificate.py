"""The certificate that the app shows to browsers over https; it is checked before the server starts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate, in PEM.

    Attributes:
        chain: The certificate, and those between it and the authority.
        key: Its private key; None if that is in the same file.
    """

    chain: Path
    key: Path | None


def read_certificate(chain: Path | None, key: Path | None) -> Certificate | None:
    """The certificate of the options ``--ssl-certfile`` and ``--ssl-keyfile``; None without them.

    Raises:
        ValueError: When it cannot be used; the message says which option to change.
    """
    if chain is None:
        if key is not None:
            raise ValueError("--ssl-keyfile also needs --ssl-certfile")
        return None
    for option, file in (("--ssl-certfile", chain), ("--ssl-keyfile", key)):
        if file is not None and not file.is_file():
            raise ValueError(f"{option} {file} is no file")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, _no_password)
    except OSError as error:  # as ssl.SSLError is
        where = "is not beside it" if key is None else f"is not in --ssl-keyfile {key}"
        raise ValueError(
            f"--ssl-certfile {chain} is no certificate in PEM, or its key {where}: {error}"
        ) from error
    return Certificate(chain, key)


def _no_password() -> str:
    raise ValueError("the key of --ssl-certfile has a password; openssl rsa or pkey can remove it")
