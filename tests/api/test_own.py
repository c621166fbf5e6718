"""What an item chooses for itself: read, refused, stored, told again, and used when results are read. Headers are never told."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.api.conftest import Api
from tests.api.worker import Worker

from thresher.api.olostep import choices
from thresher.convert.document import Source
from thresher.domain.failure import FailureCode
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

SECRET = "s3cr3t"
LINKS = {"include_links": ["/a/**"], "absolute_links": False}
PAGE = b'<title>T</title><a href="/a/1">1</a><a href="/b/2">2</a><a href="mailto:me@a.example">me</a>'

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"method": "POST"}, "method", "must be GET, not 'POST'"),
    ({"method": "get"}, "method", "must be GET"),
    ({"timeout": "5"}, "timeout", "must be a number of seconds, not a string"),
    ({"timeout": True}, "timeout", "must be a number of seconds"),
    ({"timeout": 0}, "timeout", "more than 0 and at most 60 seconds (THRESHER_ATTEMPT_TIMEOUT)"),
    ({"timeout": 60.5}, "timeout", "at most 60 seconds"),
    ({"parser": "@thresher/nothing"}, "parser", "No parser with this name and/or version found"),
    ({"parser": {"id": 3}}, "parser.id", "must be a string, not a number"),
    ({"content": "body"}, "content", "must be one of page, main, not 'body'"),
    ({"links_on_page": {"include_links": [""]}}, "links_on_page.include_links[0]", "must not be empty"),
    ({"links_on_page": []}, "links_on_page", "must be an object"),
    ({"headers": [f"X: {SECRET}"]}, "headers", "must be an object of names and values, not an array"),
    ({"headers": {"X-A": None}}, "headers.X-A", "must be a string, not null"),
    ({"headers": {"X-A": f"{SECRET}\r\nX-B: 1"}}, "headers.X-A", "must not contain line breaks"),
    ({"headers": {"X-A": f"{SECRET}\0"}}, "headers.X-A", "control characters"),
    ({"headers": {f"X-A: {SECRET}": ""}}, "headers", "the name of header 1 may have letters"),
    ({"headers": {"": SECRET}}, "headers", "the name of header 1"),
    ({"headers": {"Cookie": "a", "COOKIE": SECRET}}, "headers.COOKIE", "is there twice"),
    ({"headers": {"user-agent": SECRET}}, "headers.user-agent", "cannot be chosen: pages are asked for under the name"),
    *(
        ({"headers": {name: SECRET}}, f"headers.{name}", "cannot be chosen")
        for name in ("Host", "CONNECTION", "Transfer-Encoding", "Content-Length", "Accept-Encoding", "Range", "TE")
    ),
    *(
        ({"headers": {name: SECRET}}, f"headers.{name}", "cannot be chosen")
        for name in ("If-None-Match", "Proxy-Authorization", "proxy-x", "Expect", "Upgrade", "Keep-Alive", "Trailer")
    ),
    ({"headers": {f"X-{n}": SECRET for n in range(33)}}, "headers", "33 headers; the limit is 32"),
    ({"headers": {"X-A": SECRET * 1400}}, "headers", "8403 bytes; the limit of all names and values together is 8192"),
]


async def test_a_wrong_choice_is_refused_by_its_place_at_every_door_and_no_value_of_a_header_is_told(api: Api) -> None:
    opened = await api.create("https://a.example/", open=True)
    for fields, place, text in REFUSED:
        item = {"url": "https://a.example/", **fields}
        line = {"content": orjson.dumps(item), "headers": {"Content-Type": "application/x-ndjson"}}
        doors: list[tuple[str, str, dict[str, Any]]] = [
            ("/v1/batches", f"items[0].{place}: ", {"json": {"items": [item]}}),
            (f"/v1/batches/{opened['id']}/items", f"items[0].{place}: ", {"json": {"items": [item]}}),
            (f"/v1/batches/{opened['id']}/items", f"line 1, {place}: ", line),
        ]
        if {"headers", "content", "parser", "links_on_page"} & fields.keys():
            body = {"items": [{"url": "https://a.example/"}], **fields}
            doors.append(("/v1/batches", f"{place}: ", {"json": body}))
        for path, where, sent in doors:
            answer = await api.client.post(path, **sent)
            assert answer.status_code == 400, (fields, answer.text)
            assert answer.json()["detail"].startswith(where), answer.json()["detail"]
            assert text in answer.json()["detail"]
            assert SECRET not in answer.text
    assert (await api.get(f"/v1/batches/{opened['id']}"))["total_urls"] == 1
    every = [{"url": "https://a.example/", **fields} for fields, *_ in REFUSED] * 2
    told = await api.client.post("/v1/batches?dry_run=true", json={"items": every})
    assert told.json()["counts"]["refused"] == len(every), told.text
    assert SECRET not in told.text


async def test_many_different_links_are_bounded_together_and_the_same_ones_cost_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choices, "MAX_CHARACTERS", 60)
    same = [{"url": f"https://a.example/{n}", "links_on_page": {"include_links": ["/same{a,b}"]}} for n in range(20)]
    assert (await api.client.post("/v1/batches", json={"items": same})).status_code == 200
    others = [{"url": f"https://a.example/{n}", "links_on_page": {"include_links": [f"/other{n}"]}} for n in range(20)]
    refused = await api.client.post("/v1/batches", json={"items": others})
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("items[9].links_on_page: too long together")


async def test_what_an_item_chooses_is_kept_and_told_without_its_headers_and_priced(api: Api, pool: Pool) -> None:
    own = {
        "method": "GET",
        "headers": {"X-Key": f" {SECRET}\t", "Accept-Language": "é"},
        "timeout": 5,
        "parser": {"id": "@olostep/extract-emails", "version": "1"},
        "links_on_page": LINKS,
        "content": "page",
    }
    nothing = {"method": None, "headers": None, "timeout": None, "links_on_page": None, "content": None, "parser": None}
    items = [
        {"url": "https://a.example/0", **own},
        {"url": "https://a.example/1", **nothing},
        {"url": "https://a.example/2", "parser": "", "headers": {}},
        {"url": "https://a.example/3", "parser": "none", "content": "main"},
    ]
    fields = {"parser": "@thresher/product", "headers": {"Cookie": SECRET}, "content": "main"}
    made = (await api.client.post("/v1/batches", json={"items": items, "open": True, **fields})).json()
    assert (made["content"], "headers" in made) == ("main", False)
    path = f"/v1/batches/{made['id']}/items"
    await api.client.post(path, json={"items": items[:1]})
    await api.client.post(path, content=orjson.dumps(items[0]), headers={"Content-Type": "application/x-ndjson"})

    batch = await pool.fetchrow("SELECT headers, price FROM batch")
    assert dict(batch or {}) == {"headers": {"Cookie": SECRET}, "price": 1}
    rows = [tuple(row) for row in await pool.fetch("SELECT options, headers, price FROM item ORDER BY ord")]
    kept = {
        "timeout": 5.0,
        "parser": "@olostep/extract-emails",
        "links_on_page": {"absolute_links": False, "include_links": ["/a/**"]},
        "content": "page",
    }
    first = (kept, {"X-Key": SECRET, "Accept-Language": "é"}, 1)
    off = {"parser": None}
    assert rows == [first, (None, None, None), (off, {}, 1), (off | {"content": "main"}, None, 1), first, first]
    told = (await api.get(path, status="pending"))["items"]
    none = {"parser": "none"}
    assert [item.get("options") for item in told] == [kept, None, none, none | {"content": "main"}, kept, kept]
    explained = [(await api.get(f"/v1/items/{item['id']}/explain"))["effective_options"] for item in told[:3]]
    common = {"robots": "obey", "on_blocked": "fail", "country": None}
    assert explained == [
        common | kept,
        common | {"parser": "@thresher/product", "content": "main", "timeout": 60.0, "links_on_page": None},
        common | {"parser": "none", "content": "main", "timeout": 60.0, "links_on_page": None},
    ]


async def test_the_links_of_an_item_are_those_that_it_chose_wherever_they_are_read(api: Api, pool: Pool) -> None:
    items = [{"url": f"https://a.example/{n}", "custom_id": f"c{n}"} for n in range(3)]
    items[0]["links_on_page"] = LINKS  # type: ignore[assignment]
    items[1]["links_on_page"] = {}  # type: ignore[assignment]
    items[2]["parser"] = "@thresher/emails"
    sources = {item["custom_id"]: Source(item["url"], PAGE, "text/html") for item in items}
    worker = Worker(pool, Blobs(api.settings.packs_url), sources=sources)
    every = ["https://a.example/a/1", "https://a.example/b/2"]
    for fields, third in (({}, None), ({"links_on_page": {"exclude_links": ["/a/*"]}}, every[1:])):
        made = (await api.client.post("/v1/batches", json={"items": items, **fields})).json()
        await worker.work(lambda item: FailureCode.TIMEOUT if item.ord == 0 else None)
        again = (await api.client.post(f"/v1/batches/{made['id']}/retry")).json()
        await worker.work()
        path = f"/v1/batches/{made['id']}"
        for query in ({}, {"formats": "json"}):
            merged = (await api.get(f"{path}/items", lineage="merged", **query))["items"]
            assert [item.get("links_on_page") for item in merged] == [["/a/1"], every, third]
        assert merged[2]["json_content"] == '{"emails":["me@a.example"]}'
        (retried,) = (await api.get(f"/v1/batches/{again['id']}/items"))["items"]
        assert (retried["links_on_page"], retried["options"]["links_on_page"]) == (["/a/1"], LINKS)
        found = [await api.get("/v1/retrieve", retrieve_id=item["retrieve_id"]) for item in merged]
        assert [one["links_on_page"] for one in found] == [["/a/1"], every, third or every]
        exported = (await api.client.get(f"{path}/export?lineage=merged")).text.splitlines()
        assert [orjson.loads(line)["links"] for line in exported] == [["/a/1"], every, third or every]


async def test_a_result_says_whether_it_is_of_the_main_content_wherever_it_is_read(api: Api, pool: Pool) -> None:
    blobs, made = Blobs(api.settings.packs_url), []
    for found in ("main", "page", None):
        made.append(await api.create("https://a.example/", "https://a.example/fails", content="main"))
        worker = Worker(pool, blobs, attempts=[{"at": "2025-01-01T00:00:00Z", **({"content": found} if found else {})}])
        await worker.work(lambda item: FailureCode.PARSER_FAILED if item.ord else None)
    told: list[list[bool | None]] = []
    for batch in made:
        items = (await api.get(f"/v1/batches/{batch['id']}/items"))["items"]
        lines = (await api.client.get(f"/v1/batches/{batch['id']}/export")).text.splitlines()
        retrieved = [await api.get("/v1/retrieve", retrieve_id=item["retrieve_id"]) for item in items]
        told.append([one.get("main_content") for one in (*items, *map(orjson.loads, lines), *retrieved)])
    assert told == [[True, None] * 3, [False, None] * 3, [None, None] * 3]


async def test_the_example_of_the_documentation_is_taken_as_it_stands(api: Api) -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "api.md").read_text("utf-8")
    section = text.partition("### What an item chooses for itself")[2]
    body = section.partition("-d '")[2].partition("'")[0]
    made = await api.client.post("/v1/batches", content=body)
    assert made.status_code == 200, made.text
    items = (await api.get(f"/v1/batches/{made.json()['id']}/items", status="pending"))["items"]
    assert [item.get("options") for item in items] == [
        None,
        {"parser": "@thresher/product"},
        {"parser": "none", "content": "page", "timeout": 10.0},
    ]
