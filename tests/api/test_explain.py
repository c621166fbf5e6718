"""GET /v1/items/{retrieve_id}/explain: what became of an item, and what one without an end waits for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.api.conftest import Api
from tests.api.worker import Worker

from thresher.domain.failure import FailureCode
from thresher.domain.states import Outcome
from thresher.storage import batches, hosts, shards
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.hosts import Note
from thresher.storage.shards import Rest

START = datetime(2030, 1, 1, tzinfo=UTC)


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


# A busy host, a redirect to another one, and what is there.
REFUSED = {
    "at": at(0),
    "code": "rate_limited",
    "detail": "The site asked for fewer requests (429).",
    "status": 429,
    "family": 4,
    "bytes": 12,
    "ms": {"robots": 50.0, "dns": 5.0, "connect": 20.0, "tls": 15.0, "first_byte": 100.0, "total": 110.0},
    "seconds": 0.161,
}
MOVED = {
    "at": at(30),
    "code": "moved",
    "to": "https://b.example/x",
    "redirects": ["https://a.example/x"],
    "status": 301,
    "family": 6,
    "bytes": 0,
    "ms": {"dns": 0.0, "connect": 0.0, "first_byte": 8.0, "total": 9.0},
    "seconds": 0.01,
}
BLOCKED = {
    "at": at(31),
    "code": "site_blocked",
    "detail": "A challenge.",
    "status": 200,
    "family": 4,
    "bytes": 4321,
    "ms": {"robots": 1.5, "dns": 2.0, "connect": 3.0, "first_byte": 10.0, "total": 20.0, "convert": 4.0},
    "charset": "utf-8",
    "charset_source": "meta",
    "verdict": {"code": "site_blocked", "evidence": ["the title says so", "a mark"]},
    "robots": "disallowed",
    "seconds": 0.026,
}


async def explain(api: Api, retrieve_id: str) -> dict[str, Any]:
    return await api.get(f"/v1/items/{retrieve_id}/explain")


async def test_a_timeline_has_every_step_of_every_attempt_in_order_and_the_waits_between(api: Api, pool: Pool) -> None:
    worker = Worker(pool, Blobs(api.settings.packs_url), [REFUSED, MOVED, BLOCKED])
    made = await api.create("https://a.example/x")
    await pool.execute("UPDATE batch SET created_at = $1", START - timedelta(seconds=10))
    await pool.execute("UPDATE batch_progress SET started_at = $1", START - timedelta(seconds=8))
    await worker.work(lambda _: FailureCode.SITE_BLOCKED)
    await pool.execute("UPDATE item SET finished_at = $1", START + timedelta(seconds=31.5))
    [item] = (await api.get(f"/v1/batches/{made['id']}/items"))["items"]
    told = await explain(api, item["retrieve_id"])
    steps = told.pop("timeline")
    assert told == {
        "id": item["id"],
        "object": "explanation",
        "retrieve_id": item["id"],
        "batch_id": made["id"],
        "custom_id": "c0",
        "url": "https://a.example/x",
        "status": "failed",
        "waiting_for": None,
        "http_status": 503,
        "final_url": None,
        "code": "site_blocked",
        "message": "told by the test",
        "retryable": False,
        "remedy": "Ask the owner of b.example for access, or take its answer as it is with on_blocked=keep.",
        "verdict": BLOCKED["verdict"],
        "attempts": 2,
        "effective_options": {
            "robots": "obey",
            "on_blocked": "fail",
            "country": None,
            "parser": "none",
            "content": "page",
            "timeout": 60.0,
            "links_on_page": None,
        },
        "finished_at": at(31.5),
    }
    assert [(step.get("attempt"), step["what"], step["at"], step["ms"]) for step in steps] == [
        (None, "open", at(-10), 2000.0),
        (None, "started", at(-8), None),
        (None, "queue", at(-8), 8000.0),
        (1, "robots", at(0), 50.0),
        (1, "dns", at(0.05), 5.0),
        (1, "connect", at(0.055), 5.0),
        (1, "tls", at(0.06), 15.0),
        (1, "first_byte", at(0.075), 75.0),
        (1, "body", at(0.15), 10.0),
        (1, "failed", at(0.161), None),
        (None, "wait", at(0.161), 29839.0),
        (2, "robots", at(30), 0.0),
        (2, "dns", at(30), 0.0),
        (2, "connect", at(30), 0.0),
        (2, "first_byte", at(30), 8.0),
        (2, "body", at(30.008), 1.0),
        (2, "moved", at(30.01), None),
        (None, "wait", at(30.01), 990.0),
        (3, "robots", at(31), 1.5),
        (3, "dns", at(31.001), 2.0),
        (3, "connect", at(31.003), 3.0),
        (3, "first_byte", at(31.006), 5.0),
        (3, "body", at(31.011), 10.0),
        (3, "convert", at(31.021), 4.0),
        (3, "verdict", at(31.026), None),
        (3, "failed", at(31.026), None),
        (None, "settled", at(31.5), 474.0),
    ]
    texts = [step["text"] for step in steps]
    for said in (
        "rate_limited: The site asked for fewer requests (429).",
        "The host was left alone, as it had asked for fewer requests.",
        "Redirected to https://b.example/x.",
        "In line at b.example, where it was redirected to.",
        "Waited for robots.txt. It says: disallowed.",
        "Connected over IPv4.",
        "Converted, read as utf-8 (meta).",
        "site_blocked: the title says so; a mark",
        "Written as failed, site_blocked: told by the test",
    ):
        assert said in texts


async def test_an_item_without_an_end_says_what_it_waits_for(api: Api, pool: Pool) -> None:
    worker = Worker(pool, Blobs(api.settings.packs_url))
    opened = (await api.client.post("/v1/batches", json={"open": True, "urls": ["https://o.example/"]})).json()
    made = await api.create("https://a.example/x", "https://a.example/y", "https://a.example/z")
    ids = {
        row["custom_id"]: row["id"]
        for batch in (opened, made)
        for row in (await api.get(f"/v1/batches/{batch['id']}/items", status="pending"))["items"]
    }
    (waits,) = [value for name, value in ids.items() if name.startswith("auto_")]
    told = await explain(api, waits)
    assert (told["status"], told["waiting_for"]["what"]) == ("pending", "start")
    assert told["waiting_for"]["text"].endswith(f"/v1/batches/{opened['id']}/start lets it run.")

    async def what() -> list[str | None]:
        told = [await explain(api, ids[name]) for name in ("c0", "c1", "c2")]
        return [one["waiting_for"] and one["waiting_for"]["what"] for one in told]

    assert await what() == ["queue"] * 3
    claim = await worker.claim()
    assert claim is not None
    assert (await explain(api, ids["c0"]))["status"] == "processing"
    await worker.settle(claim, claim.items[:1])
    assert await what() == [None, "worker", "worker"]
    later, now = Rest([1], timedelta(minutes=5), claim.dispatched_at, {"1": [REFUSED]}), Rest([2], host="a.example")
    async with pool.acquire() as connection:
        await shards.end(connection, claim.shard, claim.lease, [later, now])
    assert await what() == [None, "retry", "queue"]
    retried = await explain(api, ids["c1"])
    assert retried["attempts"] == 1
    assert [step["what"] for step in retried["timeline"]][-1] == "failed"
    assert datetime.fromisoformat(retried["waiting_for"]["until"]) > datetime.now(UTC)
    await pool.execute("UPDATE shard SET state = 'waiting' WHERE 2 = ANY (ords)")
    assert await what() == [None, "retry", "bucket"]
    async with pool.acquire() as connection:
        await hosts.note(connection, claim.bucket, [Note("a.example", paused=60.0, strikes=1)])
    assert await what() == [None, "host", "host"]
    paused = (await explain(api, ids["c2"]))["waiting_for"]
    assert paused["text"].startswith("a.example has asked for fewer requests, and is left alone until ")
    await pool.execute("DELETE FROM shard")
    assert await what() == [None, "upkeep", "upkeep"]
    async with pool.acquire() as connection:
        await batches.stop(connection, claim.batch, Outcome.CANCELLED)
    stopped = await explain(api, ids["c2"])
    assert (stopped["status"], stopped["code"], stopped["waiting_for"]) == ("cancelled", "cancelled", None)
    assert stopped["remedy"].startswith(
        "Retry it if it is wanted after all: the batch was cancelled before it was tried."
    )
    assert stopped["timeline"][-1]["what"] == "settled"


@pytest.mark.parametrize("name", ["ret_" + "a" * 26, "nonsense", "%00", "ret_ß" + "a" * 25])
async def test_what_is_no_item_is_not_found(api: Api, name: str) -> None:
    answer = await api.client.get(f"/v1/items/{name}/explain")
    assert (answer.status_code, answer.json()["code"]) == (404, "content_not_found")
