"""What a document declares in its first bytes, case by case as the HTML standard's prescan says."""

import pytest

from thresher.convert.prescan import canonical, declared_in_html, declared_in_xml

KOI = "koi8-r"
PRAGMA = b"<meta http-equiv=content-type content="

PLAIN = [
    (b"<meta charset=koi8-r>", KOI),
    (b'<meta charset="koi8-r">', KOI),
    (b"<meta charset='koi8-r'>", KOI),
    (b"<META CHARSET=KOI8-R>", KOI),
    (b"<meta/charset=koi8-r>", KOI),
    (b"<meta\tcharset=koi8-r>", KOI),
    (b"<meta\ncharset=koi8-r>", KOI),
    (b"<meta\x0ccharset=koi8-r>", KOI),
    (b"<meta\rcharset=koi8-r>", KOI),
    (b"<meta\x0bcharset=koi8-r>", None),  # a vertical tab is no white space
    (b"<meta charset = koi8-r >", KOI),
    (b'<meta charset\n=\n"koi8-r"\n/>', KOI),
    (b'<meta charset=" koi8-r ">', KOI),
    (b"<meta charset=koi8-r />", KOI),
    (b"<meta charset=koi8-r/>", None),  # the slash belongs to the value
    (b"<meta charset>", None),
    (b"<meta charset=>", None),
    (b'<meta charset="">', None),
    (b"<meta>", None),
    (b"<metacharset=koi8-r>", None),
    (b"<metadata charset=koi8-r>", None),
    (b"</meta charset=koi8-r>", None),
    (b"<meta content charset=koi8-r>", KOI),
    (b"<meta =x charset=koi8-r>", KOI),  # the first equals sign belongs to the name
    (b'<meta ="> charset=koi8-r>', None),
    (b'<meta name="a" name="b" charset=koi8-r>', KOI),
    (b"<meta charset=koi8-r charset=utf-8>", KOI),
    (b"<meta charset=klingon charset=koi8-r>", None),
    (b"<meta charset=klingon><meta charset=koi8-r>", KOI),
    (b"<p><b>text</b><meta charset=koi8-r>", KOI),
]
PRAGMAS = [
    (b'<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', KOI),
    (b'<meta content="text/html; charset=koi8-r" http-equiv="content-type">', KOI),
    (PRAGMA + b"text/html;charset=koi8-r>", KOI),
    (b'<meta content="text/html; charset=koi8-r">', None),
    (b'<meta http-equiv=refresh content="text/html; charset=koi8-r">', None),
    (b'<meta http-equiv="content-type " content="text/html; charset=koi8-r">', None),
    (PRAGMA + b'"text/html; charset = koi8-r">', KOI),
    (PRAGMA + b"\"text/html; charset='koi8-r'\">", KOI),
    (PRAGMA + b"'text/html; charset=\"koi8-r\"'>", KOI),
    (PRAGMA + b'"text/html; charset=\'koi8-r">', None),
    (PRAGMA + b'"charset=koi8-r; x=y">', KOI),
    (PRAGMA + b'"charset=koi8-r x">', KOI),
    (PRAGMA + b'"charset=koi8-r,x">', None),
    (PRAGMA + b'"xcharset=koi8-r">', KOI),
    (PRAGMA + b'"charset koi8-r; charset=koi8-r">', KOI),
    (PRAGMA + b'"charset; charset=koi8-r">', KOI),
    (PRAGMA + b'"charset=klingon; charset=koi8-r">', None),
    (PRAGMA + b'"text/html; charset=">', None),
    (PRAGMA + b'"text/html; charset">', None),
    (PRAGMA + b'"charset=utf-8" charset=koi8-r>', KOI),
    (b'<meta charset=koi8-r content="charset=utf-8">', KOI),
    (b'<meta charset=koi8-r http-equiv=content-type content="charset=utf-8">', KOI),
    (b'<meta charset=klingon http-equiv=content-type content="charset=koi8-r">', None),
    (b'<meta content="charset=utf-8" content="charset=koi8-r" http-equiv=content-type>', "utf-8"),
    (b'<meta content="none" content="charset=koi8-r" http-equiv=content-type>', None),
    (b'<meta http-equiv=refresh http-equiv=content-type content="charset=koi8-r">', None),
]
NAMES = [
    (b"<meta charset=utf-16>", "utf-8"),
    (b"<meta charset=utf-16be>", "utf-8"),
    (b"<meta charset=utf-16le>", "utf-8"),
    (b"<meta charset=ucs-2>", "utf-8"),
    (PRAGMA + b'"charset=unicode">', "utf-8"),
    (b"<meta charset=x-user-defined>", "windows-1252"),
    (b"<meta charset=latin1>", "windows-1252"),
    (b"<meta charset=us-ascii>", "windows-1252"),
    (b"<meta charset=utf-7>", None),
    (b"<meta charset=utf-32>", None),
    (b"<meta charset=hz-gb-2312>", "replacement"),
    (b'<meta charset="utf-8\0">', None),
]
PASSED_OVER = [
    (b"<!--<meta charset=koi8-r>-->", None),
    (b"<!--<meta charset=utf-8>--><meta charset=koi8-r>", KOI),
    (b"<!--><meta charset=koi8-r>", KOI),
    (b"<!---><meta charset=koi8-r>", KOI),
    (b"<!-- > <meta charset=utf-8> -- > --><meta charset=koi8-r>", KOI),
    (b"<!--<meta charset=koi8-r>", None),
    (b"<!doctype html><meta charset=koi8-r>", KOI),
    (b'<!x "<meta charset=koi8-r>">', None),
    (b"<?php <meta charset=koi8-r>", None),
    (b"<?php ?><meta charset=koi8-r>", KOI),
    (b"</ <meta charset=koi8-r>", None),
    (b'<a title="<meta charset=koi8-r>">', None),
    (b"<a title='<meta charset=koi8-r>'>", None),
    (b"<a title=<meta charset=koi8-r>", None),
    (b"<a <meta charset=koi8-r>", None),
    (b'</a title="<meta charset=koi8-r>"><meta charset=utf-8>', "utf-8"),
    (b'<a title="unclosed><meta charset=koi8-r>', None),
    (b'<a b/c="<meta charset=utf-8>"><meta charset=koi8-r>', KOI),
    (b'<a/title="<meta charset=utf-8>"><meta charset=koi8-r>', KOI),
    (b"< meta charset=koi8-r>", None),
    (b"<<meta charset=koi8-r>", KOI),
    (b'<1 title="<meta charset=koi8-r>">', KOI),
    (b"a < b <meta charset=koi8-r>", KOI),
    (b"\xe9\xff\x80 text \x00\x01<meta charset=koi8-r>", KOI),
    (b"<title>\xcf\xcb</title><meta charset=koi8-r>", KOI),
]
TEXT_ELEMENTS = [  # the prescan does not know that some elements hold text
    (b'<script>var x = "<meta charset=koi8-r>";</script>', KOI),
    (b"<style><meta charset=koi8-r></style>", KOI),
    (b"<title><meta charset=koi8-r></title>", KOI),
    (b"<noscript><meta charset=koi8-r></noscript>", KOI),
    (b"<textarea><meta charset=koi8-r></textarea>", KOI),
    (b"<script>if (a<b && c>d) {}</script><meta charset=koi8-r>", KOI),
    (b'<script>if (a<b) { s = "it\'s" }</script><meta charset=koi8-r>', KOI),
    (b"<script>if (a<b) { s='<p>' + \"'\" }</script><meta charset=koi8-r>", KOI),
]
XML = [
    (b'<?xml version="1.0" encoding="koi8-r"?><html>', KOI),
    (b"<?xml version='1.0' encoding='koi8-r'?><html>", KOI),
    (b'<?xml encoding = "koi8-r" ?>', KOI),
    (b' <?xml encoding="koi8-r"?>', None),
    (b'<?XML encoding="koi8-r"?>', None),
    (b'<?xml encoding="koi8-r"', None),
    (b"<?xml encoding=koi8-r?>", None),
    (b"<?xml encoding=\"koi8-r'?>", None),
    (b'<?xml encoding=" koi8-r"?>', None),
    (b'<?xml encoding="utf-16"?>', "utf-8"),
    (b'<?xml version="1.0"?><p encoding="koi8-r">', KOI),  # to the letter of the standard
    ("<?xml".encode("utf-16-le"), "utf-16le"),
    ("<?xml".encode("utf-16-be"), "utf-16be"),
]
BORDER = [
    (b" " * (1024 - 21) + b"<meta charset=koi8-r>", KOI),
    (b"<!--" + b"x" * 992 + b"--><meta charset=koi8-r>", KOI),
    (b'<?xml encoding="koi8-r"?>' + b" " * 990 + b"<meta charset=utf-8", KOI),  # half a tag, then the fallback
    (b'<meta charset="koi8-r', None),
    (b"<meta charset=koi8-r", None),
    (b'<meta charset="koi8-r"', None),
    (b"<meta charset=koi8-r ", None),
    (b"<meta charset", None),
    (b"<meta ", None),
    (b"<meta", None),
    (b"<a b", None),
    (b"<!--", None),
    (b"<!", None),
    (b"<", None),
    (b"", None),
]
CASES = [*PLAIN, *PRAGMAS, *NAMES, *PASSED_OVER, *TEXT_ELEMENTS, *BORDER]


@pytest.mark.parametrize(("document", "charset"), CASES)
def test_the_prescan_comes_to_what_the_standard_says(document: bytes, charset: str | None) -> None:
    assert declared_in_html(document) == charset


@pytest.mark.parametrize(("document", "charset"), XML)
def test_an_xml_declaration_is_read_as_the_standard_says(document: bytes, charset: str | None) -> None:
    assert declared_in_xml(document) == charset
    assert declared_in_html(document) == charset


def test_in_html_a_meta_element_beats_the_xml_declaration_and_in_xml_there_are_none() -> None:
    both = b'<?xml encoding="koi8-r"?><meta charset=utf-8>'
    assert (declared_in_html(both), declared_in_xml(both)) == ("utf-8", KOI)


@pytest.mark.parametrize("padding", [1003, 1004, 1020, 1024, 2048, 8192, 60_000])
def test_a_meta_element_behind_the_first_1024_bytes_is_found_as_the_parser_finds_it(padding: int) -> None:
    meta = b"<meta charset=koi8-r>"
    comment = b"<!--" + b"x" * (padding - 7) + b"-->"
    assert declared_in_html(comment + meta) == KOI
    # The parser, unlike the prescan, knows what is text and what is a comment.
    if padding > 1020:
        for start, end in ((b"<script>'", b"'</script>"), (b"<style>", b"</style>"), (b"<!--", b"-->")):
            assert declared_in_html(comment + start + meta + end) is None
            assert declared_in_html(comment + start + b"<meta charset=utf-8>" + end + meta) == KOI


def test_a_meta_element_behind_the_first_64_kib_is_not_looked_for() -> None:
    assert declared_in_html(b" " * 65_536 + b"<meta charset=koi8-r>") is None


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", [b"<", b"<meta ", b"<meta charset", b"<a ", b'<a b="', b"<!--", b"<!", b"/", b"=", b"<meta content=charset"]
)
def test_no_repetition_takes_more_than_linear_time(unit: bytes) -> None:
    for _ in range(50):
        declared_in_html(unit * (200_000 // len(unit)))


@pytest.mark.parametrize("label", ["", " ", "klingon", "utf-8;", "é", "utf\u20108", "\ud800", "\0", "x" * 100_000])
def test_an_unknown_label_is_none_and_never_raises(label: str) -> None:
    assert canonical(label) is None
