"""What a PDF says of itself: its /Info dictionary where that lies open, else its XMP packet. LiteParse tells neither.

Looks for two objects in the bytes; reads no cross-reference tables and opens no object streams.
"""

import re
from typing import Any

from thresher.convert.documents.package import tree

_INFO = re.compile(rb"/Info\s+(\d{1,10})\s+(\d{1,5})\s+R")
_NAMES = {
    b"Title": "title",
    b"Author": "author",
    b"Subject": "subject",
    b"Keywords": "keywords",
    b"CreationDate": "created",
    b"ModDate": "modified",
    b"Creator": "generator",
}
_ENTRY = re.compile(
    rb"/(Title|Author|Subject|Keywords|CreationDate|ModDate|Creator)\s*(?:\(((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*)\)|<([0-9A-Fa-f\s]*)>)",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\([nrtbf()\\]|[0-7]{1,3}|\r\n|\r|\n)")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:Z|([+-])(\d\d)'?(\d\d)?)?")
_LONGEST = 65_536  # bytes of the object that is read
_DC = "{http://purl.org/dc/elements/1.1/}"
_ITEM = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"


def metadata(data: bytes, xmp: str | None) -> dict[str, Any]:
    """title, author, subject, keywords, created, modified, generator: those that are there."""
    found = _from_xmp(xmp) if xmp else {}
    if b"/Encrypt" not in data[-4096:]:  # its strings would be, too
        found |= _from_info(data)
    return found


def _from_info(data: bytes) -> dict[str, str]:
    references = _INFO.findall(data[-_LONGEST:]) or _INFO.findall(data[:_LONGEST])
    if not references:
        return {}
    number, generation = references[-1]  # of the last revision
    start = max(data.rfind(b"%b%b %b obj" % (before, number, generation)) for before in (b"\n", b"\r", b" "))
    if start < 0:
        return {}
    body = data[start : start + _LONGEST].partition(b"endobj")[0]
    values = {_NAMES[name]: _string(plain, coded) for name, plain, coded in _ENTRY.findall(body)}
    return {name: _date(value) if name in ("created", "modified") else value for name, value in values.items() if value}


def _string(plain: bytes, coded: bytes) -> str:
    """A string object (ISO 32000-1, 7.9.2): UTF-16 with its mark, UTF-8 with its own, else nearly Latin-1."""
    raw = bytes.fromhex(re.sub(rb"\s", b"", coded).decode().ljust(len(coded) % 2, "0")) if _even(coded) else b""
    raw = raw or _ESCAPE.sub(_unescaped, plain)
    for mark, charset in ((b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le"), (b"\xef\xbb\xbf", "utf-8")):
        if raw.startswith(mark):
            return raw[len(mark) :].decode(charset, "ignore").replace("\0", "").strip()
    return raw.decode("cp1252", "ignore").replace("\0", "").strip()


def _even(coded: bytes) -> bool:
    return bool(coded) and len(re.sub(rb"\s", b"", coded)) % 2 == 0


def _unescaped(found: re.Match[bytes]) -> bytes:
    said = found[1]
    if said.isdigit():
        return bytes([int(said, 8) & 255])
    return _ESCAPES.get(said, b"" if said in (b"\r\n", b"\r", b"\n") else said)


def _date(value: str) -> str:
    """A date of PDF as ISO 8601; any other as it is."""
    found = _DATE.match(value)
    if not found:
        return value
    year, month, day, hour, minute, second, sign, hours, minutes = found.groups()
    zone = f"{sign}{hours}:{minutes or '00'}" if sign else "Z"
    return f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}{zone}"


def _from_xmp(xmp: str) -> dict[str, str]:
    if "<!ENTITY" in xmp or "<!DOCTYPE" in xmp:
        return {}
    root = tree(xmp.strip("\0\ufeff \r\n"))
    found = {}
    for name, tag in (("title", "title"), ("author", "creator"), ("subject", "description")):
        values = [
            item.text.strip() for item in root.iterfind(f".//{_DC}{tag}//{_ITEM}") if item.text and item.text.strip()
        ]
        if values:
            found[name] = ", ".join(values) if name == "author" else values[0]
    return found
