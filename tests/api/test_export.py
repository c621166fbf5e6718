"""GET /v1/batches/{id}/export: every field of a line, filters, formats, orders, and going on from any line."""

import shutil
from typing import Any

import orjson
import pytest
from tests.api.conftest import Api
from tests.api.worker import PAGE, Worker

from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.states import Outcome
from thresher.storage import batches
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.shards import ShardItem

CONTENTS = ("markdown", "links", "html", "text", "json")


@pytest.fixture
def worker(api: Api, pool: Pool) -> Worker:
    return Worker(pool, Blobs(api.settings.packs_url))


def odd_fail(item: ShardItem) -> FailureCode | None:
    return FailureCode.HTTP_5XX if item.ord % 2 else None


async def export(api: Api, batch: str, query: str = "", **more: Any) -> list[dict[str, Any]]:
    """The lines of an export that must succeed."""
    response = await api.client.get(f"/v1/batches/{batch}/export?{query}", params=more or None)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return [orjson.loads(line) for line in response.content.splitlines()]


async def cancel(api: Api, batch: str) -> None:
    """Stop a batch; its rows are written later, if at all."""
    assert (await api.client.post(f"/v1/batches/{batch}/cancel")).status_code == 200


async def test_a_line_has_every_field_of_its_item(api: Api, worker: Worker) -> None:
    items = [{"url": "https://a.example", "custom_id": "x", "metadata": {"k": 1}}, {"url": "https://a.example/1"}]
    batch = (await api.client.post("/v1/batches", json={"items": items})).json()["id"]
    await worker.work(odd_fail)
    listed = (await api.get(f"/v1/batches/{batch}/items"))["items"]
    good, bad = await export(api, batch)
    content = await api.get("/v1/retrieve", retrieve_id=listed[0]["id"])
    assert good == {
        "cursor": 2,
        "custom_id": "x",
        "url": "https://a.example",
        "final_url": "https://a.example",
        "status": "completed",
        "http_status": 200,
        "title": "x",
        "markdown": content["markdown_content"],
        "links": ["https://a.example/next"],
        "error": None,
        "attempts": 0,
        "retrieve_id": listed[0]["id"],
        "metadata": {"k": "1"},
    }
    assert "Hello **x**" in good["markdown"]
    assert bad == {
        "cursor": 3,
        "custom_id": listed[1]["custom_id"],
        "url": "https://a.example/1",
        "final_url": None,
        "status": "failed",
        "http_status": 503,
        "title": None,
        "markdown": None,
        "links": None,
        "error": listed[1]["error"],
        "attempts": 0,
        "retrieve_id": listed[1]["id"],
    }


async def test_every_content_that_is_asked_for_is_that_of_a_retrieve(api: Api, worker: Worker) -> None:
    made = await api.create("https://a.example/")
    await worker.work()
    (line,) = await export(api, made["id"], "formats=markdown,links,html,text,json")
    content = await api.get("/v1/retrieve", retrieve_id=line["retrieve_id"])
    assert [name for name in line if name in CONTENTS] == list(CONTENTS)
    for name in ("markdown", "html", "text", "json"):
        assert line[name] == content[f"{name}_content"]
    assert line["html"] == PAGE.format(title="c0")
    assert line["links"] == content["links_on_page"]


@pytest.mark.parametrize(
    ("query", "carried"),
    [
        ("", ["markdown", "links"]),
        ("formats=", ["markdown", "links"]),
        ("formats=html&formats=Text", ["html", "text"]),
        ("formats[]=html&formats[]=text", ["html", "text"]),
        ('formats=["html","text"]', ["html", "text"]),
        ("formats=text,html,screenshot", ["html", "text"]),
        ("formats=links_on_page", ["links"]),
        ("formats=json", ["json"]),
    ],
)
async def test_every_spelling_of_the_formats_carries_these_alone(
    api: Api, worker: Worker, query: str, carried: list[str]
) -> None:
    made = await api.create("https://a.example/")
    await worker.work()
    (line,) = await export(api, made["id"], query)
    assert [name for name in line if name in CONTENTS] == carried


BAD = [
    ("format=csv", "format", "Unknown format 'csv'; there is jsonl"),
    ("status=pending", "status", "Unknown 'pending' in status; there are completed, failed, skipped, cancelled"),
    ("status=completed,done", "status", "Unknown 'done' in status"),
    ("formats=gif", "formats", "Unknown 'gif' in formats; there are markdown, links, html, text, json"),
    ("formats=[1]", "formats", "formats must be an array of strings"),
    ("order=url", "order", "Unknown order 'url'; there is finished and submitted"),
    ("cursor=-1", "cursor", "cursor must be an integer of at least 0"),
    ("cursor=x", "cursor", "cursor must be an integer"),
    ("limit=0", "limit", "limit must be an integer of at least 1"),
]


@pytest.mark.parametrize(("query", "field", "detail"), BAD)
async def test_a_bad_query_is_refused_by_name_with_what_it_can_be(
    api: Api, query: str, field: str, detail: str
) -> None:
    made = await api.create("https://a.example/")
    response = await api.client.get(f"/v1/batches/{made['id']}/export?{query}")
    body = response.json()
    assert (response.status_code, body["code"]) == (400, "validation_error")
    assert body["detail"].startswith(detail)
    assert body["errors"][0]["loc"] == ["query", field]


async def test_a_status_filter_gives_these_alone_in_any_spelling(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(7)))
    await worker.work(odd_fail)
    for query, ords in (
        ("status=failed", [1, 3, 5]),
        ("status=completed", [0, 2, 4, 6]),
        ("status=failed,completed", list(range(7))),
        ("status=failed&status=skipped", [1, 3, 5]),
        ("status=cancelled", []),
        ("status=", list(range(7))),
        ("format=jsonl", list(range(7))),
    ):
        for order in ("finished", "submitted"):
            lines = await export(api, made["id"], f"{query}&order={order}")
            assert [line["custom_id"] for line in lines] == [f"c{n}" for n in ords], (query, order)


async def test_the_orders_are_those_of_the_ends_and_of_the_submit(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(9)))
    claim = await worker.claim()
    assert claim is not None
    for item in reversed(claim.items):
        await worker.settle(claim, [item], odd_fail)
    await worker.end(claim)
    finished = await export(api, made["id"], order="finished")
    submitted = await export(api, made["id"], order="submitted")
    assert [line["custom_id"] for line in finished] == [f"c{n}" for n in reversed(range(9))]
    assert [line["cursor"] for line in finished] == list(range(2, 11))
    assert [line["custom_id"] for line in submitted] == [f"c{n}" for n in range(9)]
    assert [line["cursor"] for line in submitted] == list(range(1, 10))


async def test_submit_order_is_for_a_batch_that_is_done(api: Api) -> None:
    made = await api.create("https://a.example/")
    response = await api.client.get(f"/v1/batches/{made['id']}/export?order=submitted")
    assert (response.status_code, response.json()["code"]) == (409, "batch_not_done")


async def test_an_export_goes_on_behind_any_line_and_ends_at_the_limit(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://s{n % 3}.example/{n}" for n in range(12)))
    await worker.work(odd_fail)
    for query in ("", "order=submitted", "status=failed", "status=failed&order=submitted"):
        whole = await export(api, made["id"], query)
        for place, line in enumerate(whole):
            assert await export(api, made["id"], f"{query}&cursor={line['cursor']}") == whole[place + 1 :]
            assert await export(api, made["id"], f"{query}&cursor={line['cursor']}&limit=2") == whole[place + 1 :][:2]
        assert await export(api, made["id"], f"{query}&cursor={2**70}") == []


async def test_of_a_running_batch_there_is_what_is_finished_and_then_the_end(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(6)), open=True)
    assert await export(api, made["id"]) == []
    await api.client.post(f"/v1/batches/{made['id']}/start")
    assert await export(api, made["id"]) == []
    claim = await worker.claim()
    assert claim is not None
    await worker.settle(claim, claim.items[:4])
    first = await export(api, made["id"])
    assert [line["custom_id"] for line in first] == ["c0", "c1", "c2", "c3"]
    await worker.settle(claim, claim.items[4:])
    rest = await export(api, made["id"], cursor=first[-1]["cursor"])
    assert [line["custom_id"] for line in rest] == ["c4", "c5"]


async def test_content_that_is_missing_or_damaged_is_said_so_in_its_line(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://s{n}.example/" for n in range(4)))
    await worker.work()
    whole = await export(api, made["id"])
    packs = sorted(path for path in (api.settings.data_dir / "blobs" / "packs").rglob("*") if path.is_file())
    assert len(packs) == 4
    packs[0].unlink()
    packs[1].write_bytes(packs[1].read_bytes()[:-20])
    packs[2].write_bytes(bytes(packs[2].stat().st_size))
    lines = await export(api, made["id"])
    kind = FAILURES[FailureCode.CONTENT_UNAVAILABLE]
    lost = [line for line in lines if line["error"]]
    assert len(lost) == 3
    for line, before in zip(lines, whole, strict=True):
        if line not in lost:
            assert line == before
            continue
        assert line == before | {
            "final_url": None,
            "title": None,
            "markdown": None,
            "links": None,
            "error": {
                "code": "content_unavailable",
                "message": kind.meaning,
                "retryable": False,
                "remedy": kind.remedy,
            },
        }
    shutil.rmtree(api.settings.data_dir / "blobs")
    assert [line["error"]["code"] for line in await export(api, made["id"])] == ["content_unavailable"] * 4


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.EXPIRED])
async def test_a_stopped_batch_shows_what_was_not_finished_behind_what_was(
    api: Api, worker: Worker, pool: Pool, outcome: Any
) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(8)))
    claim = await worker.claim()
    assert claim is not None
    await worker.settle(claim, claim.items[5:2:-1], odd_fail)
    async with pool.acquire() as connection:
        await batches.stop(connection, claim.batch, outcome)
    await worker.end(claim)
    lines = await export(api, made["id"])
    assert [line["custom_id"] for line in lines] == ["c5", "c4", "c3", "c0", "c1", "c2", "c6", "c7"]
    status, code = ("cancelled", "cancelled") if outcome is Outcome.CANCELLED else ("failed", "deadline")
    assert [line["status"] for line in lines] == ["failed", "completed", "failed", *[status] * 5]
    assert {line["error"]["code"] for line in lines[3:]} == {code}
    in_submit_order = await export(api, made["id"], order="submitted")
    assert [line["custom_id"] for line in in_submit_order] == [f"c{n}" for n in range(8)]
    assert {line["custom_id"]: line for line in lines} == {
        line["custom_id"]: line | {"cursor": place["cursor"]}
        for line, place in zip(in_submit_order, sorted(lines, key=lambda line: line["custom_id"]), strict=True)
    }
    only = await export(api, made["id"], status=status)
    assert [line for line in lines if line["status"] == status] == only
    assert only == [line for line in only if line["status"] == status]
