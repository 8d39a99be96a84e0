"""Headers of every answer: what browsers may load for the page, and who may show it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable

_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_FILE_POLICY = "default-src 'none'; sandbox"


def headers(*, is_file: bool, framers: Iterable[str], page: bytes | None) -> dict[str, str]:
    """Headers to add to an answer.

    Args:
        is_file: Whether it is a visitor's file, which may load nothing and is no page of this origin.
        framers: Origins that may show the page in a frame.
        page: The page's HTML if that is the answer; its scripts are allowed by their hashes.
    """
    policy = _FILE_POLICY if is_file else _page_policy(page or b"", tuple(framers))
    added = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    }
    if not framers:
        added["x-frame-options"] = "DENY"
        added["cross-origin-opener-policy"] = "same-origin"
    return added


def _page_policy(page: bytes, framers: tuple[str, ...]) -> str:
    hashes = [
        base64.b64encode(hashlib.sha256(script).digest()).decode()
        for script in _INLINE_SCRIPT.findall(page)
    ]
    scripts = " ".join(f"'sha256-{hash_}'" for hash_ in dict.fromkeys(hashes))
    return "; ".join(
        (
            "default-src 'self'",
            # Gradio makes functions of the scripts of events and of gr.HTML, hence eval. It contains
            # what WebAssembly needs.
            f"script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval' {scripts}".rstrip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "worker-src 'self'",
            "frame-src 'none'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {' '.join(framers) or chr(39) + 'none' + chr(39)}",
        )
    )
