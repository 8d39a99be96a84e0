"""What chats and social networks show of a link to a page: title, text and picture, as Open Graph tags."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import urlsplit

TITLE = "PFLD landmarks"
DESCRIPTION = (
    "98 points on your face, live on an ordinary CPU. One switch folds a network's many branches into one: "
    "the same points, for a fraction of the work."
)
PICTURE = Path(__file__).parent / "site" / "preview.jpg"
PICTURE_WH = 1200, 630
PICTURE_WORDS = (
    "The same landmarks on a face twice, from a network with many branches and from one with one."
)


def preview_tags(address: str, picture: str) -> str:
    """The tags, as HTML for a page's head.

    Args:
        address: Of the page, with a slash at its end. If it is not known, "": then addresses in the tags
            are relative, which not every program understands.
        picture: Address of :data:`PICTURE`, relative to that of the page.

    Raises:
        ValueError: For an address that is none of a web page.
    """
    if address and (
        urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname
    ):
        raise ValueError(f"an address of a page starts with https:// or http://, got {address!r}")
    width, height = PICTURE_WH
    values = {
        "og:type": "website",
        "og:title": TITLE,
        "og:description": DESCRIPTION,
        **({"og:url": address} if address else {}),
        "og:image": address + picture,
        "og:image:width": str(width),
        "og:image:height": str(height),
        "og:image:alt": PICTURE_WORDS,
    }
    tags = [f'<meta property="{name}" content="{escape(value)}">' for name, value in values.items()]
    tags += [
        '<meta name="twitter:card" content="summary_large_image">',
        f'<meta name="description" content="{escape(DESCRIPTION)}">',
    ]
    return "\n  ".join(tags)
