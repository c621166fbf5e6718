"""A batch larger than a request: created open, filled in several requests, started."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest
from tests.api.conftest import KEY, Api, no_connection_is_held, running
from tests.api.worker import Worker

from thresher.api.olostep import ndjson
from thresher.api.olostep.items import MAX_LINE
from thresher.api.openapi import NDJSON
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

LINES = {"Content-Type": "application/x-ndjson"}


def item(number: int, **fields: Any) -> dict[str, Any]:
    return {"url": f"https://site{number % 7}.example/{number}", "custom_id": f"c{number}", **fields}


def lines(numbers: Iterable[int]) -> bytes:
    return b"".join(json.dumps(item(number)).encode() + b"\n" for number in numbers)


async def in_pieces(body: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def open_batch(api: Api, **fields: Any) -> str:
    response = await api.client.post("/v1/batches", json={"open": True, **fields})
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    assert made["state"] == "open"
    return str(made["id"])


async def post(api: Api, path: str, **how: Any) -> httpx.Response:
    return await api.client.post(f"/v1/batches/{path}", **how)


async def refs(pool: Pool) -> list[str]:
    return [row["ref"] for row in await pool.fetch("SELECT ref FROM item ORDER BY batch_id, ord")]


async def test_a_batch_filled_in_three_requests_runs_as_if_it_were_one(api: Api, pool: Pool) -> None:
    name = await open_batch(api, items=[item(0)], metadata={"k": "v"}, country="de")
    second = await post(api, f"{name}/items", json={"items": [item(1), item(2)]})
    assert (second.status_code, second.json()["total_urls"], second.json()["state"]) == (200, 3, "open")
    third = await post(api, f"{name}/items", content=lines([3, 4]), headers=LINES)
    assert (third.status_code, third.json()["total_urls"]) == (200, 5)
    worker = Worker(pool, Blobs(api.settings.packs_url))
    assert await worker.claim() is None, "nothing starts before the start"
    started = (await post(api, f"{name}/start")).json()
    assert (started["state"], started["counts"]["pending"], started["metadata"]) == ("running", 5, {"k": "v"})
    await worker.work()
    page = await api.get(f"/v1/batches/{name}/items")
    assert sorted((i["custom_id"], i["url"]) for i in page["items"]) == [
        (item(n)["custom_id"], item(n)["url"]) for n in range(5)
    ]
    assert (await api.get(f"/v1/batches/{name}"))["outcome"] == "all_ok"


async def test_an_open_batch_may_begin_without_items(api: Api) -> None:
    for body in (
        {"open": True},
        {"open": True, "items": []},
        {"open": True, "urls": []},
        {"open": True, "items": None},
    ):
        response = await api.client.post("/v1/batches", json=body)
        assert (response.status_code, response.json()["total_urls"]) == (200, 0)
    for body in ({"open": False, "items": []}, {"open": None}, {"urls": []}):
        assert (await api.client.post("/v1/batches", json=body)).status_code == 400
    response = await api.client.post("/v1/batches", json={"open": "yes", "items": [item(0)]})
    assert response.json()["detail"] == "open: must be true or false, not a string"


@pytest.mark.parametrize("how", ["json", "lines"])
async def test_an_append_whose_answer_was_lost_can_be_repeated(api: Api, pool: Pool, how: str) -> None:
    name = await open_batch(api, items=[item(0)])
    sent: dict[str, Any] = {"json": {"items": [item(1), item(2)]}} if how == "json" else {}
    sent = sent or {"content": lines([1, 2]), "headers": LINES}
    first = await post(api, f"{name}/items?offset=1", **sent)
    assert first.json()["total_urls"] == 3
    again = await post(api, f"{name}/items?offset=1", **sent)
    assert (again.status_code, again.json()["code"], again.json()["total"]) == (409, "append_conflict", 3)
    assert again.json()["detail"] == "The batch has 3 items, not 1."
    assert await refs(pool) == [item(n)["url"] for n in range(3)]
    ahead = await post(api, f"{name}/items?offset=9999999999999", **sent)
    assert (ahead.status_code, ahead.json()["total"]) == (409, 3)


@pytest.mark.parametrize("offset", ["x", "-1", "1.5", "0x1"])
async def test_an_offset_that_is_no_count_is_refused(api: Api, offset: str) -> None:
    name = await open_batch(api)
    answer = await post(api, f"{name}/items?offset={offset}", json={"items": [item(1)]})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert (await api.get(f"/v1/batches/{name}"))["total_urls"] == 0


async def test_a_hundred_thousand_lines_come_in_one_request_beyond_the_limit_of_a_body(
    api_settings: Settings, pool: Pool
) -> None:
    small = api_settings.model_copy(update={"max_request_bytes": 2**20})
    body = lines(range(100_000))
    assert len(body) > 4 * small.max_request_bytes
    async with running(small) as api:
        name = await open_batch(api)
        answer = await post(api, f"{name}/items?offset=0", content=in_pieces(body), headers=LINES)
        assert (answer.status_code, answer.json()["total_urls"]) == (200, 100_000)
        started = await post(api, f"{name}/start")
        assert (started.json()["state"], started.json()["counts"]["pending"]) == ("running", 100_000)
    row = await pool.fetchrow(
        "SELECT count(*) AS items, sum((ref LIKE '%/' || ord)::int) AS in_order, count(DISTINCT xmin::text) AS commits FROM item"
    )
    assert row is not None
    assert (row["items"], row["in_order"]) == (100_000, 100_000)
    assert row["commits"] >= 100_000 / (ndjson.SLICE_LINES + 2000)
    assert await pool.fetchval("SELECT sum(cardinality(ords)) FROM shard") == 100_000


async def test_only_a_slice_of_a_long_body_is_in_memory(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted: of what was sent, all but a slice and a piece is in the database before more is asked for."""
    name = await open_batch(api)
    monkeypatch.setattr(ndjson, "SLICE_LINES", 100)
    sent, ahead = 0, 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent, ahead
        for start in range(0, 3000, 10):
            yield lines(range(start, start + 10))
            sent += 10
            stored = (await api.get(f"/v1/batches/{name}"))["total_urls"]
            ahead = max(ahead, sent - stored)

    async def stream() -> AsyncIterator[dict[str, Any]]:
        async for piece in body():
            yield {"type": "http.request", "body": piece, "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    assert await _raw(api, f"/v1/batches/{name}/items", stream()) == 200
    assert sent == 3000
    assert ahead <= 110
    assert (await api.get(f"/v1/batches/{name}"))["total_urls"] == 3000


async def test_a_body_that_is_cut_keeps_whole_slices_and_can_be_continued(
    api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ndjson, "SLICE_LINES", 100)
    name = await open_batch(api)

    async def cut() -> AsyncIterator[dict[str, Any]]:
        for start in range(0, 250, 10):
            yield {"type": "http.request", "body": lines(range(start, start + 10)), "more_body": True}
        yield {"type": "http.disconnect"}

    assert await _raw(api, f"/v1/batches/{name}/items", cut()) is None
    total = (await api.get(f"/v1/batches/{name}"))["total_urls"]
    assert total == 200
    rest = await post(api, f"{name}/items?offset={total}", content=lines(range(total, 250)), headers=LINES)
    assert rest.json()["total_urls"] == 250
    assert await refs(pool) == [item(n)["url"] for n in range(250)]


async def test_a_client_that_stops_sending_holds_no_connection_to_the_database(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ndjson, "SLICE_LINES", 10)
    name = await open_batch(api)
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[dict[str, Any]]:
        yield {"type": "http.request", "body": lines(range(15)), "more_body": True}
        waiting.set()
        await go_on.wait()
        yield {"type": "http.request", "body": lines([15]), "more_body": False}

    request = asyncio.create_task(_raw(api, f"/v1/batches/{name}/items", slow()))
    await waiting.wait()
    await no_connection_is_held(api)
    assert (await api.get(f"/v1/batches/{name}"))["total_urls"] == 15
    go_on.set()
    assert await request == 200


async def _raw(api: Api, path: str, messages: AsyncIterator[dict[str, Any]]) -> int | None:
    """The status of a request whose body is these ASGI messages; None if nobody was answered."""
    status = None

    async def receive() -> Any:
        return await anext(messages)

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    headers = [(b"authorization", b"Bearer " + KEY.encode()), (b"content-type", NDJSON.encode())]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    await api.app(scope, receive, send)
    return status


BAD = [
    (b"{\n", "line 1: not valid JSON"),
    (b'\n\n{"url": "https://a.example/"} x\n', "line 3: not valid JSON"),
    (b"[]\n", "line 1: must be an object with a url"),
    (b'"https://a.example/"\n', "line 1: must be an object with a url"),
    (b"{}\n", "line 1, url: is required, as a string"),
    (
        b'{"url": "https://a.example/"}\r\n{"url": "ftp://a.example/"}\r\n',
        "line 2, url: the scheme must be http or https",
    ),
    (
        b'{"url": "https://a.example/", "custom_id": true}',
        "line 1, custom_id: must be a string, or an integer of 64 bits",
    ),
    (b'{"url": "https://a.example/", "metadata": {"a": {}}}', 'line 1, metadata: Metadata value for key "a" must be'),
    (b'{"url": "https://a.example/\xff"}', "line 1: not valid JSON"),
    (
        b'{"url": "https://a.example/", "custom_id": "x"}\n\n{"url": "https://b.example/", "custom_id": "x"}',
        "line 1 and line 3 have the same custom_id 'x' for different URLs",
    ),
    (b'{"url": "' + b"x" * MAX_LINE + b'"}\n', f"line 1: longer than {MAX_LINE} bytes"),
    (b"\n" + b" " * (MAX_LINE + 1) + b"\n" + lines([1]), f"line 2: longer than {MAX_LINE} bytes"),
]


@pytest.mark.parametrize(("body", "detail"), BAD, ids=[detail[:40] for _, detail in BAD])
async def test_a_bad_line_is_named_with_its_number_and_field(api: Api, body: bytes, detail: str) -> None:
    name = await open_batch(api, items=[item(0)])
    answer = await post(api, f"{name}/items", content=in_pieces(body), headers=LINES)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["total"]) == (400, "validation_error", 1)
    assert detail in problem["detail"]
    assert problem["errors"][0]["loc"][:2] == ["body", "line"]
    assert (await api.get(f"/v1/batches/{name}"))["total_urls"] == 1


async def test_what_came_before_the_slice_of_a_bad_line_stays(
    api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ndjson, "SLICE_LINES", 100)
    name = await open_batch(api)
    body = lines(range(250)) + b"nonsense\n" + lines(range(250, 300))
    answer = await post(api, f"{name}/items?offset=0", content=in_pieces(body, 500), headers=LINES)
    assert answer.status_code == 400
    assert "line 251: not valid JSON" in answer.json()["detail"]
    total = answer.json()["total"]
    assert 200 <= total <= 250
    assert await refs(pool) == [item(n)["url"] for n in range(total)]


async def test_a_line_without_an_end_is_refused_before_it_ends(api: Api) -> None:
    name = await open_batch(api)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 2**16
            yield b"x" * 2**16

    answer = await post(api, f"{name}/items", content=endless(), headers=LINES)
    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        f"line 1: longer than {MAX_LINE} bytes, the limit of a line",
    )
    assert sent <= MAX_LINE + 2**17


async def test_blank_lines_are_no_items_and_the_last_line_needs_no_end(api: Api) -> None:
    name = await open_batch(api)
    body = b"\n  \n" + lines([1]) + b"\r\n\n" + lines([2]).rstrip()
    answer = await post(
        api, f"{name}/items", content=body, headers={"Content-Type": "Application/X-NDJSON; charset=utf-8"}
    )
    assert answer.json()["total_urls"] == 2
    for nothing in (b"", b"\n\n"):
        answer = await post(api, f"{name}/items?offset=2", content=nothing, headers=LINES)
        assert (answer.status_code, answer.json()["total_urls"]) == (200, 2)


async def test_a_batch_holds_no_more_items_than_the_limit_says(api_settings: Settings) -> None:
    async with running(api_settings.model_copy(update={"max_batch_items": 5})) as api:
        created = await api.client.post("/v1/batches", json={"items": [item(n) for n in range(6)]})
        assert (created.status_code, "limit of a batch is 5 (THRESHER_MAX_BATCH_ITEMS)" in created.text) == (400, True)
        name = await open_batch(api, items=[item(n) for n in range(3)])
        for sent in (
            {"json": {"items": [item(n) for n in range(3, 6)]}},
            {"content": lines(range(3, 6)), "headers": LINES},
        ):
            answer = await post(api, f"{name}/items", **sent)
            assert (answer.status_code, answer.json()["code"], answer.json()["total"]) == (400, "validation_error", 3)
            assert "THRESHER_MAX_BATCH_ITEMS" in answer.json()["detail"]
        assert (await post(api, f"{name}/items", json={"items": [item(3), item(4)]})).json()["total_urls"] == 5


async def test_an_append_in_json_is_whole_or_not_at_all_and_bounded(api: Api) -> None:
    name = await open_batch(api)
    for body, detail in (
        ({"items": [item(0), {"url": "nonsense"}]}, "items[1].url: not a valid absolute URL"),
        ({"items": [item(0), item(1, custom_id="c0")]}, "items[0] and items[1] have the same custom_id"),
        ({}, "items: is required"),
        ({"items": [item(n) for n in range(10_001)]}, "the limit of one request is 10000"),
    ):
        answer = await post(api, f"{name}/items", json=body)
        assert (answer.status_code, answer.json()["total"]) == (400, 0)
        assert detail in answer.json()["detail"]
    assert (await post(api, f"{name}/items", json={"items": []})).json()["total_urls"] == 0
    big = await post(api, f"{name}/items", content=b" " * (api.settings.max_request_bytes + 1))
    assert (big.status_code, big.json()["code"]) == (413, "body_too_large")


async def test_lines_sent_to_another_route_are_limited_as_any_body(api_settings: Settings) -> None:
    async with running(api_settings.model_copy(update={"max_request_bytes": 2000})) as api:
        answer = await api.client.post("/v1/batches", content=b"x" * 2001, headers=LINES)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_compressed_lines_are_refused(api: Api) -> None:
    name = await open_batch(api)
    answer = await post(api, f"{name}/items", content=lines([1]), headers={**LINES, "Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_nothing_is_appended_to_a_batch_that_is_not_open(api: Api, pool: Pool) -> None:
    running_one = (await api.create("https://a.example/"))["id"]
    cancelled = await open_batch(api, items=[item(0)])
    assert (await post(api, f"{cancelled}/cancel")).json()["outcome"] == "cancelled"
    done = await open_batch(api, items=[item(0)])
    await post(api, f"{done}/start")
    await Worker(pool, Blobs(api.settings.packs_url)).work()
    for name in (running_one, cancelled, done):
        for sent in ({"json": {"items": [item(1)]}}, {"content": lines([1]), "headers": LINES}):
            answer = await post(api, f"{name}/items", **sent)
            assert (answer.status_code, answer.json()["code"], answer.json()["total"]) == (409, "batch_not_open", 1)
        before = await api.get(f"/v1/batches/{name}")
        assert (await post(api, f"{name}/start")).json() == before, "a start answers what is not open as it is"
    assert await pool.fetchval("SELECT count(*) FROM item") == 3


async def test_an_append_that_meets_the_start_is_told_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "SLICE_LINES", 10)
    name = await open_batch(api)

    async def body() -> AsyncIterator[bytes]:
        yield lines(range(10))
        await post(api, f"{name}/start")
        yield lines(range(10, 20))

    answer = await post(api, f"{name}/items", content=body(), headers=LINES)
    assert (answer.status_code, answer.json()["code"], answer.json()["total"]) == (409, "batch_not_open", 10)


async def test_the_start_can_say_how_long_the_batch_may_take(api: Api) -> None:
    name = await open_batch(api, items=[item(0)], timeout=7200)
    for wrong in ("0", "-1", "x", "1e9", "nan", "86401"):
        answer = await post(api, f"{name}/start?timeout={wrong}")
        assert (answer.status_code, "THRESHER_BATCH_TIMEOUT" in answer.json()["detail"]) == (400, True)
    started = (await post(api, f"{name}/start?timeout=600.5")).json()
    assert started["state"] == "running"
    assert 598 <= started["deadline"] - started["created"] <= 700
    again = (await post(api, f"{name}/start?timeout=60")).json()
    assert again["deadline"] == started["deadline"]


async def test_a_batch_of_nothing_is_not_started(api: Api) -> None:
    name = await open_batch(api)
    answer = await post(api, f"{name}/start")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert answer.json()["detail"].startswith("items: ")
    assert (await api.get(f"/v1/batches/{name}"))["state"] == "open"


async def test_a_custom_id_of_two_urls_anywhere_in_the_batch_is_found_at_the_start(api: Api) -> None:
    name = await open_batch(api, items=[item(0), item(1)])
    same = [item(0, custom_id="other"), {"url": item(0)["url"] + "#", "custom_id": "c0"}]
    same[1]["url"] = item(0)["url"].replace("https", "HTTPS")
    assert (await post(api, f"{name}/items", json={"items": same})).status_code == 200
    assert (await post(api, f"{name}/items", json={"items": [item(9, custom_id="c1")]})).status_code == 200
    answer = await post(api, f"{name}/start")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    detail = answer.json()["detail"]
    assert "items[1] and items[4] of the batch have the same custom_id 'c1' for different URLs" in detail
    assert "cancel the batch" in detail
    info = await api.get(f"/v1/batches/{name}")
    assert (info["state"], info["counts"]["pending"]) == ("open", 5)


async def test_a_custom_id_of_two_spellings_of_a_url_is_started(api: Api) -> None:
    name = await open_batch(api, items=[{"url": "https://a.example", "custom_id": "x"}])
    await post(api, f"{name}/items", json={"items": [{"url": "HTTPS://A.example/", "custom_id": "x"}]})
    assert (await post(api, f"{name}/start")).json()["state"] == "running"
