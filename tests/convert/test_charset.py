"""Charsets as browsers find them: byte order mark, header, declaration, detection."""

import random

import pytest
from tests.convert.labels import LABELS
from tests.convert.languages import CHARSETS, SENTENCES, written

from thresher.convert.charset import Charset, decode, to_text
from thresher.convert.prescan import canonical

CHINESE = SENTENCES["chinese"][0]
RUSSIAN = SENTENCES["russian"][0]
KOREAN = SENTENCES["korean"][0]
JAPANESE = SENTENCES["japanese"][0]

LABELLED = [*CHARSETS, ("utf-8", "utf-8", "chinese"), ("windows-1252", "cp1252", "german")]
each_charset = pytest.mark.parametrize(
    ("name", "codec", "language"), LABELLED, ids=[f"{row[0]}-{row[2]}" for row in LABELLED]
)


def charset_of(data: bytes, content_type: str | None = None, markup: str | None = "html") -> Charset:
    return to_text(data, content_type, markup)[1]


def test_every_label_of_the_standard_is_known_in_any_case_and_no_other() -> None:
    assert sum(len(labels.split()) for labels in LABELS.values()) == 228
    for name, labels in LABELS.items():
        for label in labels.split():
            assert canonical(label) == canonical(f"\t {label.upper()}\r\n") == name
            assert charset_of(b"abc", f"text/html; charset={label}") == (name, "header", 1.0)


@each_charset
def test_a_charset_in_the_header_is_obeyed(name: str, codec: str, language: str) -> None:
    text = written("\n".join(SENTENCES[language]), codec)
    for content_type in (
        f'text/html; x="; charset=utf-8"; Charset="{name.upper()}"',
        f"text/plain;charset={name} ;y=z",
    ):
        assert to_text(text.encode(codec), content_type, "html") == (text, (name, "header", 1.0))


@each_charset
def test_a_charset_in_a_meta_element_is_obeyed(name: str, codec: str, language: str) -> None:
    if name.startswith("utf-16"):
        return  # a meta element that can be read says something else
    page = f"<html><head><meta charset={name}></head><body>{written(SENTENCES[language][0], codec)}</body></html>"
    assert to_text(page.encode(codec), "text/html", "html") == (page, (name, "meta", 1.0))


@pytest.mark.parametrize(
    "frame",
    ["{}", "<html><head><title>{}</title></head><body><p>{}</p></body></html>", "<script>x</script>\n" * 2000 + "{}"],
)
@each_charset
def test_an_undeclared_charset_is_detected(name: str, codec: str, language: str, frame: str) -> None:
    text = written("\n".join(SENTENCES[language]), codec)
    page = frame.replace("{}", text)
    found, charset = to_text(page.encode(codec), "text/html", "html")
    assert found == page
    assert charset.source == "detected"
    assert 0 < charset.certainty <= 1


def test_single_sentences_are_detected_and_east_asian_and_cyrillic_ones_all_of_them() -> None:
    missed, count = [], 0
    for name, codec, language in CHARSETS:
        for sentence in SENTENCES[language]:
            text = written(sentence, codec)
            count += 1
            if to_text(text.encode(codec), None, None)[0] != text:
                missed.append((name, language))
    assert len(missed) <= count * 0.05
    assert {language for _, language in missed} <= {"polish", "czech", "hungarian", "portuguese", "turkish", "thai"}


@pytest.mark.parametrize(
    ("label", "codec", "text", "name"),
    [
        ("gb2312", "gb18030", CHINESE + "㐀𠀀镕", "gbk"),
        ("gbk", "gb18030", "€" + CHINESE + "𠀀", "gbk"),
        ("shift_jis", "cp932", JAPANESE + "①㈱髙﨑～", "shift_jis"),
        ("x-sjis", "cp932", "ﾃｽﾄ " + JAPANESE, "shift_jis"),
        ("euc-kr", "cp949", KOREAN + "똠방각하 펲", "euc-kr"),
        ("ks_c_5601-1987", "cp949", "뷁", "euc-kr"),
        ("big5", "big5hkscs", "香港嘅茶餐廳，佢哋喺度", "big5"),
        ("iso-8859-1", "cp1252", "“naïve” – € 100…", "windows-1252"),
        ("ascii", "cp1252", "œuvre", "windows-1252"),
        ("tis-620", "cp874", "ราคา €", "windows-874"),
        ("iso-8859-9", "cp1254", "“Şişli”", "windows-1254"),
    ],
)
def test_a_label_means_the_superset_that_browsers_read_it_as(label: str, codec: str, text: str, name: str) -> None:
    assert to_text(text.encode(codec), f"text/html; charset={label}", "html") == (text, (name, "header", 1.0))


@pytest.mark.parametrize(("codec", "name"), [("utf-16-le", "utf-16le"), ("utf-16-be", "utf-16be"), ("utf-8", "utf-8")])
def test_a_byte_order_mark_beats_every_declaration(codec: str, name: str) -> None:
    page = f"<meta charset=gbk>{CHINESE}"
    assert to_text(("\ufeff" + page).encode(codec), "text/html; charset=big5", "html") == (page, (name, "bom", 1.0))


def test_the_header_beats_the_meta_element() -> None:
    assert charset_of(f"<meta charset=gbk>{RUSSIAN}".encode("koi8-r"), "text/html; charset=koi8-r")[:2] == (
        "koi8-r",
        "header",
    )


@pytest.mark.parametrize("label", ["klingon-8", '""', "", "utf-8\0", "\U0001f600", "x" * 9000, '"', "utf-7", "none"])
def test_an_unknown_label_never_raises_and_the_next_source_decides(label: str) -> None:
    page = f"<meta charset=windows-1251>{RUSSIAN}".encode("cp1251")
    assert charset_of(page, f"text/html; charset={label}")[:2] == ("windows-1251", "meta")
    broken = f"<meta charset='{label}'>".encode("ascii", "ignore")
    assert charset_of(broken + RUSSIAN.encode("cp1251"))[:2] == ("windows-1251", "detected")
    assert charset_of(broken + RUSSIAN.encode(), "text/html; charset")[:2] == ("utf-8", "detected")


def test_text_declares_nothing_whatever_it_says_and_xml_only_in_its_declaration() -> None:
    text = f"In HTML, write <meta charset=koi8-r>. {RUSSIAN}".encode()
    assert charset_of(text, "text/plain", None)[:2] == ("utf-8", "detected")
    assert charset_of(text, "text/xml", "xml")[:2] == ("utf-8", "detected")
    feed = f'<?xml version="1.0" encoding="koi8-r"?><rss>{RUSSIAN}</rss>'
    assert to_text(feed.encode("koi8-r"), "application/xml", "xml") == (feed, ("koi8-r", "meta", 1.0))
    assert charset_of(feed.encode("utf-16-be"), None, "xml")[:2] == ("utf-16be", "meta")


def test_a_declaration_or_a_mark_in_the_middle_of_the_text_does_not_mislead_the_detector() -> None:
    text = "яю " + RUSSIAN + " <meta charset=gbk>"
    for prefix in ("x", "xy"):
        data = prefix.encode() + text.encode("cp1251")
        assert to_text(data, None, None)[0] == prefix + text
    assert charset_of(b"abc \xef\xbb\xbf" + RUSSIAN.encode("cp1251"), None, None)[:2] == ("windows-1251", "detected")


def test_plain_ascii_and_nothing_are_the_default_and_certain() -> None:
    assert to_text(b"plain", None, "html") == ("plain", ("windows-1252", "default", 1.0))
    assert to_text(b"", None, None) == ("", ("windows-1252", "default", 1.0))
    assert to_text(b"\x1b[31mred\x1b(B\x1b[m", None, None)[1].name == "windows-1252"  # a terminal's, not ISO-2022-JP


@pytest.mark.parametrize("broken", [b"\xff", b"\xe9", b"\xd0", b"\x80\x81", b"\xed\xa0\x80"])
def test_a_broken_byte_does_not_make_a_utf_8_page_a_legacy_one(broken: bytes) -> None:
    text, charset = to_text((RUSSIAN * 5).encode() + broken + JAPANESE.encode(), None, None)
    assert charset[:2] == ("utf-8", "detected")
    assert 0.9 < charset.certainty < 1
    assert text.replace("\ufffd", "") == RUSSIAN * 5 + JAPANESE


def test_binary_data_is_not_taken_for_utf_16() -> None:
    for seed in range(300):
        noise = random.Random(seed).randbytes(seed * 4)
        assert not charset_of(noise, None, None).name.startswith("utf-16")
    for data in (bytes(100), b"\x01\x02\x03\x04", b"\x00\x01" * 50, b"ab\x00\x01", bytes(range(256)) * 8):
        assert not charset_of(data, None, None).name.startswith("utf-16")


@pytest.mark.parametrize("name", sorted(LABELS))
def test_no_bytes_make_decoding_raise_or_leave_a_surrogate(name: str) -> None:
    noise = random.Random(name).randbytes(5000)
    for markup in ("html", "xml", None):
        for content_type in (f"text/html; charset={name}", None):
            text, charset = to_text(noise, content_type, markup)
            text.encode("utf-8")
            assert decode(noise, charset.name) == text
