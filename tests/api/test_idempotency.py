"""Idempotency-Key: a repeated POST is answered as the first one was, and nothing is done twice, whoever dies in between."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from tests.api.conftest import KEY, Api
from tests.api.test_serve import free_port, process, until_healthy

from thresher.domain.problem import Problem, ProblemCode
from thresher.settings import Settings
from thresher.storage import idempotency, submit
from thresher.storage.database import Connection, Pool

BODY = json.dumps({"items": [{"url": "https://a.example/1", "custom_id": "a"}], "metadata": {"n": 1}})


async def post(api: Api, key: str, path: str = "/v1/batches", body: str = BODY, **headers: str) -> httpx.Response:
    return await api.client.post(path, content=body, headers={"Idempotency-Key": key, **headers})


def is_first(answer: httpx.Response) -> bool:
    return "idempotent-replayed" not in answer.headers


def is_replay_of(answer: httpx.Response, first: httpx.Response) -> bool:
    parts = [(a.status_code, a.headers["content-type"], a.content) for a in (answer, first)]
    return parts[0] == parts[1] and answer.headers.get("idempotent-replayed") == "true"


async def count(pool: Pool) -> int:
    made: int = await pool.fetchval("SELECT count(*) FROM batch")
    return made


async def test_a_repeated_create_is_answered_alike_byte_for_byte_whatever_became_of_the_batch(
    api: Api, pool: Pool
) -> None:
    first = await post(api, "k")
    assert (first.status_code, is_first(first)) == (200, True)
    await api.client.post(f"/v1/batches/{first.json()['id']}/cancel")
    again = await api.client.post("/v1/batches", content=BODY, headers={"IDEMPOTENCY-KEY": "k"})
    assert is_replay_of(again, first)
    assert is_first(other := await post(api, "k" * 255))
    assert other.json()["id"] != first.json()["id"]
    assert await count(pool) == 2


async def test_another_request_under_a_key_is_refused_before_it_is_looked_at(api: Api, pool: Pool) -> None:
    assert is_first(await post(api, "k"))
    for path, body in (
        ("/v1/batches", BODY + " "),
        ("/v1/batches", "not even JSON"),
        ("/v1/batches?x=1", BODY),
        ("/v1/batches/batch_1/items", BODY),
    ):
        other = await post(api, "k", path, body)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reuse")
    assert await count(pool) == 1


async def test_a_key_is_its_accounts_and_not_its_api_keys(api: Api, pool: Pool, stranger: str) -> None:
    first = await post(api, "k")
    theirs = await post(api, "k", Authorization=f"Bearer {stranger}")
    assert is_first(theirs)
    assert theirs.json()["id"] != first.json()["id"]
    await pool.execute(
        "INSERT INTO api_key (hash, account_id, name) SELECT sha256('second'), account_id, 'second' FROM batch LIMIT 1"
    )
    assert is_replay_of(await post(api, "k", Authorization="Bearer second"), first)


async def test_a_key_that_is_none_or_too_long_is_refused_with_the_limit(api: Api) -> None:
    for key, said in (("", "at least 1 char"), ("k" * 256, "at most 255 char"), ("a\0b", "match pattern")):
        answer = await post(api, key)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
        assert "Idempotency-Key" in answer.json()["detail"]
        assert said in answer.json()["detail"]


async def test_what_is_refused_leaves_its_key_free_and_nothing_behind(
    api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await post(api, "k", body="{}")).status_code == 400
    assert (await post(api, "k", Authorization="Bearer unknown")).status_code == 401
    create = submit.create

    async def refuse(connection: Connection, new: submit.NewBatch) -> Any:
        await create(connection, new)
        raise Problem(code, "for the test")

    with monkeypatch.context() as patched:
        patched.setattr(submit, "create", refuse)
        for code in (ProblemCode.RATE_LIMIT_EXCEEDED, ProblemCode.SERVICE_UNAVAILABLE, ProblemCode.ACCESS_DENIED):
            assert (await post(api, "k")).json()["code"] == code
            assert await count(pool) == 0
    assert is_first(made := await post(api, "k"))
    assert (made.status_code, await count(pool)) == (200, 1)


async def test_want_of_credits_is_answered_alike_under_a_key_also_when_there_are_some_again(
    api: Api, pool: Pool
) -> None:
    opened = (await api.client.post("/v1/batches", json={"open": True})).json()["id"]
    await pool.execute("UPDATE account SET credit_limited = true")
    made, added = await post(api, "made"), await post(api, "added", f"/v1/batches/{opened}/items")
    assert (made.status_code, is_first(made), made.json()["metadata"]) == (402, True, {"n": "1"})
    assert (added.status_code, is_first(added), added.json()["total"]) == (402, True, 0)
    await pool.execute("UPDATE account SET credit_limited = false")
    assert is_replay_of(await post(api, "made"), made)
    assert is_replay_of(await post(api, "added", f"/v1/batches/{opened}/items"), added)
    assert await pool.fetchval("SELECT count(*) FROM item") == 0
    assert is_first(again := await post(api, "another"))
    assert (again.status_code, await count(pool)) == (200, 2)


async def test_a_key_is_free_again_after_24_hours_and_its_answer_is_deleted(api: Api, pool: Pool) -> None:
    first = await post(api, "k")
    row = await pool.fetchrow("UPDATE idempotency SET expires_at = now() RETURNING expires_at - created_at AS kept")
    assert row is not None
    assert row["kept"].total_seconds() < 60
    second = await post(api, "k", body=BODY + " ")
    assert (is_first(second), second.json()["id"] != first.json()["id"]) == (True, True)
    assert await pool.fetchval("SELECT expires_at - created_at FROM idempotency") == idempotency.KEPT
    async with pool.acquire() as connection:
        await idempotency.forget(connection)
        assert await connection.fetchval("SELECT count(*) FROM idempotency") == 1
        await connection.execute("UPDATE idempotency SET expires_at = now()")
        await idempotency.forget(connection)
        assert await connection.fetchval("SELECT count(*) FROM idempotency") == 0


async def test_an_append_is_repeated_without_appending_twice_also_after_the_start(api: Api) -> None:
    path = f"/v1/batches/{(await api.client.post('/v1/batches', json={'open': True})).json()['id']}"
    first = await post(api, "k", f"{path}/items")
    assert (first.status_code, first.json()["total_urls"]) == (200, 1)
    assert is_replay_of(await post(api, "k", f"{path}/items"), first)
    conflict = await post(api, "other", f"{path}/items?offset=0")
    assert (conflict.status_code, conflict.json()["total"]) == (409, 1)
    assert (
        await post(api, "other", f"{path}/items?offset=1")
    ).status_code == 200  # it left the key free: another request
    await post(api, "ignored", f"{path}/start", body="")
    assert is_first(await post(api, "ignored", f"{path}/start", body="x"))
    assert is_replay_of(await post(api, "k", f"{path}/items"), first)
    assert (await api.get(path))["total_urls"] == 2
    lines = {"Content-Type": "application/x-ndjson"}
    refused = await post(api, "lines", f"{path}/items", **lines)
    assert (refused.status_code, "`offset`" in refused.json()["detail"]) == (400, True)


# Whoever writes an answer waits here, in the statement itself or in the commit, until the test lets it go on.
_HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF new.key = 'held' THEN PERFORM pg_advisory_xact_lock(99, 0); END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON idempotency DEFERRABLE INITIALLY {when}
    FOR EACH ROW EXECUTE FUNCTION hold()
"""

_HELD = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE locktype = 'advisory' AND classid = $1 AND granted = $2 AND datname = current_database()
"""


async def until_locks(connection: Connection, number: int, granted: bool, count: int) -> None:
    async with asyncio.timeout(20):
        while await connection.fetchval(_HELD, number, granted) != count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("when", "made"), [("IMMEDIATE", 0), ("DEFERRED", 1)])
async def test_a_server_killed_before_the_commit_leaves_nothing_and_one_killed_before_its_answer_all_of_it(
    api: Api, pool: Pool, when: str, made: int
) -> None:
    port = free_port()
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "held"}
    await pool.execute(_HOLD.format(when=when))
    async with (
        process(api.settings, port) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client,
        pool.acquire() as gate,
    ):
        await until_healthy(client)
        await gate.execute("SELECT pg_advisory_lock(99, 0)")
        lost = asyncio.create_task(client.post("/v1/batches", content=BODY))
        await until_locks(gate, 99, granted=False, count=1)
        busy = await post(api, "held")
        assert (busy.status_code, busy.json()["code"]) == (409, "idempotency_key_in_progress")
        assert busy.headers["retry-after"] == "1"
        server.kill()
        with pytest.raises(httpx.TransportError):
            await lost
        await gate.execute("SELECT pg_advisory_unlock(99, 0)")
        await until_locks(gate, 3, granted=True, count=0)
    assert await count(pool) == made
    answer = await post(api, "held")
    assert (answer.status_code, is_first(answer)) == (200, not made)
    assert await pool.fetchval("SELECT public_id FROM batch") == answer.json()["id"]
    assert await count(pool) == 1


async def test_a_hundred_requests_at_once_under_one_key_make_one_batch(api_settings: Settings, pool: Pool) -> None:
    port = free_port()
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "k"}
    limits = httpx.Limits(max_connections=100)
    async with (
        process(api_settings, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60, limits=limits) as client,
    ):
        await until_healthy(client)
        answers = await asyncio.gather(*(client.post("/v1/batches", content=BODY) for _ in range(100)))
        done = [answer for answer in answers if answer.status_code == 200]
        assert [is_first(answer) for answer in done].count(True) == 1
        assert len({answer.content for answer in done}) == 1
        assert {answer.json()["code"] for answer in answers if answer not in done} <= {"idempotency_key_in_progress"}
        assert is_replay_of(await client.post("/v1/batches", content=BODY), next(a for a in done if is_first(a)))
    assert await count(pool) == 1
