"""What is another account's looks like what does not exist, on every route of the parse API."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from tests.api.conftest import KEY, Api, routes_of

from thresher.storage.database import Pool


@dataclass(frozen=True, slots=True)
class Names:
    """What a path, a query or a body may name. The attributes are called as the routes call their parameters."""

    directory_id: str


Call = dict[str, Any]  # what httpx is told beside the method and the path

DIRECTORIES = "/api/v1/beta/directories"

# How each route is asked that names something. What it names, if new, into Names, and into `owned`.
CALLS: dict[str, Callable[[Names], Call]] = {
    f"GET {DIRECTORIES}/{{directory_id}}": lambda _: {},
    f"PATCH {DIRECTORIES}/{{directory_id}}": lambda _: {"json": {"name": "renamed"}},
    f"DELETE {DIRECTORIES}/{{directory_id}}": lambda _: {},
}

# Lists, which are to be empty for a stranger.
LISTS = {f"GET {DIRECTORIES}"}

# What names nothing but what it makes.
MAKES = {f"POST {DIRECTORIES}"}

TABLES = ("directory", "directory_file", "file", "content", "batch", "batch_progress", "item")


def routes(app: FastAPI) -> Iterator[str]:
    for route in routes_of(app):
        if route.path.startswith("/api/"):
            yield from (f"{method} {route.path_format}" for method in route.methods)


async def ask(api: Api, call: str, names: Names, key: str) -> httpx.Response:
    method, path = call.split(" ")
    headers = {"Authorization": f"Bearer {key}"}
    return await api.client.request(method, path.format(**asdict(names)), headers=headers, **CALLS[call](names))


def seen(answer: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """All of an answer but what differs in any two."""
    body = {name: value for name, value in answer.json().items() if name != "id"}
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "content-length")}
    return answer.status_code, body, headers


async def owned(api: Api) -> Names:
    """One of each, of the account of KEY."""
    directory = (await api.client.post(DIRECTORIES, json={"name": "inbox"})).json()
    return Names(directory["id"])


async def everything(pool: Pool) -> list[Any]:
    return [await pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES]


async def test_what_is_anothers_looks_like_what_is_not_there_on_every_route(
    api: Api, pool: Pool, stranger: str
) -> None:
    assert set(routes(api.app)) == {*CALLS, *LISTS, *MAKES}
    own, unknown = await owned(api), Names(f"dir-{uuid4()}")
    before = await everything(pool)
    for call in CALLS:
        nothing = await ask(api, call, unknown, stranger)
        assert nothing.status_code == 404, call
        assert seen(await ask(api, call, unknown, KEY)) == seen(nothing), call
        assert seen(await ask(api, call, own, stranger)) == seen(nothing), call
    for call in LISTS:
        found = await api.client.get(call.removeprefix("GET "), headers={"Authorization": f"Bearer {stranger}"})
        assert (found.status_code, found.json()["items"]) == (200, []), call
    assert await everything(pool) == before

    for call in sorted(CALLS, key=lambda call: call.startswith("DELETE")):
        assert (await ask(api, call, own, KEY)).status_code in (200, 201, 204), f"{call} is not asked rightly"
