"""What a page says about itself in its head: title, description, language, canonical URL, author, dates, Open Graph.

Reads the parsed tree before anything is pruned from it. Only what is present is returned; nothing is guessed
from the text.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson
from turbohtml import Document

from thresher.convert.links import Resolver

_MAX_VALUE = 10_000  # characters of one value; a description is never longer
_MAX_OPENGRAPH = 100  # properties; honest pages have ten
_MAX_JSON_LD = 262_144  # characters of one JSON-LD block that is read
_CONTROL = re.compile(r"[\0-\x1f]+")

# Where each property is looked for, in order of trust. Names as in `name`, `property` or `itemprop`.
_META_NAMES: dict[str, tuple[str, ...]] = {
    "description": ("description", "og:description", "twitter:description", "dc.description"),
    "author": ("author", "article:author", "dc.creator", "parsely-author", "sailthru.author"),
    "site_name": ("og:site_name", "application-name"),
    "published": ("article:published_time", "datepublished", "dc.date", "dc.date.issued", "date", "parsely-pub-date"),
    "modified": ("article:modified_time", "og:updated_time", "datemodified", "last-modified"),
    "keywords": ("keywords", "news_keywords"),
    "robots": ("robots",),
    "generator": ("generator",),
}


def title_of(document: Document, metadata: dict[str, Any]) -> str | None:
    """The page's title element (not an SVG's), else its Open Graph title; white space collapsed."""
    element = document.select_one("title")
    if element is not None and element.namespace.value != "html":  # an SVG's: only now is a walk of the page worth it
        titles = document.iter_elements("title")
        element = next((other for other in titles if other.namespace.value == "html"), None)
    if element is not None and (title := _tidy(element.text)):
        return title
    opengraph: dict[str, str] = metadata.get("opengraph", {})
    return opengraph.get("title")


def metadata_of(document: Document, resolver: Resolver) -> dict[str, Any]:
    """The page's metadata: strings under the names above, `language`, `canonical`, and `opengraph` as a dict."""
    named, opengraph = _meta_elements(document)
    found: dict[str, Any] = {}
    for key, names in _META_NAMES.items():
        if value := next((named[name] for name in names if name in named), None):
            found[key] = value
    _from_json_ld(document, found)
    language = document.root.attr("lang") if document.root is not None else None
    if language := _tidy(language or named.get("content-language") or named.get("og:locale") or ""):
        found["language"] = language
    link = document.select_one('link[rel~="canonical" i][href]')
    if link is not None and (canonical := resolver.resolve(link.attr("href") or "")):
        found["canonical"] = canonical
    if opengraph:
        found["opengraph"] = opengraph
    return found


def _meta_elements(document: Document) -> tuple[dict[str, str], dict[str, str]]:
    """All named metas (first one wins, names in lower case) and the Open Graph ones without their prefix."""
    named: dict[str, str] = {}
    opengraph: dict[str, str] = {}
    for meta in document.select("meta[content]"):
        name = meta.attr("property") or meta.attr("name") or meta.attr("itemprop") or meta.attr("http-equiv")
        value = _tidy(meta.attr("content") or "")
        if not name or not value:
            continue
        name = name.strip().lower().replace("\0", "")[:100]
        named.setdefault(name, value)
        if name.startswith("og:") and len(opengraph) < _MAX_OPENGRAPH:
            opengraph.setdefault(name[3:], value)
    return named, opengraph


def _from_json_ld(document: Document, found: dict[str, Any]) -> None:
    """Author and date from schema.org JSON-LD, where the metas have none."""
    if "author" in found and "published" in found:
        return
    for data in json_ld(document):
        for node in nodes(data):
            _take(node.get("author"), "author", found)
            _take(node.get("datePublished"), "published", found)


def json_ld(document: Document) -> Iterator[Any]:
    """The values of the page's JSON-LD blocks, of those that are JSON and can be written again: orjson reads deeper than it writes."""
    for script in document.select('script[type="application/ld+json" i]'):
        if len(text := script.text) > _MAX_JSON_LD:
            continue
        try:
            value = _read(text)
            orjson.dumps(value)
        except (ValueError, orjson.JSONEncodeError):
            continue
        yield value


def _read(text: str) -> Any:
    """JSON, also with the line breaks inside of strings that templates leave there. Raises ValueError."""
    try:
        return orjson.loads(text)
    except ValueError:
        return orjson.loads(_CONTROL.sub(" ", text))


def nodes(data: Any) -> list[dict[str, Any]]:
    """The top-level objects of a JSON-LD block: itself, the members of a list, the members of its @graph."""
    if isinstance(data, dict) and isinstance(data.get("@graph"), list):
        data = data["@graph"]
    candidates = data if isinstance(data, list) else [data]
    return [node for node in candidates if isinstance(node, dict)]


def _take(value: Any, key: str, found: dict[str, Any]) -> None:
    if key in found:
        return
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, str) and (tidy := _tidy(value)):
        found[key] = tidy


def _tidy(value: str) -> str:
    return " ".join(value.replace("\0", "").split())[:_MAX_VALUE]
