"""What becomes of the shards of a batch that is stopped: dropped, before their time or at once."""

from thresher.storage import queue
from thresher.storage.database import Connection

# What a batch that is stopping drops of its shards: the attempts that were made stay with the items.
_KEEP = """
UPDATE item SET attempts = kept.attempts
FROM (SELECT c.key::int AS ord, c.value AS attempts FROM shard s CROSS JOIN LATERAL jsonb_each(s.carry) c
      WHERE s.batch_id = $1 AND s.carry IS NOT NULL) kept
WHERE item.batch_id = $1 AND item.ord = kept.ord AND item.state = 0
"""

_ABANDON = "DELETE FROM shard WHERE batch_id = $1 AND state <> 'running' RETURNING id, bucket"

# Locked by id first, as a renewal locks them.
_REVOKE = """
WITH mine AS MATERIALIZED (SELECT id FROM shard WHERE batch_id = $1 ORDER BY id FOR UPDATE)
DELETE FROM shard USING mine WHERE shard.id = mine.id RETURNING shard.id, bucket
"""

_RUNNING = "SELECT id FROM shard WHERE batch_id = $1 AND state = 'running'"


async def abandon(connection: Connection, batch: int) -> list[int]:
    """Drop a batch's unclaimed shards and tell the workers that hold the others to stop.

    Returns the buckets in which the caller, after its commit, must promote.
    """
    await connection.execute(_KEEP, batch)
    dropped = await connection.fetch(_ABANDON, batch)
    running = await connection.fetch(_RUNNING, batch)
    await queue.cancel(connection, [row["id"] for row in (*dropped, *running)])
    return [row["bucket"] for row in dropped]


async def revoke(connection: Connection, batch: int) -> list[int]:
    """Drop all shards of a batch, claimed ones too: their workers will find their leases lost. Returns as `abandon`."""
    await connection.execute(_KEEP, batch)
    dropped = await connection.fetch(_REVOKE, batch)
    await queue.cancel(connection, [row["id"] for row in dropped])
    return [row["bucket"] for row in dropped]
