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

# The next in line of a free bucket, but for those that could do nothing, because their host is left alone. Its tag may be
# long past; it does not overtake those who came since. One that is queued already may be far back in the queue: it keeps
# nobody waiting who is before it in the fair order.
_PROMOTE = f"""
WITH clock AS (SELECT tag FROM fair_clock),
next AS (
    SELECT id, tag FROM shard
    WHERE bucket = $1 AND state = 'waiting' AND (host IS NULL OR host <> ALL (ARRAY(SELECT host FROM ({HELD}) h)))
    ORDER BY tag, id LIMIT 1
)
UPDATE shard SET state = 'queued', tag = greatest(shard.tag, clock.tag)
FROM next, clock
WHERE shard.id = next.id
  AND NOT EXISTS (SELECT FROM shard WHERE bucket = $1 AND state = 'running')
  AND NOT EXISTS (SELECT FROM shard WHERE bucket = $1 AND state = 'queued' AND not_before <= now()
                  AND tag <= greatest(next.tag, clock.tag))
RETURNING shard.id, shard.tag
"""

# Where all that wait wait for their hosts: the one whose host is free first, with a delay until then. It wakes the others
# when it ends.
_WAKE = f"""
WITH clock AS (SELECT tag FROM fair_clock),
next AS (
    SELECT s.id, s.tag, held.until FROM ({HELD}) held
    CROSS JOIN LATERAL (SELECT id, tag FROM shard WHERE bucket = $1 AND state = 'waiting' AND host = held.host
                        ORDER BY tag, id LIMIT 1) s
    ORDER BY held.until, s.tag, s.id LIMIT 1
)
UPDATE shard SET state = 'queued', tag = greatest(shard.tag, clock.tag), not_before = next.until
FROM next, clock
WHERE shard.id = next.id
  AND NOT EXISTS (SELECT FROM shard WHERE bucket = $1 AND state = 'running')
  AND NOT EXISTS (SELECT FROM shard WHERE bucket = $1 AND state = 'queued' AND not_before <= next.until)
RETURNING shard.id, shard.tag, shard.not_before - now() AS delay
"""


async def promote(connection: Connection, bucket: int) -> bool:
    """Queue the next waiting shard of a bucket, if none of it is running or about to. True if there was one."""
    row = await connection.fetchrow(_PROMOTE, bucket)
    if row is not None:
        await queue.enqueue(connection, [Entry(row["id"], row["tag"])])
        return True
    row = await connection.fetchrow(_WAKE, bucket)
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
