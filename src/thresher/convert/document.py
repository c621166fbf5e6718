"""What goes into a conversion and what comes out of it: a fetched body as it was, and the document made of it.

Plain values only; nothing here knows how either is made, moved or stored.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["html", "text"]
CharsetSource = Literal["bom", "header", "meta", "detected", "default"]


@dataclass(frozen=True, slots=True)
class Source:
    """A body as it came over the wire. `url` is the final one, after redirects; the rest are the response's headers."""

    url: str
    body: bytes
    content_type: str | None = None
    content_encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What is made of a body. No string in it holds a NUL or a lone surrogate, so that PostgreSQL takes each.

    `charset` is the WHATWG name in lower case. `links` are absolute http(s) URLs, unique, in document order.
    `metadata` holds only what the page declares.
    """

    kind: Kind
    charset: str
    charset_source: CharsetSource
    title: str | None
    markdown: str
    text: str
    links: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
