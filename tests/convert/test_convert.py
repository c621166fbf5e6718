"""What a body is, and what becomes of each kind."""

import gzip
from pathlib import Path

import pytest

from thresher.convert.convert import convert
from thresher.convert.document import How, Source
from thresher.domain.choices import Content
from thresher.domain.failure import FailureCode, ItemFailed

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def document(body: bytes, content_type: str | None = None, encoding: str | None = None):
    return convert(Source("https://barn.example/x", body, content_type, encoding), max_decoded_bytes=10**6)


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "TEXT/HTML", "application/xhtml+xml"])
def test_html_is_converted_as_html(content_type):
    found = document(gzip.compress("<title>T</title><p>é".encode()), content_type, "gzip")
    assert (found.kind, found.title, found.markdown, found.charset) == ("html", "T", "é", "utf-8")


@pytest.mark.parametrize("start", ["<!DOCTYPE html>", " \n<html >", "<!-- note --><p>", "<BODY class=x>", "\ufeff<p>"])
@pytest.mark.parametrize("content_type", [None, "", "application/octet-stream", "*/*"])
def test_html_without_a_type_is_recognised_by_its_first_bytes(start, content_type):
    assert document(f"{start}<b>bold</b>".encode(), content_type).markdown == "**bold**"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/markdown; charset=utf-8", "text/x-web-markdown", "text/x"]
)
def test_text_passes_through_as_it_is(content_type):
    text = "# A *title*\n\n<b>not markup</b>\n\ta_b\n"
    found = document(text.encode(), content_type)
    assert (found.kind, found.title, found.markdown, found.text, found.links) == ("text", None, text, text, [])


@pytest.mark.parametrize(
    ("content_type", "language"),
    [
        ("application/json", "json"),
        ("application/ld+json", "json"),
        ("application/rss+xml", "xml"),
        ("text/xml", "xml"),
        ("application/javascript", "javascript"),
        ("text/css", "css"),
        ("text/calendar; charset=utf-8", "ics"),
        ("text/vcard", "vcf"),
        ("application/yaml", "yaml"),
    ],
)
def test_what_is_written_for_programs_becomes_a_code_block(content_type, language):
    found = document(b"{``` <a/>}\n", content_type)
    assert found.text == "{``` <a/>}\n"
    assert found.markdown == f"````{language}\n{{``` <a/>}}\n````\n"


def test_xhtml_served_as_xml_is_html():
    xhtml = b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><title>T</title><p>p</p></html>'
    assert (document(xhtml, "text/xml").title, document(xhtml, None).title) == ("T", "T")
    assert document(b'<?xml version="1.0"?><rss/>', None).markdown.startswith("```xml\n")


def test_nul_characters_in_text_are_removed():
    assert document(b"\xff\xfe" + "a\0b".encode("utf-16-le"), "text/plain").text == "ab"
    assert document(b"<p>" + b"x" * 2000 + b"\0y", "text/html").text.endswith("xy")


@pytest.mark.parametrize(
    ("body", "content_type", "named"),
    [
        (PNG, "image/png", "image/png"),
        (PNG, None, "image/png"),
        (PNG, "text/html", "image/png, although declared as text/html"),
        (b"%!PS-Adobe-3.0", "text/html", "application/postscript"),
        (b"PK\x03\x04....", "application/octet-stream", "application/zip"),
        (b"text at first\x00\x01", "application/octet-stream", "application/octet-stream"),
        (b"text at first\x00\x01", None, "binary data"),
        (b"\x01\x02\x03", "text/plain", "text/plain"),
        (b"ID3 music", "audio/mpeg", "audio/mpeg"),
    ],
)
def test_binary_content_is_refused_by_name(body, content_type, named):
    with pytest.raises(ItemFailed, match=named) as caught:
        document(body, content_type)
    assert caught.value.failure.code is FailureCode.UNSUPPORTED_CONTENT


def test_an_svg_image_is_xml_text():
    assert document(b"<svg><text>hi</text></svg>", "image/svg+xml").markdown.startswith("```xml\n<svg>")


def test_an_empty_body_is_an_empty_document():
    for content_type in (None, "text/html", "text/plain"):
        found = document(b"", content_type)
        assert (found.markdown, found.text, found.title) == ("", "", None)


STORY = (Path(__file__).parent.parent / "pages" / "parsers" / "story.html").read_bytes()


def test_of_the_main_content_are_markdown_and_text_and_all_else_is_of_the_whole_page():
    source = Source("https://barn.example/x", STORY, "text/html")
    main = convert(source, max_decoded_bytes=10**6, how=How("@thresher/metadata", Content.MAIN))
    whole = convert(source, max_decoded_bytes=10**6, how=How("@thresher/metadata"))
    assert (main.content, whole.content) == (Content.MAIN, None)
    for made in (main.markdown, main.text):
        assert "Rye began as a weed" in made
        assert "did not want it any more" in made
        assert not any(word in made for word in ("cookies", "Subscribe", "printed on straw", "Why oats"))
    assert "[the old mill](https://barn.example/mills/old)" in main.markdown
    assert "cookies" in whole.text
    for name in ("kind", "charset", "title", "links", "metadata", "verdict", "parsed"):
        assert getattr(main, name) == getattr(whole, name), name


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (
            b"<title>Just a moment...</title><nav>Home</nav><script src=/cdn-cgi/challenge-platform/x></script>",
            "text/html",
        ),
        (b"<p>Too short to be running text.", "text/html"),
        (b"<div hidden><p>" + b"Nobody sees what is written here. " * 9 + b"</p></div><h1>Shown</h1>", "text/html"),
        (b"A line of text. " * 20, "text/plain"),
        (b'{"a": 1}', "application/json"),
    ],
)
def test_where_there_is_no_main_content_it_is_the_whole_document_and_says_so(body, content_type):
    source = Source("https://barn.example/x", body, content_type)
    main = convert(source, max_decoded_bytes=10**6, how=How(content=Content.MAIN))
    whole = convert(source, max_decoded_bytes=10**6)
    assert main.content is Content.PAGE
    assert (main.markdown, main.text, main.verdict) == (whole.markdown, whole.text, whole.verdict)
