"""Files in the store of a test's application, and batches of the parse API that are made of them."""

from collections.abc import Mapping
from typing import Any

from tests.api.conftest import Api
from tests.api.worker import Worker
from tests.support.files import upload

from thresher.convert.document import Source
from thresher.domain import ids, refs
from thresher.domain.parse import ParseJob
from thresher.storage import submit
from thresher.storage.batches import Batch
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.files import File


async def put(api: Api, pool: Pool, name: str, data: bytes, external_file_id: str | None = None) -> File:
    """A file of the first account."""
    async with pool.acquire() as connection:
        account = await connection.fetchval("SELECT min(id) FROM account")
        return await upload(connection, Blobs(api.settings.packs_url), name, data, account, external_file_id)


async def batch_of(
    pool: Pool,
    some: list[File],
    parameters: Mapping[str, Any] | None = None,
    *,
    kind: str = "bjb",
    is_open: bool = False,
) -> Batch:
    """A batch of the parse API of these files, in their order; nobody works at one that is left open."""
    items = [
        submit.NewItem(refs.of_file(file.id), refs.file_bucket(n), str(file.id), file=file)
        for n, file in enumerate(some)
    ]
    options = ParseJob.asked(parameters or {}).options
    async with pool.acquire() as connection:
        account = await connection.fetchval("SELECT min(id) FROM account")
        new = submit.NewBatch(
            account, "llamacloud", items, 3600, 100, options, {}, open=is_open, public_id=ids.prefixed(kind)
        )
        return await submit.create(connection, new)


def worker(api: Api, pool: Pool, some: Mapping[File, bytes]) -> Worker:
    """One that converts these files as they are."""
    sources = {str(file.id): Source(refs.of_file(file.id), data, name=file.name) for file, data in some.items()}
    return Worker(pool, Blobs(api.settings.packs_url), sources=sources)


def job_id(api: Api, batch: Batch, ord_: int = 0) -> str:
    secret: bytes = api.app.state.thresher.secret
    return ids.parse_job_id(secret, batch.id, ord_)
