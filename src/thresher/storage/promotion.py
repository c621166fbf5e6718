"""Whose turn it is in a bucket: the next of its waiting shards goes into the queue.

Shards of a host that is left alone are passed over, so that nobody claims them in turn only to find that out; one of
them is queued for the moment at which its host is free.
"""

from collections.abc import Iterable

from thresher.storage import queue
from thresher.storage.database import Connection
from thresher.storage.hosts import HELD
from thresher.storage.queue import Entry

# Claims and ends of a bucket take turns: else one could park just as the other ends, and nobody would promote it.
LOCK_BUCKET = "SELECT pg_advisory_xact_lock(1, $1)"

# The next in line of a free bucket, but for those that could do nothing, because their host is left alone: `until` is null.
# Its tag may be long past; it does not overtake those who came since. One that is queued already may be far back in the
# queue: it keeps nobody waiting who is before it in the fair order.
# Where all that wait wait for their hosts: the one whose host is free first, to be served then. It wakes the others when it
# ends. One statement, for an end holds its batch's lock meanwhile.
_PROMOTE = f"""
WITH clock AS (SELECT tag FROM fair_clock),
held AS MATERIALIZED ({HELD}),
ready AS MATERIALIZED (
    SELECT id, tag, NULL::timestamptz AS until FROM shard
    WHERE bucket = $1 AND state = 'waiting' AND (host IS NULL OR host <> ALL (ARRAY(SELECT host FROM held)))
    ORDER BY tag, id LIMIT 1
),
later AS (
    SELECT s.id, s.tag, held.until FROM held
    CROSS JOIN LATERAL (SELECT id, tag FROM shard WHERE bucket = $1 AND state = 'waiting' AND host = held.host
                        ORDER BY tag, id LIMIT 1) s
    WHERE NOT EXISTS (SELECT FROM ready)
    ORDER BY held.until, s.tag, s.id LIMIT 1
),
next AS (SELECT * FROM ready UNION ALL SELECT * FROM later)
UPDATE shard SET state = 'queued', tag = greatest(shard.tag, clock.tag), not_before = coalesce(next.until, shard.not_before)
FROM next, clock
WHERE shard.id = next.id
  AND NOT EXISTS (SELECT FROM shard WHERE bucket = $1 AND state = 'running')
  AND NOT EXISTS (SELECT FROM shard WHERE bucket = $1 AND state = 'queued' AND not_before <= coalesce(next.until, now())
                  AND (next.until IS NOT NULL OR tag <= greatest(next.tag, clock.tag)))
RETURNING shard.id, shard.tag, coalesce(next.until - now(), interval '0') AS delay
"""


async def promote(connection: Connection, bucket: int) -> bool:
    """Queue the next waiting shard of a bucket, if none of it is running or about to. True if there was one."""
    row = await connection.fetchrow(_PROMOTE, bucket)
    if row is not None:
        await queue.enqueue(connection, [Entry(row["id"], row["tag"], row["delay"])])
    return row is not None


async def promote_all(connection: Connection, buckets: Iterable[int]) -> int:
    """Promote in each of these buckets, one transaction each: after a commit, because bucket locks come first.

    Returns how many shards were promoted.
    """
    promoted = 0
    for bucket in set(buckets):
        async with connection.transaction():
            await connection.execute(LOCK_BUCKET, bucket)
            promoted += await promote(connection, bucket)
    return promoted
