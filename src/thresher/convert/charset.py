"""The charset of a document, what told it and how sure that is; and its text, decoded as browsers decode.

WHATWG HTML, "determining the character encoding": byte order mark, header, declaration in the document, detection,
windows-1252. Knows no URL and no file name.
"""

import functools
import re
from typing import Literal, NamedTuple

from turbohtml.detect import detect  # importing it registers the `whatwg-*` codecs as well

from thresher.convert import wide
from thresher.convert.document import CharsetSource
from thresher.convert.prescan import PRESCAN, canonical, declared_in_html, declared_in_xml

Markup = Literal["html", "xml"]

_DETECT = 16_384  # bytes from the first one that is not ASCII; the detector takes 0.2 ms a KB of legacy text
_DEFAULT = "windows-1252"

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))
# The parameters of a media type: a quoted value may hold what ends an unquoted one.
_PARAMETER = re.compile(r""";\s*([^\s;="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;]*))""")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_ISO_2022_JP = re.compile(rb"\x1b(?:\$[@B]|\([IJ])")


class Charset(NamedTuple):
    """`name` is the WHATWG name in lower case. `certainty` is 1.0 for what is declared, or cannot be anything else,
    and the detector's confidence for what was detected; 0.0 where nothing speaks for the name.
    """

    name: str
    source: CharsetSource
    certainty: float = 1.0


def to_text(data: bytes, content_type: str | None, markup: Markup | None) -> tuple[str, Charset]:
    """The text of `data`, and its charset. Never raises: unknown labels are ignored, malformed bytes become U+FFFD.

    Declarations in the document are looked for as `markup` has them; None is for what can declare nothing.
    """
    charset = _marked(data) or _from_header(content_type) or _declared(data, markup)
    return (decode(data, charset.name), charset) if charset else _detected(data)


def head_as_ascii(data: bytes, content_type: str | None, size: int) -> bytes:
    """The first `size` characters or bytes of `data` for a look at its markup: of UTF-16, a form in UTF-8."""
    charset = _marked(data) or _from_header(content_type)
    name = charset.name if charset else wide.detect(data)
    if name in ("utf-16le", "utf-16be"):
        return decode(data[: 2 * size], name).replace("\0", "").encode()
    return data[:size]


def decode(data: bytes, name: str) -> str:
    """The text of `data` in the charset of the WHATWG name `name`, without a byte order mark. Never raises."""
    for mark, marked in _BOMS:
        if name == marked and data.startswith(mark):
            data = data[len(mark) :]
    return data.decode(f"whatwg-{name}")


def _marked(data: bytes) -> Charset | None:
    return next((Charset(name, "bom") for mark, name in _BOMS if data.startswith(mark)), None)


@functools.lru_cache(maxsize=256)
def _from_header(content_type: str | None) -> Charset | None:
    for key, quoted, plain in _PARAMETER.findall(content_type or ""):
        if key.lower() == "charset":  # the first one counts
            name = canonical((quoted or plain).strip().strip("'"))
            return Charset(name, "header") if name else None
    return None


def _declared(data: bytes, markup: Markup | None) -> Charset | None:
    if markup is None:
        return None
    name = declared_in_html(data) if markup == "html" else declared_in_xml(data)
    return Charset(name, "meta") if name else None


def _detected(data: bytes) -> tuple[str, Charset]:
    if name := wide.detect(data):
        return decode(data, name), Charset(name, "detected")
    if (first := _NOT_ASCII.search(data)) is None:
        if _ISO_2022_JP.search(data):
            return decode(data, "iso-2022-jp"), Charset("iso-2022-jp", "detected")
        return data.decode("ascii"), Charset(_DEFAULT, "default")
    text = data.decode("utf-8", "replace")
    # One broken byte does not make a UTF-8 page a legacy one: every well-formed sequence makes the text shorter than
    # the bytes, while bytes of another charset become one U+FFFD each.
    broken, saved = text.count("\ufffd"), len(data) - len(text)
    if broken * 20 <= saved:
        return text, Charset("utf-8", "detected", round(1 - broken / (saved + broken), 3))
    # The spaces keep the detector from taking what stands in the middle for a byte order mark or a declaration.
    match = detect(b" " * PRESCAN + data[first.start() : first.start() + _DETECT])
    if match.encoding is None or match.confidence == 0.0:
        return decode(data, _DEFAULT), Charset(_DEFAULT, "default", 0.0)
    name = match.encoding.lower()
    return decode(data, name), Charset(name, "detected", round(match.confidence, 3))
