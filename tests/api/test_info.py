"""GET /v1/batches/{id}: its ETag, waiting for it, and what it says of the pace."""

import asyncio
import time
from typing import Any

import pytest
from httpx import Response
from tests.api.conftest import Api, no_connection_is_held
from tests.api.worker import Worker

from thresher.domain.states import BatchState
from thresher.storage import batches
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool


@pytest.fixture
def worker(api: Api, pool: Pool) -> Worker:
    return Worker(pool, Blobs(api.settings.packs_url))


async def ask(api: Api, batch: dict[str, Any], etag: str | None = None, **query: Any) -> Response:
    headers = {"If-None-Match": etag} if etag else {}
    return await api.client.get(f"/v1/batches/{batch['id']}", params=query, headers=headers)


async def waiting(
    api: Api, batch: dict[str, Any], etag: str | None = None, seconds: float = 60
) -> asyncio.Task[Response]:
    """A request that the server has begun to wait in."""
    before = len(api.app.state.watch)
    task = asyncio.create_task(ask(api, batch, etag, wait=seconds))
    async with asyncio.timeout(10):
        while len(api.app.state.watch) == before:
            await asyncio.sleep(0)
    return task


async def test_an_answer_that_the_caller_has_is_not_sent_again_until_something_is_written(api: Api) -> None:
    made = await api.create("https://a.example/")
    first = await ask(api, made)
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        same = await ask(api, made, sent)
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert (await ask(api, made, '"other"')).content == first.content
    await api.client.post(f"/v1/batches/{made['id']}/cancel")
    now = await ask(api, made, tag)
    assert (now.status_code, now.json()["outcome"]) == (200, "cancelled")
    assert now.headers["ETag"] != tag


async def test_who_waits_is_answered_when_the_batch_is_done_and_holds_no_connection_till_then(
    api: Api, worker: Worker
) -> None:
    made = await api.create("https://a.example/1", "https://b.example/2")
    many = [await waiting(api, made) for _ in range(20)]
    await no_connection_is_held(api)
    claim = await worker.claim()
    assert claim is not None
    await worker.settle(claim, list(claim.items))
    await worker.end(claim)
    assert not any(task.done() for task in many)  # one of two is no end
    await worker.work()
    for answer in await asyncio.wait_for(asyncio.gather(*many), 10):
        assert (answer.status_code, answer.json()["outcome"]) == (200, "all_ok")
    assert len(api.app.state.watch) == 0


async def test_with_an_etag_who_waits_is_told_of_the_next_change(api: Api, worker: Worker) -> None:
    made = await api.create("https://a.example/1", "https://b.example/2")
    task = await waiting(api, made, (await ask(api, made)).headers["ETag"])
    claim = await worker.claim()
    assert claim is not None
    answer = await asyncio.wait_for(task, 10)
    assert answer.json()["counts"]["processing"] == 1
    assert answer.json()["status"] == "in_progress"


async def test_who_comes_during_a_look_waits_for_the_next_one(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = await api.create(open=True), await api.create(open=True)
    looked, came = asyncio.Event(), asyncio.Event()
    look = batches.versions

    async def slow_look(*of: Any) -> dict[int, tuple[str, BatchState]]:
        found = await look(*of)
        looked.set()
        await came.wait()
        return found

    monkeypatch.setattr(batches, "versions", slow_look)
    tasks = [await waiting(api, one)]
    await looked.wait()
    tasks.append(await waiting(api, other))
    came.set()
    for batch in (one, other):
        await api.client.post(f"/v1/batches/{batch['id']}/cancel")
    for answer in await asyncio.wait_for(asyncio.gather(*tasks), 10):
        assert answer.json()["outcome"] == "cancelled"


async def test_waiting_ends_in_time_with_what_is_known_by_then(api: Api) -> None:
    made = await api.create("https://a.example/")
    tag = (await ask(api, made)).headers["ETag"]
    assert (await ask(api, made, tag, wait="0.05")).status_code == 304
    late = await ask(api, made, wait="0.05")
    assert (late.status_code, late.headers["ETag"]) == (200, tag)
    for wait in ("-1", "soon", "1e", "NaN"):
        refused = await ask(api, made, wait=wait)
        assert (refused.status_code, "60 at most" in refused.json()["detail"]) == (400, True)


async def test_nobody_waits_for_a_batch_that_is_done_or_when_the_server_ends(api: Api, worker: Worker) -> None:
    open_ = await api.create(open=True)
    task = await waiting(api, open_)
    api.app.state.closing = lambda: True
    assert (await asyncio.wait_for(task, 10)).json()["state"] == "open"
    api.app.state.closing = lambda: False
    await api.client.post(f"/v1/batches/{open_['id']}/cancel")
    done = await ask(api, open_, wait=60)
    assert done.json()["status"] == "completed"
    assert (await ask(api, open_, done.headers["ETag"], wait=60)).status_code == 304


async def test_rate_and_eta_are_what_was_measured(api: Api, worker: Worker, pool: Pool) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(40)))
    assert (made["rate"], made["eta"]) == (None, None)
    async with pool.acquire() as connection:  # as if it had run for twenty seconds
        await connection.execute("UPDATE batch_progress SET started_at = now() - interval '20 seconds'")
    claim = await worker.claim()
    assert claim is not None
    await worker.settle(claim, list(claim.items)[:10])
    running = await api.get(f"/v1/batches/{made['id']}")
    assert running["rate"] == pytest.approx(10 / 20, rel=0.2)
    assert running["eta"] - time.time() == pytest.approx(30 / running["rate"], abs=10)
    async with pool.acquire() as connection:  # and had not moved for two minutes
        await connection.execute("UPDATE batch_progress SET moved_at = moved_at - interval '2 minutes'")
    quiet = await api.get(f"/v1/batches/{made['id']}")
    assert (quiet["rate"], quiet["eta"]) == (None, None)
    await worker.settle(claim, list(claim.items)[10:])
    done = await api.get(f"/v1/batches/{made['id']}")
    assert done["rate"] == pytest.approx(40 / 20, rel=0.2)
    assert done["eta"] is None


async def test_what_nobody_worked_at_is_not_in_the_rate_of_a_batch_that_was_cut_off(
    api: Api, worker: Worker, pool: Pool
) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(100)))
    claim = await worker.claim()
    assert claim is not None
    await worker.settle(claim, list(claim.items)[:10])
    async with pool.acquire() as connection:
        await connection.execute("UPDATE batch_progress SET started_at = now() - interval '20 seconds'")
    before = await api.get(f"/v1/batches/{made['id']}")
    assert before["eta"] > time.time()
    stopping = (await api.client.post(f"/v1/batches/{made['id']}/cancel")).json()
    assert (stopping["state"], stopping["rate"], stopping["eta"]) == ("stopping", before["rate"], None)
    await worker.end(claim)
    after = await api.get(f"/v1/batches/{made['id']}")
    assert (after["outcome"], after["counts"]["cancelled"]) == ("cancelled", 90)
    assert (after["rate"], after["eta"]) == (before["rate"], None)
    assert 0 < after["rate"] < 1
