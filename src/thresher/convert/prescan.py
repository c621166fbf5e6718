"""The charset that the bytes of a document declare: WHATWG HTML, "prescan a byte stream to determine its encoding".

Knows neither headers nor byte order marks, and guesses nothing. Every step goes forward, so that time is linear.
"""

import functools
import re
import sys

import turbohtml

PRESCAN = 1024  # bytes; what the standard and the browsers look at
_LATE = 65_536  # bytes in which a meta element is believed that the parser finds, as the standard has it change course

_OPENING = re.compile(rb"<(?:(?P<comment>!--)|(?P<meta>meta)(?=[\t\n\f\r /])|(?P<tag>/?[a-z])|[!/?])", re.IGNORECASE)
# "Get an attribute", once for skipping all of a tag, once for reading them. Possessive throughout: nothing is tried twice.
_SPACE = rb"[\t\n\f\r ]*+"
_NAME = rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_EQUALS = _SPACE + b"=" + _SPACE
_REST = re.compile(
    rb"[^\t\n\f\r >]*+(?:[\t\n\f\r /]++|" + _NAME + rb"(?:" + _EQUALS + rb"(?:\"[^\"]*+\"|'[^']*+'|(?![\"'])[^\t\n\f\r >]*+)"
    rb"|(?!" + _EQUALS + rb")))*+>"
)  # fmt: skip
_ATTRIBUTE = re.compile(
    rb"(" + _NAME + rb")(?:" + _EQUALS + rb"(?:\"([^\"]*+)\"|'([^']*+)'|([^\t\n\f\r >]*+)))?+"
)  # fmt: skip
_IN_CONTENT = re.compile(
    r"""charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r ;"'][^\t\n\f\r ;]*))?"""
)
_XML_ENCODING = re.compile(rb"""encoding[\x00-\x20]*=[\x00-\x20]*(?:"([^"]*)"|'([^']*)')""")
_WIDE_XML = ((b"<\0?\0x\0", "utf-16le"), (b"\0<\0?\0x", "utf-16be"))
_LATE_META = re.compile(rb"<meta[\t\n\f\r /][^<>]*charset", re.IGNORECASE)


class _Exhausted(Exception):
    """The bytes ended before the scan came to anything."""


def declared_in_html(data: bytes) -> str | None:
    """What an HTML document declares, or None: a meta element, else an XML declaration, in the first 1,024 bytes;
    else a meta element further on, outside of comments and scripts.
    """
    head = data[:PRESCAN]
    for start, name in _WIDE_XML:
        if head.startswith(start):
            return name
    try:
        return _meta(head)
    except _Exhausted:
        return declared_in_xml(head) or _late_meta(data)


def declared_in_xml(data: bytes) -> str | None:
    """What an XML declaration at the very start says, or None; UTF-16 by the zeros in it ("get an XML encoding")."""
    head = data[:PRESCAN]
    for start, name in _WIDE_XML:
        if head.startswith(start):
            return name
    if not head.startswith(b"<?xml") or b">" not in head or (match := _XML_ENCODING.search(head)) is None:
        return None
    label = (match[1] or match[2] or b"").decode("latin-1")
    if any(character <= " " for character in label):
        return None
    return _readable_as_ascii(canonical(label))


@functools.lru_cache(maxsize=256)
def canonical(label: str) -> str | None:
    """The WHATWG name, in lower case, for a label ("latin1" is windows-1252, "gb2312" gbk), or None for an unknown one."""
    if "\0" in label:  # the library's comparison ends there
        return None
    try:
        encoding = turbohtml.parse(b"", encoding=label, positions=False).encoding
    except (LookupError, ValueError):
        return None
    return sys.intern(encoding.lower()) if encoding else None


def _meta(head: bytes) -> str:
    position = 0
    while opening := _OPENING.search(head, position):
        start = opening.start()
        if opening["comment"]:
            position = _after(head, b"-->", start + 2)  # the dashes of "<!-->" count twice
        elif opening["meta"]:
            position = _after_tag(head, opening.end())
            if charset := _charset_of(head[opening.end() : position]):
                return charset
        elif opening["tag"]:
            position = _after_tag(head, start + 1)
        else:
            position = _after(head, b">", start)
    raise _Exhausted


def _charset_of(tag: bytes) -> str | None:
    """What a meta element says, by its attributes; the first one of a name counts."""
    first = {name: double or single or bare for name, double, single, bare in reversed(_ATTRIBUTE.findall(tag.lower()))}
    if b"charset" in first:
        charset = canonical(first[b"charset"].decode("latin-1"))
    elif first.get(b"http-equiv") == b"content-type":
        charset = _in_content(first.get(b"content", b"").decode("latin-1"))
    else:
        return None
    return "windows-1252" if charset == "x-user-defined" else _readable_as_ascii(charset)


def _in_content(content: str) -> str | None:
    """WHATWG HTML, "extracting a character encoding from a meta element"; `content` is in lower case."""
    match = _IN_CONTENT.search(content)
    return canonical(match[1] or match[2] or match[3] or "") if match else None


def _after_tag(head: bytes, position: int) -> int:
    if (match := _REST.match(head, position)) is None:
        raise _Exhausted
    return match.end()


def _after(head: bytes, mark: bytes, position: int) -> int:
    found = head.find(mark, position)
    if found < 0:
        raise _Exhausted
    return found + len(mark)


def _readable_as_ascii(charset: str | None) -> str | None:
    """The declaration was read as ASCII: whatever it says, the document is not UTF-16."""
    return "utf-8" if charset in ("utf-16le", "utf-16be") else charset


def _late_meta(data: bytes) -> str | None:
    """A meta element that only the parser meets ("change the encoding"): comments, scripts and styles are passed over."""
    head = data[:_LATE]
    if (candidate := _LATE_META.search(head, PRESCAN - 64)) is None:
        return None
    end = head.find(b">", candidate.end()) + 1
    return (_met_by_parser(head[:end]) if end else None) or _met_by_parser(head)


def _met_by_parser(head: bytes) -> str | None:
    document = turbohtml.parse(head, positions=False)
    return document.encoding.lower() if document.encoding and document.encoding_confidence == "certain" else None
