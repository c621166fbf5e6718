"""The application for a run, on a database and a store of its own, with batches in every state and somebody who works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from tests.api.conftest import KEY, Api, running, settings_for
from tests.api.worker import Worker

from thresher.api.app import create_app
from thresher.domain.failure import FailureCode
from thresher.storage import accounts, database
from thresher.storage.blobs import Blobs
from thresher.storage.shards import ShardItem

PAUSE = 0.02  # seconds between two looks for work


@dataclass(frozen=True, slots=True)
class Stage:
    """`ids` has real values, by the parameter that they are for."""

    app: FastAPI
    key: str
    ids: dict[str, list[str]]


@asynccontextmanager
async def staged(database_url: str, folder: Path) -> AsyncIterator[Stage]:
    """A stage on a migrated database."""
    await accounts.bootstrap(database_url, KEY)
    settings = settings_for(database_url, folder)
    pool = await database.open_pool(database_url, "worker", size=2)
    worker = Worker(pool, Blobs(settings.packs_url))
    async with running(settings) as api:
        ids = await _seed(api, worker)
    works = asyncio.create_task(_work(worker))
    try:
        yield Stage(create_app(settings), KEY, ids)
    finally:
        works.cancel()
        with suppress(asyncio.CancelledError):
            await works
        await pool.close()


async def _seed(api: Api, worker: Worker) -> dict[str, list[str]]:
    done = [await api.create("https://a.example/1", "https://b.example/2") for _ in range(3)]
    await worker.work(_some_fail)
    opened = [await api.create("https://c.example/3", open=True) for _ in range(3)]
    retrieve = [item["id"] for batch in done for item in (await api.get(f"/v1/batches/{batch['id']}/items"))["items"]]
    assert (await api.client.delete(f"/v1/batches/{done.pop()['id']}")).status_code == 200
    return {"path.batch_id": [batch["id"] for batch in (*done, *opened)], "query.retrieve_id": retrieve}


async def _work(worker: Worker) -> None:
    while True:
        await worker.work(_some_fail)
        await asyncio.sleep(PAUSE)


def _some_fail(item: ShardItem) -> FailureCode | None:
    return FailureCode.TIMEOUT if item.ord % 3 == 1 else None
