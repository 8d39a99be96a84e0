"""A password for the app, sent by browsers as HTTP basic authentication."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "PFLD_DEMO_AUTH"
FAILED_S = 1.0  # an answer to a wrong password takes so long


class Password:
    """A name and a password, compared in constant time.

    Args:
        text: "USER:PASSWORD".

    Raises:
        ValueError: For text without a name or a password; the message does not show it.
    """

    def __init__(self, text: str) -> None:
        user, _, password = text.partition(":")
        if not user or not password:
            raise ValueError("a password is given as USER:PASSWORD")
        self._expected = text.encode()

    def opens(self, header: str) -> bool:
        """Whether an ``Authorization`` header has the name and the password."""
        kind, _, encoded = header.partition(" ")
        try:
            sent = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return kind.lower() == "basic" and hmac.compare_digest(sent, self._expected)


def read_password(
    given: str | None, file: Path | None, environment: Mapping[str, str]
) -> Password | None:
    """The password from an option, a file or a variable, the first of these that there is; else None.

    Raises:
        ValueError: As :class:`Password`, or for a file that cannot be read.
    """
    if given is None and file is not None:
        try:
            given = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"--auth-file {file} cannot be read: {error}") from error
    if given is None:
        given = environment.get(VARIABLE)
    return None if given is None else Password(given)
