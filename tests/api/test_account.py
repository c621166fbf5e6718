"""What a key is good for, and what becomes of a request that cannot be paid for."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from tests.api.conftest import Api, running, settings_for
from tests.api.worker import Worker

from thresher.api import state
from thresher.domain import ids
from thresher.domain.failure import FailureCode
from thresher.domain.scopes import Scope
from thresher.settings import Settings
from thresher.storage import accounts, keys, ledger
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

URLS = [f"https://s{n}.example/" for n in range(3)]


@pytest.fixture
async def acme(pool: Pool, api_settings: Settings) -> int:
    """An account with ten credits, whose keys are `thr_acme` and, for one hour and to read with, `thr_reader`."""
    async with pool.acquire() as connection:
        account = await accounts.create(connection, "acme", 10)
        assert account is not None
        await keys.create(connection, account, "thr_acme", "all")
        await keys.create(connection, account, "thr_reader", "reader", timedelta(hours=1), [Scope.READ])
    return account


async def test_an_account_shows_its_key_and_what_its_batches_reserve_and_consume(
    api_settings: Settings, acme: int, pool: Pool
) -> None:
    settings = settings_for(str(api_settings.database_url), api_settings.data_dir, usd_per_credit=0.1)
    async with running(settings, "thr_acme") as api:
        made = await api.create(*URLS)
        assert (made["credits_consumed"], made["cost_usd"]) == (None, None)
        before = await api.get("/v1/account")
        assert before.pop("id")
        assert before == {
            "object": "account",
            "name": "acme",
            "key": {
                "id": ids.key_hash("thr_acme").hex()[:8],
                "name": "all",
                "scopes": ["read", "write"],
                "expires_at": None,
            },
            "credits": {"unlimited": False, "available": 7, "reserved": 3, "consumed": 0},
            "requests_per_minute": None,
        }
        await Worker(pool, Blobs(settings.packs_url)).work(
            lambda item: FailureCode.TIMEOUT if item.custom_id == "c0" else None
        )
        done = await api.get(f"/v1/batches/{made['id']}")
        assert (done["credits_consumed"], done["cost_usd"]) == (2, 0.2)
        reader = (await api.client.get("/v1/account", headers={"Authorization": "Bearer thr_reader"})).json()
        assert reader["credits"] == {"unlimited": False, "available": 8, "reserved": 0, "consumed": 2}
        assert reader["key"]["scopes"] == ["read"]
        assert reader["key"]["expires_at"] > done["created"]
        first = (await api.client.get("/v1/account", headers={"Authorization": "Bearer thr_tests"})).json()
        assert first["credits"] == {"unlimited": True, "available": None, "reserved": 0, "consumed": 0}


async def test_what_cannot_be_paid_for_is_a_402_with_the_numbers_and_nothing_of_it_exists(
    api: Api, acme: int, pool: Pool
) -> None:
    api.client.headers["Authorization"] = "Bearer thr_acme"
    opened = (await api.client.post("/v1/batches", json={"open": True, "urls": URLS * 2})).json()

    def refused(answer: httpx.Response, needed: int) -> dict[str, object]:
        problem: dict[str, object] = answer.json()
        assert (answer.status_code, problem["code"]) == (402, "credits_exhausted")
        assert problem["usage_limit_reached"] is True
        assert problem["detail"] == f"This needs {needed} credits, and the account has 4 available."
        assert problem["message"] == problem["detail"]
        return problem

    refused(await api.client.post("/v1/batches", json={"urls": [*URLS, *URLS]}), 6)
    append = f"/v1/batches/{opened['id']}/items"
    assert refused(await api.client.post(append, json={"items": [{"url": u} for u in URLS * 2]}), 6)["total"] == 6
    lines = b"".join(b'{"url": "https://s.example/%d"}\n' % n for n in range(5))
    headers = {"Content-Type": "application/x-ndjson"}
    assert refused(await api.client.post(append, content=lines, headers=headers), 5)["total"] == 6
    assert [batch["total_urls"] for batch in (await api.get("/v1/batches/recent"))["data"]] == [6]
    assert await pool.fetchval("SELECT count(*) FROM item") == 6
    async with pool.acquire() as connection:
        await ledger.grant(connection, acme, 1)
    assert (await api.client.post(append, content=lines, headers=headers)).json()["total_urls"] == 11


async def test_submits_that_wait_for_one_another_leave_the_server_to_the_others(
    api: Api, acme: int, pool: Pool
) -> None:
    theirs = {"Authorization": "Bearer thr_acme"}
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await ledger.hold(connection, acme)  # as a large submit does
        body = {"urls": [URLS[0]]}
        waiting = [asyncio.create_task(api.client.post("/v1/batches", json=body, headers=theirs)) for _ in range(15)]
        async with asyncio.timeout(20):
            while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.005)
            assert (await api.client.get("/v1/account", headers=theirs)).status_code == 200
            await api.create(*URLS)
        await transaction.rollback()
    answers = [(await answer).status_code for answer in waiting]
    assert sorted(answers) == [200] * 10 + [402] * 5


async def test_a_submit_does_not_wait_for_ever_for_one_that_hangs(
    api: Api, acme: int, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.client.headers["Authorization"] = "Bearer thr_acme"
    monkeypatch.setattr(state, "LINE", 0.05)
    async with pool.acquire() as connection, connection.transaction():
        assert await ledger.hold(connection, acme)
        hanging = asyncio.create_task(api.client.post("/v1/batches", json={"urls": [URLS[0]]}))
        async with asyncio.timeout(20):
            while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.005)
            refused = await api.client.post("/v1/batches", json={"urls": [URLS[0]]})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert (await hanging).status_code == 200
    assert (await api.client.post("/v1/batches", json={"urls": [URLS[0]]})).status_code == 200
