"""XML as a document: feeds, lists of links (sitemaps, OPML), and all else as it stands, in a fence."""

from turbohtml import Document, Element

from thresher.convert import feedxml, markup
from thresher.convert.html import Page
from thresher.convert.links import Resolver
from thresher.convert.xmltree import elements, local, strings, text_of, tidy

_DEEP = 8  # levels of a nested list that are told apart


def convert(text: str, document: Document, url: str) -> Page:
    """Convert the XML `text`, found at `url` and parsed to `document`."""
    root = document.root
    if root is None:
        return as_it_is(text)
    if (found := feedxml.convert(root, url)) is not None:
        return found
    name = local(root)
    if name in ("urlset", "sitemapindex"):
        return _sitemap(root, url)
    if name == "opml":
        return _outline(root, url)
    title = tidy(text_of(root.select_one("title"))) if name == "svg" else ""
    return Page(
        title or None,
        markup.fenced(text, "xml"),
        "\n".join(filter(None, map(str.strip, strings(root)))),
        [],
        {},
    )


def as_it_is(text: str) -> Page:
    """XML that cannot be parsed."""
    return Page(None, markup.fenced(text, "xml"), text, [], {})


def is_html(document: Document) -> bool:
    """Whether it is XHTML."""
    return document.root is not None and local(document.root) == "html"


def _sitemap(root: Element, url: str) -> Page:
    """sitemaps.org: the addresses, and when each was changed."""
    resolver, links, lines = Resolver(url), dict[str, None](), []
    for entry in elements(root):
        told = {local(child): text_of(child) for child in elements(entry)}
        target = resolver.resolve(told.get("loc", "").strip())
        if target is None or not target.startswith(("http://", "https://")) or not told.get("loc"):
            continue
        links[target] = None
        changed = tidy(told.get("lastmod", ""))
        lines.append(f"- <{target}>" + (f" ({markup.plain(changed)})" if changed else ""))
    markdown = "\n".join(lines)
    return Page(None, markdown + "\n" if lines else "", "\n".join(links), list(links), {})


def _outline(root: Element, url: str) -> Page:
    """OPML: the outline as a nested list."""
    resolver, links, lines, texts = Resolver(url), dict[str, None](), [], []
    for element in root.iter_elements("outline"):
        label = tidy(str(element.attr("text") or element.attr("title") or ""))
        reference = element.attr("htmlUrl") or element.attr("xmlUrl") or element.attr("url")
        target = resolver.resolve(str(reference)) if reference else None
        indent = "  " * _level(element)
        if target is not None and target.startswith(("http://", "https://")):
            links[target] = None
            lines.append(f"{indent}- {markup.link(label or target, target)}")
        elif label:
            lines.append(f"{indent}- {markup.plain(label)}")
        texts.append(label)
    title = tidy(text_of(root.select_one("head > title")))
    body = "\n".join(lines)
    return Page(title or None, body + "\n", "\n".join(texts), list(links), {})


def _level(element: Element) -> int:
    level, parent = 0, element.parent
    while level < _DEEP and isinstance(parent, Element) and parent.tag == element.tag:
        level, parent = level + 1, parent.parent
    return level
