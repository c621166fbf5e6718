"""A frame gives back what went in, or says that it is damaged."""

import gzip
import random
from dataclasses import replace

import orjson
import pytest

from thresher.convert.convert import convert
from thresher.convert.document import Source
from thresher.convert.frame import Frame, FrameError, encode
from thresher.domain.failure import FailureCode, ItemFailed

HTML = '<html lang="ru"><meta charset="windows-1251"><title>Зерно</title><p>Пшеница и <a href="/r">рожь</a>' * 5


def source(coding: str | None = None) -> Source:
    plain = HTML.encode("cp1251")
    body = gzip.compress(plain) if coding else plain
    return Source("https://barn.example/", body, "text/html", coding)


def frame_of(given: Source, meta: dict | None = None) -> bytes:
    return encode(given, convert(given, max_decoded_bytes=10**6), meta or {})


def test_a_frame_says_how_large_it_is_before_it_is_unpacked():
    for coding in (None, "gzip"):
        frame = Frame.parse(frame_of(source(coding)))
        size = max(len(HTML.encode("cp1251")), frame.header["parts"]["document"][2])
        assert not frame.is_larger(size)
        assert frame.is_larger(len(HTML.encode("cp1251")) - 1)
        assert frame.is_larger(frame.header["parts"]["document"][2] - 1)
        whole = frame.document_part()
        for names in ([], ["text"], ["markdown", "links"]):
            assert frame.json_size(names) == sum(len(orjson.dumps(whole[name])) for name in names)
    broken = Source("https://barn.example/", b"no gzip", "text/html", "gzip")
    assert Frame.parse(encode(broken, convert(source(), max_decoded_bytes=10**6), {})).is_larger(10**6)


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_frame_gives_back_the_document_and_the_body_as_fetched(coding):
    given = source(coding)
    document = convert(given, max_decoded_bytes=10**6)
    frame = Frame.parse(encode(given, document, {"fetched": 1}))
    assert frame.body == given.body
    assert frame.html(10**6) == HTML
    assert (frame.markdown, frame.text, frame.links) == (document.markdown, document.text, document.links)
    assert frame.document_part() is frame.document_part()
    header = dict(frame.header)
    parts = header.pop("parts")
    assert sum(header.pop("document")) < parts["document"][2]
    assert header == {
        "url": given.url,
        "content_type": "text/html",
        "content_encoding": coding,
        "kind": "html",
        "charset": "windows-1251",
        "charset_source": "meta",
        "charset_certainty": 1.0,
        "title": "Зерно",
        "metadata": {"language": "ru"},
        "meta": {"fetched": 1},
    }
    assert parts["body"][3] == (None if coding else "zstd")


@pytest.mark.parametrize(
    ("body", "given"),
    [
        (' {"a": 1.10, "a": 1e400} ', ' {"a": 1.10, "a": 1e400} '),  # digits and keys as they were
        ('\ufeff{"\u017eito": [{}]}', '{"\u017eito": [{}]}'),
        ("[1.0, 123456789012345678901234567890]", '{"data": [1.0, 123456789012345678901234567890]}'),
        ('"x\u2028"', '{"data": "x\u2028"}'),
        ("null", '{"data": null}'),
        ('{"version": "https://jsonfeed.org/version/1.1", "items": []}', ...),  # a feed, and JSON all the same
        ('{"a": 1}\n{"a": 2}\n', None),  # lines of it
        ('{"a": NaN}', None),
        ('{"a": 1', None),
        ("[" * 100_000 + "]" * 100_000, None),  # deeper than any reader goes
        ("", None),
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "utf-16le"])
def test_a_body_of_json_is_given_as_an_object_with_every_digit(body, given, charset):
    frame = Frame.parse(
        frame_of(Source("https://barn.example/", body.encode(charset), "application/json; charset=" + charset))
    )
    assert frame.json(10**6) == (body if given is ... else given)
    assert frame.json(10**6) is None or isinstance(orjson.loads(frame.json(10**6).replace("1e400", "1")), dict)


def test_what_is_no_json_is_none_whatever_it_says():
    for body, content_type in ((b'<p>{"a": 1}', "text/html"), (b'{"a": 1}', "text/plain"), (b"a,b\n1,2\n", "text/csv")):
        assert Frame.parse(frame_of(Source("https://barn.example/", body, content_type))).json(10**6) is None


def test_the_document_can_be_had_as_the_json_that_is_stored():
    pages = [HTML.encode("cp1251"), b"", b'"<p>","text":"\\","links":[', b'<a href="//a.example/">{"markdown":""}</a>']
    for page in pages:
        frame = Frame.parse(frame_of(Source("https://barn.example/", page, "text/html")))
        found = {name: orjson.loads(part) for name, part in frame.document_json().items()}
        assert found == frame.document_part() == {"markdown": frame.markdown, "text": frame.text, "links": frame.links}


@pytest.mark.parametrize("lengths", [None, [], [1, 2, 3], [10**9, 0, 0], ["a", "b", "c"], [1, 2, 3, 4], 5])
def test_a_header_that_does_not_fit_the_document_is_damage(lengths):
    frame = Frame.parse(frame_of(source()))
    frame.header["document"] = lengths
    with pytest.raises(FrameError):
        frame.document_json()


def test_an_empty_body_makes_a_frame():
    frame = Frame.parse(frame_of(Source("https://barn.example/", b"")))
    assert (frame.body, frame.html(10), frame.markdown) == (b"", "", "")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_html_is_decoded_as_the_conversion_decoded_it_and_nothing_is_decided_again(mark):
    page = mark + "<p>Сегодня утром шёл сильный дождь</p>"
    for codec, content_type in (("utf-16-le", None), ("utf-8", "text/html"), ("cp1251", "text/html; charset=x-cp1251")):
        frame = Frame.parse(frame_of(Source("https://barn.example/", page.encode(codec, "ignore"), content_type)))
        assert frame.html(10**6) == page.removeprefix("\ufeff")
    frame.header["charset"] = "koi8-r"
    assert frame.html(10**6) == page.encode("cp1251", "ignore").decode("koi8-r")


def test_html_holds_the_limit():
    with pytest.raises(ItemFailed) as caught:
        Frame.parse(frame_of(source("gzip"))).html(100)
    assert caught.value.failure.code is FailureCode.DECOMPRESSION_BOMB


def test_more_output_than_the_limit_is_refused():
    given = source()
    document = convert(given, max_decoded_bytes=10**6)
    with pytest.raises(OverflowError):
        encode(given, document, {}, max_output_bytes=100)


def test_output_far_beyond_the_limit_is_refused_before_it_is_written():
    document = replace(convert(source(), max_decoded_bytes=10**6), markdown="x" * 60, text="y" * 60, links=[object()])
    with pytest.raises(OverflowError, match="120 bytes or more"):
        encode(source(), document, {}, max_output_bytes=100)


def test_any_flipped_byte_is_found():
    whole = frame_of(source("gzip"))
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        with pytest.raises(FrameError):
            Frame.parse(bytes(damaged))


def test_any_cut_is_found():
    whole = frame_of(source("gzip"))
    for end in range(len(whole)):
        with pytest.raises(FrameError):
            Frame.parse(whole[:end])


def test_noise_is_no_frame():
    rand = random.Random(3)
    for length in range(200):
        with pytest.raises(FrameError):
            Frame.parse(rand.randbytes(length))


def test_a_part_table_that_lies_about_sizes_is_found_when_the_part_is_read():
    for stored, plain, coding in (
        (-1, 10, "zstd"),
        (10**9, 10**9, "zstd"),
        (5, 10**12, "zstd"),
        (5, 6, None),
        ("x", 1, None),
    ):
        frame = Frame.parse(frame_of(source()))
        frame.header["parts"]["document"] = [0, stored, plain, coding]
        with pytest.raises(FrameError):
            frame.document_part()
    frame = Frame.parse(frame_of(source()))
    del frame.header["parts"]["body"]
    with pytest.raises(FrameError):
        _ = frame.body
