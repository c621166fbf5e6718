"""The tree of an XML document, and how its elements are named and read.

The parser expands no entity of the document's own and reaches for nothing outside of it. What is not well-formed is
mended where that is plain: entities of HTML, bare ampersands, control characters, white space at the start.
"""

import html.entities
import re
from collections.abc import Iterable, Mapping

from turbohtml import CData, Document, Element, HTMLParseError, Text, parse_xml

_TEXTS = (Text, CData)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(
    r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)(?:([A-Za-z][A-Za-z0-9]{1,30});)?"
)
_VOID = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_CLOSED = re.compile(
    rf"""<((?!(?:{_VOID})[\s/])[a-z][a-z0-9]*+)(\s(?:[^<>"'/]|/(?!>)|"[^"]*+"|'[^']*+')*+)?+/>""", re.IGNORECASE
)

ATOM = ("http://www.w3.org/2005/atom", "http://purl.org/atom/ns#")  # namespaces are compared in lower case
# Prefixes as they are usually written, for the namespaces that are read.
_PREFIXES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/rss/1.0/modules/content/": "content",
    **dict.fromkeys(ATOM, "atom"),
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "http://search.yahoo.com/mrss/": "media",
}


def parse(text: str) -> Document | None:
    """The tree of `text`, mended if need be; None for what is not XML even so."""
    text = text.lstrip("\ufeff \t\r\n")
    try:
        return parse_xml(text)
    except HTMLParseError:
        pass
    try:
        return parse_xml(_REFERENCE.sub(_mended, _CONTROLS.sub("", text)))
    except HTMLParseError:
        return None


def as_html(text: str) -> str:
    """XHTML for a parser of HTML, to which `<script/>` has only begun: an element without content gets its end tag."""
    return _CLOSED.sub(r"<\1\2></\1>", text)


def local(element: Element) -> str:
    """The name without its prefix, in lower case."""
    return element.tag.rpartition(":")[2].lower()


def elements(element: Element) -> Iterable[Element]:
    """The children that are elements."""
    return (child for child in element.children if isinstance(child, Element))


def strings(element: Element) -> Iterable[str]:
    """The pieces of text in the element, CDATA sections among them, in document order."""
    return (node.data for node in element.descendants if isinstance(node, _TEXTS))


def text_of(element: Element | None) -> str:
    """The text of the element, NULs excepted; of none, nothing."""
    return "".join(strings(element)) if element is not None else ""


def prefixes_of(root: Element, home: Element) -> dict[str, str]:
    """How the prefixes of the document are read: none for those of the feed's own namespace."""
    found = {"": ""}
    for name, value in root.attrs.items():
        if name == "xmlns" or name.startswith("xmlns:"):
            uri = str(value)
            found[name[6:]] = _PREFIXES.get(uri.lower(), name[6:])
            if name[6:] == home.tag.rpartition(":")[0]:
                found[name[6:]] = ""
    return found


def name_of(element: Element, prefixes: Mapping[str, str]) -> str:
    prefix, _, local = element.tag.rpartition(":")
    read = prefixes.get(prefix, prefix)
    return f"{read}:{local}".lower() if read else local.lower()


def children_of(element: Element, prefixes: Mapping[str, str]) -> dict[str, Element]:
    """The children by name, the first of each."""
    found: dict[str, Element] = {}
    for child in elements(element):
        found.setdefault(name_of(child, prefixes), child)
    return found


def first_text(told: Mapping[str, Element], *names: str) -> str:
    """The text of the first of `names` that has any."""
    return next((text for name in names if (text := text_of(told.get(name))).strip()), "")


def tidy(text: str) -> str:
    """`text` with its white space collapsed."""
    return " ".join(text.split())


def _mended(match: re.Match[str]) -> str:
    character = html.entities.html5.get(f"{match[1]};") if match[1] else None
    return "".join(f"&#{ord(each)};" for each in character) if character else f"&amp;{match[0][1:]}"
