"""How a batch begins whose items the database has copied from another: what retries and applied batches have in common."""

from thresher.storage import feeds, shards
from thresher.storage.batches import BY_ID, Batch
from thresher.storage.database import Connection

PATIENCE = 600.0  # seconds for the copy of the items: a million of them take half a minute, and more on a busy machine

_INSERT_PROGRESS = """
INSERT INTO batch_progress (batch_id, account_id, state, total, started_at)
SELECT id, account_id, 'running', $2, now() FROM batch WHERE id = $1 RETURNING account_id
"""

_RESERVE = "INSERT INTO ledger (account_id, batch_id, kind, amount) VALUES ($1, $2, 'reserve', $3)"


async def begin(connection: Connection, key: int, items: int, cost: int, shard_size: int) -> Batch:
    """Let a batch run that has its row and so many items, which may cost so much; in the transaction that copied them."""
    account: int = await connection.fetchval(_INSERT_PROGRESS, key, items)
    await connection.execute(_RESERVE, account, key, cost)
    batch = Batch.of((await connection.fetch(BY_ID, account, key))[0])
    await feeds.begin(connection, key, batch.webhook, batch.options)
    await shards.create(connection, key, account, shard_size)
    return batch
