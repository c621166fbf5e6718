"""What each built-in parser makes of a page: our own pages, and whatever else a page may hold."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tools import docs

from thresher.convert import parsers
from thresher.convert.convert import convert
from thresher.convert.converter import Converter
from thresher.convert.document import How, Source
from thresher.convert.frame import Frame, encode
from thresher.convert.laps import Laps
from thresher.convert.parsers.images import candidates
from thresher.convert.parsers.values import amount
from thresher.domain.failure import Failure, FailureCode, ItemFailed
from thresher.domain.parsers import NAMES, PARSERS, find

PAGES = Path(__file__).parent.parent / "pages" / "parsers"
URL = "https://barn.example/x/page"
SCHEMAS = {name: jsonschema_rs.Draft202012Validator(parser.schema) for name, parser in PARSERS.items()}


def read(parser: str, html: str, url: str = URL) -> dict[str, Any] | Failure:
    """What a parser makes of a page, which is as its schema says."""
    made, _ = parsers.run(How(f"@thresher/{parser}"), html, url, Laps())
    if isinstance(made, Failure):
        return made
    value: dict[str, Any] = orjson.loads(made)
    SCHEMAS[f"@thresher/{parser}"].validate(value)
    return value


def page(parser: str, name: str, url: str = URL) -> dict[str, Any]:
    made = read(parser, (PAGES / f"{name}.html").read_text("utf-8"), url)
    assert isinstance(made, dict), made
    return made


def failure(parser: str, html: str) -> tuple[FailureCode, str]:
    made = read(parser, html)
    assert isinstance(made, Failure)
    return made.code, made.detail


def test_every_parser_of_the_registry_is_there_and_no_other_and_every_name_leads_to_one() -> None:
    assert set(parsers.PARSERS) == set(PARSERS)
    assert len(set(NAMES)) == len(NAMES) == 15
    assert {name: find(name) for name in PARSERS} == PARSERS
    assert find("@olostep/extract-emails") is PARSERS["@thresher/emails"]
    assert find("@olostep/google-news") is None
    for parser in PARSERS.values():
        jsonschema_rs.meta.validate(parser.schema)
        assert (parser.schema["type"], parser.credits) == ("object", 1)


def test_the_page_of_parsers_is_made_of_the_registry() -> None:
    assert (Path(docs.DOCS) / "parsers.md").read_text("utf-8") == docs.parsers(), "run `make docs`"


def test_an_article_is_its_text_without_what_stands_around_it_and_what_the_page_says_of_it() -> None:
    found = page("article", "story")
    markdown, text = found.pop("markdown"), found.pop("text")
    assert found == {
        "title": "How rye came & stayed",
        "byline": "Ada Miller, Jan Roggen",
        "published": "2024-03-01T06:00:00Z",
        "modified": "2024-03-02",
        "language": "en",
        "site_name": "The Barn Gazette",
        "image": "https://barn.example/img/rye.jpg",
        "excerpt": "A grain that nobody wanted went further than the one that everybody sowed.",
        "word_count": 125,
    }
    assert text.startswith("How rye came & stayed\n\nRye began as a weed")
    assert text.endswith("Rye    -30\nWheat  -20")
    for chrome in ("Gazette", "cookies", "Share", "Subscribe", "oats", "never liked", "straw"):
        assert chrome not in text, chrome
    assert "[the old mill](https://barn.example/mills/old)" in markdown
    assert "## A bread of its own" in markdown
    assert "| Rye | -30 |" in markdown


def test_an_article_that_declares_nothing_is_read_from_what_is_shown() -> None:
    sentence = "The miller had a donkey that knew the way by itself, and so he slept on most of his errands. "
    html = f"""<title>Mill news</title><nav>{sentence * 9}</nav><h1>The donkey</h1><p class=byline>By Ada  Miller</p>
        <time datetime="2024-05-06">Monday</time><article><p>{sentence * 5}<p>{sentence}</article>"""
    found = read("article", html)
    assert isinstance(found, dict)
    assert (found["title"], found["byline"], found["published"]) == ("The donkey", "Ada Miller", "2024-05-06")
    assert found["excerpt"].startswith("The miller had a donkey")
    assert found["excerpt"].endswith("…")
    assert len(found["excerpt"]) <= 300
    assert found["word_count"] == 6 * 20
    chinese = read("article", "<p>" + "麦子黄了" * 30)
    assert isinstance(chinese, dict)
    assert chinese["word_count"] == 120


def test_metadata_has_the_usual_names_in_one_place_and_each_form_as_it_was_found() -> None:
    found = page("metadata", "declared")
    assert {name: value for name, value in found.items() if value not in (None, [], {})} == {
        "title": "Roggen",
        "description": "Alles über Roggen",
        "language": "de",
        "canonical": "https://barn.example/de/roggen",
        "robots": "index",
        "image": "https://barn.example/de/rye.png",
        "icon": "https://barn.example/favicon.ico",
        "keywords": ["Roggen", "Korn", "Brot"],
        "feeds": ["https://barn.example/feed.xml"],
        "alternates": {"en": "https://barn.example/en/rye"},
        "opengraph": {"og:title": "Der Roggen", "og:image": "rye.png", "article:section": "Getreide"},
        "twitter": {"card": "summary"},
        "dublin_core": {"dc.title": "Roggen, ein Getreide"},
        "json_ld": [{"@type": "Thing", "name": "Roggen und mehr"}, [1, {"deep": [[2.5]]}]],
        "microdata": [
            {
                "type": ["https://schema.org/Recipe"],
                "id": "urn:bread",
                "properties": {
                    "name": ["Brot"],
                    "author": [
                        {"type": ["https://schema.org/Person"], "id": None, "properties": {"name": ["Ada"]}},
                    ],
                    "image": ["https://barn.example/de/bread.jpg"],
                },
            }
        ],
        "rdfa": [
            {
                "type": ["https://schema.org/Place"],
                "id": None,
                "properties": {"https://schema.org/name": ["Die Mühle"]},
            }
        ],
    }


def test_a_product_is_read_from_json_ld_and_what_that_leaves_open_from_open_graph() -> None:
    assert page("product", "shop") == {
        "name": "Flail & cord",
        "description": "Of ash",
        "url": "https://barn.example/flail",
        "brand": "Barnwell",
        "sku": "4711",
        "gtin": "4006381333931",
        "mpn": None,
        "price": 1299.0,
        "high_price": None,
        "currency": "EUR",
        "availability": "InStock",
        "condition": "NewCondition",
        "images": ["https://barn.example/img/1.jpg", "https://barn.example/img/2.jpg"],
        "rating": {"value": 4.5, "best": 5.0, "count": 1204},
        "source": "json_ld",
    }


OFFER = '{"@type": "Offer", "price": 0, "priceCurrency": "EUR", "availability": "SoldOut"}'
PRODUCTS: list[tuple[str, dict[str, Any]]] = [
    (
        '<meta property="og:type" content="og:product"><meta property="og:title" content="Sack">'
        '<meta property="product:price:amount" content="9,90"><meta property="product:price:currency" content="EUR">'
        '<meta property="product:availability" content="out of stock">',
        {"source": "opengraph", "name": "Sack", "price": 9.9, "currency": "EUR", "availability": "OutOfStock"},
    ),
    (
        '<div vocab="https://schema.org/" typeof="Product"><b property="name">Hoe</b><i property="sku">7</i></div>',
        {"source": "rdfa", "name": "Hoe", "sku": "7", "price": None},
    ),
    (
        '<script type="application/ld+json">[{"@type": "BreadcrumbList"}, {"@type": "ProductGroup", "name": "Sacks",'
        f'"hasVariant": [{{"@type": "Product", "name": "Small sack", "offers": {OFFER}}}]}}]</script>',
        {"source": "json_ld", "name": "Small sack", "price": 0.0, "availability": "SoldOut"},
    ),
    (
        '<script type="application/ld+json">{"@type": "https://schema.org/Product", "name": "Hut", "offers":'
        f'{{"@type": "AggregateOffer", "offers": [{{}}, {OFFER}]}}}}</script>',
        {"source": "json_ld", "name": "Hut", "price": 0.0, "currency": "EUR"},
    ),
]


def test_products_are_found_in_every_vocabulary() -> None:
    stall = page("product", "stall")
    assert (stall["source"], stall["brand"], stall["images"]) == (
        "microdata",
        "Barnwell",
        ["https://barn.example/sieve.jpg"],
    )
    assert (stall["price"], stall["high_price"], stall["currency"]) == (12.5, 40.0, "USD")
    assert stall["availability"] == "OutOfStock"
    for html, expected in PRODUCTS:
        found = read("product", html)
        assert isinstance(found, dict), html
        assert expected.items() <= found.items()


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (1299, 1299.0),
        ("1299.00", 1299.0),
        ("1.299,00 €", 1299.0),
        ("$1,299", 1299.0),
        ("1 299,50", 1299.5),
        ("1\u202f299,50\u00a0€", 1299.5),
        ("CHF 1'299.-", 1299.0),
        ("1,299,000", 1299000.0),
        ("1.299", 1.299),
        ("from 5", 5.0),
        (["", "7"], 7.0),
        ("free", None),
        (True, None),
        (None, None),
        ({"price": 1}, None),
    ],
)
def test_a_price_is_read_as_people_write_it(written: object, number: float | None) -> None:
    assert amount(written) == number


def test_tables_are_rows_of_texts_without_those_that_lay_a_page_out() -> None:
    assert page("tables", "tables")["tables"] == [
        {
            "caption": "Yields, in tonnes",
            "header": ["Grain", "Yield 2023", "Yield 2024"],
            "rows": [["Wheat", "7.5", "7.1"], ["Rye", "5.6", "5.6"]],
        },
        {"caption": None, "header": ["Month", "Rain"], "rows": [["May", "60 mm"]]},
        {"caption": None, "header": [], "rows": [["no", "header"]]},
    ]


def test_links_have_their_texts_and_relations() -> None:
    links = page("links", "contact")["links"]
    assert len(links) == 20
    assert links[1] == {"href": "https://www.facebook.com/barn/", "text": "Facebook", "rel": ["nofollow", "me"]}
    assert links[-2:] == [
        {"href": "https://barn.example/about", "text": "About us", "rel": ["help", "next"]},
        {"href": "https://barn.example/img", "text": "The barn", "rel": []},
    ]


def test_emails_are_found_in_every_disguise_each_once() -> None:
    assert page("emails", "contact")["emails"] == [
        "Office@barn.example",
        "boss@barn.example",
        "hidden@barn.example",
        "press@barn.example",
        "miller@barn.example",
        "grain@mill.barn.example",
        "LABEL@barn.example",
    ]


def test_socials_are_profiles_and_no_buttons() -> None:
    assert page("socials", "contact")["socials"] == {
        "mastodon": ["https://field.social/@barn"],
        "facebook": ["https://www.facebook.com/barn/"],
        "x": ["https://twitter.com/barn"],
        "whatsapp": ["https://wa.me/49123?text=Hi"],
        "pinterest": ["https://de.pinterest.com/barn/"],
        "linkedin": ["https://www.linkedin.com/company/barn"],
    }


def test_calendars_are_those_of_services_and_files() -> None:
    found = [(one["provider"], one["url"], one["text"]) for one in page("calendars", "contact")["calendars"]]
    assert found == [
        ("calendly", "https://calendly.com/barn/visit?month=2024-05", "Book a visit"),
        ("ics", "https://barn.example/events/harvest.ics", "Harvest"),
        ("ics", "webcal://barn.example/all", "All"),
        ("google", "https://calendar.google.com/calendar/render?action=TEMPLATE&text=Harvest", "Add"),
        ("acuity", "https://barn.as.me/", "Appointments"),
        ("outlook", "https://outlook.office365.com/owa/calendar/barn@barn.example/bookings/", ""),
    ]


def test_images_come_in_their_best_size() -> None:
    base = "https://barn.example"
    keys = ("src", "alt", "width", "height", "largest")
    assert [tuple(image[key] for key in keys) for image in page("images", "gallery")["images"]] == [
        (f"{base}/a.jpg", "A barn", 300, 200, f"{base}/a.jpg"),
        (f"{base}/b-300.jpg", "", None, None, f"{base}/b,900.jpg"),
        (f"{base}/c.jpg", None, None, None, f"{base}/c-3.avif"),
        (f"{base}/late.jpg", None, None, None, f"{base}/late.jpg"),
        (f"{base}/only.jpg", None, None, None, f"{base}/only.jpg"),
    ]
    begun = time.process_time()
    many = read("images", "<picture>" + "<source srcset='a 1w'>" * 2000 + "<img src=x>" * 2000)
    assert isinstance(many, dict)
    assert time.process_time() - begun < 10, "it takes as long as the page is, not as long as its square"


def test_a_result_page_of_google_is_read_by_its_structure_without_what_is_no_result() -> None:
    found = page("google-search", "google", "https://www.google.com/search?q=harvest+moon&gl=us&hl=en")
    wiki, game = "https://en.moon.example/wiki/", "https://game.example/"
    assert found == {
        "searchParameters": {"type": "search", "engine": "google", "q": "harvest moon", "gl": "us", "hl": "en"},
        "knowledgeGraph": {
            "title": "Harvest moon",
            "type": "Full moon",
            "description": "The full moon closest to the equinox of autumn.",
            "imageUrl": "https://img.example/moon.jpg",
            "website": "https://moon.example/",
            "attributes": {"Month": "September, at times October", "Size": "0.5°"},
        },
        "organic": [
            {
                "title": "Harvest moon",
                "link": f"{wiki}Harvest_moon",
                "position": 1,
                "snippet": "Mar 5, 2025 — The full moon nearest the equinox: it rises soon after sunset ...",
                "sitelinks": [
                    {"title": "Equinox", "link": f"{wiki}Equinox"},
                    {"title": "Moonrise", "link": f"{wiki}Moon#Rise"},
                ],
            },
            {
                "title": "Harvest Moon, the game",
                "link": f"{game}buy?a=1&b=2",
                "position": 2,
                "snippet": "Grow turnips, keep cows.",
                "sitelinks": [
                    {"title": "Log in", "link": f"{game}login"},
                    {"title": "Shop", "link": f"{game}shop"},
                ],
            },
            {"title": "Moon, a map", "link": "https://www.google.com/intl/en/moon/", "position": 3},
            {"title": "Somewhere", "link": "https://www.google.com/goto?url=CAESAopaque", "position": 4},
        ],
        "peopleAlsoAsk": [
            {"question": "When is the harvest moon?"},
            {
                "question": "Why is it orange?",
                "link": "https://sky.example/orange#:~:text=dust",
                "title": "Orange moons",
            },
        ],
        "relatedSearches": [{"query": "Harvest moon 2026"}, {"query": "blood moon"}],
    }
    copy = page("google-search", "google", "https://archive.example/page")
    assert copy["searchParameters"]["q"] == "harvest moon", "the search box says what the address does not"


def test_a_result_page_of_google_without_scripts_is_read_as_well() -> None:
    found = page("google-search", "google-plain", "https://www.google.de/search?q=erntemond&gbv=1")
    assert found["organic"] == [
        {
            "title": "Der Erntemond",
            "link": "https://mond.example/ernte?jahr=2025",
            "position": 1,
            "snippet": "Der Vollmond, der dem Herbstanfang am nächsten ist.",
            "sitelinks": [
                {"title": "Wann?", "link": "https://mond.example/wann"},
                {"title": "Wo?", "link": "https://mond.example/wo"},
            ],
        },
        {
            "title": "Feld & Mond",
            "link": "https://feld.example/",
            "position": 2,
            "snippet": "vor 3 Tagen · Was Bauern vom Mond halten.",
        },
    ]
    assert found["relatedSearches"] == [{"query": "blutmond"}, {"query": "erntedank"}]
    assert "knowledgeGraph" not in found


SEARCH = "https://www.google.com/search?q=x"


@pytest.mark.parametrize(
    ("url", "html"),
    [
        (URL + "?q=x", '<a href="https://a.example/"><h3>A shop with a search</h3></a>'),
        ("https://consent.google.com/ml?continue=" + SEARCH, "<form><h1>Before you continue</h1></form>"),
        ("https://www.google.com/sorry/index?q=EhA", "<div>Our systems have detected unusual traffic</div>"),
        (SEARCH, "<noscript>Turn on JavaScript</noscript><div id=main></div>"),
        (SEARCH, '<div id=search><div><a href="https://a.example/"><b>Of a structure unknown here</b></a></div></div>'),
    ],
)
def test_what_is_no_result_page_that_can_be_read_is_no_match(url: str, html: str) -> None:
    made = read("google-search", html, url)
    assert made == Failure(FailureCode.PARSER_NO_MATCH, "The page has no results of a Google search.")


def test_a_search_that_found_nothing_is_a_result() -> None:
    html = '<div id=topstuff><p>Your search - x - did not match any documents. <a href="/search?q=y">y</a></div>'
    found = read("google-search", html, SEARCH)
    assert isinstance(found, dict)
    assert found["organic"] == []


@given(st.text(alphabet="ab,1w x\t"))
@example(",,, a.jpg 1w,,b.jpg 2w, ,")
@example("a, 3w")
def test_any_srcset_ends_and_gives_urls(srcset: str) -> None:
    for url, size in candidates(srcset):
        assert url
        assert not set(url) & set(" \t")
        assert url == url.strip(",")
        assert size >= 0


def test_what_a_page_does_not_have_is_empty_or_no_match() -> None:
    for name in ("tables", "links", "emails", "socials", "calendars", "images"):
        assert read(name, "<p>Nothing") == {name: {} if name == "socials" else []}
    assert isinstance(read("metadata", ""), dict)
    assert failure("product", "<h1>Sack</h1>")[0] is FailureCode.PARSER_NO_MATCH
    assert failure("article", "<nav>Home</nav>") == (
        FailureCode.PARSER_NO_MATCH,
        "The page has no running text that could be an article.",
    )


# Microdata deeper than anybody reads it.
DEEP = b"<title>Deep</title><p>Text<div itemscope>" + b"<div itemscope itemprop=x>" * 450


def test_a_page_that_a_parser_cannot_read_is_its_own_failure_and_the_conversion_stands() -> None:
    source = Source(URL, DEEP, "text/html")
    document = convert(source, max_decoded_bytes=10**6, how=How("@thresher/metadata"))
    assert isinstance(document.parsed, Failure)
    assert document.parsed.code is FailureCode.PARSER_FAILED
    assert document.title == "Deep"
    frame = Frame.parse(encode(source, document, {}))
    assert frame.json(10**6) is None
    gone, _ = parsers.run(How("@thresher/gone"), "", URL, Laps())
    assert gone == Failure(FailureCode.PARSER_FAILED, "This worker has no parser @thresher/gone.")


def junk() -> Iterator[str]:
    """JSON-LD and attributes of the wrong kinds, in every place."""
    for value in ("null", "[]", "{}", '"x"', "[[1]]", "1e400", "1e300", "-1", '[null, {"@type": null}]', '{"@id": 5}'):
        inner = ", ".join(
            f'"{name}": {value}'
            for name in (
                "name",
                "offers",
                "brand",
                "image",
                "aggregateRating",
                "author",
                "sameAs",
                "email",
                "hasVariant",
            )
        )
        for kind in ('"Product"', '["Article", 5]', value):
            yield f'<script type="application/ld+json">{{"@type": {kind}, {inner}}}</script><p>{"word " * 40}'
            rating = f'"aggregateRating": {{"ratingValue": {value}, "ratingCount": {value}}}'
            yield f'<script type="application/ld+json">{{"@type": {kind}, "name": "x", {rating}}}</script>'
            offer = f'"offers": {{"price": {value}, "availability": {value}, "priceSpecification": {value}}}'
            yield f'<script type="application/ld+json">{{"@type": {kind}, "name": "x", {offer}}}</script>'
    hostile = '<a href="http://[x"><h3>x</h3></a><a href="/url?q=://"><h3>x</h3></a><a href="/url?url=http://[x">x</a>'
    yield f"<form><input name=q value=x></form><div id=rso><div data-attrid=title>{hostile}</div><div data-q=x>{hostile}</div>"
    yield '<a href="mailto:%00%ff@x.example?to=a%0ab@c.example">x</a><a data-cfemail="zz">x</a><a data-cfemail="">x</a>'
    yield '<img src="http://[x" srcset="http://[y 2x"><table><tr><td colspan=0 rowspan=99999>x<tr></table>'
    yield "<base href='javascript:1'><a href='x'>x</a><link rel=icon href='data:,x'><iframe src='http://['></iframe>"


def test_nothing_that_a_page_says_breaks_a_parser() -> None:
    for html in junk():
        for name in PARSERS:
            made = read(name.removeprefix("@thresher/"), html)
            assert isinstance(made, dict) or made.code is FailureCode.PARSER_NO_MATCH, (name, html, made)


async def test_the_child_parses_under_the_pages_limits_and_keeps_the_result_beside_the_document() -> None:
    source = Source(URL, (PAGES / "contact.html").read_bytes(), "text/html")
    converter = Converter(timeout=20, memory_bytes=2**28, max_decoded_bytes=2**20, max_output_bytes=3000)
    await converter.start()
    try:
        plain = await converter.convert(source)
        made = await converter.convert(source, None, How("@olostep/extract-emails"))
        none = await converter.convert(source, None, How("@thresher/product"))
        feed = Source(URL, b'{"name": "x"}', "application/json")
        other = await converter.convert(feed, None, How("@thresher/product"))
        with pytest.raises(ItemFailed, match="output") as refused:
            await converter.convert(source, None, How("@thresher/links"))
    finally:
        await converter.close()
    assert plain.facts["unparsed"] is made.facts["unparsed"] is None
    assert "parser" not in plain.facts["ms"]
    assert Frame.parse(plain.frame).json(10**6) is None
    frame = Frame.parse(made.frame)
    assert orjson.loads(frame.json(10**6) or "")["emails"][1] == "boss@barn.example"
    assert frame.markdown == Frame.parse(plain.frame).markdown
    assert none.facts["unparsed"]["code"] == other.facts["unparsed"]["code"] == "parser_no_match"
    assert Frame.parse(other.frame).json(10**6) == '{"name": "x"}'
    assert refused.value.failure.code is FailureCode.CONVERSION_LIMIT
