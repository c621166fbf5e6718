"""Pages of the parse API that are followed by a token: what asks for one, what an answer has, and the tokens.

A token is the place behind which the next page begins. It is signed, so that only what was handed out comes back; it stays
good whatever is added and deleted meanwhile.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import BaseModel, Field

from thresher.api.llamacloud.errors import invalid

MOST = 1000  # items in a page

PageSize = Annotated[int, Query(ge=1, le=MOST, description="Items in the page.")]
PageToken = Annotated[str | None, Query(description="`next_page_token` of the page before; absent: the first page.")]

_SIGNED = 12  # bytes of the signature


class Page(BaseModel):
    """What every page has beside its items."""

    next_page_token: str | None = Field(description="Asks for the next page; null on the last one.")
    total_size: int | None = Field(description="How many all pages have; counted for the first page alone.")


def token(secret: bytes, listing: str, place: Any) -> str:
    """The token of a place, any JSON value, in a listing: what is listed and in which order."""
    text = orjson.dumps(place)
    return urlsafe_b64encode(_signature(secret, listing, text) + text).decode()


def place(secret: bytes, listing: str, token: str) -> Any:
    """The place that such a token is of. Raises RequestValidationError for what is no token of this listing."""
    try:
        data = urlsafe_b64decode(token.encode())
    except ValueError:
        data = b""
    signature, text = data[:_SIGNED], data[_SIGNED:]
    if not hmac.compare_digest(signature, _signature(secret, listing, text)):
        raise invalid("query", "page_token", msg="This is not a token of this listing.", kind="page_token")
    return orjson.loads(text)


def _signature(secret: bytes, listing: str, text: bytes) -> bytes:
    return hmac.digest(secret, b"page\n%b\n%b" % (listing.encode(), text), sha256)[:_SIGNED]
