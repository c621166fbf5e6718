"""Batches: read and stopped. How one begins is storage/submit.py, how one ends storage/progress.py."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

import asyncpg

from thresher.domain import speed
from thresher.domain.states import BatchState, Outcome
from thresher.storage import progress, promotion, stopping
from thresher.storage.database import Connection

Face = Literal["olostep", "llamacloud"]

_SELECT = """
SELECT b.id, b.public_id, b.account_id, b.face, {options} AS options, b.metadata, b.webhook, b.created_at, b.deadline_at, b.generation,
       b.root, (SELECT public_id FROM batch o WHERE o.id = b.retry_of) AS retry_of,
       (SELECT public_id FROM batch o WHERE o.id = b.compare_with) AS compare_with, b.changes,
       (SELECT public_id FROM batch o WHERE o.id = b.applied_to) AS applied_to, b.source, b.directory_id, p.state, p.outcome, p.total, p.processing, p.completed, p.failed, p.skipped, p.cancelled, p.finished, p.parsed, p.unmatched, p.unparsed,
       p.numbered, p.billed, p.stopped_at, p.finished_at, p.purged_at, p.rate, p.started_at, p.begun_at, p.moved_at,
       p.xmin::text || '.' || b.xmin::text AS version
FROM batch b JOIN batch_progress p ON p.batch_id = b.id
"""
COLUMNS = _SELECT.format(options="b.options")

# For lists: the parameters of a parse may be large, and of a thousand at once too much to read; but for the tier, they are left out.
# They are cut out first: other operations would build all of them anew.
_BRIEFLY = """
CASE WHEN b.options ? 'parse' THEN jsonb_set(
    (b.options #- ARRAY['parse', 'parameters']) - 'job_config', ARRAY['parse', 'parameters'],
    jsonb_build_object('tier', left(b.options #>> ARRAY['parse', 'parameters', 'tier'], 40))) ELSE b.options END
"""
BRIEF = _SELECT.format(options=_BRIEFLY)

_BY_PUBLIC_ID = f"{COLUMNS} WHERE b.account_id = $1 AND b.public_id = $2"
BY_ID = f"{COLUMNS} WHERE b.account_id = $1 AND b.id = $2"
_SIGNED = f"{COLUMNS} WHERE b.id = $1"

# Along an index of those that were not purged; the others may be many more.
_RECENT = f"""{BRIEF}
WHERE p.account_id = $1 AND p.purged_at IS NULL AND ($2::text IS NULL OR b.source = $2) ORDER BY p.batch_id DESC LIMIT $3
"""

# Nothing else is locked behind it.
_LOCK_METADATA = "SELECT metadata FROM batch WHERE id = $1 FOR NO KEY UPDATE"

_SET_METADATA = "UPDATE batch SET metadata = $2 WHERE id = $1"

_OVERDUE = "SELECT deadline_at <= now() FROM batch WHERE id = $1"

# Those of a few batches; what is locked or settled of a batch in one transaction moves its version once.
_VERSIONS = """
SELECT b.id, p.xmin::text || '.' || b.xmin::text AS version, p.state
FROM batch b JOIN batch_progress p ON p.batch_id = b.id WHERE b.id = ANY ($1)
"""

_STOP = "UPDATE batch_progress SET state = 'stopping', outcome = $2, stopped_at = now() WHERE batch_id = $1"


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
    root: int | None  # of a retry: the batch that its line began with
    retry_of: str | None  # of a retry: the public id of the batch whose items it takes up
    compare_with: str | None  # the public id of the batch that it is compared with when it is done
    changes: dict[str, int] | None  # how many items became what since that one, once it is counted
    applied_to: str | None  # the public id of the batch from whose stored pages it is made
    source: str
    directory_id: UUID | None  # the directory whose files it is of
    state: BatchState
    outcome: Outcome | None
    total: int
    processing: int
    completed: int
    failed: int
    skipped: int
    cancelled: int
    finished: int
    parsed: int  # of the finished items, those of which their parser made something
    unmatched: int  # those in which it found nothing
    unparsed: int  # those that it could not read
    numbered: int
    billed: int
    stopped_at: datetime | None  # when it was cancelled, or its deadline was over, before its end
    finished_at: datetime | None
    rate: float
    started_at: datetime | None
    begun_at: datetime | None  # when the first of its items was taken in hand
    moved_at: datetime | None
    version: str  # changes with whatever is written of the batch

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        values = dict(row)
        values["state"] = BatchState(values["state"])
        values["outcome"] = Outcome(values["outcome"]) if values["outcome"] else None
        return cls(**values)

    @property
    def pending(self) -> int:
        return self.total - self.finished - self.processing

    @property
    def speed(self) -> float | None:
        """Items finished a second: of a batch that came to its end over its whole run, of any other lately, as of `moved_at`.

        One that was cut off counts as finished what nobody ever worked at.
        """
        if self.started_at is None or self.moved_at is None:
            return None
        if self.finished_at is not None and self.outcome not in (Outcome.CANCELLED, Outcome.EXPIRED):
            return self.finished / max((self.finished_at - self.started_at).total_seconds(), 0.001)
        return speed.measured(self.rate, (self.moved_at - self.started_at).total_seconds())


async def get(connection: Connection, account: int, public_id: str) -> Batch | None:
    """The batch of this account with this public id, or None."""
    row = await connection.fetchrow(_BY_PUBLIC_ID, account, public_id)
    return Batch.of(row) if row else None


async def get_by_key(connection: Connection, account: int, key: int) -> Batch | None:
    """The batch of this account with this internal key, or None."""
    row = await connection.fetchrow(BY_ID, account, key)
    return Batch.of(row) if row else None


async def get_signed(connection: Connection, key: int) -> Batch | None:
    """The batch with this internal key, whoever's it is: for the holder of a URL that this cluster signed, and nobody else."""
    row = await connection.fetchrow(_SIGNED, key)
    return Batch.of(row) if row else None


async def recent(connection: Connection, account: int, source: str | None, limit: int) -> list[Batch]:
    """The latest batches of this account (and source), newest first, without those that were purged."""
    return [Batch.of(row) for row in await connection.fetch(_RECENT, account, source, limit)]


async def change_metadata(connection: Connection, key: int, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Put what `change` makes of a batch's metadata in its place; two changes at once both count. Raises what it raises."""
    async with connection.transaction():
        await connection.execute(_SET_METADATA, key, change(await connection.fetchval(_LOCK_METADATA, key)))


async def versions(connection: Connection, keys: Collection[int]) -> dict[int, tuple[str, BatchState]]:
    """The version and the state of each of these batches, whoever's they are."""
    found = await connection.fetch(_VERSIONS, list(keys))
    return {row["id"]: (row["version"], BatchState(row["state"])) for row in found}


async def stop(
    connection: Connection,
    key: int,
    outcome: Literal[Outcome.CANCELLED, Outcome.EXPIRED],
    *,
    only_overdue: bool = False,
) -> bool:
    """Begin the end of a batch that is open or running: nothing pending starts after this; claimed shards are told to wind down.

    The batch is done when the last claimed shard ends, here if there is none. False if it is neither, and with
    `only_overdue` also if its deadline is yet to come.
    """
    async with connection.transaction():
        row = await connection.fetchrow(progress.LOCK, key)
        if row is None or row["state"] not in (BatchState.OPEN, BatchState.RUNNING):
            return False
        if only_overdue and not await connection.fetchval(_OVERDUE, key):
            return False
        if row["state"] == BatchState.OPEN:
            await progress.finish(connection, key, outcome)
            return True
        await connection.execute(_STOP, key, outcome)
        freed = await stopping.abandon(connection, key)
        await progress.finish_if_over(connection, key)
    await promotion.promote_all(connection, freed)
    return True


async def force(connection: Connection, key: int) -> bool:
    """End a stopping batch whose claimed shards did not wind down in time: their leases are taken away."""
    async with connection.transaction():
        row = await connection.fetchrow(progress.LOCK, key)
        if row is None or row["state"] != BatchState.STOPPING:
            return False
        freed = await stopping.revoke(connection, key)
        await progress.finish(connection, key, Outcome(row["outcome"]))
    await promotion.promote_all(connection, freed)
    return True
