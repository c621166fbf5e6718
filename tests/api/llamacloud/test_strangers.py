"""What is another account's looks like what does not exist, on every route of the parse API."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from tests.api.conftest import KEY, Api, routes_of
from tests.api.llamacloud import kit

from thresher.storage.database import Pool


@dataclass(frozen=True, slots=True)
class Names:
    """What a path, a query or a body may name. The attributes are called as the routes call their parameters."""

    directory_id: str
    directory_file_id: str
    file_id: str
    parse_job_id: str
    job_id: str
    item_id: str
    parse_batch_id: str
    name: str = "page-1.jpg"


Call = dict[str, Any]  # what httpx is told beside the method and the path

DIRECTORIES = "/api/v1/beta/directories"
FILES = "/api/v1/beta/files"
MEMBERS = f"{DIRECTORIES}/{{directory_id}}/files"
BATCH_JOBS = "/api/v1/beta/batch-processing"
BATCHES = "/api/v2/batches"
PARSE = "/api/v2/parse"
JOBS = tuple(f"GET {root}/job/{{parse_job_id}}" for root in ("/api/v1/parsing", "/api/parsing"))
RESULTS = ("details", *(f"result/{form}" for form in ("markdown", "text", "json", "raw/markdown", "raw/text")))

PRESET = {"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_FAST"}}

# How each route is asked that names something. What it names, if new, into Names, and into `owned`.
CALLS: dict[str, Callable[[Names], Call]] = {
    f"GET {DIRECTORIES}/{{directory_id}}": lambda _: {},
    f"PATCH {DIRECTORIES}/{{directory_id}}": lambda _: {"json": {"name": "renamed"}},
    f"DELETE {DIRECTORIES}/{{directory_id}}": lambda _: {},
    f"GET {FILES}/{{file_id}}": lambda _: {},
    f"GET {FILES}/{{file_id}}/content": lambda _: {},
    f"DELETE {FILES}/{{file_id}}": lambda _: {},
    f"GET {MEMBERS}": lambda _: {},
    f"POST {MEMBERS}": lambda names: {"json": {"file_id": names.file_id, "unique_id": "another"}},
    f"POST {MEMBERS}/upload": lambda _: {"files": {"upload_file": ("b.txt", b"text")}},
    f"POST {MEMBERS}/bulk-delete": lambda names: {"json": {"directory_file_ids": [names.directory_file_id]}},
    f"GET {MEMBERS}/{{directory_file_id}}": lambda _: {},
    f"PATCH {MEMBERS}/{{directory_file_id}}": lambda names: {"json": {"target_directory_id": names.directory_id}},
    f"DELETE {MEMBERS}/{{directory_file_id}}": lambda _: {},
    f"GET {BATCH_JOBS}/{{job_id}}": lambda _: {},
    f"GET {BATCH_JOBS}/{{job_id}}/items": lambda _: {},
    f"GET {BATCH_JOBS}/items/{{item_id}}/processing-results": lambda _: {},
    f"POST {BATCH_JOBS}": lambda names: {"json": {"job_config": {}, "directory_id": names.directory_id}},
    f"POST {BATCH_JOBS}/{{job_id}}/cancel": lambda _: {"json": {}},
    f"POST {BATCHES}": lambda names: {"json": {"source_directory_id": names.directory_id, "config": PRESET}},
    f"GET {BATCHES}/{{parse_batch_id}}": lambda _: {"params": {"expand": "results"}},
    f"POST {BATCHES}/{{parse_batch_id}}/cancel": lambda _: {},
    f"GET {PARSE}/{{parse_job_id}}": lambda _: {"params": {"expand": "text"}},
    f"POST {PARSE}": lambda names: {"json": {"tier": "fast", "version": "latest", "file_id": names.file_id}},
    **dict.fromkeys(JOBS, lambda _: {}),
    **{f"{job}/{form}": lambda _: {} for job in JOBS for form in RESULTS},
}

# What its owner is refused, too: there are no pictures, and the job is over.
NOWHERE: dict[str, Callable[[Names], Call]] = {
    f"POST {PARSE}/{{parse_job_id}}/cancel": lambda _: {},
    **{f"{job}/result/image/{{name}}": lambda _: {} for job in JOBS},
}

# Lists, which are to be empty for a stranger.
LISTS = {f"GET {path}" for path in (DIRECTORIES, FILES, BATCH_JOBS, BATCHES, PARSE)} | {f"POST {FILES}/query"}

# What names nothing but what it makes.
MAKES = {f"POST {DIRECTORIES}", f"POST {FILES}"} | {f"POST {PARSE}/upload", f"GET {PARSE}/versions"}
MAKES |= {f"POST {root}/upload" for root in ("/api/v1/parsing", "/api/parsing")}

TABLES = ("directory", "directory_file", "file", "content", "batch", "batch_progress", "item")


def routes(app: FastAPI) -> Iterator[str]:
    for route in routes_of(app):
        if route.path.startswith("/api/"):
            yield from (f"{method} {route.path_format}" for method in route.methods)


async def ask(api: Api, call: str, names: Names, key: str) -> httpx.Response:
    method, path = call.split(" ")
    headers = {"Authorization": f"Bearer {key}"}
    return await api.client.request(
        method, path.format(**asdict(names)), headers=headers, **(CALLS | NOWHERE)[call](names)
    )


def seen(answer: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """All of an answer but what differs in any two."""
    body = {name: value for name, value in answer.json().items() if name != "id"}
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "content-length")}
    return answer.status_code, body, headers


async def owned(api: Api, pool: Pool) -> Names:
    """One of each, of the account of KEY."""
    directory = (await api.client.post(DIRECTORIES, json={"name": "inbox"})).json()["id"]
    file = await kit.put(api, pool, "a.txt", b"some text")
    member = await api.client.post(MEMBERS.format(directory_id=directory), json={"file_id": str(file.id)})
    batch = await kit.batch_of(pool, [file])
    await kit.worker(api, pool, {file: b"some text"}).work()
    waiting = await kit.batch_of(pool, [file], is_open=True)
    newer = await kit.batch_of(pool, [file], kind="bat", is_open=True)
    made = (kit.job_id(api, batch), waiting.public_id, str(file.id), newer.public_id)
    return Names(directory, member.json()["id"], str(file.id), *made)


async def everything(pool: Pool) -> list[Any]:
    return [await pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES]


async def test_what_is_anothers_looks_like_what_is_not_there_on_every_route(
    api: Api, pool: Pool, stranger: str
) -> None:
    assert set(routes(api.app)) == {*CALLS, *NOWHERE, *LISTS, *MAKES}
    own = await owned(api, pool)
    made = (f"pjb-{uuid4()}", f"bjb-{uuid4()}", str(uuid4()), f"bat-{uuid4()}")
    unknown = Names(f"dir-{uuid4()}", f"dfl-{uuid4()}", str(uuid4()), *made)
    before = await everything(pool)
    for call in (*CALLS, *NOWHERE):
        nothing = await ask(api, call, unknown, stranger)
        assert nothing.status_code == 404, call
        assert seen(await ask(api, call, unknown, KEY)) == seen(nothing), call
        assert seen(await ask(api, call, own, stranger)) == seen(nothing), call
    for call in LISTS:
        method, path = call.split(" ")
        body = {} if method == "GET" else {"json": {}}
        found = await api.client.request(method, path, headers={"Authorization": f"Bearer {stranger}"}, **body)
        assert (found.status_code, found.json()["items"]) == (200, []), call
    assert await everything(pool) == before

    # What is another's beside one's own directory.
    mine = await api.client.post(DIRECTORIES, json={"name": "x"}, headers={"Authorization": f"Bearer {stranger}"})
    mixed = replace(own, directory_id=mine.json()["id"])
    for call in CALLS.keys() - {f"GET {MEMBERS}", f"POST {MEMBERS}/upload"}:
        if MEMBERS in call:
            assert (await ask(api, call, mixed, stranger)).status_code == 404, call

    for call in CALLS:
        names = await owned(api, pool) if "delete" in call.lower() else own
        done = await ask(api, call, names, KEY)
        assert done.status_code in (200, 201, 204), f"{call} is not asked rightly"
