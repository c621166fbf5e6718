"""Files as accounts have them, in a real store, and batches of them, as the faces make them."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from tests.support.cluster import ensure_account

from thresher.domain import ids, refs
from thresher.domain.parse import ParseJob
from thresher.storage import contents, files
from thresher.storage.batches import Batch
from thresher.storage.blobs import Blobs
from thresher.storage.contents import Received
from thresher.storage.database import Connection, Pool
from thresher.storage.files import File
from thresher.storage.submit import NewBatch, NewItem, create


async def upload(
    connection: Connection,
    store: Blobs,
    name: str,
    data: bytes,
    account: int | None = None,
    external_file_id: str | None = None,
) -> File:
    """A file of these bytes."""
    account = account or await ensure_account(connection)
    begun = await contents.begin(connection, account)
    await store.put(begun.key, data)
    return await files.create(
        connection, Received(begun, sha256(data).digest(), len(data)), name, "parse", external_file_id
    )


def items_of(found: Sequence[File], position: int = 0) -> list[NewItem]:
    """Items that are these files, from a position of the batch on."""
    return [
        NewItem(refs.of_file(file.id), refs.file_bucket(n), f"c{n}", file=file)
        for n, file in enumerate(found, position)
    ]


async def submit_files(
    pool: Pool, found: Sequence[File], parameters: Mapping[str, Any] | None = None, *, shard_size: int = 100
) -> Batch:
    """A batch of the parse API with these parameters."""
    options = ParseJob.asked(parameters or {}).options
    async with pool.acquire() as connection:
        account = await ensure_account(connection)
        public_id = ids.prefixed("bjb")
        new = NewBatch(account, "llamacloud", items_of(found), 600, shard_size, options, {}, None, public_id=public_id)
        return await create(connection, new)
