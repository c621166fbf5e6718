"""`links_on_page` of a create: what is taken, and what is refused by the name of the field and the limit."""

import orjson
import pytest

from thresher.api.olostep.requests import read_create
from thresher.domain.problem import Problem
from thresher.settings import Settings


def read(links_on_page):
    body = {"items": [{"url": "https://site.example/"}], "links_on_page": links_on_page}
    return read_create(orjson.dumps(body), Settings()).options.get("links_on_page")


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (None, None),
        ({}, {"absolute_links": True}),
        (
            {"absolute_links": None, "query_to_order_links_by": "", "include_links": [], "exclude_links": None, "x": 1},
            {"absolute_links": True},
        ),
        (
            {"absolute_links": False, "query_to_order_links_by": " cars ", "include_links": ["*.pdf", "/{a,b}/"]},
            {"absolute_links": False, "query_to_order_links_by": "cars", "include_links": ["*.pdf", "/{a,b}/"]},
        ),
    ],
)
def test_what_is_null_or_empty_counts_as_absent(sent, stored):
    assert read(sent) == stored


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (True, "links_on_page: must be an object, not a boolean"),
        ("all", "links_on_page: must be an object, not a string"),
        ({"absolute_links": "yes"}, "links_on_page.absolute_links: must be true or false, not a string"),
        ({"query_to_order_links_by": 5}, "links_on_page.query_to_order_links_by: must be a string, not a number"),
        ({"query_to_order_links_by": "q" * 1001}, "query_to_order_links_by: 1001 characters; the limit is 1000"),
        ({"include_links": "*.pdf"}, "links_on_page.include_links: must be an array of glob patterns, not a string"),
        ({"exclude_links": ["*.pdf", 1]}, "links_on_page.exclude_links[1]: must be a string, not a number"),
        ({"exclude_links": [" "]}, "links_on_page.exclude_links[0]: must not be empty"),
        ({"exclude_links": ["/a\0"]}, "links_on_page.exclude_links[0]: must not contain NUL"),
        ({"include_links": ["/a"] * 101}, "links_on_page.include_links: 101 patterns; the limit is 100"),
        ({"include_links": ["{a,b}" * 20]}, "too long, every {a,b} written out; the limit is 10000 characters"),
    ],
)
def test_what_is_wrong_is_named_with_its_field_and_limit(sent, detail):
    with pytest.raises(Problem) as refused:
        read(sent)
    assert detail in refused.value.detail
