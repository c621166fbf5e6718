"""The URLs under which contents can be had without a key: signed, good for a time, and the same for a while. Pure.

Whoever has such a URL has the content. The signature covers what the URL names, an item's content or an uploaded file, and the
expiry.
"""

import hmac
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

ROOT = "/v1/hosted"
UPLOADED = "/api/v1/beta/files/{file_id}/download"

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
    """The URL of an item's content, from the path on, good from `now` (seconds since the epoch) for at least `seconds`."""
    name = FILES[format_].name
    query, _ = _signed(secret, (retrieve_id, name), now, seconds)
    return f"{ROOT}/{retrieve_id}/{name}?{query}"


def upload_path(secret: bytes, file: UUID, now: float, seconds: float) -> tuple[str, int]:
    """The same of an uploaded file, and when the URL expires."""
    query, expires = _signed(secret, of_upload(file), now, seconds)
    return f"{UPLOADED.format(file_id=file)}?{query}", expires


def of_upload(file: UUID) -> tuple[str, str]:
    """What the signature of an uploaded file's URL names."""
    return "file", str(file)


def is_genuine(secret: bytes, named: tuple[str, str], expires: str, signature: str) -> bool:
    """Whether a URL of these parts was made here, of which any may be anything; `expires` is an integer then."""
    return hmac.compare_digest(_signature(secret, named, expires).encode(), signature.encode(errors="replace"))


def _signed(secret: bytes, named: tuple[str, str], now: float, seconds: float) -> tuple[str, int]:
    """The query, and its end, which is rounded up, so that URLs made within an hour of each other are mostly the same one."""
    step = max(1, min(_STEP, int(seconds / _PART)))
    expires = -int(-(now + seconds) // step) * step
    return urlencode({"expires": expires, "signature": _signature(secret, named, str(expires))}), expires


def _signature(secret: bytes, named: tuple[str, str], expires: str) -> str:
    # A separator that none of the parts of a genuine URL holds.
    signed = "\n".join((*named, expires))
    return hmac.new(secret, signed.encode(errors="replace"), sha256).hexdigest()
