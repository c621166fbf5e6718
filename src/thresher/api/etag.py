"""Strong ETags: an answer is named by its bytes, and is not sent to a caller who has it already (RFC 9110, 13.1.2)."""

import hashlib
import re
from collections.abc import Mapping

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def etag(data: bytes) -> str:
    """The ETag of these bytes, in its quotes."""
    return f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"'


def matches(headers: Mapping[str, str], tag: str) -> bool:
    """Whether a request's If-None-Match has this tag, so that the answer is a 304."""
    given = headers.get("if-none-match", "")
    return given.strip() == "*" or tag in _TAG.findall(given)
