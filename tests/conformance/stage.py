"""The application for a run, on a database and a store of its own, with batches in every state and somebody who works."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.api.conftest import KEY, Api, running, settings_for
from tests.api.llamacloud import kit
from tests.api.worker import Worker
from tests.conformance.rules import FILE
from tests.support.files import upload

from thresher.api.app import create_app
from thresher.api.idempotency import MAX_KEY
from thresher.domain.failure import FailureCode
from thresher.storage import accounts, database
from thresher.storage.blobs import Blobs
from thresher.storage.shards import ShardItem

# The document has the limits that are set, and requests are made up to them and beyond.
LIMITS = {"max_items": 20, "max_url_bytes": 512, "max_custom_id_bytes": 64, "max_page": 50}

FILES = "/api/v1/beta/files"

PAUSE = 0.02  # seconds between two looks for work

_LONG_WAIT = re.compile(rb"(^|&)wait=[0-9]+(\.[0-9]+)?(e(%2B|-)?[0-9]+)?(?=&|$)")


@dataclass(frozen=True, slots=True)
class Stage:
    """`ids` has real values, by the parameter that they are for; `signed` the parts of a signed URL, by its operation."""

    app: FastAPI
    key: str
    ids: dict[str, list[str]]
    signed: dict[str, dict[str, str]]


class Unhindered:
    """Around the application: changes what would stand in the way of everything else, to what is just as right.

    The same few idempotency keys come again and again, and are refused for another body: each is made a new one. A batch
    that nobody works on can be awaited for a minute: it is awaited for a moment. One batch is kept, for what can only succeed
    where there is one with results: who wants to delete it deletes another. So with a directory that has files.
    """

    def __init__(self, app: ASGIApp, kept: dict[str, str]) -> None:
        """`kept` has, by the id of each that is kept, another."""
        self._app, self._kept = app, kept
        self._count = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [(name, self._new(name, value)) for name, value in scope["headers"]]
            if scope["method"] == "DELETE":
                for kept, other in self._kept.items():
                    if scope["path"].endswith(kept):
                        scope["path"] = scope["path"].replace(kept, other)
            scope["query_string"] = _LONG_WAIT.sub(rb"\1wait=0.01", scope["query_string"])
        await self._app(scope, receive, send)

    def _new(self, name: bytes, value: bytes) -> bytes:
        right = name == b"idempotency-key" and 0 < len(value) <= MAX_KEY
        return b"%b-%d" % (value[: MAX_KEY - 10], next(self._count)) if right else value


@asynccontextmanager
async def staged(database_url: str, folder: Path) -> AsyncIterator[Stage]:
    """A stage on a migrated database."""
    await accounts.bootstrap(database_url, KEY)
    settings = settings_for(database_url, folder, **LIMITS)
    pool = await database.open_pool(database_url, "worker", size=2)
    worker = Worker(pool, Blobs(settings.packs_url))
    async with running(settings) as api:
        ids = await _seed(api, worker)
        signed = await _signed(api, ids["query.retrieve_id"][0])
    works = asyncio.create_task(_work(worker))
    try:
        app = create_app(settings)
        kept = dict(some[:2] for some in (ids["path.batch_id"], ids["path.directory_id"]))
        app.add_middleware(Unhindered, kept)
        yield Stage(app, KEY, ids, signed)
    finally:
        works.cancel()
        with suppress(asyncio.CancelledError):
            await works
        await pool.close()


async def _seed(api: Api, worker: Worker) -> dict[str, list[str]]:
    urls = ("https://a.example/1", "https://b.example/2")
    done = [await api.create(*urls, webhook="https://hooks.example/") for _ in range(3)]
    await worker.work(_some_fail)
    opened = [await api.create("https://c.example/3", open=True) for _ in range(3)]
    retrieve = [item["id"] for batch in done for item in (await api.get(f"/v1/batches/{batch['id']}/items"))["items"]]
    sent = [event["id"] for batch in done for event in (await api.get(f"/v1/batches/{batch['id']}/deliveries"))["data"]]
    running = await api.create("https://d.example/4")
    unsettled = [
        item["id"] for item in (await api.get(f"/v1/batches/{running['id']}/items", status="pending"))["items"]
    ]
    async with worker.pool.acquire() as connection:
        file = await upload(connection, worker.blobs, "a.txt", b"a", 1)
        await connection.execute("UPDATE file SET id = $2::uuid WHERE id = $1", file.id, FILE)
    definition = {"fields": {"title": "title"}}
    directories, members = await _directories(api)
    file = await kit.put(api, worker.pool, "a.txt", b"some text")
    parsed = await kit.batch_of(worker.pool, [file] * 3)
    await kit.worker(api, worker.pool, {file: b"some text"}).work()
    begun = [
        await kit.batch_of(worker.pool, [file], kind="prs", is_open=True) for _ in range(5)
    ]  # and nobody takes it up
    files = [await _upload(api, name) for name in ("a.txt", "b.txt", "c.txt", "d.txt", "e.txt")]
    jobs = [parsed, *[await kit.batch_of(worker.pool, [file], is_open=True) for _ in range(5)]]
    newer = [await kit.batch_of(worker.pool, [file], kind="bat", is_open=True) for _ in range(5)]
    config = {"config": {"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}}}
    await worker.pool.execute(
        "UPDATE batch SET directory_id = $1::uuid, options = options || $2 WHERE public_id LIKE 'bat-%'",
        directories[0].removeprefix("dir-"),
        config,
    )
    assert (await api.client.put("/v1/parsers/my-shop", json=definition)).status_code == 200
    assert (await api.client.delete(f"/v1/batches/{done.pop()['id']}")).status_code == 200
    async with api.app.state.thresher.connection() as connection:
        account = await connection.fetchrow("SELECT project, org FROM account")
    return {
        "query.project_id": [str(account["project"])],
        "query.organization_id": [str(account["org"])],
        "path.batch_id": [batch["id"] for batch in (*done, *opened)],
        "path.directory_id": directories,
        "path.directory_file_id": members,
        "path.event_id": sent,
        "path.file_id": files,
        "path.parse_batch_id": [batch.public_id for batch in newer],
        "path.item_id": [str(file.id)],
        "path.job_id": [job.public_id for job in jobs],
        "query.with": [batch["id"] for batch in done],
        "path.parse_job_id": [
            *(kit.job_id(api, parsed, n) for n in range(3)),
            *(kit.job_id(api, batch) for batch in begun),
        ],
        "path.parser_id": ["my-shop", "my-shop@1", "@thresher/article"],
        "query.retrieve_id": retrieve,
        "path.retrieve_id": [*retrieve, *unsettled],
    }


async def _directories(api: Api) -> tuple[list[str], list[str]]:
    """Directories, and files in the first. One of these, and its file, have the ids that the examples have."""
    root, nothing = "/api/v1/beta/directories", "00000000-0000-0000-0000-000000000000"
    made = [(await api.client.post(root, json={"name": "d"})).json()["id"] for _ in range(5)]
    members = []
    for n in range(5):
        sent = {"upload_file": (f"{n}.txt", b"text")}
        answer = await api.client.post(f"{root}/{made[0]}/files/upload", files=sent)
        members.append(answer.json()["id"])
    async with api.app.state.thresher.connection() as connection:
        await connection.execute("UPDATE directory_file SET id = $1 WHERE display_name = '0.txt'", nothing)
        await connection.execute(
            "INSERT INTO file (id, account_id, content_id, name, purpose)"
            " SELECT $1, account_id, content_id, 'example.txt', purpose FROM file LIMIT 1",
            nothing,
        )
    return made, [f"dfl-{nothing}", *members[1:]]


async def _signed(api: Api, retrieve_id: str) -> dict[str, dict[str, str]]:
    file_id = await _upload(api, "kept.txt")
    page = urlsplit((await api.get("/v1/retrieve", retrieve_id=retrieve_id))["html_hosted_url"])
    file = urlsplit((await api.get(f"{FILES}/{file_id}/content"))["url"])
    _, _, _, name, content = page.path.split("/")
    return {
        "GET /v1/hosted/{retrieve_id}/{file}": {"path.retrieve_id": name, "path.file": content, **_query(page)},
        f"GET {FILES}/{{file_id}}/download": {"path.file_id": file_id, **_query(file)},
    }


def _query(url: SplitResult) -> dict[str, str]:
    return {f"query.{name}": value for name, value in parse_qsl(url.query)}


async def _upload(api: Api, name: str) -> str:
    answer = await api.client.post(FILES, data={"purpose": "parse"}, files={"file": (name, name.encode())})
    file_id: str = answer.json()["id"]
    return file_id


async def _work(worker: Worker) -> None:
    while True:
        await worker.work(_some_fail)
        await asyncio.sleep(PAUSE)


def _some_fail(item: ShardItem) -> FailureCode | None:
    return FailureCode.TIMEOUT if item.ord % 3 == 1 else None
