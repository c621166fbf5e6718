"""How a batch comes to be: created whole, or created open, appended to, and started.

Each function is one transaction. Nothing of an open batch is in a shard or in the queue, so no worker sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from thresher.domain import credit, ids, refs, source
from thresher.domain.states import BatchState
from thresher.storage import feeds, ledger, progress, shards
from thresher.storage.batches import BY_ID, Batch, Face
from thresher.storage.database import Connection
from thresher.storage.files import File

_INSERT = """
INSERT INTO batch (public_id, account_id, face, options, headers, metadata, webhook, source, price, compare_with, deadline_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11 * interval '1 second')
RETURNING id
"""

_INSERT_PROGRESS = """
INSERT INTO batch_progress (batch_id, account_id, state, total, started_at)
VALUES ($1, $2, $3, 0, CASE WHEN $3 = 'running' THEN now() END)
"""

_RESERVE = "INSERT INTO ledger (account_id, batch_id, kind, amount) VALUES ($1, $2, 'reserve', 0)"

# The account's reservation grows with the batch; $3 is the price of all $2 items.
_GROW = """
WITH grown AS (UPDATE batch_progress SET total = total + $2 WHERE batch_id = $1)
UPDATE ledger SET amount = amount + $3::bigint WHERE batch_id = $1 AND kind = 'reserve'
"""

_TERMS = "SELECT account_id, price FROM batch WHERE id = $1"

_RUN = "UPDATE batch_progress SET state = 'running', started_at = now() WHERE batch_id = $1"

# Its lifetime is counted from now: the one that is given, or that of its creation, which the deadline tells.
_RENEW_DEADLINE = """
UPDATE batch SET deadline_at = now() + coalesce($2 * interval '1 second', deadline_at - created_at)
WHERE id = $1 RETURNING account_id
"""

# The items whose custom_id has more than one ref, together and in order; a row too many does no harm. Found by hashes, which
# sort faster than texts, and by a window, because the planner, which has not counted the new rows yet, may join badly.
_SHARED_IDS = """
SELECT ord, custom_id, ref FROM (
    SELECT *, min(ref_hash) OVER ids AS least, max(ref_hash) OVER ids AS most FROM (
        SELECT ord, custom_id, ref, hashtextextended(custom_id, 0) AS id_hash, hashtextextended(ref, 0) AS ref_hash
        FROM item WHERE batch_id = $1) AS hashed
    WINDOW ids AS (PARTITION BY id_hash)) AS compared
WHERE least <> most ORDER BY custom_id COLLATE "C", ord
"""

_COLUMNS = ["batch_id", "ord", "ref", "bucket", "custom_id", "metadata", "options", "headers", "price"]
_COLUMNS += ["file_id", "content_id", "name"]


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to be: what it refers to, as sent; its politeness bucket; the caller's own id and metadata; what it chooses for
    itself, None for nothing: options and headers as they are stored, and what it then costs, in credits. `file` is the one that it
    is; then it refers to that, and its bucket is one of those that ask no host.
    """

    ref: str
    bucket: int
    custom_id: str
    metadata: dict[str, str] | None = None
    options: dict[str, Any] | None = None
    headers: dict[str, str] | None = field(default=None, repr=False)
    price: int | None = None
    file: File | None = None


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to be. `lifetime` is in seconds, from now to its forced end; of an `open` one it counts again from its start.

    `price`: the credits that a completed item costs, unless it has its own. `compare_with`: the key of the batch that it is
    compared with. `headers` go out with every request.
    """

    account: int
    face: Face
    items: Sequence[NewItem]
    lifetime: float
    shard_size: int
    options: dict[str, Any]
    metadata: dict[str, str]
    webhook: str | None = None
    open: bool = False
    source: str = source.DEFAULT
    price: int = credit.PAGE
    compare_with: int | None = None
    headers: dict[str, str] | None = field(default=None, repr=False)
    public_id: str = field(default_factory=ids.batch_id)


class NotOpen(Exception):
    """Items can no longer be appended: the batch was started, or is over."""


class OffsetConflict(Exception):
    """The batch has `total` items, and not as many as the caller thinks."""

    def __init__(self, total: int) -> None:
        super().__init__(f"the batch has {total} items")
        self.total = total


class TooManyItems(Exception):
    """The batch would be larger than it may be. It has `total` items."""

    def __init__(self, total: int) -> None:
        super().__init__(f"the batch has {total} items already")
        self.total = total


class NothingToStart(Exception):
    """The batch has no items."""


class SharedId(Exception):
    """Two items, at these positions, have the same custom_id for different URLs or files."""

    def __init__(self, custom_id: str, one: int, other: int) -> None:
        super().__init__(f"items {one} and {other} share {custom_id!r}")
        self.custom_id, self.one, self.other = custom_id, one, other


async def create(connection: Connection, new: NewBatch) -> Batch:
    """Write a batch with its items, and its shards and their queue entries unless it stays open; readable when this returns.

    Raises Problem(credits_exhausted), before anything is written.
    """
    needed = cost(new.items, new.price)
    async with connection.transaction():
        if await ledger.hold(connection, new.account):
            await ledger.afford(connection, new.account, needed)
        state = BatchState.OPEN if new.open else BatchState.RUNNING
        key: int = await connection.fetchval(
            _INSERT,
            new.public_id,
            new.account,
            new.face,
            new.options,
            new.headers,
            new.metadata,
            new.webhook,
            new.source,
            new.price,
            new.compare_with,
            new.lifetime,
        )
        await connection.execute(_INSERT_PROGRESS, key, new.account, state)
        await connection.execute(_RESERVE, new.account, key)
        await _add(connection, key, new.items, 0, needed)
        await feeds.begin(connection, key, new.webhook, new.options)
        if not new.open:
            await shards.create(connection, key, new.account, new.shard_size)
        return Batch.of((await connection.fetch(BY_ID, new.account, key))[0])


async def append(
    connection: Connection, key: int, items: Sequence[NewItem], *, limit: int, offset: int | None = None
) -> int:
    """Append items to an open batch, which may have `limit` of them, and return how many it has then.

    With an `offset` they are appended only if the batch has that many items, so an append can be repeated when its
    answer was lost. Raises NotOpen, OffsetConflict, TooManyItems, and Problem(credits_exhausted).
    """
    async with connection.transaction():
        terms = await connection.fetchrow(_TERMS, key)
        if terms is None:
            raise NotOpen
        limited = await ledger.hold(connection, terms["account_id"])
        row = await connection.fetchrow(progress.LOCK, key)
        if row is None or row["state"] != BatchState.OPEN:
            raise NotOpen
        total: int = row["total"]
        if offset is not None and offset != total:
            raise OffsetConflict(total)
        if total + len(items) > limit:
            raise TooManyItems(total)
        needed = cost(items, terms["price"])
        if limited:
            await ledger.afford(connection, terms["account_id"], needed)
        await _add(connection, key, items, total, needed)
        return total + len(items)


async def start(connection: Connection, key: int, shard_size: int, lifetime: float | None = None) -> bool:
    """Let an open batch run: its shards are made, and its deadline is counted from now. False if it is not open.

    `lifetime`: seconds to its deadline; None means as at its creation. Raises NothingToStart, and SharedId for a custom_id that two URLs or files have.
    """
    async with connection.transaction():
        row = await connection.fetchrow(progress.LOCK, key)
        if row is None or row["state"] != BatchState.OPEN:
            return False
        if not row["total"]:
            raise NothingToStart
        await _check_ids(connection, key)
        account: int = await connection.fetchval(_RENEW_DEADLINE, key, lifetime)
        await connection.execute(_RUN, key)
        await shards.create(connection, key, account, shard_size)
        return True


def cost(items: Sequence[NewItem], price: int) -> int:
    """The credits that items cost if all are completed; `price` is that of those without their own."""
    return sum(price if item.price is None else item.price for item in items)


async def _add(connection: Connection, key: int, items: Sequence[NewItem], position: int, needed: int) -> None:
    """Write items from a position on, count them, and reserve what they may cost. The caller holds the progress lock."""
    await connection.copy_records_to_table(
        "item",
        schema_name="thresher",
        columns=_COLUMNS,
        records=[
            (key, n, i.ref, i.bucket, i.custom_id, i.metadata, i.options, i.headers, i.price, *_file_of(i))
            for n, i in enumerate(items, position)
        ],
    )
    await connection.execute(_GROW, key, len(items), needed)


def _file_of(item: NewItem) -> tuple[UUID, int, str] | tuple[None, None, None]:
    file = item.file
    return (None, None, None) if file is None else (file.id, file.content, file.name)


async def _check_ids(connection: Connection, key: int) -> None:
    """Raise SharedId for the first custom_id whose items differ in their files, or in their URLs as a browser reads them."""
    first: asyncpg.Record | None = None
    same = ""
    async for row in connection.cursor(_SHARED_IDS, key, prefetch=1000):
        if first is None or row["custom_id"] != first["custom_id"]:
            first, same = row, refs.identity(row["ref"])
        elif refs.identity(row["ref"]) != same:
            raise SharedId(row["custom_id"], first["ord"], row["ord"])
