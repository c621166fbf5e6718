"""The rate limit of a key: exact, in the whole cluster, and told in every answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import pytest
from tests.api.conftest import Api, running, settings_for

from thresher.settings import Settings
from thresher.storage import pace
from thresher.storage.database import Pool

LIMIT = 6


@pytest.fixture
async def cluster(api_settings: Settings) -> AsyncIterator[list[Api]]:
    """Two processes' worth of an API that takes six requests a minute from a key."""
    settings = settings_for(str(api_settings.database_url), api_settings.data_dir, requests_per_minute=LIMIT)
    async with AsyncExitStack() as apis:
        yield [await apis.enter_async_context(running(settings)) for _ in range(2)]


async def passes(pool: Pool, seconds: float) -> None:
    """Let time pass: what is remembered moves into the past instead."""
    await pool.execute("UPDATE request_pace SET due = due - $1 * interval '1 second'", seconds)


def told(headers: Mapping[str, str]) -> tuple[str | None, ...]:
    return tuple(headers.get(f"RateLimit-{name}") for name in ("Policy", "Limit", "Remaining"))


async def test_a_key_makes_exactly_its_requests_a_minute_in_the_whole_cluster(cluster: list[Api], pool: Pool) -> None:
    answers = await asyncio.gather(*(cluster[n % 2].client.get("/v1/account") for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * LIMIT + [429] * (20 - LIMIT)
    assert sorted(int(a.headers["RateLimit-Remaining"]) for a in answers if a.status_code == 200) == list(range(LIMIT))
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "rate_limit_exceeded"
    assert "6 requests in a minute" in refused.json()["detail"]
    assert told(refused.headers) == ("6;w=60", "6", "0")
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    assert 50 <= int(refused.headers["RateLimit-Reset"]) <= 60

    await passes(pool, int(refused.headers["Retry-After"]))
    assert (await cluster[0].client.get("/v1/account")).status_code == 200, "as it was told"
    assert (await cluster[1].client.get("/v1/account")).status_code == 429, "what was refused was not counted"

    # However the requests are spread, the pace holds: of two minutes in which somebody always asks, and a first allowance.
    allowed = 0
    for _ in range(48):
        await passes(pool, 2.5)
        allowed += (await cluster[0].client.get("/v1/account")).status_code == 200
    assert allowed in (12, 13)
    assert (await cluster[0].client.get("/v1/account", headers={"Authorization": "Bearer x"})).status_code == 401
    assert await pool.fetchval("SELECT count(*) FROM request_pace") == 1, "who is refused for the key has no row"
    await passes(pool, 61)
    async with pool.acquire() as connection:
        await pace.forget(connection)
    assert await pool.fetchval("SELECT count(*) FROM request_pace") == 0


async def test_every_answer_to_a_limited_key_says_what_is_left(cluster: list[Api]) -> None:
    api = cluster[0]
    for remaining, (method, path, status) in zip(
        range(LIMIT - 1, -1, -1),
        [
            ("GET", "/v1/account", 200),
            ("GET", "/v1/batches/batch_x", 404),
            ("POST", "/v1/batches", 400),
            ("GET", "/v1/retrieve", 400),
            ("DELETE", "/v1/batches/batch_x", 404),
            ("GET", "/v1/batches/recent", 200),
        ],
        strict=True,
    ):
        answer = await api.client.request(method, path)
        assert (answer.status_code, *told(answer.headers)) == (status, "6;w=60", "6", str(remaining))
    assert "RateLimit-Limit" not in (await api.client.get("/healthz")).headers
    unknown = await api.client.get("/v1/account", headers={"Authorization": "Bearer x"})
    assert (unknown.status_code, "RateLimit-Limit" in unknown.headers) == (401, False)
    api.app.state.thresher.pool.terminate()
    away = await api.client.get("/v1/account")
    assert (away.status_code, away.json()["code"]) == (503, "service_unavailable")


async def test_an_allowance_is_whole_whatever_a_minute_is_divided_by(pool: Pool) -> None:
    for per_minute in (1, 7, 9, 11):
        async with pool.acquire() as connection:
            key = b"%d" % per_minute
            left = [(await pace.count(connection, key, per_minute)).remaining for _ in range(per_minute)]
            assert left == list(reversed(range(per_minute)))
            refused = await pace.count(connection, key, per_minute)
            assert (refused.allowed, refused.remaining) == (False, 0)
            assert refused.reset == pytest.approx(60, abs=2)
            assert refused.wait == pytest.approx(60 / per_minute, abs=2)


async def test_without_a_limit_there_is_no_query_and_no_header(api: Api, pool: Pool) -> None:
    answer = await api.client.get("/v1/account")
    assert (answer.status_code, told(answer.headers)) == (200, (None, None, None))
    await pool.execute("DROP TABLE request_pace")
    assert (await api.client.get("/v1/account")).status_code == 200
