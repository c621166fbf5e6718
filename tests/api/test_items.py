"""GET /v1/batches/{id}/items: the form of an item, filters, and paging while the batch runs."""

import re
from typing import Any

import pytest
from tests.api.conftest import Api, running, settings_for
from tests.api.worker import Worker

from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.states import Outcome
from thresher.settings import Settings
from thresher.storage import batches
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.shards import ShardItem


@pytest.fixture
def worker(api: Api, pool: Pool) -> Worker:
    return Worker(pool, Blobs(api.settings.packs_url))


def odd_fail(item: ShardItem) -> FailureCode | None:
    return FailureCode.HTTP_5XX if item.ord % 2 else None


async def pages(api: Api, batch: str, **query: Any) -> list[dict[str, Any]]:
    """All pages from the start, by following the cursor."""
    found, cursor = [], None
    while True:
        page = await api.get(f"/v1/batches/{batch}/items", **query, **({"cursor": cursor} if cursor else {}))
        found.append(page)
        cursor = page.get("cursor")
        if cursor is None:
            return found


async def test_a_page_shows_completed_and_failed_items_with_their_reasons(api: Api, worker: Worker) -> None:
    items = [{"url": "https://a.example", "custom_id": "x", "metadata": {"k": 1}}, {"url": "https://a.example/1"}]
    batch = (await api.client.post("/v1/batches", json={"items": items})).json()["id"]
    await worker.work(odd_fail)
    page = await api.get(f"/v1/batches/{batch}/items")
    good, bad = page.pop("items")
    assert page == {"id": batch, "batch_id": batch, "object": "list", "status": "completed", "items_count": 2}
    assert re.fullmatch(r"ret_[a-z2-7]{26}", good["retrieve_id"])
    assert good == {
        "id": good["retrieve_id"],
        "retrieve_id": good["retrieve_id"],
        "custom_id": "x",
        "url": "https://a.example",
        "status": "completed",
        "metadata": {"k": "1"},
        "http_status": 200,
    }
    assert bad["status"] == "failed"
    assert bad["retrieve_id"] != good["retrieve_id"]
    kind = FAILURES[FailureCode.HTTP_5XX]
    assert bad["error"] == {
        "code": "http_5xx",
        "message": "told by the test",
        "retryable": kind.retryable,
        "remedy": kind.remedy,
    }


async def test_the_object_member_follows_the_setting(api_settings: Settings) -> None:
    other = settings_for(str(api_settings.database_url), api_settings.data_dir, items_object="batch")
    async with running(other) as api:
        made = await api.create("https://a.example/")
        assert (await api.get(f"/v1/batches/{made['id']}/items"))["object"] == "batch"


async def test_pages_taken_while_items_settle_have_no_gap_and_no_double(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://s{n % 7}.example/{n}" for n in range(60)))
    seen: list[str] = []
    cursor: int | None = None
    done = False
    while True:
        claim = await worker.claim()
        if claim:
            half = len(claim.items) // 2
            await worker.settle(claim, claim.items[:half], odd_fail)
        page = await api.get(f"/v1/batches/{made['id']}/items", limit=4, **({"cursor": cursor} if cursor else {}))
        seen += [item["custom_id"] for item in page["items"]]
        assert page["items_count"] >= len(seen)
        if claim:
            await worker.settle(claim, claim.items[half:], odd_fail)
            await worker.end(claim)
        done = done or page["status"] == "completed"
        # A page without a cursor ends at what is finished: the next one begins behind what was seen.
        cursor = page.get("cursor") or len(seen) + 1
        if done and len(seen) == 60:
            break
    assert sorted(seen) == sorted(f"c{n}" for n in range(60))
    again = [item["custom_id"] for page in await pages(api, made["id"], limit=7) for item in page["items"]]
    assert again == seen


async def test_the_last_page_has_no_cursor_and_no_page_has_the_cursor_zero(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(6)))
    await worker.work()
    found = await pages(api, made["id"], limit=3)
    assert [len(page["items"]) for page in found] == [3, 3]
    assert "cursor" not in found[-1]
    assert found[0]["cursor"] == 4
    path = f"/v1/batches/{made['id']}/items"
    assert (
        await api.get(path, cursor=0, limit=3)
        == await api.get(path, limit=3)
        == await api.get(path, cursor="1", limit="3")
    )
    assert (await api.get(path, cursor=2**80))["items"] == []


async def test_a_filter_counts_and_pages_only_what_it_names(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(11)))
    await worker.work(odd_fail)
    for status, ords in (("failed", range(1, 11, 2)), ("completed", range(0, 11, 2))):
        found = await pages(api, made["id"], status=status, limit=2)
        assert {page["items_count"] for page in found} == {len(ords)}
        assert [item["custom_id"] for page in found for item in page["items"]] == [f"c{n}" for n in ords]
    for status in ("pending", "processing", "skipped", "cancelled"):
        assert (await api.get(f"/v1/batches/{made['id']}/items", status=status))["items"] == []


async def test_unsettled_items_are_listed_by_their_own_filters_without_a_retrieve_id(api: Api, worker: Worker) -> None:
    made = await api.create("https://a.example/0", "https://b.example/1", "https://b.example/2")
    path = f"/v1/batches/{made['id']}/items"
    claim = await worker.claim()
    assert claim is not None
    held = [item.custom_id for item in claim.items]
    processing = await api.get(path, status="processing")
    assert [item["custom_id"] for item in processing["items"]] == held
    assert processing["items_count"] == len(held)
    pending = await pages(api, made["id"], status="pending", limit=1)
    assert [item["custom_id"] for page in pending for item in page["items"]] == sorted({"c0", "c1", "c2"} - set(held))
    item = pending[0]["items"][0]
    assert item["status"] == "pending"
    assert not {"id", "retrieve_id", "error"} & item.keys()
    assert await api.get(path) | {"items": []} == await api.get(path)


async def test_a_cancelled_batch_shows_its_unsettled_items_as_cancelled(api: Api, pool: Pool) -> None:
    made = await api.create("https://a.example/0", "https://a.example/1")
    async with pool.acquire() as connection:
        key = await connection.fetchval("SELECT id FROM batch")
        assert await batches.stop(connection, key, Outcome.CANCELLED)
    found = await pages(api, made["id"], limit=1)
    assert [page["items"][0]["status"] for page in found] == ["cancelled", "cancelled"]
    item = found[0]["items"][0]
    assert item["error"]["code"] == "cancelled"
    content = await api.get("/v1/retrieve", retrieve_id=item["retrieve_id"])
    assert content["success"] is False
    assert content["error"]["code"] == "cancelled"


BAD = [
    ({"status": "done"}, "Status must be one of 'completed', 'failed', 'pending'"),
    ({"status": "COMPLETED"}, "Status must be one of"),
    ({"cursor": "-1"}, "cursor must be an integer of at least 0"),
    ({"cursor": "abc"}, "cursor must be an integer"),
    ({"cursor": "1.5"}, "cursor must be an integer"),
    ({"cursor": "\u0663"}, "cursor must be an integer"),
    ({"cursor": "9" * 5000}, "cursor must be an integer"),
    ({"limit": "0"}, "limit must be an integer of at least 1"),
    ({"limit": "-5"}, "limit must be an integer of at least 1"),
    ({"limit": "ten"}, "limit must be an integer"),
    ({"limit": "\0"}, "limit must be an integer"),
]


@pytest.mark.parametrize(("query", "detail"), BAD)
async def test_a_bad_query_is_refused_by_name(api: Api, query: dict[str, str], detail: str) -> None:
    made = await api.create("https://a.example/")
    response = await api.client.get(f"/v1/batches/{made['id']}/items", params=query)
    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert detail in response.json()["detail"]
    assert response.json()["errors"][0]["loc"] == ["query", next(iter(query))]


async def test_a_limit_over_the_largest_page_is_cut_and_an_absent_one_is_the_default(api_settings: Settings) -> None:
    small = settings_for(str(api_settings.database_url), api_settings.data_dir, max_page=4, default_page=3)
    async with running(small) as api:
        made = await api.create(*(f"https://a.example/{n}" for n in range(6)))
        path = f"/v1/batches/{made['id']}/items"
        assert len((await api.get(path, status="pending", limit=100))["items"]) == 4
        assert len((await api.get(path, status="pending"))["items"]) == 3
        assert len((await api.get(path, status="pending", limit="", wait_for_completion="true"))["items"]) == 3
        assert (await api.client.get(path + "?")).status_code == 200
