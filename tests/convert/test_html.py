"""A page to markdown, text, links, title and metadata."""

from pathlib import Path

import pytest

from thresher.convert.html import convert
from thresher.convert.laps import Laps

ARTICLE = (Path(__file__).parent.parent / "pages" / "article.html").read_text()
URL = "https://barn.example/deep/er/page.html"


def page(html: str, url: str = URL):
    return convert(html, url, Laps())


@pytest.fixture(scope="module")
def article():
    return page(ARTICLE)


def test_a_code_block_keeps_every_character(article):
    code = (
        "```python\ndef thresh(sheaf):\n    if not sheaf:  # *nothing* to do\n        return []\n\n"
        "    return [grain for stalk in sheaf for grain in stalk]\n```"
    )
    assert code in article.markdown


def test_a_table_becomes_a_pipe_table(article):
    rows = "| Grain | Yield \\| t |\n| --- | --- |\n| Wheat | 7.5 |\n| Rye | 5.6 |"
    assert rows in article.markdown


def test_lists_keep_their_nesting(article):
    assert "- Cut\n  - by hand\n    1. sickle\n    2. scythe\n- Bind" in article.markdown


def test_headings_are_marked(article):
    assert "# Threshing\n" in article.markdown


@pytest.mark.parametrize(
    "unseen",
    [
        *("hidden attribute", "hidden from readers", "enable JavaScript", "template content", "icon", "closed dialog"),
        *("Albania", "color", "changed by a script"),
    ],
)
def test_what_no_reader_sees_is_dropped(article, unseen):
    assert unseen in ARTICLE
    assert unseen not in article.markdown
    assert unseen not in article.text


def test_the_text_has_the_words_and_no_markup(article):
    assert "def thresh(sheaf):\n    if not sheaf" in article.text
    assert "the flail" in article.text
    assert "barn.example" not in article.text
    assert "#" not in article.text.replace("# *nothing*", "")


def test_links_are_absolute_unique_and_in_order(article):
    assert article.links == [
        "https://barn.example/guide/tools/flail.html",
        "https://barn.example/about",
        "https://cdn.example/x",
        "https://other.example/a?b=1#c",
    ]


def test_links_in_the_markdown_are_absolute(article):
    assert "[the flail](https://barn.example/guide/tools/flail.html)" in article.markdown
    assert "[about us](https://barn.example/about)" in article.markdown


def test_a_link_that_runs_script_leaves_only_its_text(article):
    assert "a trap" in article.markdown
    assert "script:" not in article.markdown
    assert "alert" not in article.markdown


def test_an_image_put_off_by_a_script_gets_its_real_address_and_a_placeholder_goes(article):
    assert "![A sheaf](https://barn.example/img/sheaf.jpg)" in article.markdown
    assert "base64" not in article.markdown
    assert "Only a placeholder" not in article.markdown


def test_the_title_is_the_title_elements_with_white_space_collapsed(article):
    assert article.title == "How grain is threshed"


def test_metadata_is_what_the_head_declares(article):
    assert article.metadata == {
        "description": "From the field to the sack.",
        "author": "A. Farmer",
        "site_name": "The Barn",
        "published": "2024-05-06T07:08:09Z",
        "language": "en-GB",
        "canonical": "https://barn.example/guide/threshing",
        "opengraph": {"title": "Threshing", "site_name": "The Barn", "image": "https://barn.example/i.png"},
    }


def test_a_page_that_declares_nothing_has_no_metadata_and_no_title():
    bare = page("<p>just words</p>")
    assert (bare.title, bare.metadata, bare.links, bare.markdown) == (None, {}, [], "just words")


def test_the_open_graph_title_stands_in_for_an_empty_one():
    assert page('<title> </title><meta property="og:title" content="Stand-in">').title == "Stand-in"


def test_author_and_date_are_read_from_json_ld_where_the_metas_have_none():
    html = """<script type="application/ld+json">{"@graph": [{"@type": "WebSite"}, {"@type": "Article",
    "author": [{"@type": "Person", "name": "B. Miller"}], "datePublished": "2023-01-02"}]}</script>"""
    assert page(html).metadata == {"author": "B. Miller", "published": "2023-01-02"}


@pytest.mark.parametrize(
    "junk", ["{", "[" * 100_000, '{"author": {"name": 5}}', "null", '[[1], "x"]', '{"author": []}']
)
def test_json_ld_that_is_junk_is_passed_over(junk):
    assert page(f'<script type="application/ld+json">{junk}</script><p>x').metadata == {}


def test_no_nul_reaches_any_string():
    html = (
        '<html lang="e\0n"><title>a\0b</title><meta name="descr\0iption" content="c\0d"><meta name=author content="e\0f">'
        '<p>g\0h<pre>i\0j</pre><a href="/k\0l">m\0n</a><a href="http://x.example/\0">y</a><svg>\0</svg><![CDATA[\0]]>'
    )
    found = page(html)
    assert "\0" not in repr(found).replace("\\x00", "\0")


def test_no_lone_surrogate_reaches_any_string():
    found = page("<title>&#xD800;</title><p>&#xDFFF;</p><a href='/&#xD800;'>x</a><meta name=author content='&#xD8FF;'>")
    repr(found).encode("utf-8")
    "".join([found.title or "", found.markdown, found.text, *found.links]).encode("utf-8")


def test_a_no_break_space_is_a_character_unless_the_page_writes_about_its_reference():
    assert page("<p>10&nbsp;t and 5&#160;kg").markdown == "10\u00a0t and 5\u00a0kg"
    assert "`&#160;`" in page("<p>10&nbsp;t <code>&amp;#160;</code>").markdown


def test_a_page_hidden_until_its_script_has_run_is_still_converted():
    assert page('<body hidden aria-hidden="true"><p>words</p></body>').markdown == "words"


@pytest.mark.parametrize("base", ["javascript:alert(1)", "http://[", "data:text/html,x", "mailto:x@y.example"])
def test_a_base_that_is_no_web_address_is_ignored(base):
    assert page(f'<base href="{base}"><a href="/a">a</a>').links == ["https://barn.example/a"]


def test_links_into_the_page_itself_are_dropped_however_they_are_written():
    html = '<a href="#a">1</a><a href="page.html#b">2</a><a href="/deep/er/page.html#c">3</a><a href="other#d">4</a>'
    assert page(html).links == ["https://barn.example/deep/er/other#d"]


@pytest.mark.parametrize("tag", ["div", "blockquote", "ul><li", "b", "table><tr><td", "span"])
def test_deep_nesting_is_survived(tag):
    found = page(f"<{tag}>" * 5000 + "the kernel")
    assert "the kernel" in found.text
    assert "the kernel" in found.markdown
