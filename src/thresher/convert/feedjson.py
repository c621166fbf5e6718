"""JSON Feed, versions 1 and 1.1 (jsonfeed.org). Believes no value to be of the type that it should have."""

import html as escaping
from collections.abc import Mapping
from typing import Any

from thresher.convert.feed import Entry, page, paragraphs
from thresher.convert.html import Page
from thresher.convert.links import Resolver


def convert(value: Mapping[str, Any], url: str) -> Page:
    """The JSON Feed `value` (jsonfeed.org, versions 1 and 1.1), found at `url`."""
    resolver = Resolver(url)
    home = _string(value.get("home_page_url"))
    head = Entry(_string(value.get("title")), resolver.resolve(home) if home else None, base=url)
    head.author, head.content = _authors(value), escaping.escape(_string(value.get("description")))
    entries = []
    items = value.get("items")
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict):
            continue
        reference = _string(item.get("url")) or _string(item.get("external_url"))
        link = resolver.resolve(reference) if reference else None
        content = _string(item.get("content_html")) or paragraphs(_string(item.get("content_text")))
        entries.append(
            Entry(
                _string(item.get("title")),
                link,
                _string(item.get("date_published")) or _string(item.get("date_modified")),
                _authors(item),
                content or paragraphs(_string(item.get("summary"))),
                link or url,
            )
        )
    return page(head, entries, {"language": _string(value.get("language"))})


def _authors(value: Mapping[str, Any]) -> str:
    authors = value.get("authors") or [value.get("author")]
    if not isinstance(authors, list):
        return ""
    names = (_string(author.get("name")) for author in authors if isinstance(author, dict))
    return ", ".join(filter(None, names))


def _string(value: object) -> str:
    # An escape can spell half a surrogate pair, which no database takes.
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""
