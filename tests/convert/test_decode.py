"""Content codings under a cap, and charsets as browsers find them."""

import gzip
import random
import tracemalloc
import zlib

import brotli
import pytest
import zstandard

from thresher.convert.decode import decode_body, to_text
from thresher.domain.failure import FailureCode, ItemFailed

PAGE = b"<!doctype html><title>Grain</title>" + b"<p>wheat, rye, barley and oats</p>" * 200
LIMIT = 10 * 2**20


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def zstd_of_unknown_size(data: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


CODINGS = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstd),
    ("zstd", zstd_of_unknown_size),
]
each_coding = pytest.mark.parametrize(
    ("name", "compress"), CODINGS, ids=lambda value: getattr(value, "__name__", value)
)


def code_of(body: bytes, encoding: str | None, limit: int = LIMIT) -> FailureCode:
    with pytest.raises(ItemFailed) as caught:
        decode_body(body, encoding, limit)
    return caught.value.failure.code


@each_coding
def test_each_coding_is_undone(name, compress):
    assert decode_body(compress(PAGE), name, LIMIT) == PAGE


@each_coding
def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not(name, compress):
    assert decode_body(compress(PAGE), name, len(PAGE)) == PAGE
    assert code_of(compress(PAGE), name, len(PAGE) - 1) is FailureCode.DECOMPRESSION_BOMB


@each_coding
def test_a_bomb_is_stopped_at_the_limit(name, compress):
    assert code_of(compress(bytes(50 * 2**20)), name, 2**20) is FailureCode.DECOMPRESSION_BOMB


@each_coding
def test_a_bomb_takes_little_more_memory_than_the_limit(name, compress):
    body = compress(bytes(64 * 2**20))
    tracemalloc.start()
    try:
        code_of(body, name, 2**20)
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()


@each_coding
def test_a_stream_that_ends_early_is_refused_wherever_it_ends(name, compress):
    body = compress(random.Random(7).randbytes(5000))
    for end in (1, 5, 11, len(body) // 2, len(body) - 1):
        assert code_of(body[:end], name) is FailureCode.BAD_ENCODING, end


@each_coding
def test_an_empty_page_and_an_empty_body_are_empty(name, compress):
    assert decode_body(compress(b""), name, LIMIT) == b""
    assert decode_body(b"", name, LIMIT) == b""


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate"])
def test_a_body_that_is_not_in_the_declared_coding_is_refused(name):
    assert code_of(b"<html>plain, whatever the header says</html>", name) is FailureCode.BAD_ENCODING


def test_a_damaged_gzip_checksum_is_refused():
    body = bytearray(gzip.compress(PAGE))
    body[-6] ^= 0xFF
    assert code_of(bytes(body), "gzip") is FailureCode.BAD_ENCODING


def test_all_members_of_a_gzip_body_are_read():
    parts = [random.Random(n).randbytes(n * 100) for n in range(60)]
    assert decode_body(b"".join(map(gzip.compress, parts)), "gzip", LIMIT) == b"".join(parts)


def test_a_truncated_last_member_is_refused():
    assert code_of(gzip.compress(PAGE) + gzip.compress(PAGE)[:-3], "gzip") is FailureCode.BAD_ENCODING


def test_the_limit_holds_over_all_members_together():
    assert code_of(gzip.compress(bytes(1000)) * 1100, "gzip", 2**20) is FailureCode.DECOMPRESSION_BOMB


@pytest.mark.timeout(20)
def test_a_hundred_thousand_tiny_members_take_no_quadratic_time():
    assert decode_body(gzip.compress(b"x", mtime=0) * 100_000, "gzip", LIMIT) == b"x" * 100_000


def test_padding_after_the_last_member_is_ignored():
    assert decode_body(gzip.compress(PAGE) + bytes(512), "gzip", LIMIT) == PAGE


def test_two_zstd_frames_are_one_body():
    assert decode_body(zstd(b"one ") + zstd(b"two"), "zstd", LIMIT) == b"one two"


@pytest.mark.timeout(20)
def test_a_million_tiny_zstd_frames_take_no_quadratic_time():
    empty = zstandard.ZstdCompressor(write_content_size=False).compress(b"")
    assert decode_body(zstd(b"x") + empty * 400_000 + zstd(b"y"), "zstd", LIMIT) == b"xy"


def test_a_second_zstd_frame_that_ends_early_is_refused():
    assert code_of(zstd(PAGE) + zstd(PAGE)[:-1], "zstd") is FailureCode.BAD_ENCODING


def test_a_chain_is_undone_from_its_end():
    assert decode_body(brotli.compress(gzip.compress(PAGE)), "gzip, br", LIMIT) == PAGE
    assert decode_body(zstd(brotli.compress(gzip.compress(PAGE))), "gzip,br , zstd", LIMIT) == PAGE


def test_the_limit_holds_inside_a_chain():
    assert code_of(gzip.compress(gzip.compress(bytes(2**24))), "gzip, gzip", 2**16) is FailureCode.DECOMPRESSION_BOMB


def test_a_chain_of_four_is_refused():
    assert code_of(b"x", "gzip, gzip, gzip, gzip") is FailureCode.BAD_ENCODING


def test_identity_and_absence_leave_the_body_alone():
    for encoding in (None, "", "identity", "Identity, identity"):
        assert decode_body(PAGE, encoding, LIMIT) == PAGE


def test_a_plain_body_over_the_limit_is_refused():
    assert code_of(PAGE, None, 100) is FailureCode.DECOMPRESSION_BOMB


@pytest.mark.parametrize("name", ["compress", "utf-8", "gzip;q=1", "none"])
def test_an_unknown_coding_is_refused_by_name(name):
    with pytest.raises(ItemFailed, match=name.split(";")[0]) as caught:
        decode_body(PAGE, name, LIMIT)
    assert caught.value.failure.code is FailureCode.BAD_ENCODING


CHINESE = "今天天气很好，我们去公园散步。这是一个测试网页的内容。"
TAIWANESE = "今天天氣很好，我們去公園散步。這是一個測試網頁的內容。"
JAPANESE = "今日は天気がいいので公園を散歩しました。テストページです。"
KOREAN = "오늘은 날씨가 좋아서 공원에 갔습니다. 시험용 페이지입니다."
RUSSIAN = "Сегодня хорошая погода, и мы пошли гулять в парк."
LEGACY = [
    ("gbk", "gbk", CHINESE),
    ("gb2312", "gbk", CHINESE),
    ("gb18030", "gb18030", CHINESE + "㐀𠀀"),
    ("big5", "big5", TAIWANESE),
    ("shift_jis", "shift_jis", JAPANESE),
    ("euc-jp", "euc-jp", JAPANESE),
    ("iso-2022-jp", "iso-2022-jp", JAPANESE),
    ("euc-kr", "euc-kr", KOREAN),
    ("windows-1251", "windows-1251", RUSSIAN),
    ("koi8-r", "koi8-r", RUSSIAN),
    ("utf-8", "utf-8", CHINESE + RUSSIAN),
]
each_charset = pytest.mark.parametrize(("label", "name", "text"), LEGACY, ids=[row[0] for row in LEGACY])


@each_charset
def test_a_charset_in_the_header_is_obeyed(label, name, text):
    assert to_text(text.encode(label), f'text/html; Charset="{label.upper()}"') == (text, name, "header")


@each_charset
def test_a_charset_in_a_meta_element_is_obeyed(label, name, text):
    page = f"<html><head><meta charset={label}></head><body>{text}</body></html>"
    assert to_text(page.encode(label), "text/html") == (page, name, "meta")


@each_charset
def test_an_undeclared_charset_is_detected(label, name, text):
    page = "<html><body>" + f"<p>{text}</p>".replace("㐀𠀀", "") * 10 + "</body></html>"
    assert to_text(page.encode(label), "text/html")[::2] == (page, "detected")


@pytest.mark.parametrize("declaration", ["utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_beats_every_declaration(declaration):
    page = f"<meta charset=gbk>{CHINESE}"
    data = ("\ufeff" + page).encode(declaration)
    assert to_text(data, "text/html; charset=big5") == (
        page,
        declaration.replace("-le", "le").replace("-be", "be"),
        "bom",
    )
    assert to_text(("\ufeff" + page).encode(), "text/html; charset=big5") == (page, "utf-8", "bom")


def test_the_header_beats_the_meta_element():
    page = f"<meta charset=gbk>{RUSSIAN}".encode("koi8-r")
    assert to_text(page, "text/html; charset=koi8-r")[1:] == ("koi8-r", "header")


def test_an_unknown_label_is_ignored():
    page = f"<meta charset=windows-1251>{RUSSIAN}".encode("cp1251")
    assert to_text(page, "text/html; charset=klingon-8")[1:] == ("windows-1251", "meta")
    assert to_text(b"<meta charset=klingon-8>caf\xc3\xa9", None)[1:] == ("utf-8", "detected")


def test_latin1_means_windows_1252_as_in_browsers():
    assert to_text(b"\x80 100 \x96 na\xefve", "text/plain; charset=ISO-8859-1") == (
        "€ 100 – naïve",
        "windows-1252",
        "header",
    )


def test_a_meta_element_that_claims_utf_16_in_ascii_is_utf_8():
    assert to_text('<meta charset="utf-16">é'.encode(), None)[1:] == ("utf-8", "meta")


def test_an_xml_declaration_counts():
    page = f'<?xml version="1.0" encoding="koi8-r"?><rss>{RUSSIAN}</rss>'
    assert to_text(page.encode("koi8-r"), "application/xml") == (page, "koi8-r", "meta")


def test_plain_ascii_and_nothing_are_the_default():
    assert to_text(b"plain", None) == ("plain", "windows-1252", "default")
    assert to_text(b"", None) == ("", "windows-1252", "default")


def test_one_broken_byte_does_not_make_a_utf_8_page_a_legacy_one():
    text, charset, source = to_text((RUSSIAN * 3).encode() + b"\xff" + JAPANESE.encode(), None)
    assert (charset, source) == ("utf-8", "detected")
    assert text == RUSSIAN * 3 + "\ufffd" + JAPANESE


@pytest.mark.parametrize(
    "label", [row[0] for row in LEGACY] + ["utf-16le", "replacement", "x-user-defined", "hz-gb-2312"]
)
def test_no_bytes_make_decoding_raise_or_leave_a_surrogate(label):
    noise = random.Random(label).randbytes(20_000)
    for content_type in (f"text/html; charset={label}", None):
        to_text(noise, content_type)[0].encode("utf-8")
