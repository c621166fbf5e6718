"""Which links a batch gets: the forms of patterns, the order by a query, and links without their origin."""

import re
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thresher.domain import globs
from thresher.domain.links import LinkOptions, chosen

SITE = "https://site.example"

# pattern, URLs that it fits, URLs that it does not
FORMS = [
    ("*.pdf", ["/a/b.pdf", "/B.PDF?download=1", "https://other.example/x.pdf#page=2"], ["/pdf", "/a.pdf/b", "/a.pdfx"]),
    (".pdf", ["/a/b.pdf"], ["/a.pdf/b", "/pdf"]),
    ("*.{jpg,png}", ["/a.jpg", "/b/c.png"], ["/a.gif", "/a.{jpg,png}"]),
    ("/blog/*", ["/blog/a", "/blog/a/", "/blog/a?next=/b/c"], ["/blog/a/b", "/en/blog/a", "/blogs/a", "/Blog"]),
    ("/blog/**", ["/blog", "/blog/", "/blog/a/b/c?x=1"], ["/blogs", "/en/blog/a"]),
    ("/blog/", ["/blog/", "/blog/a/b"], ["/blogs/a", "/en/blog/a"]),
    ("/{blog,docs/{api,cli}}/*", ["/blog/x", "/docs/api/x", "/docs/cli/x"], ["/docs/x", "/docs/web/x"]),
    ("blog/*", ["/blog/a", "/en/blog/a"], ["/myblog/a", "/blog/a/b"]),
    ("/a/**/z", ["/a/z", "/a/b/z", "/a/b/c/d/z"], ["/a/bz", "/a/b/z/c", "/b/a/z"]),
    ("/a/**/m/**/z", ["/a/m/z", "/a/b/m/c/d/z", "/a/m/m/z/z"], ["/a/z", "/a/b/z", "/a/m/b"]),
    ("/**/b*c", ["/bc", "/a/b--c", "/b/c/bc"], ["/b/c", "/bcd"]),
    ("/p?ge", ["/page", "/p-ge"], ["/pge", "/p/ge", "/paage"]),
    ("/v[0-9]/[!a-c]*", ["/v1/docs", "/V7/x/"], ["/v10/docs", "/v1/abc", "/vx/docs"]),
    ("/search?q=*", ["/search?q=cats"], ["/search", "/search?p=1&q=cats"]),
    ("/größe/*", ["/gr%C3%B6%C3%9Fe/x", "/GRÖßE/x"], ["/groesse/x"]),
    ("größe.example", ["https://xn--gre-6ka8i.example/a", "/größe.example"], ["https://xn--gre-6ka8j.example/", "/"]),
    ("//*.größe.example:81/*", ["http://www.xn--gre-6ka8i.example:81/a"], ["http://www.xn--gre-6ka8i.example/a"]),
    ("//xn--gre-6ka8i.example/*", ["https://xn--gre-6ka8i.example/a"], ["https://xn--gre-6ka8j.example/a", "/xn--a/b"]),
    ("about", ["/about", "/en/about/", "/about?x"], ["/about/us", "/about-us"]),
    ("*", ["/", "/a/b", "https://other.example/"], []),
    ("**", ["/", "/a/b", "https://other.example/x?y"], []),
    ("/**", ["/", "/a/b"], []),
    ("https://site.example/*", ["/", "/a"], ["/a/b", "http://site.example/a", "https://www.site.example/a"]),
    ("https://site.example/", ["/", "/a/b"], ["https://site.example.org/"]),
    ("https://site.example", ["/"], ["/a"]),
    ("http*://*.example/a", ["/a", "http://x.y.example/a"], ["/b"]),
    ("//site.example/a", ["/a", "http://site.example/a"], ["/b", "https://other.example/site.example/a"]),
    ("site.example/**", ["/", "/a/b", "http://site.example/"], ["https://www.site.example/"]),
    ("*.site.example/**", ["https://www.site.example/a"], ["/a", "https://other.example/www.site.example/a"]),
    ("site.example", ["/", "/a/b", "https://other.example/site.example"], ["https://other.example/"]),
    ("a[b/c", ["/a[b/c", "/x/a%5Bb/c"], ["/ab/c"]),
    ("{a}", ["/{a}", "/%7Ba%7D"], ["/a"]),
    ("/x[z-a]", [], ["/xz", "/x", "/xa"]),
]


@pytest.mark.parametrize(("pattern", "fits", "others"), FORMS, ids=[form[0] for form in FORMS])
def test_a_pattern_is_read_as_people_write_them(pattern, fits, others):
    matches = globs.matcher((pattern,))
    for url in (*fits, *others):
        whole = SITE + url if url.startswith("/") else url
        assert matches(whole) is (url in fits), whole


def naive(pattern: list[str], path: list[str]) -> bool:
    """The same rules, segment by segment, without a thought of time."""
    if not pattern:
        return path in ([], [""])
    if pattern == ["**"]:
        return True
    if pattern[0] == "**":
        return any(naive(pattern[1:], path[place:]) for place in range(len(path) + 1))
    segment = re.sub(r"\*+", ".*", pattern[0])
    return bool(path) and re.fullmatch(segment, path[0]) is not None and naive(pattern[1:], path[1:])


@settings(max_examples=300)
@given(st.text("ab/*", max_size=12), st.text("ab/", max_size=12))
def test_what_is_never_tried_again_leaves_no_match_out(pattern, path):
    wanted = pattern + "**" if pattern.endswith("/") or not pattern else pattern
    assert globs.matcher(("/x/" + pattern,))(f"{SITE}/x/{path}") is naive(wanted.split("/"), path.split("/"))


@given(st.lists(st.text("ab{,}*[]!-?/.%2:", max_size=30), max_size=4), st.text("ab/.?%2", max_size=30))
def test_no_text_is_refused_as_a_pattern_but_for_its_length(patterns, path):
    try:
        globs.matcher(tuple(patterns))(f"{SITE}/{path}")
    except globs.TooLong:
        assert sum(map(len, patterns)) > 50


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/**/" + "a*" * 120 + "b", "a" * 8000),
        ("/**/" + "*/" * 120 + "b", "a/" * 4000),
        ("/" + "**/a/" * 90 + "b", "a/" * 4000),
        ("/" + "**/a*a*/" * 60 + "b", "aaaa/" * 1600),
        ("*" * 400 + "b", "a" * 8000),
    ],
)
def test_no_pattern_takes_a_long_time_on_any_url(pattern, path):
    matches = globs.matcher((pattern,))
    start = time.thread_time()
    assert not matches(f"{SITE}/{path}")
    assert time.thread_time() - start < 1.0, "it takes hundredths; an expression that backtracks takes years"


MANY = globs.MAX_CHARACTERS - 5


@pytest.mark.parametrize(
    "pattern", ["{" + "," * MANY, "{,,," * (MANY // 4), "[" * MANY, "{" + "," * (MANY // 2) + "{a,a}" * (MANY // 10)]
)
def test_no_pattern_takes_a_long_time_to_be_read(pattern):
    start = time.thread_time()
    globs.written_out([pattern])
    globs.matcher((pattern,))
    assert time.thread_time() - start < 1.0, "it takes tenths; an expression that backtracks takes up to a minute"


def test_braces_are_written_out_up_to_a_limit():
    assert sorted(globs.written_out(["{a,b}{c,}", "x", "{,}"])) == ["a", "ac", "b", "bc", "x"]
    with pytest.raises(globs.TooLong):
        globs.written_out(["{a,b}" * 20])


LINKS = [
    "https://site.example/",
    "https://site.example/cars/used-red-car",
    "https://site.example/about?next=//x",
    "https://other.example/cars.pdf",
    "https://site.example//evil.example/x",
    "https://site.example.evil.example/y",
    "http://site.example/z",
]


def test_without_options_the_links_are_as_they_are_stored():
    assert chosen(LINKS, SITE + "/page", LinkOptions()) == LINKS


def test_what_is_excluded_wins_over_what_is_included():
    options = LinkOptions(include=("/cars/**", "*.pdf"), exclude=("*.pdf",))
    assert chosen(LINKS, SITE + "/", options) == [LINKS[1]]


def test_links_to_the_own_origin_lose_it_unless_what_is_left_would_name_another_host():
    assert chosen(LINKS, SITE + "/page", LinkOptions(absolute=False)) == [
        "/",
        "/cars/used-red-car",
        "/about?next=//x",
        *LINKS[3:],
    ]


def test_a_query_brings_what_fits_to_the_front_and_leaves_the_rest_as_it_was():
    ordered = chosen(LINKS, SITE + "/", LinkOptions(query="used cars"))
    assert ordered[:2] == [LINKS[1], LINKS[3]]
    assert ordered[2:] == [link for link in LINKS if "cars" not in link]
    assert chosen(LINKS, SITE + "/", LinkOptions(query="zebra")) == LINKS
    assert chosen([], SITE + "/", LinkOptions(query="zebra")) == []
    assert chosen(LINKS, SITE + "/", LinkOptions(query="?!")) == LINKS


def test_a_rare_word_weighs_more_than_a_common_one_and_words_are_those_of_any_script():
    links = [f"{SITE}/shop/item-{n}" for n in range(9)] + [f"{SITE}/%D0%BC%D0%B0%D1%88%D0%B8%D0%BD%D0%B0"]
    assert chosen(links, SITE + "/", LinkOptions(query="shop item 7"))[0] == links[7]
    assert chosen(links, SITE + "/", LinkOptions(query="МАШИНА shop"))[0] == links[9]


def test_many_words_in_a_query_cost_no_more_than_few():
    links = [f"{SITE}/section/{n}/some-article-title-{n}" for n in range(4000)]
    query = " ".join(a + b for a in string.ascii_lowercase for b in string.ascii_lowercase[:12])
    start = time.thread_time()
    assert chosen(links, SITE + "/", LinkOptions(query=query + " 77"))[0] == links[77]
    assert time.thread_time() - start < 1.0, "it takes hundredths; every word held against every other takes seconds"


def test_options_survive_their_storage():
    options = LinkOptions(False, ("/a/*",), ("*.pdf",), "cars")
    assert LinkOptions.of({"links_on_page": options.to_json()}) == options
    assert LinkOptions.of({"links_on_page": {}}) == LinkOptions()
    assert LinkOptions.of({}) is None
