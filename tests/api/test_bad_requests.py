"""Every way to get a create request wrong: the status, the code, and a detail that names field, index and limit."""

import json
from typing import Any

import pytest
from tests.api.conftest import Api, running, settings_for

from thresher.settings import Settings

GOOD = {"url": "https://example.com/", "custom_id": "a"}


def with_item(**fields: Any) -> dict[str, Any]:
    """A body whose fourth item has these fields."""
    good = [{"url": f"https://example.com/{n}", "custom_id": f"g{n}"} for n in range(3)]
    return {"items": [*good, {**GOOD, **fields}]}


BAD = [
    ({}, "items: is required"),
    ({"items": None}, "items: is required"),
    ({"items": []}, "items: must not be empty"),
    ({"items": {}}, "items: must be an array"),
    ({"items": "https://example.com"}, "items: must be an array"),
    ({"items": ["https://example.com"]}, "items[0]: must be an object"),
    ({"items": [GOOD, None]}, "items[1]: must be an object"),
    (with_item(url=None), "items[3].url: is required"),
    (with_item(url=5), "items[3].url: is required, as a string"),
    (with_item(url=""), "items[3].url: not a valid absolute URL"),
    (with_item(url="example.com/x"), "items[3].url: not a valid absolute URL"),
    (with_item(url="http://[::1"), "items[3].url: not a valid absolute URL"),
    (with_item(url="ftp://example.com/"), "items[3].url: the scheme must be http or https"),
    (with_item(url="https://user:pass@example.com/"), "items[3].url: a URL must not contain a user name"),
    (with_item(url="https://example.com/\0"), "items[3].url: must not contain NUL"),
    (with_item(url="https://example.com/" + "x" * 9000), "items[3].url: 9020 bytes; the limit is 8192"),
    (with_item(url="https://example.com/" + "é" * 5000), "items[3].url: 10020 bytes; the limit is 8192"),
    (with_item(custom_id="x" * 4097), "items[3].custom_id: 4097 bytes; the limit is 4096"),
    (with_item(custom_id="é" * 2049), "items[3].custom_id: 4098 bytes; the limit is 4096"),
    (with_item(custom_id="a\0b"), "items[3].custom_id: must not contain NUL"),
    (with_item(custom_id=True), "items[3].custom_id: must be a string, or an integer of 64 bits"),
    (with_item(custom_id={"a": 1}), "items[3].custom_id: must be a string, or an integer of 64 bits"),
    (with_item(custom_id=0.5), "items[3].custom_id: must be a string, or an integer of 64 bits"),
    (with_item(custom_id=10**40), "items[3].custom_id: must be a string, or an integer of 64 bits"),
    (with_item(custom_id="g1"), "items[1] and items[3] have the same custom_id 'g1' for different URLs"),
    (with_item(metadata=[1]), "items[3].metadata: Metadata must be an object"),
    (with_item(metadata={"a": {}}), 'items[3].metadata: Metadata value for key "a" must be a string. Got object.'),
    (with_item(metadata={"a": "\0"}), "items[3].metadata: "),
    ({"items": [GOOD], "metadata": {f"k{n}": 1 for n in range(51)}}, "Metadata can have a maximum of 50 keys."),
    ({"items": [GOOD], "timeout": 0}, "timeout: must be more than 0 and at most 86400 seconds"),
    ({"items": [GOOD], "timeout": -1}, "timeout: must be more than 0"),
    ({"items": [GOOD], "timeout": 86_401}, "at most 86400 seconds (THRESHER_BATCH_TIMEOUT)"),
    ({"items": [GOOD], "timeout": "60"}, "timeout: must be a number of seconds, not a string"),
    ({"items": [GOOD], "timeout": True}, "timeout: must be a number of seconds, not a boolean"),
    ({"items": [GOOD], "open": 1}, "open: must be true or false, not a number"),
    ({"items": [GOOD], "country": "UK"}, "country: 'UK' is not an ISO 3166-1 alpha-2"),
    ({"items": [GOOD], "country": 1}, "country: a number is not"),
    ({"items": [GOOD], "robots": "no"}, "robots: must be one of obey, report, ignore, not 'no'"),
    ({"items": [GOOD], "robots": {}}, "robots: must be one of obey, report, ignore, not an object"),
    ({"items": [GOOD], "on_blocked": True}, "on_blocked: must be one of fail, keep, not a boolean"),
    ({"items": [GOOD], "country": ["DE"]}, "country: an array is not"),
    ({"items": [GOOD], "parser": {"id": 5}}, "parser.id: must be a string"),
    ({"items": [GOOD], "parser": []}, "parser: must be a string"),
    ({"items": [GOOD], "webhook": "mailto:a@b.example"}, "webhook: the scheme must be"),
    ({"items": [GOOD], "webhook": {"url": "https://a.example"}}, "webhook: must be a string, not an object"),
    ({"items": [GOOD], "webhook_url": "nonsense"}, "webhook_url: not a valid absolute URL"),
    ({"items": [GOOD], "formats": ["a\0"]}, "formats: must not contain NUL"),
    ({"items": [GOOD], "links_on_page": {"query_to_order_links_by": "\0"}}, "by: must not contain NUL"),
    ({"items": [GOOD], "links_on_page": {"include_links": ["/a", "/\0"]}}, "include_links[1]: must not contain NUL"),
    ({"items": [GOOD], "formats": "x" * 70_000}, "formats: 70002 bytes; the limit is 65536"),
    ({"items": [GOOD], "formats": [[]] * 70_000}, "formats: more than 65536 bytes, the limit"),
    ({"items": [GOOD], "formats": {"html": True}}, "formats: must be an array of strings"),
    ({"items": [GOOD], "formats": ["html", 5]}, "formats: must be an array of strings"),
    (
        {"items": [GOOD], "wait_before_scraping": -1},
        "wait_before_scraping: must be a number of milliseconds, 0 or more",
    ),
    ({"items": [GOOD], "wait_before_scraping": "5"}, "wait_before_scraping: must be a number"),
    ({"items": [GOOD], "wait_before_scraping": True}, "wait_before_scraping: must be a number"),
    (with_item(wait_before_scraping=[]), "items[3].wait_before_scraping: must be a number"),
    ({"batch_array": {}}, "batch_array: must be an array"),
    ({"batch_array": [{"url": 5}]}, "batch_array[0].url: is required, as a string"),
    ({"urls": ["https://a.example/", "nonsense"]}, "urls[1]: not a valid absolute URL"),
    ({"urls": "https://example.com"}, "urls: must be an array"),
    ({"urls": [{"url": "https://example.com"}]}, "urls[0]: is required, as a string"),
]


async def test_a_bad_field_is_named_with_its_index_and_limit(api: Api) -> None:
    for body, detail in BAD:
        response = await api.client.post("/v1/batches", json=body)
        problem = response.json()
        assert response.status_code == problem["status"] == 400, detail
        assert problem["code"] == "validation_error"
        assert detail in problem["detail"]
        assert problem["message"] == problem["detail"]
        assert problem["errors"][0]["loc"][0] == "body"


NOT_JSON = {
    "nothing": b"",
    "blanks": b" \n",
    "text": b"hello",
    "half": b'{"items": [',
    "NaN": b'{"items": [{"url": NaN}]}',
    "infinity": b'{"items": Infinity}',
    "a lone surrogate": b'{"items": [{"url": "https://example.com/\\ud800"}]}',
    "a lone surrogate in a key": b'{"items": [], "\\udfff": 1}',
    "bytes that are not UTF-8": b'{"items": ["\xff\xfe"]}',
    "UTF-16": '{"items": []}'.encode("utf-16"),
    "depth": b'{"items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a list": b"[]",
    "a string": b'"items"',
    "null": b"null",
    "a number": b"1e400",
    "a huge number": b"9" * 5000,
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
async def test_what_is_not_a_json_object_is_refused_as_such(api: Api, body: bytes) -> None:
    response = await api.client.post("/v1/batches", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert response.json()["detail"].startswith("The request body")


@pytest.mark.parametrize("levels", [17, 200, 900])
async def test_an_option_nested_deeper_than_can_be_stored_is_refused(api: Api, levels: int) -> None:
    deep = "[" * levels + "]" * levels
    body = f'{{"items": [{json.dumps(GOOD)}], "formats": {deep}}}'
    response = await api.client.post("/v1/batches", content=body)
    assert response.status_code == 400
    assert "formats: nested deeper than the limit of 16" in response.json()["detail"]


async def test_huge_numbers_in_an_option_are_no_failure_of_the_server(api: Api) -> None:
    body = f'{{"items": [{json.dumps(GOOD)}], "wait_before_scraping": {"9" * 400}}}'
    response = await api.client.post("/v1/batches", content=body)
    assert response.status_code in (200, 400)


async def test_an_unknown_parser_is_refused_with_the_text_that_sdks_know(api: Api) -> None:
    for parser in ("@olostep/x", {"id": "@olostep/x", "version": "1"}):
        response = await api.client.post("/v1/batches", json={"items": [GOOD], "parser": parser})
        assert response.status_code == 400
        assert "no parser with this name and/or version found" in response.json()["message"].lower()


async def test_several_faults_are_named_at_once_and_no_more_than_twenty(api: Api) -> None:
    response = await api.client.post("/v1/batches", json={"items": [{"url": "x"}, GOOD, {"url": "y"}], "country": "XX"})
    problem = response.json()
    assert [error["loc"] for error in problem["errors"]] == [
        ["body", "items", 0, "url"],
        ["body", "items", 2, "url"],
        ["body", "country"],
    ]
    assert "(and 2 more; see errors)" in problem["detail"]
    response = await api.client.post("/v1/batches", json={"items": [{"url": "x"}] * 1000})
    assert len(response.json()["errors"]) == 20


async def test_too_many_items_are_refused_with_the_limit(api_settings: Settings) -> None:
    few = settings_for(str(api_settings.database_url), api_settings.data_dir, max_items=3)
    async with running(few) as api:
        response = await api.client.post(
            "/v1/batches", json={"items": [{"url": f"http://a.example/{n}"} for n in range(4)]}
        )
        assert response.status_code == 400
        assert "items: 4 items; the limit of one request is 3" in response.json()["detail"]
        assert (await api.create(*(f"http://a.example/{n}" for n in range(3))))["total_urls"] == 3


async def test_millions_of_empty_values_are_refused_before_they_are_made(api: Api) -> None:
    body = b'{"items": [{"url": "http://a.example/"}], "unknown": [' + b"[]," * 1_000_000 + b"[]]}"
    response = await api.client.post("/v1/batches", content=body)
    assert response.status_code == 400
    assert "more than 1000000 arrays and objects" in response.json()["detail"]


async def test_a_refused_request_leaves_nothing_behind(api: Api) -> None:
    state = api.app.state.thresher
    await api.client.post("/v1/batches", json=with_item(url="nonsense"))
    async with state.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM batch") == 0
