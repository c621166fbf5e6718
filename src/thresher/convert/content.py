"""What a body is, by its declared type and its first bytes: HTML, text, JSON, XML, or nothing we convert.

A short form of the WHATWG MIME Sniffing standard: a declared type is believed unless the bytes are plainly
something else; without one the bytes decide. The name of a file is never looked at.
"""

import re
from typing import Literal

from thresher.convert.charset import head_as_ascii
from thresher.convert.wide import CONTROLS
from thresher.domain.failure import FailureCode, ItemFailed

Content = Literal["html", "text", "json", "xml"]

_SNIFF = 1445  # bytes; the resource header of the standard
_UNKNOWN = frozenset(
    {"", "unknown/unknown", "application/unknown", "*/*", "application/octet-stream", "binary/octet-stream"}
)
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_JSON = frozenset({"application/json", "text/json", "application/x-ndjson", "application/jsonl"})
_XML = frozenset({"text/xml", "application/xml"})

_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"RIFF", "a RIFF container (image/webp, audio or video)"),
    (b"PK\x03\x04", "application/zip (or an Office document)"),
    (b"PK\x05\x06", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE document (older Office)"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"OggS\x00", "application/ogg"),
    (b"\x7fELF", "an executable"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
)

_HTML_START = re.compile(
    rb"[\t\n\x0c\r ]*(?:\xef\xbb\xbf)?[\t\n\x0c\r ]*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|"
    rb"title|b|body|br|p|meta|link|main|article|section|!--)[\t\n\x0c\r >/-]",
    re.IGNORECASE,
)
_XML_START = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\r ]*<\?xml[\t\n\r ]", re.IGNORECASE)
_XHTML_ROOT = re.compile(rb"<html[\t\n\r >]", re.IGNORECASE)


def classify(data: bytes, content_type: str | None) -> Content:
    """What to convert `data` as. Raises ItemFailed(unsupported_content), naming the type, for what is not text."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    head = head_as_ascii(data, content_type, _SNIFF)
    for magic, name in _MAGIC:
        if head.startswith(magic):
            raise _unsupported(name, essence)
    if essence in _HTML:
        return "html"
    if essence.split("/")[0] in ("image", "audio", "video", "font") and essence != "image/svg+xml":
        raise _unsupported(essence, "")
    if CONTROLS.search(head):
        raise _unsupported(essence or "binary data without a declared type", "")
    if essence in _JSON or essence.endswith("+json"):
        return "json"
    if essence in _XML or essence.endswith("+xml"):
        return "html" if _XHTML_ROOT.search(head) else "xml"
    return _sniff(head) if essence in _UNKNOWN else "text"


def _sniff(head: bytes) -> Content:
    if _HTML_START.match(head):
        return "html"
    if _XML_START.match(head):
        return "html" if _XHTML_ROOT.search(head) else "xml"
    return "text"


def _unsupported(found: str, declared: str) -> ItemFailed:
    note = f", although declared as {declared[:80]}" if declared and declared not in found else ""
    return ItemFailed(FailureCode.UNSUPPORTED_CONTENT, f"the content is {found[:120]}{note}")
