"""What goes into a conversion and what comes out of it: a fetched body as it was, and the document made of it.

Plain values only; nothing here knows how either is made, moved or stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from thresher.domain.choices import Content
from thresher.domain.failure import Failure, FailureCode

Kind = Literal["html", "json", "text"]  # of the body; json is one valid JSON value
CharsetSource = Literal["bom", "header", "meta", "detected", "default"]


@dataclass(frozen=True, slots=True)
class Source:
    """A body as it came over the wire. `url` is the final one, after redirects, and `requested` the first, if there were
    any; the rest are the response's headers, `headers` those that tell a page from a challenge.
    """

    url: str
    body: bytes
    content_type: str | None = None
    content_encoding: str | None = None
    requested: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class How:
    """What is to be made of a body: `parser`, by id or alias, reads it as well; `content` becomes the markdown and text, if
    there is such a thing: else the whole page does. `definition` is what a parser that is not built in does, as JSON.
    """

    parser: str | None = None
    content: Content = Content.PAGE
    definition: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is instead of the page. `code` is one of the failure table's; `evidence` are short phrases."""

    code: FailureCode
    evidence: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As it stands on the item and in the frame."""
        return {"code": str(self.code), "evidence": list(self.evidence)}


@dataclass(frozen=True, slots=True)
class Document:
    """What is made of a body. No string in it holds a NUL or a lone surrogate, so that PostgreSQL takes each.

    `charset` is the WHATWG name in lower case, `charset_certainty` is between 0 and 1. `links` are absolute http(s)
    URLs, unique, in document order. `metadata` holds only what the page declares. `verdict` says what it is if it is
    not the page. `parsed` is what a parser made of it, as JSON, or why it made nothing; None if none was asked for;
    `matches` is what each field of a declared one matched (declared.Match).
    `content`: what markdown and text are of, where the main content was asked for; None where it was not.
    """

    kind: Kind
    charset: str
    charset_source: CharsetSource
    charset_certainty: float
    title: str | None
    markdown: str
    text: str
    links: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    verdict: Verdict | None = None
    parsed: bytes | Failure | None = None
    content: Content | None = None
    matches: list[dict[str, Any]] = field(default_factory=list)
