"""Documents of each kind, from files in tests/documents, and files made to break their converters."""

import csv
import io
import json
import random
from pathlib import Path

import pytest

from thresher.convert import jsontext
from thresher.convert.convert import convert
from thresher.convert.document import Document, Source

FOLDER = Path(__file__).parents[1] / "documents"
URL = "https://site.example/x/feed"


def document(body: bytes | str, content_type: str) -> Document:
    data = body.encode() if isinstance(body, str) else body
    found = convert(Source(URL, data, content_type), max_decoded_bytes=2**26)
    assert "\0" not in found.markdown + found.text
    (found.markdown + found.text + (found.title or "")).encode()  # no half of a surrogate pair
    return found


def of_file(name: str, content_type: str) -> Document:
    return document((FOLDER / name).read_bytes(), content_type)


def test_an_rss_feed_has_its_entries_with_link_date_author_and_content():
    found = of_file("news.rss", "application/rss+xml")
    assert (found.kind, found.title, found.charset) == ("text", "The Barn & Field", "utf-8")
    assert found.markdown == (
        "# [The Barn & Field](https://barn.example/)\n\n"
        "News from the **threshing** floor\n\n"
        "## [Harvest begins: 5 \\< 6 fields\\_left](https://site.example/news/harvest)\n\n"
        "Mon, 04 Aug 2025 09:00:00 GMT · Ann Reaper\n\n"
        "The *first* field is cut. [Map](https://site.example/news/map) ![Field](https://site.example/i.jpg)\n\n"
        "Unclosed\n\n"
        "## [https://barn.example/news/2](https://barn.example/news/2)\n\n"
        "Only a description, with [a link](https://mill.example/).\n\n"
        "<https://barn.example/2.mp3>\n\n"
        "## No link\n"
    )
    assert found.text.startswith(
        "The Barn & Field\n\nNews from the threshing floor\n\nHarvest begins: 5 < 6 fields_left\n"
    )
    assert found.links == [
        "https://barn.example/",
        "https://site.example/news/harvest",
        "https://site.example/news/map",
        "https://barn.example/news/2",
        "https://barn.example/2.mp3",
        "https://mill.example/",
    ]
    assert found.metadata == {
        "language": "en-GB",
        "modified": "Mon, 04 Aug 2025 10:00:00 GMT",
        "description": "News from the threshing floor",
    }


def test_an_atom_feed_has_text_as_text_html_as_html_and_its_own_base_urls():
    found = of_file("blog.atom", "application/atom+xml")
    assert found.title == "Le blog & co"
    assert found.markdown == (
        "# [Le blog & co](https://blog.example/)\n\nTout < rien\n\n"
        "## [Premier](https://blog.example/base/un)\n\n2025-01-01T00:00:00Z · Émile\n\n"
        "### Bonjour\n\nle **monde** [ici](https://blog.example/base/ici)\n\n"
        "## [Un \\<b> littéral](https://autre.example/deux)\n\n2025-01-02 · Zoé\n\n"
        "a \\<i> est une balise\n\ndeuxième alinéa\n\n"
        "## Image\n\nÉmile\n"
    )
    assert found.metadata["author"] == "Émile"
    assert (found.metadata["language"], found.metadata["modified"]) == ("fr", "2025-01-02T03:04:05Z")


@pytest.mark.parametrize(
    ("name", "title", "parts"),
    [
        ("old.rss", "Old école", ["Ninety\xa0nine & counting", "## [One](http://old.example/1)"]),
        ("rss1.rdf", "Triples", ["## [First](http://rdf.example/a)\n\n2003-05-01 · Karl\n\neins", "## [Second]"]),
        (
            "old.atom",
            "Early",
            ["Before the RFC", "## [Draft](http://early.example/1)\n\n2004-01-01\n\nescaped **bold**"],
        ),
    ],
)
def test_feeds_of_older_formats_are_read_too_mended_where_they_are_not_well_formed(name, title, parts):
    found = of_file(name, "text/xml")
    assert found.title == title
    for part in parts:
        assert part in found.markdown


def test_a_json_feed_is_a_feed_whatever_its_members_are():
    found = of_file("feed.json", "application/feed+json")
    assert found.title == "JSON Barn"
    assert found.markdown == (
        "# [JSON Barn](https://json.example/)\n\na < b\n\n"
        "## [One](https://json.example/1)\n\n2025-03-01T00:00:00Z\n\nHello [two](https://json.example/2)\n\n"
        "Carl\n\nPlain \\*text\\*\n\nagain\n"
    )
    assert found.metadata == {"language": "en", "description": "a < b", "author": "Ann, Bob"}
    version = '"version": "https://jsonfeed.org/version/1"'
    for rest in (
        '"items": 5',
        '"title": [1]',
        '"items": [[], null]',
        '"authors": {"name": "x"}',
        '"title": "\\ud800\\u0000"',
    ):
        assert document(f"{{{version}, {rest}}}", "application/json").kind == "json"


def test_a_link_that_would_run_a_script_is_not_linked():
    feed = "<rss><channel><title>T</title><item><title>a</title><link>javascript:alert(1)</link></item></channel></rss>"
    found = document(feed, "application/rss+xml")
    assert (found.markdown, found.links) == ("# T\n\n## a\n", [])


def test_a_sitemap_is_the_list_of_its_addresses():
    found = of_file("sitemap.xml", "application/xml")
    assert found.markdown == "- <https://barn.example/> (2025-01-01)\n- <https://barn.example/a?b=1&c=2>\n"
    assert found.links == ["https://barn.example/", "https://barn.example/a?b=1&c=2"]


def test_an_outline_is_a_nested_list():
    found = of_file("outline.opml", "text/x-opml")
    assert found.title == "My feeds"
    assert found.markdown == (
        "- Farming\n  - [The Barn](https://barn.example/)\n  - [No text](https://mill.example/feed)\n- Empty \\*folder\\*\n"
    )


def test_other_xml_stays_as_it_is_and_its_text_is_its_text():
    found = document("<a>one<b>two</b><![CDATA[<three>]]><!--no--> </a>", "application/xml")
    assert found.markdown == "```xml\n<a>one<b>two</b><![CDATA[<three>]]><!--no--> </a>\n```\n"
    assert (found.text, found.title, found.links) == ("one\ntwo\n<three>", None, [])
    drawing = of_file("drawing.svg", "image/svg+xml")
    assert (drawing.title, drawing.text) == ("A barn", "A  barn\nRed\nbarn")
    broken = "<a><b>never closed"
    assert (document(broken, "text/xml").text, document(broken, "text/xml").markdown) == (
        broken,
        f"```xml\n{broken}\n```\n",
    )


def test_xhtml_is_html_however_long_its_prologue_is():
    page = f"<?xml version='1.0'?><!--{'x' * 5000}--><html xmlns='http://www.w3.org/1999/xhtml'><title>T</title><p>p</p></html>"
    assert (document(page, "application/xml").kind, document(page, "application/xml").title) == ("html", "T")


def test_json_is_indented_and_keeps_every_number_key_and_escape_as_written():
    found = of_file("order.json", "application/json")
    written = (FOLDER / "order.json").read_text("utf-8")
    assert found.text == written
    assert found.markdown.startswith(
        '```json\n{\n  "z": 1.10,\n  "big": 123456789012345678901234567890,\n  "tiny": 1e400,\n'
    )
    for kept in (
        '"a": [],\n  "o": {},',
        '"k": "first",\n  "k": "second",',
        "-0.0,",
        '\\"q\\" \\\\"',
        '"\\u00e9\\ud83c\\udf3e"',
    ):
        assert kept in found.markdown
    assert (found.title, found.links) == (None, [])


def test_indenting_changes_nothing_but_white_space():
    source = random.Random(5)

    def value(depth: int) -> object:
        kind = source.randrange(7 if depth < 6 else 5)
        if kind == 5:
            return [value(depth + 1) for _ in range(source.randrange(4))]
        if kind == 6:
            return {f'{{k{n}: "[': value(depth + 1) for n in range(source.randrange(4))}
        return (None, True, source.random(), source.randrange(10**30), 'a,"\\ }]\n é\u2028')[kind]

    for _ in range(300):
        data = value(0)
        for text in (json.dumps(data), json.dumps(data, indent=1, ensure_ascii=False)):
            indented = jsontext.indented(text)
            assert json.loads(indented) == data
            assert indented == json.dumps(data, indent=2, ensure_ascii="\\u" in text)


@pytest.mark.parametrize(
    "text", ['{"a": 1}\n{"a": 2}', '{"a":', "[1,]", "NaN", "", "{'a': 1}", "[" * 100_000 + "]" * 100_000, "9" * 9000]
)
def test_json_that_is_no_one_document_or_not_for_readers_stays_as_it_is(text):
    found = document(text, "application/json")
    assert found.text == text
    assert found.markdown == (f"```json\n{text}\n```\n" if text else "")


def test_a_csv_file_is_a_table_whatever_it_is_delimited_by():
    assert of_file("grain.csv", "text/csv").markdown == (
        "| name | price | note |  |\n| --- | --- | --- | --- |\n| Wheat, winter | 1,20 | two<br>lines |\n| Rye | 0,95 |\n"
        "| a\\|b \\\\ | 5 | \\<b>x\\</b> | more |\n"
    )
    assert of_file("grain.tsv", "text/tab-separated-values").markdown == (
        "| id | name |\n| --- | --- |\n| 1 | Oats |\n| 2 | Barley |\n"
    )
    for delimiter in ",;\t|":
        rows = [["a", "b,;|\tc", "d"], ["1", "2", "x\ny"], ["", '"', "5"]]
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=delimiter).writerows(rows)
        found = document(buffer.getvalue(), "text/csv; header=present")
        assert found.markdown.splitlines()[0] == "| a | b,;\\|\tc | d |", delimiter
        assert found.markdown.splitlines()[2:] == ["| 1 | 2 | x<br>y |", '|  | " | 5 |'], delimiter
        assert found.text == buffer.getvalue()
    assert document("sep=|\r\na;b|c\r\n", "text/csv").markdown == "| a;b | c |\n| --- | --- |\n"
    assert document("lone\n1\n2\n", "text/csv").markdown == "| lone |\n| --- |\n| 1 |\n| 2 |\n"
    assert document("\n \n", "text/csv").markdown.strip() == ""


def test_a_quote_that_is_never_closed_does_not_lose_the_file():
    text = 'a,b\n1,"2\n' + "3,4\n" * 50_000
    assert document(text, "text/csv").text == text
    assert "3,4" in document(text, "text/csv").markdown


def test_a_file_wider_than_any_spreadsheet_is_no_table_and_one_that_just_fits_is():
    assert document("a," * 16_384 + "\n", "text/csv").markdown.startswith("```csv\na,a,")
    assert document("a," * 16_383 + "\n", "text/csv").markdown.startswith("| a | a | ")


def test_a_calendar_and_lines_of_json_are_code():
    assert of_file("meeting.ics", "text/calendar").markdown.startswith("```ics\nBEGIN:VCALENDAR\n")
    assert of_file("lines.ndjson", "application/x-ndjson").markdown == '```json\n{"a": 1}\n{"a": 2}\n```\n'


ENTITIES = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "laugh"}">' for n in range(10))
BOMBS = {
    "a billion laughs": (f"<!DOCTYPE r [{ENTITIES}]><r>&l9;</r>", "text/xml"),
    "laughs in a feed": (f"<!DOCTYPE rss [{ENTITIES}]><rss><channel><title>&l9;</title></channel></rss>", "text/xml"),
    "quadratic entities": (f'<!DOCTYPE r [<!ENTITY a "{"A" * 10**5}">]><r>{"&a;" * 10**5}</r>', "text/xml"),
    "a file of the machine": ('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>', "text/xml"),
    "a parameter entity": ('<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1/x"> %x;]><r/>', "text/xml"),
    "deep XML": ("<a>" * 300_000 + "x" + "</a>" * 300_000, "text/xml"),
    "deep XML, not closed": ("<a>" * 300_000, "text/xml"),
    "a deep outline": (
        "<opml><body>" + '<outline text="x">' * 10**5 + "</outline>" * 10**5 + "</body></opml>",
        "text/xml",
    ),
    "a deep feed": ("<rss><channel>" + "<item>" * 10**5 + "</item>" * 10**5 + "</channel></rss>", "text/xml"),
    "many attributes": ("<a " + " ".join(f'a{n}="x"' for n in range(10**5)) + "/>", "text/xml"),
    "many namespaces": ("".join(f'<a xmlns:n{n}="u">' for n in range(10**4)) + "</a>" * 10**4, "text/xml"),
    "many ampersands": ("<a>" + "&" * 10**6 + "</a>", "text/xml"),
    "half references": ("<a>" + "&abcdefghijklmnopqrstuvwxyz" * 10**5 + "</a>", "text/xml"),
    "deep JSON": ("[" * 10**6, "application/json"),
    "deep JSON objects": ('{"a":' * 10**5 + "1" + "}" * 10**5, "application/json"),
    "JSON of quotes": ('"' * 10**6, "application/json"),
    "JSON of backslashes": ('["' + "\\" * 10**6, "application/json"),
    "a million columns": ("a," * 10**6 + "\n1\n2\n", "text/csv"),
    "one wide row among many": ("a\n" * 10**5 + "," * 10**5, "text/csv"),
    "a million quotes": ('"' * 10**6, "text/csv"),
    "many pipes": ("|" * 10**5, "text/csv"),
    "a cell of a megabyte": ("a,b\n" + "x" * 10**6 + ",y\n", "text/csv"),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_becomes_a_document_of_its_own_size(name):
    body, content_type = BOMBS[name]
    found = document(body, content_type)
    assert len(found.markdown) < 10 * len(body) + 1000
    assert len(found.text) <= len(body)
    assert "root:" not in found.text
    assert "laughlaugh" not in found.markdown + found.text


_SITEMAP = 'xmlns:sm="http://www.sitemaps.org/schemas/sitemap/0.9"'


@pytest.mark.parametrize(
    ("body", "content_type", "fence"),
    [
        ('<rss version="2.0"><channel></channel></rss>', "application/rss+xml", "xml"),
        (f"<sm:urlset {_SITEMAP}></sm:urlset>", "application/xml", "xml"),
        ('<opml version="2.0"><head/><body/></opml>', "text/x-opml", "xml"),
        ('{"version":"https://jsonfeed.org/version/1.1","items":[]}', "application/json", "json"),
        ("sep=;\n", "text/csv", "csv"),
    ],
)
def test_a_list_with_nothing_in_it_is_a_result(body: str, content_type: str, fence: str):
    found = document(body, content_type)
    assert (found.verdict, found.markdown) == (None, f"```{fence}\n{body.rstrip()}\n```\n")


def test_a_sitemap_is_read_by_names_without_prefixes():
    found = document(f"<sm:urlset {_SITEMAP}><sm:url><sm:loc>https://e.com/a</sm:loc></sm:url></sm:urlset>", "text/xml")
    assert found.links == ["https://e.com/a"]


@pytest.mark.parametrize("content_type", ["application/xhtml+xml", "text/xml", "application/xml; charset=utf-8"])
def test_an_element_without_content_in_xhtml_does_not_swallow_the_page(content_type: str):
    head = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="/a.js" defer="defer"/></head>'
    found = document(head + '<body><p>Wheat<br/>and<a href="/x/" id=">"/> rye</p></body></html>', content_type)
    assert (found.kind, found.text) == ("html", "Wheat\nand rye")


def test_an_error_page_is_html_whatever_the_interface_should_have_sent():
    assert document("<!doctype html><title>Oops</title><p>Later.</p>", "application/json").text == "Later."
