"""A URL that a caller sent, checked as text before it is parsed. Pure."""

from thresher.domain import url


def read_url(text: str, limit: int) -> url.Url:
    """Parse a URL of at most `limit` bytes. Raises InvalidUrl, whose message is for the caller."""
    if "\0" in text:
        raise url.InvalidUrl("must not contain NUL characters")
    if too_long(text, limit):
        raise url.InvalidUrl(f"{len(text.encode())} bytes; the limit is {limit}")
    return url.parse(text)


def too_long(text: str, limit: int) -> bool:
    """Whether `text` has more than `limit` bytes in UTF-8."""
    # Characters first: they are counted already, and are never more than the bytes.
    return len(text) > limit or (not text.isascii() and len(text.encode()) > limit)
