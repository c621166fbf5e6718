"""Batches: created, read and stopped. How one ends is storage/progress.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

import asyncpg

from thresher.domain import ids
from thresher.domain.states import BatchState, Outcome
from thresher.storage import progress, shards
from thresher.storage.database import Connection

Face = Literal["olostep", "llamacloud"]

_INSERT = """
INSERT INTO batch (public_id, account_id, face, options, metadata, webhook, deadline_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 second')
RETURNING id
"""

_INSERT_PROGRESS = "INSERT INTO batch_progress (batch_id, account_id, state, total) VALUES ($1, $2, 'running', $3)"

_RESERVE = "INSERT INTO ledger (account_id, batch_id, kind, amount) VALUES ($1, $2, 'reserve', $3)"

_COLUMNS = """
SELECT b.id, b.public_id, b.account_id, b.face, b.options, b.metadata, b.webhook, b.created_at, b.deadline_at, b.generation,
       p.state, p.outcome, p.total, p.processing, p.completed, p.failed, p.skipped, p.cancelled, p.finished,
       p.numbered, p.billed, p.finished_at, p.purged_at
FROM batch b JOIN batch_progress p ON p.batch_id = b.id
"""

_BY_PUBLIC_ID = f"{_COLUMNS} WHERE b.account_id = $1 AND b.public_id = $2"
_BY_ID = f"{_COLUMNS} WHERE b.account_id = $1 AND b.id = $2"

_STOP = "UPDATE batch_progress SET state = 'stopping', outcome = $2, stopped_at = now() WHERE batch_id = $1"


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to be: what it refers to, as sent; its politeness bucket; the caller's own id and metadata."""

    ref: str
    bucket: int
    custom_id: str
    metadata: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to be. `lifetime` is in seconds, from now to its forced end."""

    account: int
    face: Face
    items: Sequence[NewItem]
    lifetime: float
    shard_size: int
    options: dict[str, Any]
    metadata: dict[str, str]
    webhook: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it stood at one instant; the counts add up to `total`."""

    id: int
    public_id: str
    account_id: int
    face: Face
    options: dict[str, Any]
    metadata: dict[str, str]
    webhook: str | None
    created_at: datetime
    deadline_at: datetime
    purged_at: datetime | None
    generation: int
    state: BatchState
    outcome: Outcome | None
    total: int
    processing: int
    completed: int
    failed: int
    skipped: int
    cancelled: int
    finished: int
    numbered: int
    billed: int
    finished_at: datetime | None

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        values = dict(row)
        values["state"] = BatchState(values["state"])
        values["outcome"] = Outcome(values["outcome"]) if values["outcome"] else None
        return cls(**values)

    @property
    def pending(self) -> int:
        return self.total - self.finished - self.processing


async def create(connection: Connection, new: NewBatch) -> Batch:
    """Write a batch, its items, its shards and their queue entries in one transaction; readable when this returns."""
    async with connection.transaction():
        public_id = ids.batch_id()
        key = await connection.fetchval(
            _INSERT, public_id, new.account, new.face, new.options, new.metadata, new.webhook, new.lifetime
        )
        await connection.execute(_INSERT_PROGRESS, key, new.account, len(new.items))
        await connection.copy_records_to_table(
            "item",
            schema_name="thresher",
            columns=["batch_id", "ord", "ref", "custom_id", "metadata"],
            records=[(key, ord_, item.ref, item.custom_id, item.metadata) for ord_, item in enumerate(new.items)],
        )
        await connection.execute(_RESERVE, new.account, key, len(new.items))
        await shards.create(
            connection, key, new.account, [(ord_, item.bucket) for ord_, item in enumerate(new.items)], new.shard_size
        )
        return Batch.of((await connection.fetch(_BY_ID, new.account, key))[0])


async def get(connection: Connection, account: int, public_id: str) -> Batch | None:
    """The batch of this account with this public id, or None."""
    row = await connection.fetchrow(_BY_PUBLIC_ID, account, public_id)
    return Batch.of(row) if row else None


async def get_by_key(connection: Connection, account: int, key: int) -> Batch | None:
    """The batch of this account with this internal key, or None."""
    row = await connection.fetchrow(_BY_ID, account, key)
    return Batch.of(row) if row else None


async def stop(connection: Connection, key: int, outcome: Literal[Outcome.CANCELLED, Outcome.EXPIRED]) -> bool:
    """Begin the end of a running batch: nothing pending starts after this; claimed shards are told to wind down.

    The batch is done when the last claimed shard ends, here if there is none. False if it is not running.
    """
    async with connection.transaction():
        row = await connection.fetchrow(progress.LOCK, key)
        if row is None or row["state"] not in (BatchState.RUNNING, BatchState.OPEN):
            return False
        await connection.execute(_STOP, key, outcome)
        freed = await shards.abandon(connection, key)
        await progress.finish_if_over(connection, key)
    await shards.promote_all(connection, freed)
    return True


async def force(connection: Connection, key: int) -> bool:
    """End a stopping batch whose claimed shards did not wind down in time: their leases are taken away."""
    async with connection.transaction():
        row = await connection.fetchrow(progress.LOCK, key)
        if row is None or row["state"] != BatchState.STOPPING:
            return False
        freed = await shards.revoke(connection, key)
        await progress.finish(connection, key, Outcome(row["outcome"]))
    await shards.promote_all(connection, freed)
    return True
