"""From the bytes of a response to its text: content codings undone under a cap, then the charset as browsers find it.

Pure functions of bytes and two headers, used by the converter child and by whoever shows a stored body again.
"""

import functools
import re
import sys

import turbohtml
from turbohtml.detect import detect  # importing it registers the `whatwg-*` codecs as well

from thresher.convert.document import CharsetSource
from thresher.convert.inflate import DECODERS, Bomb, Broken
from thresher.domain.failure import FailureCode, ItemFailed

MAX_CODINGS = 3  # a chain longer than this has no honest use
_PRESCAN = 1024  # bytes; WHATWG HTML, "prescan a byte stream to determine its encoding"
_DETECT = 16_384  # bytes from the first one that is not ASCII; the detector takes 0.2 ms a KB of legacy text
_DEFAULT = "windows-1252"

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))
_HEADER_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_TELLING = re.compile(rb"[\x1b\x80-\xff]")
_XML_CHARSET = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""")


def decode_body(body: bytes, content_encoding: str | None, limit: int) -> bytes:
    """Undo the Content-Encoding. `limit` is in bytes and holds after each coding of a chain.

    Raises ItemFailed: `decompression_bomb` beyond the limit, `bad_encoding` for an unknown coding, a chain of more
    than three, and a stream that is damaged or ends early. An empty body is empty in any coding.
    """
    codings = [name.strip().lower() for name in (content_encoding or "").split(",")]
    codings = [name for name in codings if name not in ("", "identity")]
    if len(codings) > MAX_CODINGS:
        raise ItemFailed(FailureCode.BAD_ENCODING, f"{len(codings)} content codings on top of each other")
    for name in reversed(codings):
        decoder = DECODERS.get(name)
        if decoder is None:
            raise ItemFailed(FailureCode.BAD_ENCODING, f"unknown content coding {name[:40]!r}")
        if not body:
            break
        try:
            body = decoder(body, limit)
        except Bomb:
            raise ItemFailed(
                FailureCode.DECOMPRESSION_BOMB, f"the body decompresses to more than {limit} bytes"
            ) from None
        except Broken as error:
            raise ItemFailed(FailureCode.BAD_ENCODING, f"not a {name} stream: {error}") from None
    if len(body) > limit:
        raise ItemFailed(FailureCode.DECOMPRESSION_BOMB, f"the body has more than {limit} bytes")
    return body


def to_text(data: bytes, content_type: str | None) -> tuple[str, str, CharsetSource]:
    """The text of `data`, its charset (WHATWG name, lower case) and what told it. Never raises.

    WHATWG HTML, "determining the character encoding": byte order mark, header, declaration in the first 1,024
    bytes, detection, windows-1252. Unknown labels are ignored; malformed bytes become U+FFFD.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return _decode(data[len(mark) :], name), name, "bom"
    if content_type and (match := _HEADER_CHARSET.search(content_type)) and (charset := _canonical(match[1])):
        return _decode(data, charset), charset, "header"
    if declared := _declared(data):
        return _decode(data, declared), declared, "meta"
    return _detected(data)


def _declared(data: bytes) -> str | None:
    head = data[:_PRESCAN]
    if match := _XML_CHARSET.match(head):
        name = _canonical(match[1].decode("ascii"))
        # The declaration was readable as ASCII, so whatever it says, it is not UTF-16.
        return "utf-8" if name and name.startswith("utf-16") else name
    document = turbohtml.parse(head, positions=False)
    return document.encoding.lower() if document.encoding and document.encoding_confidence == "certain" else None


def _detected(data: bytes) -> tuple[str, str, CharsetSource]:
    if b"\x1b" not in data:  # the escape of ISO-2022-JP, which is valid UTF-8 otherwise
        if data.isascii():
            return data.decode("ascii"), _DEFAULT, "default"
        text = data.decode("utf-8", "replace")
        # One broken byte does not make a UTF-8 page a legacy one: every well-formed sequence makes the text shorter
        # than the bytes, while bytes of another charset become one U+FFFD each.
        if text.count("\ufffd") * 20 <= len(data) - len(text):
            return text, "utf-8", "detected"
    match = detect(_telling_part(data))
    if match.encoding is None or match.confidence == 0.0:
        return _decode(data, _DEFAULT), _DEFAULT, "default"
    charset = match.encoding.lower()
    return _decode(data, charset), charset, "detected"


def _telling_part(data: bytes) -> bytes:
    match = _TELLING.search(data)
    start = match.start() if match else 0
    return data[start : start + _DETECT]


@functools.lru_cache(maxsize=256)
def _canonical(label: str) -> str | None:
    """The WHATWG name for a label ("latin1" is windows-1252, "gb2312" is gbk), or None for an unknown one."""
    try:
        encoding = turbohtml.parse(b"", encoding=label, positions=False).encoding
    except (LookupError, ValueError):
        return None
    return sys.intern(encoding.lower()) if encoding else None


def _decode(data: bytes, charset: str) -> str:
    return data.decode(f"whatwg-{charset}")
