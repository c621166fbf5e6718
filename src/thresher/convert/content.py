"""What a body is, by its declared type and its first bytes: a kind of text, a document, or nothing that is converted.

A short form of the WHATWG MIME Sniffing standard: a declared type is believed unless the bytes are plainly
something else; without one the bytes decide, and the name of a file where somebody has given one with it.
"""

import re
from typing import Literal, NamedTuple

import orjson

from thresher.convert import compound, magic
from thresher.convert.charset import head_as_ascii
from thresher.convert.wide import controls
from thresher.domain.failure import FailureCode, ItemFailed

Kind = Literal["html", "json", "xml", "table", "code", "text", "document"]


class Content(NamedTuple):
    """`language` names the language of code, as a fence does, or the format of a document; it is empty for other kinds."""

    kind: Kind
    language: str = ""


_OLE = "an OLE document (older Office)"
_ZIPPED = "application/vnd.openxmlformats-officedocument."
_DOCUMENTS = {
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/epub+zip": "epub",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    f"{_ZIPPED}wordprocessingml.document": "docx",
    f"{_ZIPPED}spreadsheetml.sheet": "xlsx",
    f"{_ZIPPED}presentationml.presentation": "pptx",
}
_MAIL = "message/rfc822"
_GENERIC = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-download", "text/plain"})
# What files of these names are, where nobody says more than that they are bytes.
_NAMED = {
    "eml": _MAIL, "csv": "text/csv", "tsv": "text/tab-separated-values", "html": "text/html", "htm": "text/html",
    "xhtml": "application/xhtml+xml", "xml": "text/xml", "json": "application/json", "pdf": "application/pdf",
}  # fmt: skip

_SNIFF = 1445  # bytes; the resource header of the standard
_STRAY = 64  # one control byte in so many is an accident in declared text; more, or a NUL, is binary data
_MEDIA = frozenset({"image", "audio", "video", "font"})

_HTML = Content("html")
_JSON = Content("json")
_XML = Content("xml")
_TABLE = Content("table")
_TEXT = Content("text")

_TYPES: dict[str, Content] = {
    **dict.fromkeys(("text/html", "application/xhtml+xml"), _HTML),
    **dict.fromkeys(("application/json", "text/json", "application/x-ndjson", "application/ndjson"), _JSON),
    **dict.fromkeys(("application/jsonl", "application/json-seq", "application/x-json"), _JSON),
    **dict.fromkeys(("text/xml", "application/xml", "text/x-opml", "text/xsl"), _XML),
    **dict.fromkeys(("text/csv", "application/csv", "text/comma-separated-values"), _TABLE),
    **dict.fromkeys(("text/tab-separated-values", "text/x-csv", "application/x-csv"), _TABLE),
}
_LANGUAGES = {
    **dict.fromkeys(("javascript", "x-javascript", "ecmascript", "x-ecmascript"), "javascript"),
    **dict.fromkeys(("calendar", "x-vcalendar"), "ics"),
    **dict.fromkeys(("vcard", "x-vcard", "directory"), "vcf"),
    **dict.fromkeys(("yaml", "x-yaml", "vnd.yaml"), "yaml"),
    **dict.fromkeys(("x-python", "x-script.python"), "python"),
    **dict.fromkeys(("x-sh", "x-shellscript"), "sh"),
    **dict.fromkeys(("x-diff", "x-patch"), "diff"),
    **dict.fromkeys(("x-c", "x-csrc", "x-chdr"), "c"),
    **dict.fromkeys(("x-tex", "x-latex"), "tex"),
    **{
        name: name.removeprefix("x-")
        for name in ("css", "toml", "sql", "x-sql", "typescript", "x-java", "x-java-source")
    },
}

_HTML_START = re.compile(
    rb"[\t\n\x0c\r ]*(?:\xef\xbb\xbf)?[\t\n\x0c\r ]*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|"
    rb"title|b|body|br|p|meta|link|main|article|section|!--)[\t\n\x0c\r >/-]",
    re.IGNORECASE,
)
_XML_START = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\r ]*<\?xml[\t\n\r ]", re.IGNORECASE)
_PROLOGUE = rb"(?:\xef\xbb\xbf)?(?>\s+|<\?(?>.*?\?>)|<!--(?>.*?-->)|<!doctype[^>\[]*>)*+"
_ROOT = re.compile(_PROLOGUE + rb"<([a-z:]+)[\s>/]", re.IGNORECASE | re.DOTALL)
_XML_ROOTS = frozenset({b"rss", b"feed", b"rdf:rdf", b"urlset", b"sitemapindex", b"opml"})
_JSON_START = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\r ]*[\[{]")


def classify(data: bytes, content_type: str | None, name: str | None = None) -> Content:
    """What to convert `data` as. Raises ItemFailed(unsupported_content), naming the type, for what is none of these."""
    essence = (content_type or "").partition(";")[0].partition(",")[0].strip().lower()
    if name and essence in _GENERIC:
        essence = _NAMED.get(name.lower().rpartition(".")[2], essence)
    head = head_as_ascii(data, content_type, _SNIFF)
    binary = controls(head)
    start = head.lstrip()
    signed = start if start.startswith(magic.READABLE) else data if binary else b""
    if signed and (found := magic.name_of(signed)):
        if document := _document(found, data):
            return document
        raise _unsupported(found, essence)
    if essence == _MAIL and data.strip():
        return Content("document", "eml")
    if essence == "application/pdf" and b"%PDF-" in data[:1024]:  # some have a few bytes before it
        return Content("document", "pdf")
    if essence == "text/html":
        return _believed_html(data, head)
    group, _, subtype = essence.partition("/")
    if group in _MEDIA and subtype != "svg+xml":
        raise _unsupported(essence, "")
    if binary and (group != "text" or b"\0" in head or binary * _STRAY > len(head)):
        raise _unsupported(essence or "binary data without a declared type", "")
    return _declared(essence, data, head)


def _document(found: str, data: bytes) -> Content | None:
    """The document that a signature tells of, if it is one that is converted."""
    form = compound.kind(data) if found == _OLE else _DOCUMENTS.get(found)
    return Content("document", form) if form else None


def _believed_html(data: bytes, head: bytes) -> Content:
    """What is said to be HTML, as most things are: feeds are told by their root, JSON by being it."""
    root = _ROOT.match(head)
    if root and root[1].lower() in _XML_ROOTS:
        return _XML
    return _JSON if _is_json(data) else _HTML


def _declared(essence: str, data: bytes, head: bytes) -> Content:
    content, (group, _, name) = _TYPES.get(essence), essence.partition("/")
    if content is None and name.endswith("+json"):
        content = _JSON
    elif content is None and name.endswith("+xml"):
        content = _XML
    if content is _JSON and _HTML_START.match(head):  # an error page, whatever the interface should have sent
        return _HTML
    if content in (_JSON, _XML):
        return _HTML if _is_html(head) else content
    if content is None and group in ("text", "application") and name in _LANGUAGES:
        content = Content("code", _LANGUAGES[name])
    if content is None and group == "text":
        content = _TEXT
    if content is None:
        content = _sniff(data, head)
        if content is _TEXT and essence == "application/vnd.ms-excel":  # what servers call CSV
            return _TABLE
    return content


def _sniff(data: bytes, head: bytes) -> Content:
    if _is_html(head) or _HTML_START.match(head):
        return _HTML
    root = _ROOT.match(head)
    if _XML_START.match(head) or (root and root[1].lower() in _XML_ROOTS):
        return _XML
    return _JSON if _is_json(data) else _TEXT


def _is_html(head: bytes) -> bool:
    root = _ROOT.match(head)
    return root is not None and root[1].lower() == b"html"


def _is_json(data: bytes) -> bool:
    if not _JSON_START.match(data):
        return False
    try:
        orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        return False
    return True


def _unsupported(found: str, declared: str) -> ItemFailed:
    note = f", although declared as {declared[:80]}" if declared and declared not in found else ""
    return ItemFailed(FailureCode.UNSUPPORTED_CONTENT, f"the content is {found[:120]}{note}")
