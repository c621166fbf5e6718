"""What goes into a conversion and what comes out of it: a fetched body as it was, and the document made of it.

Plain values only; nothing here knows how either is made, moved or stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from thresher.domain.choices import Content
from thresher.domain.documents import DocumentOptions
from thresher.domain.failure import Failure, FailureCode

# Of the body; json is one valid JSON value, a document is no text at all.
Kind = Literal["html", "json", "text", "document"]
CharsetSource = Literal["bom", "header", "meta", "detected", "default"]


@dataclass(frozen=True, slots=True)
class Source:
    """A body as it came over the wire. `url` is the final one, after redirects, and `requested` the first, if there were
    any; the rest are the response's headers, `headers` those that tell a page from a challenge. `name` is that of a file
    which somebody has given us; what a URL ends with says nothing.
    """

    url: str
    body: bytes
    content_type: str | None = None
    content_encoding: str | None = None
    requested: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True, slots=True)
class How:
    """What is to be made of a body: `parser`, by id or alias, reads it as well; `content` becomes the markdown and text, if
    there is such a thing: else the whole page does. `definition` is what a parser that is not built in does, as JSON.

    With `document` options everything gets pages, also what has none of its own; documents always do. Without `keep_body`
    the frame of a document has no body, for it is kept elsewhere; that of a text has it, to be shown.
    """

    parser: str | None = None
    content: Content = Content.PAGE
    definition: str | None = None
    document: DocumentOptions | None = None
    keep_body: bool = True

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Back from what `dataclasses.asdict` became as JSON."""
        document = values["document"]
        return cls(**{**values, "document": document and DocumentOptions.from_json(document)})


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A page, slide or sheet. `width` and `height` are in points, None where the format has none.

    `items`: in reading order, each with `type`, `md` and `bbox` ([{x, y, w, h}] in points from the top left, or None), and by
    type: text {value}; heading {level, value}; list {items, ordered}; table {rows, html, csv}; code {value, language};
    image {caption, url}. None means those of the markdown, and a table may have nothing but its rows: what is left out is made
    when the page is read (items.of_page). `error`: why there is nothing else of the page. `label` is the number printed on it,
    `name` that of a sheet, `notes` what the speaker of a slide has noted.
    """

    number: int
    markdown: str = ""
    text: str = ""
    items: list[dict[str, Any]] | None = field(default_factory=list)
    width: float | None = None
    height: float | None = None
    label: str | None = None
    name: str | None = None
    notes: str | None = None
    error: str | None = None


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
    `pages` are those that were converted, in order; markdown and text are made of them.
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
    pages: list[DocumentPage] = field(default_factory=list)
