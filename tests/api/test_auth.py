"""Keys: who gets in, what they may do, and for how long."""

import itertools
import math
import re
import time
from datetime import timedelta
from uuid import UUID

import httpx
from fastapi import FastAPI
from tests.api.conftest import Api, routes_of

from thresher.api.auth import KnownKeys
from thresher.domain.scopes import Scope
from thresher.storage import keys
from thresher.storage.accounts import Account
from thresher.storage.database import Pool

ANY_KEY = {"/v1/account"}
ASKED_BY_POST = {"/api/v1/beta/files/query"}


UNKNOWN = ("Bearer wrong", "Bearer é")


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of everything that a key is needed for."""
    return [
        (method, re.sub(r"\{\w+\}", "batch_x", route.path))
        for route in routes_of(app)
        for method in sorted(route.methods)
    ]


async def test_without_a_known_key_every_route_answers_401_with_the_flag(api: Api) -> None:
    headers = (None, "", "Bearer", "Bearer ", "Basic dGhyOng=", "thr_tests", *UNKNOWN)
    for (method, path), header in itertools.product(routes(api.app), headers):
        request = api.client.build_request(method, path, content=b"not json")
        given = [] if header is None else [(b"authorization", header.encode())]
        request.headers = httpx.Headers([pair for pair in request.headers.raw if pair[0] != b"Authorization"] + given)
        assert len(request.headers.get_list("Authorization")) == len(given)
        response = await api.client.send(request)
        problem = response.json()
        assert (response.status_code, problem["code"]) == (401, "invalid_api_key"), (method, path)
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert path.startswith("/api/") or problem["invalid_api_key"] is True
        assert problem["detail"].startswith(
            "Your API key is invalid" if header in UNKNOWN else "An API key is required"
        )


async def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    made = await api.create("https://a.example/")
    response = await api.client.get(f"/v1/batches/{made['id']}", headers={"Authorization": "bEARER thr_tests"})
    assert response.status_code == 200


async def test_a_key_with_scopes_may_do_what_they_say_on_every_route_and_nothing_else(api: Api, pool: Pool) -> None:
    async with pool.acquire() as connection:
        for scope in Scope:
            await keys.create(connection, 1, f"thr_{scope}", "test", scopes=[scope])
        await keys.create(connection, 1, "thr_both", "test", scopes=list(Scope))
    for method, path in routes(api.app):
        needed = None if path in ANY_KEY else Scope.READ if method == "GET" or path in ASKED_BY_POST else Scope.WRITE
        for key in (*Scope, "both"):
            answer = await api.client.request(method, path, headers={"Authorization": f"Bearer thr_{key}"})
            refused = needed not in (None, key) and key != "both"
            assert (answer.status_code == 403) == refused, (method, path, key)
            if refused:
                problem = answer.json()
                assert problem["code"] == "access_denied"
                assert problem["detail"] == f"This needs the scope {needed}, and the key has only {key}."


async def test_a_key_that_is_revoked_or_expires_is_refused_like_an_unknown_one(api: Api, pool: Pool) -> None:
    async with pool.acquire() as connection:
        made = await keys.create(connection, 1, "thr_revoked", "test")
        await keys.create(connection, 1, "thr_short", "test", timedelta(seconds=0.3))
    began = time.monotonic()

    async def status(key: str) -> int:
        answer = await api.client.get("/v1/account", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200 or answer.json()["invalid_api_key"] is True
        return answer.status_code

    assert await status("thr_revoked") == 200
    while await status("thr_short") == 200:
        assert time.monotonic() - began < 2, "an expiry does not wait for the memory of keys"
    assert time.monotonic() - began >= 0.2
    async with pool.acquire() as connection:
        await keys.revoke(connection, made.id)
    assert await status("thr_revoked") == 200, "for a few seconds"
    api.app.state.known_keys = KnownKeys()
    assert await status("thr_revoked") == 401


def account(number: int, key_hash: bytes, left: float = math.inf) -> Account:
    return Account(number, UUID(int=1), UUID(int=2), key_hash, left=left)


def test_known_keys_are_bounded_and_expire() -> None:
    known, now = KnownKeys(most=2), time.monotonic()
    for number in range(3):
        known.add(account(number, bytes([number])), now)
    assert known.get(b"\0") is None
    assert known.get(b"\2") == account(2, b"\2")
    for ttl, asked, left in ((5.0, now - 5, math.inf), (5.0, now - 1, 1.0), (0.0, now, 9.0)):
        expired = KnownKeys(ttl)
        expired.add(account(1, b"k", left), asked)
        assert expired.get(b"k") is None
