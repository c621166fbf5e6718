"""The queue library (PgQueuer), behind five verbs: install, enqueue, cancel, missing, prune.

Every verb works on the caller's connection, so inside the caller's transaction. A queue entry is one shard: its
payload and dedupe key are the shard's id, its priority the shard's place in the fair order. What serves the
queue is engine/worker.py; no other module knows the library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence import qb
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import Channel, JobId

from thresher.domain import fairness
from thresher.storage.database import Connection

QUEUE_SCHEMA = "thresher_queue"
ENTRYPOINT = "shard"
CHANNEL = Channel("thresher_queue")

# Named here in full: the library would otherwise read bare names such as CHANNEL and DURABILITY from the environment.
_TABLE = f"{QUEUE_SCHEMA}.pgqueuer"
_SETTINGS = DBSettings(
    prefix="",
    db_schema=QUEUE_SCHEMA,
    channel=CHANNEL,
    function="fn_pgqueuer_changed",
    statistics_table="pgqueuer_statistics",
    queue_status_type="pgqueuer_status",
    queue_table="pgqueuer",
    queue_table_log="pgqueuer_log",
    trigger="tg_pgqueuer_changed",
    schedules_table="pgqueuer_schedules",
    durability=Durability.balanced,  # the queue is logged; the library's own log may be lost in a crash
    widen_id=True,
)

# Shards that should be in the queue and are not there: lost by a bug or by hand. Not those of a batch that is being
# stopped: their entries were taken away on purpose, and an entry would take them from workers that are winding down.
_MISSING = f"""
SELECT s.id FROM shard s JOIN batch_progress p ON p.batch_id = s.batch_id
WHERE p.state <> 'stopping' AND s.state IN ('queued', 'running') AND s.created_at < now() - $1::interval
  AND NOT EXISTS (SELECT FROM {_TABLE} q WHERE q.dedupe_key = s.id::text AND q.status IN ('queued', 'picked'))
"""

# The entries of shards, to be cancelled. Locked by id, and so are those of a heartbeat: else the two could wait for each other.
_ENTRIES = f"""
SELECT id FROM {_TABLE} WHERE dedupe_key = ANY ($1::text[]) AND status IN ('queued', 'picked') ORDER BY id FOR UPDATE
"""

_BEAT = f"""
WITH mine AS (SELECT id FROM {_TABLE} WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE)
UPDATE {_TABLE} q SET heartbeat = now() FROM mine WHERE q.id = mine.id
"""

# The library never prunes its log.
_PRUNE = f"DELETE FROM {QUEUE_SCHEMA}.pgqueuer_log WHERE created < now() - $1::interval"

# Where the fair clock is set back, the entries move with it: the waiting ones, and those that may be taken over.
_REBASE = f"UPDATE {_TABLE} SET priority = least(priority + $1, 0) WHERE status IN ('queued', 'picked')"


_NOTIFIED = 200  # ids in one notification, whose payload is limited to 8,000 bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A shard to be queued: served in the order of its tag, not before `delay`."""

    shard: int
    tag: int
    delay: timedelta = timedelta(0)


def queries(connection: Connection) -> Queries:
    """The library's queries on this connection, with our names."""
    return Queries(
        AsyncpgDriver(cast("asyncpg.Connection[asyncpg.Record]", connection)),
        qbe=qb.QueryBuilderEnvironment(_SETTINGS),
        qbq=qb.QueryQueueBuilder(_SETTINGS),
        qbs=qb.QuerySchedulerBuilder(_SETTINGS),
    )


async def install(connection: Connection) -> None:
    """Create or upgrade the library's schema. Must not run in a transaction."""
    library = queries(connection)
    if await library.schema_is_installed():
        await library.upgrade()
    else:
        await library.install()
        await library.optimize_autovacuum()


async def enqueue(connection: Connection, entries: Sequence[Entry]) -> None:
    """Queue shards. A shard that is queued already is left as it is."""
    if not entries:
        return
    await queries(connection).enqueue(
        [ENTRYPOINT] * len(entries),
        [str(entry.shard).encode() for entry in entries],
        [fairness.priority(entry.tag) for entry in entries],
        [entry.delay for entry in entries],
        [str(entry.shard) for entry in entries],
        on_conflict="skip",
    )


async def cancel(connection: Connection, shards: Sequence[int]) -> None:
    """Take shards out of the queue; the workers that run some of them are told to stop."""
    rows = await connection.fetch(_ENTRIES, [str(shard) for shard in shards])
    library = queries(connection)
    for some in range(0, len(rows), _NOTIFIED):
        await library.mark_job_as_cancelled([JobId(row["id"]) for row in rows[some : some + _NOTIFIED]])


async def beat(connection: Connection, entries: Sequence[int]) -> None:
    """Say that these entries are being worked at."""
    await connection.execute(_BEAT, entries)


async def missing(connection: Connection, older_than: timedelta) -> list[int]:
    """The shards that ought to have a queue entry and have none, not touched for `older_than`."""
    return [row["id"] for row in await connection.fetch(_MISSING, older_than)]


async def rebase(connection: Connection, by: int) -> None:
    """Move every entry with the fair clock, which is set back by `by`."""
    await connection.execute(_REBASE, by)


async def prune(connection: Connection, older_than: timedelta) -> None:
    """Forget the library's own log beyond `older_than`."""
    await connection.execute(_PRUNE, older_than)
