"""Keys, and what a stranger sees: nothing."""

import pytest
from tests.api.conftest import Api
from tests.api.worker import Worker

from thresher.api.auth import KnownKeys
from thresher.domain import ids
from thresher.storage.accounts import Account
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

ROUTES = [
    ("POST", "/v1/batches"),
    ("GET", "/v1/batches/batch_x"),
    ("DELETE", "/v1/batches/batch_x"),
    ("GET", "/v1/batches/batch_x/items"),
    ("GET", "/v1/batches/recent"),
    ("POST", "/v1/batches/batch_x/items"),
    ("POST", "/v1/batches/batch_x/start"),
    ("POST", "/v1/batches/batch_x/cancel"),
    ("GET", "/v1/retrieve"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic dGhyOng=", "thr_tests", "Bearer wrong", "Bearer é"]
)
async def test_without_a_known_key_every_route_answers_401_with_the_flag(
    api: Api, method: str, path: str, header: str | None
) -> None:
    request = api.client.build_request(method, path, content=b"not json")
    del request.headers["Authorization"]
    if header is not None:
        request.headers.raw.append((b"authorization", header.encode()))
    response = await api.client.send(request)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["code"] == "invalid_api_key"
    assert response.json()["invalid_api_key"] is True


async def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    made = await api.create("https://a.example/")
    response = await api.client.get(f"/v1/batches/{made['id']}", headers={"Authorization": "bEARER thr_tests"})
    assert response.status_code == 200


async def test_a_strangers_batch_looks_like_an_unknown_one_on_every_route(api: Api, pool: Pool, stranger: str) -> None:
    made = await api.create("https://a.example/")
    await Worker(pool, Blobs(api.settings.packs_url)).work()
    item = (await api.get(f"/v1/batches/{made['id']}/items"))["items"][0]
    theirs = {"Authorization": f"Bearer {stranger}"}
    unknown_id = ids.retrieve_id(api.app.state.thresher.secret, 999, 0)
    for known, unknown in [
        (f"/v1/batches/{made['id']}", "/v1/batches/batch_aaaaaaaaaaaa"),
        (f"/v1/batches/{made['id']}/items", "/v1/batches/batch_aaaaaaaaaaaa/items"),
        (f"/v1/batches/{made['id']}/items?status=failed", "/v1/batches/batch_aaaaaaaaaaaa/items?status=failed"),
        (f"/v1/retrieve?retrieve_id={item['retrieve_id']}", f"/v1/retrieve?retrieve_id={unknown_id}"),
    ]:
        assert (await api.client.get(known)).status_code == 200
        seen = await api.client.get(known, headers=theirs)
        missing = await api.client.get(unknown, headers=theirs)
        assert seen.status_code == missing.status_code == 404
        shown = ("id", "created")
        assert {k: v for k, v in seen.json().items() if k not in shown} == {
            k: v for k, v in missing.json().items() if k not in shown
        }


async def test_a_revoked_key_is_refused_once_it_is_forgotten(api: Api, pool: Pool, stranger: str) -> None:
    theirs = {"Authorization": f"Bearer {stranger}"}
    assert (await api.client.get("/v1/batches/batch_x", headers=theirs)).status_code == 404
    async with pool.acquire() as connection:
        await connection.execute("UPDATE api_key SET revoked_at = now() WHERE name = 'test'")
    api.app.state.known_keys = KnownKeys()
    assert (await api.client.get("/v1/batches/batch_x", headers=theirs)).status_code == 401


def test_known_keys_are_bounded_and_expire() -> None:
    keys = KnownKeys(most=2)
    for number in range(3):
        keys.add(bytes([number]), Account(number))
    assert keys.get(b"\0") is None
    assert keys.get(b"\2") == Account(2)
    expired = KnownKeys(ttl=-1)
    expired.add(b"k", Account(1))
    assert expired.get(b"k") is None
