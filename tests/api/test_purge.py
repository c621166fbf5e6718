"""DELETE /v1/batches/{id}, and what every route says of a batch that was purged: 410 with the counts, never a 404."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from tests.api.conftest import KEY, Api, running, settings_for
from tests.api.worker import Worker

from thresher.domain.failure import FailureCode
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.purge import purge

URLS = [f"https://site{n}.example/" for n in range(4)]


@pytest.fixture
def worker(api: Api, pool: Pool) -> Worker:
    return Worker(pool, Blobs(api.settings.packs_url))


@pytest.fixture
async def batch(api: Api, worker: Worker) -> dict[str, Any]:
    """A batch of three results and a failure, done, with the retrieve_id of its first item."""
    made = await api.create(*URLS)
    await worker.work(lambda item: FailureCode.TIMEOUT if item.ord == 3 else None)
    page = await api.get(f"/v1/batches/{made['id']}/items", limit=1)
    return {**await api.get(f"/v1/batches/{made['id']}"), "retrieve_id": page["items"][0]["retrieve_id"]}


async def delete(api: Api, batch_id: str) -> httpx.Response:
    return await api.client.delete(f"/v1/batches/{batch_id}")


async def erase(api: Api, pool: Pool) -> None:
    """What the upkeep does once a minute."""
    async with pool.acquire() as connection:
        await purge(connection, Blobs(api.settings.packs_url), timedelta(days=30), timedelta(0))


def asks(api: Api, batch: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Every route that asks for one batch, as (method, path, body), but for its deletion."""
    bodies = {
        ("post", "/v1/batches/{batch_id}/items"): {"items": [{"url": URLS[0]}]},
        ("patch", "/v1/batches/{batch_id}"): {"metadata": {"k": "v"}},
    }
    found = [("GET", f"/v1/retrieve?retrieve_id={batch['retrieve_id']}", None)]
    for path, operations in api.app.openapi()["paths"].items():
        for method in operations:
            if "{batch_id}" in path and method != "delete":
                body = bodies.get((method, path))
                query = f"?with={batch['id']}&cursor=2" if path.endswith("/diff") else ""
                found.append((method.upper(), path.format(batch_id=batch["id"], event_id="event_x") + query, body))
    return found


async def test_a_delete_answers_with_the_tombstone_however_often(api: Api, pool: Pool, batch: dict[str, Any]) -> None:
    first = await delete(api, batch["id"])
    assert first.status_code == 200
    assert first.json() == {
        "id": batch["id"],
        "object": "batch",
        "deleted": True,
        "outcome": "partial",
        "counts": {**dict.fromkeys(("pending", "processing", "skipped", "cancelled"), 0)}
        | {"total": 4, "completed": 3, "failed": 1},
    }
    assert (await delete(api, batch["id"])).json() == first.json()
    await erase(api, pool)
    assert (await delete(api, batch["id"])).json() == first.json()


@pytest.mark.parametrize("erased", [False, True])
async def test_every_route_answers_410_with_the_counts(
    api: Api, pool: Pool, batch: dict[str, Any], erased: bool
) -> None:
    routes = asks(api, batch)
    assert len(routes) >= 4
    await delete(api, batch["id"])
    if erased:
        await erase(api, pool)
        assert await pool.fetchval("SELECT count(*) FROM item") == 0
        assert not list((api.settings.data_dir / "blobs" / "packs").rglob("*"))
    for method, path, body in routes:
        answer = await api.client.request(method, path, json=body)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (410, "batch_purged"), (method, path)
        assert problem["counts"] == batch["counts"]
        assert problem["outcome"] == "partial"
        assert problem["purged_at"] >= batch["finished_at"]


async def test_an_unknown_batch_cannot_be_deleted(api: Api) -> None:
    for name in ("batch_aaaaaaaaaaaa", "x", "%00"):
        answer = await delete(api, name)
        assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found")


async def test_a_batch_that_is_not_done_is_to_be_cancelled_first(api: Api, worker: Worker) -> None:
    async def refused() -> None:
        answer = await delete(api, made["id"])
        assert (answer.status_code, answer.json()["code"]) == (409, "batch_not_done")
        assert "cancel it first" in answer.json()["detail"]

    made = await api.create(*URLS)
    await refused()
    claim = await worker.claim()
    assert claim is not None
    stopping = await api.client.post(f"/v1/batches/{made['id']}/cancel")
    assert stopping.json()["state"] == "stopping"
    await refused()
    await worker.end(claim)
    assert (await delete(api, made["id"])).json()["outcome"] == "cancelled"


async def test_reads_while_a_batch_is_purged_are_whole_or_410(api: Api, pool: Pool, batch: dict[str, Any]) -> None:
    deleted = asyncio.Event()

    async def read(method: str, path: str) -> list[int]:
        seen = [200]
        while seen[-1] == 200 or not deleted.is_set():
            answer = await api.client.request(method, path)
            seen.append(answer.status_code)
            if answer.status_code == 200 and path.endswith("/export"):
                lines = [orjson.loads(line) for line in answer.text.splitlines()]
                assert [bool(line["markdown"]) for line in lines] == [True, True, True, False]
            elif answer.status_code == 200:
                whole = answer.json()
                assert whole.get("markdown_content", "Hello **c0**") is not None
                assert whole.get("counts", batch["counts"]) == batch["counts"]
                assert len(whole.get("items", URLS)) == 4
        return seen

    reads = [asyncio.create_task(read(method, path)) for method, path, _ in asks(api, batch) if method == "GET"]
    await asyncio.sleep(0)
    await delete(api, batch["id"])
    await erase(api, pool)
    deleted.set()
    for seen in await asyncio.gather(*reads):
        assert set(seen) <= {200, 410}
        assert sorted(seen) == seen, "what is gone does not come back"


async def test_a_result_that_goes_between_its_row_and_its_bytes_is_a_410(
    api: Api, pool: Pool, batch: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has the row in hand when the batch is purged."""
    read = Blobs.read

    async def read_late(blobs: Blobs, key: str, offset: int, length: int) -> bytes:
        await delete(api, batch["id"])
        await erase(api, pool)
        return await read(blobs, key, offset, length)

    monkeypatch.setattr(Blobs, "read", read_late)
    answer = await api.client.get(f"/v1/retrieve?retrieve_id={batch['retrieve_id']}")
    assert (answer.status_code, answer.json()["code"]) == (410, "batch_purged")


async def test_the_running_server_purges_what_is_past_its_retention(
    api: Api, pool: Pool, batch: dict[str, Any], api_settings: Settings
) -> None:
    """Nobody deletes it, and no worker lives: the server's own upkeep does."""
    await pool.execute("UPDATE batch_progress SET finished_at = finished_at - interval '1 hour'")
    changes = {"retention": 1800, "reconcile_seconds": 0.05}
    settings = settings_for(str(api_settings.database_url), api_settings.data_dir, **changes)
    async with running(settings, KEY) as server, asyncio.timeout(30):
        while await pool.fetchval("SELECT erased_at FROM batch_progress") is None:
            await asyncio.sleep(0.02)
        answer = await server.client.get(f"/v1/batches/{batch['id']}")
    assert answer.status_code == 410
    assert await pool.fetchval("SELECT count(*) FROM item") == 0
    assert not list((api_settings.data_dir / "blobs" / "packs").rglob("*"))
