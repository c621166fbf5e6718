"""EPUB: a page for each document of its spine, converted like any page of HTML."""

import posixpath
import re
from urllib.parse import unquote

from thresher.convert import charset, html
from thresher.convert.document import DocumentPage
from thresher.convert.documents import package
from thresher.convert.documents.flow import page_of
from thresher.convert.documents.made import Bounds, Made
from thresher.domain.documents import DocumentOptions

_CONTAINER = "META-INF/container.xml"
_OPF = "{http://www.idpf.org/2007/opf}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_INNER = re.compile(r"!?\[((?:\\.|[^\]\\])*)\]\((?!https?:|mailto:)[^)]*\)")  # links within the book, pictures in it
_NAMES = {
    "title": "title",
    "creator": "author",
    "language": "language",
    "date": "created",
    "description": "description",
}


def epub(data: bytes, _: str, options: DocumentOptions, bounds: Bounds) -> Made:
    parts = package.unpack(data, bounds)
    roots = package.tree(parts.get(_CONTAINER, b"")).iter("{urn:oasis:names:tc:opendocument:xmlns:container}rootfile")
    name = next((root.get("full-path", "") for root in roots), "")
    if name not in parts:
        raise package.broken("the book has no package document")
    book, folder = package.tree(parts[name]), posixpath.dirname(name)
    manifest = {one.get("id"): unquote(one.get("href", "")) for one in book.iter(f"{_OPF}item")}
    spine = [manifest.get(one.get("idref"), "") for one in book.iter(f"{_OPF}itemref")]
    chapters = [posixpath.normpath(posixpath.join(folder, place)) for place in spine if place]
    pages = [_page(n, parts.get(chapters[n - 1], b""), options) for n in options.picks(len(chapters))]
    found: dict[str, str] = {}
    for tag, key in _NAMES.items():
        values = [one.text.strip() for one in book.iter(f"{_DC}{tag}") if one.text and one.text.strip()]
        if values:
            found[key] = ", ".join(values) if key == "author" else values[0]
    return Made(pages, len(chapters), found)


def _page(number: int, chapter: bytes, options: DocumentOptions) -> DocumentPage:
    said, _ = charset.to_text(chapter, None, "html")
    markdown, text = html.rendered(said)
    return page_of(number, _INNER.sub(r"\1", markdown).strip(), text, options)
