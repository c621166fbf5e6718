"""Feeds in XML: RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, with the extensions that say more of the same."""

from collections.abc import Mapping

from turbohtml import Element, parse_fragment

from thresher.convert.feed import Entry, page, paragraphs
from thresher.convert.html import Page
from thresher.convert.links import Resolver
from thresher.convert.xmltree import ATOM, children_of, elements, first_text, local, name_of, prefixes_of, text_of, tidy


def convert(root: Element, url: str) -> Page | None:
    """The feed whose root element is `root`, found at `url`; None if it is none."""
    kind = local(root)
    if kind == "feed" and any(str(value).lower() in ATOM for value in root.attrs.values()):
        return _atom(root, url)
    channel = next((child for child in elements(root) if local(child) == "channel"), None)
    return _rss(root, channel, url) if kind in ("rss", "rdf") and channel is not None else None


def _rss(root: Element, channel: Element, url: str) -> Page:
    prefixes = prefixes_of(root, channel)
    told = children_of(channel, prefixes)
    resolver = Resolver(url)
    reference = first_text(told, "link").strip()
    site = resolver.resolve(reference) if reference else None
    head = Entry(_title(told.get("title")), site, base=site or url)
    head.content, head.author = first_text(told, "description"), tidy(first_text(told, "managingeditor", "dc:creator"))
    items = [child for parent in (channel, root) for child in elements(parent) if name_of(child, prefixes) == "item"]
    entries = []
    for item in items:
        parts = children_of(item, prefixes)
        entry = Entry(
            _title(parts.get("title")), _rss_link(parts, resolver), tidy(first_text(parts, "pubdate", "dc:date"))
        )
        entry.author = tidy(first_text(parts, "author", "dc:creator", "itunes:author"))
        entry.content = first_text(parts, "content:encoded", "description", "itunes:summary", "dc:description")
        entry.base = entry.link or head.base
        if "enclosure" in parts and (target := resolver.resolve(str(parts["enclosure"].attr("url") or ""))):
            entry.enclosures.append(target)
        entries.append(entry)
    about = {
        "language": first_text(told, "language", "dc:language"),
        "modified": first_text(told, "lastbuilddate", "pubdate", "dc:date"),
    }
    return page(head, entries, about)


def _rss_link(parts: Mapping[str, Element], resolver: Resolver) -> str | None:
    reference = first_text(parts, "link").strip()
    guid = parts.get("guid")
    if not reference and guid is not None and (guid.attr("isPermaLink") or "true") == "true":
        reference = text_of(guid).strip() if text_of(guid).strip().startswith(("http://", "https://")) else ""
    return resolver.resolve(reference) if reference else None


def _atom(root: Element, url: str) -> Page:
    prefixes = prefixes_of(root, root)
    base = _base(root, url)
    told = children_of(root, prefixes)
    head = Entry(_title(told.get("title")), _atom_link(root, prefixes, base), base=base)
    head.content, head.author = _atom_html(told.get("subtitle", told.get("tagline"))), _atom_author(told, prefixes)
    entries = []
    for element in elements(root):
        if name_of(element, prefixes) != "entry":
            continue
        parts, own = children_of(element, prefixes), _base(element, base)
        content = parts.get("content")
        inner = _base(content, own) if content is not None else own
        entry = Entry(_title(parts.get("title")), _atom_link(element, prefixes, own), base=inner)
        entry.date = tidy(first_text(parts, "published", "issued", "updated", "modified"))
        entry.author = _atom_author(parts, prefixes) or head.author
        entry.content = _atom_html(content) or _atom_html(parts.get("summary"))
        entries.append(entry)
    about = {"language": str(root.attr("xml:lang") or ""), "modified": first_text(told, "updated", "modified")}
    return page(head, entries, about)


def _atom_link(element: Element, prefixes: Mapping[str, str], base: str) -> str | None:
    for link in elements(element):
        if name_of(link, prefixes) == "link" and (link.attr("rel") or "alternate") == "alternate" and link.attr("href"):
            return Resolver(base).resolve(str(link.attr("href")))
    return None


def _atom_html(element: Element | None) -> str:
    """A text construct or content as HTML (RFC 4287, sections 3.1 and 4.1.3; in Atom 0.3 the types are media types)."""
    if element is None:
        return ""
    kind = str(element.attr("type") or "text").lower()
    if kind in ("xhtml", "application/xhtml+xml") and element.attr("mode") != "escaped":
        return element.inner_html
    if kind in ("html", "text/html", "application/xhtml+xml"):
        return text_of(element)
    return paragraphs(text_of(element)) if kind in ("text", "text/plain") else ""


def _atom_author(told: Mapping[str, Element], prefixes: Mapping[str, str]) -> str:
    author = told.get("author")
    return tidy(first_text(children_of(author, prefixes), "name", "email")) if author is not None else ""


def _base(element: Element, base: str) -> str:
    reference = element.attr("xml:base")
    return (Resolver(base).resolve(str(reference)) or base) if reference else base


def _title(element: Element | None) -> str:
    """A title as plain text: many hold HTML, and only Atom says so."""
    if element is None:
        return ""
    text = text_of(element)
    if ("<" in text or "&" in text) and element.attr("type") not in ("text", "text/plain"):
        text = parse_fragment(text, positions=False).text
    return tidy(text)
