"""Pages read by definitions of a caller's own: what each way to say a field gives, and what bounds a hostile one."""

import asyncio
import time
from typing import Any

import jsonschema_rs
import orjson
import pytest

from thresher.convert import parsers
from thresher.convert.converter import Converter
from thresher.convert.document import How, Source
from thresher.convert.laps import Laps
from thresher.convert.parsers import declared
from thresher.domain import definition
from thresher.domain.failure import Failure, FailureCode, ItemFailed

URL = "https://shop.example/lamps/"
PAGE = """<!doctype html><html lang=en><head><title>Lamp</title><base href="/all/">
<meta property="og:title" content="The  Lamp"><link rel=canonical href="/lamps/1">
<script>var state = {"sku": "L-1", "left": 12};</script></head><body>
<h1 class=name> The <b>red</b><br>lamp </h1><p class=price>EUR <s>2.100,00</s> -1.299,50</p>
<p class=rating>4.5 of 5</p><span class=new></span><i class=sold data-sold="false">no</i>
<img src="a.png" alt="A"><a class=next href=" next?p=2 ">next <i>page</i></a><a href="mailto:a@b.example">mail</a>
<ul class=tags><li>#red #warm</li><li>none</li><li>#small</li></ul>
<div class=offer data-id=7><b>Ann</b><em>1,299</em><ul><li>S<li>M</ul></div>
<div class=offer data-id=8><b>Ben</b><em>ask</em></div><div class=offer></div>
<table><tr><td>1</td><td>2</td></tr></table><div class=text>One<script>no()</script><p>two</div></body></html>"""


def attempt(fields: dict[str, Any], html: str = PAGE) -> tuple[Any, dict[str, dict[str, Any]]]:
    """What is made of the page, held against the schema, or the failure; and the matches by field."""
    value = {"fields": fields}
    assert declared.faults(definition.read(value)) == []
    made, matches = parsers.run(How("x", definition=definition.text_of(value)), html, URL, Laps())
    by_field = {match["field"]: match for match in matches}
    if isinstance(made, Failure):
        return made, by_field
    found = orjson.loads(made)
    jsonschema_rs.validate(definition.schema(definition.read(value)), found)
    assert [*found] == [*fields]
    return found, by_field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("h1", "The red lamp"),
        ({"css": "h1::text"}, "The lamp"),
        ({"css": "html::attr(LANG)"}, "en"),
        ({"css": "meta[property='og:title']"}, "The Lamp"),
        ({"css": [".nothing", "h1 b", "h1"]}, "red"),
        ({"css": ["h1 b", "h1"], "regex": "lamp"}, "lamp"),
        ({"xpath": "//h1/b/text()"}, "red"),
        ({"xpath": "//link[@rel='canonical']/@href", "type": "url"}, "https://shop.example/lamps/1"),
        ({"xpath": "count(//li)", "type": "integer"}, 5),
        ({"xpath": "boolean(//h1)", "type": "boolean"}, True),
        ({"xpath": "1 div 0", "type": "number"}, None),
        ({"xpath": "//comment()"}, None),
        ({"css": ".price", "type": "number"}, 2100.0),
        ({"css": ".price::text", "type": "number"}, -1299.5),
        ({"css": ".rating", "type": "number"}, 4.5),
        ({"css": ".rating", "type": "integer"}, None),
        ({"css": ".rating", "type": "integer", "regex": "of ([0-9]+)"}, 5),
        ({"css": ".rating", "regex": "(x)?5"}, None),
        ({"css": "script", "regex": '"left": ([0-9]+)', "type": "integer"}, 12),
        ({"regex": "(?i)THE RED"}, "The red"),
        ({"css": ".new", "type": "boolean"}, True),
        ({"css": ".sold", "type": "boolean"}, False),
        ({"css": ".old", "type": "boolean"}, False),
        ({"css": ".old", "type": "boolean", "default": True}, True),
        ({"css": ".old", "default": "x"}, "x"),
        ({"css": ".next", "type": "url"}, "https://shop.example/all/next?p=2"),
        ({"css": ".next"}, "next page"),
        ({"css": "img", "type": "url"}, "https://shop.example/all/a.png"),
        ({"css": "a[href^=mailto]", "type": "url"}, None),
        ({"css": "a[href^=mailto]::attr(href)"}, "mailto:a@b.example"),
        ({"css": "h1", "type": "html"}, "The <b>red</b><br>lamp"),
        ({"css": ".tags li", "list": True}, ["#red #warm", "none", "#small"]),
        ({"css": ".tags li", "list": True, "regex": "#([a-z]+)"}, ["red", "warm", "small"]),
        ({"css": ".offer em", "list": True, "type": "number"}, [1299.0]),
        ({"css": ".nothing", "list": True}, []),
        ({"css": "table"}, "1 2"),
        ({"css": ".text"}, "One two"),
        ({"css": ".offer", "fields": {"by": "b", "id": "::attr(data-id)"}}, {"by": "Ann", "id": "7"}),
        ({"css": ".nothing", "fields": {"by": "b"}}, None),
        (
            {
                "css": ".offer",
                "list": True,
                "fields": {
                    "by": {"xpath": "./b"},
                    "price": {"css": "em", "type": "number"},
                    "sizes": {"css": "li", "list": True},
                },
            },
            [{"by": "Ann", "price": 1299.0, "sizes": ["S", "M"]}, {"by": "Ben", "price": None, "sizes": []}],
        ),
        (
            {"css": ".offer", "list": True, "fields": {"price": {"css": "em", "type": "number", "required": True}}},
            [{"price": 1299.0}],
        ),
    ],
)
def test_a_field_is_what_its_selector_pattern_and_type_say(field: Any, value: Any) -> None:
    made, _ = attempt({"wanted": field, "title": "title"})
    assert made["wanted"] == value


def test_every_field_says_what_matched_or_why_nothing_did() -> None:
    made, matches = attempt(
        {
            "title": {"css": [".none", "h1"]},
            "price": {"css": ".sold", "type": "number"},
            "old": ".old",
            "code": {"css": "h1", "regex": "[0-9]+"},
            "empty": ".new",
            "offers": {"css": ".offer", "list": True, "fields": {"by": {"css": "b", "required": True}, "tel": ".tel"}},
            "texts": {"xpath": "//h1/text()", "fields": {"x": "b"}},
            "odd": {"css": ".text", "fields": {"x": {"css": "q", "required": True}}},
        }
    )
    assert made["title"] == "The red lamp"
    assert matches["title"] == {
        **{"field": "title", "selector": "h1", "matched": 1, "values": 1, "reason": None},
    }
    assert (matches["offers[]"]["matched"], matches["offers[]"]["values"]) == (3, 2)
    assert (matches["offers[].by"]["matched"], matches["offers[].by"]["values"]) == (2, 2)
    reasons = {name: match["reason"] for name, match in matches.items() if match["reason"]}
    assert reasons == {
        "price": "'no' is no number",
        "old": "nothing matches .old",
        "code": "the regex finds nothing in 'The red lamp'",
        "empty": "what matches is empty",
        "offers[].tel": "nothing matches .tel",
        "texts": "it selects texts, and fields are of elements",
        "odd": "without odd.x",
        "odd.x": "nothing matches q",
    }


def test_a_page_without_a_required_field_or_without_any_is_no_match_and_says_which() -> None:
    failure, matches = attempt({"a": {"css": ".a", "required": True}, "b": {"css": ".b", "required": True}, "t": "h1"})
    expected = "a is required, and nothing matches .a; b is required, and nothing matches .b"
    assert failure == Failure(FailureCode.PARSER_NO_MATCH, expected)
    assert matches["t"]["values"] == 1
    failure, _ = attempt({"a": ".a", "b": {"css": ".b", "default": "x"}, "c": {"css": ".c", "type": "boolean"}})
    assert failure == Failure(FailureCode.PARSER_NO_MATCH, "No field has a value on this page: a, b, c")
    failure, _ = attempt({"a": "a"}, "")
    assert failure.code is FailureCode.PARSER_NO_MATCH


def test_what_cannot_be_compiled_is_told_by_its_place() -> None:
    bad = {
        "a": {"css": ["p", "div["], "regex": "(?=x)"},
        "b": {"fields": {"c": {"xpath": "//a["}, "d": {"regex": r"(a)\1"}, "e": {"xpath": "nope(1)"}}},
        "f": {"css": "p:contains('x')"},
        "g": {"regex": "((x{1,100}){1,100}){1,100}"},
        "h": {"xpath": "//svg:a"},
        "i": {"regex": r"(\p{L}{30}){30}"},
        "j": {"xpath": f"{'//*[' * 40}1{']' * 40}"},  # on the smallest page, longer than there is time
        "k": {"xpath": "re:replace(str:padding(99999, 'a'), 'a', 'g', str:padding(99999, 'b'))"},
        "l": {"xpath": "//p[@a='[[[[' and not(.//b)][2-(1)]/descendant::text()"},
    }
    found = dict(declared.faults(definition.read({"fields": bad})))
    assert {".".join(map(str, loc[1:])): told.split(": ")[1] for loc, told in found.items()} == {
        "a.css": "expected an identifier at position 4",
        "a.regex": "invalid perl operator",
        "b.fields.c.xpath": "expected a node test at the end of the expression",
        "b.fields.d.regex": "invalid escape sequence",
        "b.fields.e.xpath": "nope is no function of XPath 1.0",
        "f.css": "unknown pseudo-class at position 10",
        "g.regex": "invalid repetition size",
        "h.xpath": "xpath",
        "i.regex": "pattern too large - compile failed",
        "j.xpath": "predicates are nested deeper than 3 levels, the limit",
        "k.xpath": "re:replace is no function of XPath 1.0",
    }


def test_no_pattern_takes_long_and_no_page_makes_a_parser_fail_beyond_its_item(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.process_time()
    made, _ = attempt({"a": {"css": "p", "regex": "(a+)+$"}, "t": "title"}, f"<title>t</title><p>{'a' * 200_000}b")
    assert made["a"] is None
    assert time.process_time() - begun < 2

    hidden = {"a": {"xpath": "//q[count(1)]"}, "t": "title"}
    failure, _ = attempt(hidden, "<title>t</title><q>x")
    assert failure.code is FailureCode.PARSER_FAILED
    assert failure.detail.startswith("a: xpath: count() of a non-node-set")
    assert attempt(hidden)[0]["t"] == "Lamp"  # only where it is met

    many = "<b>x</b>" * 10_001
    failure, _ = attempt({"all": {"css": "b", "list": True}}, many)
    assert failure == Failure(FailureCode.PARSER_FAILED, "all[]: more than 10000 values on the page, the limit")
    failure, _ = attempt({"all": "p"}, f"<p>{'x' * 1_000_001}")
    assert failure == Failure(FailureCode.PARSER_FAILED, "all: a text of 1000001 characters; the limit is 1000000")
    monkeypatch.setattr(declared, "SECONDS", 0.2)
    failure, _ = attempt({"all": {"css": "p", "regex": "b", "type": "number", "list": True}}, f"<p>{'b' * 300_000}")
    assert failure == Failure(FailureCode.PARSER_FAILED, "all[]: not read after 0.2 s of processor time")
    monkeypatch.setattr(declared, "SECONDS", -1.0)
    failure, _ = attempt({"all": "p"})
    assert failure == Failure(FailureCode.PARSER_FAILED, "all: not read after -1 s of processor time")


async def test_a_query_that_never_ends_costs_its_item_and_not_the_next() -> None:
    def how(xpath: str) -> How:
        value = {"fields": {"n": {"xpath": xpath, "type": "integer"}}}
        return How("x", definition=definition.text_of(value))

    page = Source(URL, b"<p>x</p>" * 2000, "text/html")
    limits = {"memory_bytes": 2**29, "max_decoded_bytes": 2**20, "max_output_bytes": 2**20}
    converter = Converter(timeout=30, cpu_seconds=0.5, **limits)
    await converter.start()
    try:
        hostile = asyncio.create_task(
            converter.convert(page, how=how("count(//p[preceding::p[preceding::p[preceding::p]]])"))
        )
        good = await converter.convert(page, how=how("count(//p)"))
        with pytest.raises(ItemFailed, match="processor time") as raised:
            await hostile
    finally:
        await converter.close()
    assert raised.value.failure.code is FailureCode.CONVERSION_LIMIT
    assert good.facts["unparsed"] is None
    assert good.facts["matches"][0]["values"] == 1
