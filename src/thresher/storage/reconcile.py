"""Repair and deadlines, in SQL: what holds even when no worker lives.

storage/upkeep.py runs `reconcile` in every process; an advisory lock lets one at a time through. Each
step is a transaction of its own and safe to repeat: a crash between two leaves work for the next round.
"""

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Self

from thresher.domain import fairness, url
from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.states import BatchState, Outcome
from thresher.settings import Settings
from thresher.storage import batches, progress, promotion, queue, shards
from thresher.storage.database import Connection, turn
from thresher.storage.queue import Entry

# Asked often: a look at each live batch, by a subquery, for a join may read all the batches that ever were.
_EXPIRED = """
SELECT batch_id AS id FROM batch_progress p
WHERE p.state IN ('open', 'running') AND (SELECT deadline_at FROM batch b WHERE b.id = p.batch_id) <= now()
ORDER BY batch_id
"""

_OVERDUE_STOP = """
SELECT batch_id FROM batch_progress WHERE state = 'stopping' AND stopped_at < now() - $1::interval ORDER BY batch_id
"""

# Those that ask no host have the time of their conversions besides ($2).
_OVERDUE_SHARDS = f"""
SELECT id, bucket, batch_id FROM shard
WHERE dispatched_at <= now() - $1::interval - CASE WHEN bucket < {url.BUCKETS} THEN interval '0' ELSE $2::interval END
ORDER BY id
"""

# The earlier attempts travel with the shard; the item keeps them.
_FAIL_REST = """
WITH gone AS (DELETE FROM shard WHERE id = $1 RETURNING ords, held, carry),
late AS (
    SELECT i.ord, coalesce(gone.carry -> i.ord::text, '[]'::jsonb) AS attempts, row_number() OVER (ORDER BY i.ord) AS rn
    FROM gone, item i WHERE i.batch_id = $2 AND i.ord = ANY (gone.ords) AND i.state = 0
),
failed AS (
    UPDATE item SET state = 2, failure = $4, detail = $5, attempts = late.attempts, finish_seq = $3 + late.rn, finished_at = now()
    FROM late WHERE item.batch_id = $2 AND item.ord = late.ord AND item.state = 0
    RETURNING item.ord
)
SELECT (SELECT count(*) FROM failed) AS failed, gone.held FROM gone
"""

_COUNT_FAILED = """
UPDATE batch_progress SET failed = failed + $2, finished = finished + $2, numbered = numbered + $2, processing = processing - $3
WHERE batch_id = $1
"""

_REQUEUE = "SELECT id, tag, greatest(not_before - now(), interval '0') AS delay FROM shard WHERE id = ANY ($1)"

# Buckets where shards wait although none is running. Whether they wait for a queued one is for `promote` to see.
_IDLE_BUCKETS = """
SELECT DISTINCT w.bucket FROM shard w
WHERE w.state = 'waiting' AND NOT EXISTS (SELECT FROM shard r WHERE r.bucket = w.bucket AND r.state = 'running')
"""

# Running batches that nobody works at: no bug may leave one at N-1.
_UNCOVERED = """
SELECT p.batch_id, p.account_id FROM batch_progress p JOIN batch b ON b.id = p.batch_id
WHERE p.state = 'running' AND b.created_at < now() - $1::interval
  AND NOT EXISTS (SELECT FROM shard s WHERE s.batch_id = p.batch_id)
"""

_COVERED = "SELECT EXISTS (SELECT FROM shard WHERE batch_id = $1)"

# Stopped batches of which rows still show the state from before. A purged one's are not worth it.
_OVERLAID = """
SELECT p.batch_id, p.outcome FROM batch_progress p
WHERE p.state = 'done' AND p.purged_at IS NULL AND p.numbered < p.finished ORDER BY p.batch_id
"""

_NUMBERED = "SELECT numbered FROM batch_progress WHERE batch_id = $1 AND purged_at IS NULL"

# They ended with their batch, whenever it is written.
_WRITE_OVERLAY = """
WITH late AS (SELECT ord, row_number() OVER (ORDER BY ord) AS rn FROM (
    SELECT ord FROM item WHERE batch_id = $1 AND state = 0 ORDER BY ord LIMIT $6) few),
written AS (
    UPDATE item SET state = $3, failure = $4, detail = $5, finish_seq = $2 + late.rn, finished_at = p.finished_at
    FROM late, batch_progress p WHERE p.batch_id = $1 AND item.batch_id = $1 AND item.ord = late.ord RETURNING item.ord
)
UPDATE batch_progress SET numbered = numbered + (SELECT count(*) FROM written) WHERE batch_id = $1
RETURNING numbered < finished AND (SELECT count(*) FROM written) > 0
"""

SLICE = 10_000  # rows of an overlay that are written in one transaction


@dataclass(slots=True)
class Report:
    """What one round did, in numbers of batches, shards, items or buckets."""

    expired: int = 0
    forced: int = 0
    items_failed: int = 0
    requeued: int = 0
    promoted: int = 0
    recovered: int = 0
    overlaid: int = 0

    def __str__(self) -> str:
        return (
            ", ".join(f"{f.name} {getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name)) or "nothing"
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """The times that the reconciler enforces. `quiet` is how old a loss must be before it is repaired; `converting` what a shard

    that only converts has beyond the time of its items: a slice begins none of its files after its end, and then each may have
    to wait for one that the worker had begun before.
    """

    item_timeout: timedelta
    stop_grace: timedelta
    shard_size: int
    quiet: timedelta = timedelta(seconds=30)
    converting: timedelta = timedelta(0)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            timedelta(seconds=settings.item_timeout),
            timedelta(seconds=settings.stop_grace),
            settings.shard_size,
            timedelta(seconds=3 * settings.heartbeat),
            timedelta(seconds=2 * settings.document_timeout),
        )


async def reconcile(connection: Connection, limits: Limits) -> Report | None:
    """One round. None if another process is at it."""
    async with turn(connection, 0) as mine:
        if not mine:
            return None
        report = await end_batches(connection, limits)
        await _end_items(connection, limits, report)
        await _repair(connection, limits, report)
        await _write_overlays(connection, report)
        await _rebase_clock(connection)
        await queue.prune(connection, timedelta(hours=1))
        return report


async def end_batches(connection: Connection, limits: Limits) -> Report:
    """End the batches past their deadline, and those whose stop takes too long; any number of processes may do it at once."""
    report = Report()
    for row in await connection.fetch(_EXPIRED):
        # A start may have moved the deadline since, and holds the batch's lock while it does.
        report.expired += await batches.stop(connection, row["id"], Outcome.EXPIRED, only_overdue=True)
    for row in await connection.fetch(_OVERDUE_STOP, limits.stop_grace):
        report.forced += await batches.force(connection, row["batch_id"])
    return report


async def _end_items(connection: Connection, limits: Limits, report: Report) -> None:
    """Items past their deadline fail, whoever holds their shard: its lease is gone with its row."""
    for row in await connection.fetch(_OVERDUE_SHARDS, limits.item_timeout, limits.converting):
        async with connection.transaction():
            await connection.execute(promotion.LOCK_BUCKET, row["bucket"])
            counters = await connection.fetchrow(progress.LOCK, row["batch_id"])
            ended = await connection.fetchrow(
                _FAIL_REST,
                row["id"],
                row["batch_id"],
                counters["finished"] if counters else 0,
                FailureCode.DEADLINE,
                FAILURES[FailureCode.DEADLINE].meaning,
            )
            if ended is None:
                continue
            await queue.cancel(connection, [row["id"]])
            await connection.execute(_COUNT_FAILED, row["batch_id"], ended["failed"], ended["held"])
            await progress.finish_if_over(connection, row["batch_id"])
            await promotion.promote(connection, row["bucket"])
            report.items_failed += ended["failed"]


async def _repair(connection: Connection, limits: Limits, report: Report) -> None:
    lost = await connection.fetch(_REQUEUE, await queue.missing(connection, limits.quiet))
    await queue.enqueue(connection, [Entry(row["id"], row["tag"], row["delay"]) for row in lost])
    idle = await connection.fetch(_IDLE_BUCKETS)
    report.promoted += await promotion.promote_all(connection, [row["bucket"] for row in idle])
    for row in await connection.fetch(_UNCOVERED, limits.quiet):
        async with connection.transaction():
            counters = await connection.fetchrow(progress.LOCK, row["batch_id"])
            if counters is None or counters["state"] != BatchState.RUNNING:
                continue
            if await progress.finish_if_over(connection, row["batch_id"]):
                continue
            if await connection.fetchval(_COVERED, row["batch_id"]):
                continue
            await shards.create(connection, row["batch_id"], row["account_id"], limits.shard_size)
            report.recovered += counters["total"] - counters["finished"]
    report.requeued += len(lost)


async def _write_overlays(connection: Connection, report: Report) -> None:
    for row in await connection.fetch(_OVERLAID):
        cancelled = row["outcome"] == Outcome.CANCELLED
        code = FailureCode.CANCELLED if cancelled else FailureCode.DEADLINE
        more = True
        while more:
            async with connection.transaction():
                await connection.fetchrow(progress.LOCK, row["batch_id"])
                numbered = await connection.fetchval(_NUMBERED, row["batch_id"])
                if numbered is None:
                    break
                more = await connection.fetchval(
                    _WRITE_OVERLAY,
                    row["batch_id"],
                    numbered,
                    4 if cancelled else 2,
                    code,
                    FAILURES[code].meaning,
                    SLICE,
                )
        report.overlaid += 1


async def _rebase_clock(connection: Connection) -> None:
    """Set the fair clock back, and all tags with it, long before 32 bits are full."""
    if await connection.fetchval("SELECT tag FROM fair_clock") < fairness.REBASE_AT:
        return
    async with connection.transaction():
        # Whoever works with tags has a lock on some shard: all of them first, as everywhere, and nobody holds an old tag.
        await connection.execute("LOCK TABLE shard IN EXCLUSIVE MODE")
        tag = await connection.fetchval("SELECT tag FROM fair_clock FOR UPDATE")
        await connection.execute("UPDATE fair_clock SET tag = 0")
        await connection.execute("UPDATE shard SET tag = greatest(tag - $1, 0)", tag)
        await queue.rebase(connection, tag)
