"""What is another account's looks like what does not exist, on every route that there is."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from tests.api.conftest import Api, routes_of
from tests.api.worker import Worker

from thresher.domain import ids
from thresher.domain.failure import FailureCode
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool


@dataclass(frozen=True, slots=True)
class Names:
    """What a path or a query may name. The attributes are called as the routes call their parameters."""

    batch_id: str
    retrieve_id: str
    event_id: str
    parser_id: str


Call = dict[str, Any]  # what httpx is told beside the method and the path

# How each route is asked. A new one that names something belongs here; what it names, if new, into Names.
CALLS: dict[str, Callable[[Names], Call]] = {
    "GET /v1/batches/{batch_id}": lambda _: {},
    "GET /v1/batches/{batch_id}/items": lambda _: {},
    "GET /v1/batches/{batch_id}/export": lambda _: {},
    "GET /v1/batches/{batch_id}/diff": lambda names: {"params": {"with": names.batch_id}},
    "GET /v1/items/{retrieve_id}/explain": lambda _: {},
    "GET /v1/retrieve": lambda names: {"params": {"retrieve_id": names.retrieve_id}},
    "POST /v1/batches/{batch_id}/items": lambda _: {"json": {"items": [{"url": "https://b.example/"}]}},
    "GET /v1/batches/{batch_id}/deliveries": lambda _: {},
    "POST /v1/batches/{batch_id}/deliveries/{event_id}/resend": lambda _: {},
    "GET /v1/webhooks/events/{event_id}": lambda _: {},
    "POST /v1/batches/{batch_id}/start": lambda _: {},
    "POST /v1/batches/{batch_id}/cancel": lambda _: {},
    "POST /v1/batches/{batch_id}/retry": lambda _: {},
    "POST /v1/batches/{batch_id}/apply": lambda _: {},
    "PATCH /v1/batches/{batch_id}": lambda _: {"json": {"metadata": {"k": "v"}}},
    "DELETE /v1/batches/{batch_id}": lambda _: {},
    "GET /v1/parsers/{parser_id}": lambda _: {},
    "DELETE /v1/parsers/{parser_id}": lambda _: {},
}


def routes(app: FastAPI) -> Iterator[str]:
    """Method and path of each route under which something is named, but for those that make what they name."""
    for route in routes_of(app):
        if route.path.startswith("/api/"):  # tests/api/llamacloud/test_strangers.py
            continue
        queries = {parameter.alias for parameter in route.dependant.query_params}
        if route.dependant.path_params or any(name == "id" or name.endswith("_id") for name in queries):
            yield from (f"{method} {route.path_format}" for method in route.methods - {"PUT"})


async def ask(api: Api, call: str, names: Names, key: str) -> httpx.Response:
    method, path = call.split(" ")
    headers = {"Authorization": f"Bearer {key}"}
    return await api.client.request(method, path.format(**asdict(names)), headers=headers, **CALLS[call](names))


def seen(answer: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """All of an answer but what differs in any two."""
    body = {name: value for name, value in answer.json().items() if name not in ("id", "created")}
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "content-length")}
    return answer.status_code, body, headers


async def test_what_is_anothers_looks_like_what_is_not_there_on_every_route(
    api: Api, pool: Pool, stranger: str
) -> None:
    assert set(routes(api.app)) == set(CALLS)
    secret = api.app.state.thresher.secret
    done, purged = [await api.create("https://a.example/", webhook="https://hooks.example/") for _ in range(2)]
    await Worker(pool, Blobs(api.settings.packs_url)).work(lambda _: FailureCode.PARSER_FAILED)
    opened = (await api.client.post("/v1/batches", json={"open": True, "urls": ["https://a.example/"]})).json()
    owned = []
    for batch in (done, purged, opened):
        key = await pool.fetchval("SELECT id FROM batch WHERE public_id = $1", batch["id"])
        event = await pool.fetchval("SELECT id FROM event WHERE batch_id = $1", key)
        parser = f"shop-{key}"
        await api.client.put(f"/v1/parsers/{parser}", json={"fields": {"title": "h1"}})
        owned.append(Names(batch["id"], ids.retrieve_id(secret, key, 0), event or "event_bbbbbbbbbbbbbbbb", parser))
    await api.client.delete(f"/v1/batches/{purged['id']}")
    unknown = Names("batch_aaaaaaaaaaaa", ids.retrieve_id(secret, 10**6, 0), "event_aaaaaaaaaaaaaaaa", "no-shop")

    everything = (
        "SELECT * FROM batch_progress p, batch b LEFT JOIN event e ON e.batch_id = b.id,"
        " parser ORDER BY p.batch_id, b.id"
    )
    before = await pool.fetch(everything)
    for call in CALLS:
        nothing = await ask(api, call, unknown, stranger)
        assert nothing.status_code == 404, call
        assert seen(await ask(api, call, unknown, "thr_tests")) == seen(nothing), call
        for names in owned:
            assert seen(await ask(api, call, names, stranger)) == seen(nothing), call
    assert await pool.fetch(everything) == before

    for call in sorted(CALLS, reverse=True):  # the delete last
        assert (await ask(api, call, owned[0], "thr_tests")).status_code in (200, 409), f"{call} is not asked rightly"
        assert (await ask(api, call, owned[1], "thr_tests")).status_code in (200, 410), call
    recent = await api.client.get("/v1/batches/recent", headers={"Authorization": f"Bearer {stranger}"})
    assert recent.json() == {"object": "list", "data": []}
