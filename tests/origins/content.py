"""Whole answers whose content is the trouble: huge, deep, endless in one line, in no charset at all."""

import gzip
from collections.abc import Callable

from tests.convert.labels import LABELS
from tests.origins.encodings import coded
from tests.origins.raw import reply
from tests.origins.script import PAGE, SIGN, Script

from thresher.domain.failure import FailureCode

LIMIT, UNSUPPORTED = FailureCode.CONVERSION_LIMIT, FailureCode.UNSUPPORTED_CONTENT
MIB = 2**20

# In these the page's ASCII is not ASCII, or not shown.
STRANGE = {"utf-16le", "utf-16be", "replacement"}
NONSENSE = ("utf-9", "none", "x" * 5000, "utf-8,utf-16", "🌾".encode().decode("latin-1"), "../../etc/passwd", "rot13", "zip", "idna", "undefined")  # fmt: skip


def _page(
    name: str, make: Callable[[], bytes], code: FailureCode | None = None, says: str = "", sign: str = SIGN
) -> Script:
    return Script(name, coded("gzip", lambda: _gzip(make())), code, says, sign)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 1)


def _typed(
    name: str, content_type: str, body: bytes, code: FailureCode | None = None, says: str = "", sign: str = SIGN
) -> Script:
    return Script(name, reply(body, headers={"Content-Type": content_type}), code, says, sign)


SCRIPTS = (
    _page("the page is ten MiB of one line", lambda: PAGE + b"wheat " * (10 * MIB // 6)),
    _page("the page is ten MiB of one word", lambda: PAGE + b"w" * (10 * MIB)),
    _page("the page has 200,000 nested elements", lambda: PAGE + b"<div>" * 200_000 + b"deep"),
    _page("the page has 200,000 nested inline elements", lambda: PAGE + b"<b><i>" * 100_000 + b"deep"),
    _page("the page has 50,000 nested lists", lambda: PAGE + b"<ul><li>" * 50_000 + b"deep"),
    _page("the page has 20,000 nested tables", lambda: PAGE + b"<table><tr><td>" * 20_000 + b"deep"),
    _page("an element has a million attributes", lambda: PAGE + b"<p " + b" ".join(b"a%d=1" % n for n in range(1_000_000)) + b">"),
    _page("an attribute is of eight MiB", lambda: PAGE + b"<p title='" + b"w" * (8 * MIB) + b"'>"),
    _page("a comment of eight MiB is never closed", lambda: PAGE + b"<!--" + b"w" * (8 * MIB)),
    _page("a tag is never closed", lambda: PAGE + b"<p " + b"w" * MIB),
    _page("the page has a million entities", lambda: PAGE + b"&amp;" * 1_000_000),
    _page("the page has NULs between its letters", lambda: PAGE.replace(b"e", b"\0e\0")),
    _page("the page has a MiB of NULs behind it", lambda: PAGE + bytes(MIB)),
    _page("the page has 100,000 links", lambda: PAGE + b"<a href='/next'>on</a> " * 100_000),
    _page("the page has a link of a MiB", lambda: PAGE + b"<a href='/" + b"n" * MIB + b"'>on</a>"),
    _page("the page has a link in base64 of four MiB", lambda: PAGE + b"<img src='data:image/png;base64," + b"A" * 4 * MIB + b"'>"),
    _typed("the page has no type", "", PAGE),
    _typed("the type is rubbish", ";;;=/=;", PAGE),
    _typed("the type is of 50 KiB", "text/html; a=" + "b" * 50_000, PAGE),
    _typed("the type is of another kind than the page", "image/png", PAGE, UNSUPPORTED, "image/png"),
    _typed("a picture is said to be a page", "text/html", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(99), UNSUPPORTED, "png"),
    _typed("a program is said to be a page", "text/html", b"\x7fELF\2\1\1" + bytes(99), UNSUPPORTED),
    _typed("JSON is nested 100,000 deep", "application/json", b"[" * 100_000 + b"]" * 100_000, sign=""),
    _typed("JSON breaks off", "application/json", b'{"wheat": ["winter', sign="wheat"),
    *(
        _typed(f"the charset is {label}", f"text/html; charset={label}", PAGE, sign="" if name in STRANGE else SIGN)
        for name, labels in LABELS.items()
        for label in labels.split()
    ),
    *(_typed(f"the charset is nonsense: {label[:20]!r}", f"text/html; charset={label}", PAGE) for label in NONSENSE),
)  # fmt: skip
