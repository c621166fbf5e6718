"""The URLs under which contents can be had without a key: signed, good for a time, and the same for a while. Pure.

Whoever has such a URL has the content. It names an item and a file; the signature covers both, and the expiry.
"""

import hmac
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import urlencode

ROOT = "/v1/hosted"

_STEP = 3600  # seconds that a URL stays the same at most, so that who asks again can use what is cached
_PART = 8  # a URL is good for at most this part longer than it was asked to be


class File(NamedTuple):
    """A content as a file. `media_type` has its charset: contents are text, in UTF-8."""

    name: str
    media_type: str


FILES = {
    "html": File("page.html", "text/html; charset=utf-8"),
    "markdown": File("markdown.md", "text/markdown; charset=utf-8"),
    "text": File("text.txt", "text/plain; charset=utf-8"),
    "json": File("data.json", "application/json"),
    "items": File("items.json", "application/json"),
    "metadata": File("metadata.json", "application/json"),
    "pages": File("pages.json", "application/json"),
}


def path(secret: bytes, retrieve_id: str, format_: str, now: float, seconds: float) -> str:
    """The URL of an item's content, from the path on, good from `now` (seconds since the epoch) for at least `seconds`.

    Its end is rounded up, so that URLs made within an hour of each other are mostly the same one.
    """
    step = max(1, min(_STEP, int(seconds / _PART)))
    expires = str(-int(-(now + seconds) // step) * step)
    name = FILES[format_].name
    query = urlencode({"expires": expires, "signature": _signature(secret, retrieve_id, name, expires)})
    return f"{ROOT}/{retrieve_id}/{name}?{query}"


def is_genuine(secret: bytes, retrieve_id: str, name: str, expires: str, signature: str) -> bool:
    """Whether `path` made a URL of these parts, of which any may be anything; `expires` is an integer then."""
    made = _signature(secret, retrieve_id, name, expires)
    return hmac.compare_digest(made.encode(), signature.encode(errors="replace"))


def _signature(secret: bytes, retrieve_id: str, name: str, expires: str) -> str:
    # A separator that none of the parts of a genuine URL holds.
    signed = "\n".join((retrieve_id, name, expires))
    return hmac.new(secret, signed.encode(errors="replace"), sha256).hexdigest()
