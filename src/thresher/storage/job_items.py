"""Items of a batch in the order of their submit, also while it runs; and what became of one item in all batches."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from thresher.domain.states import BatchState, ItemState, ItemStatus
from thresher.storage import items
from thresher.storage.batches import COLUMNS as BATCH
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.items import Item
from thresher.storage.jobs import ItemId

_SETTLED = [state for state in ItemState if state is not ItemState.PENDING]

# Items from the position $2 on: with states among $3, null for any, or unsettled ones, of which those in a claimed shard are
# wanted or not ($4), and the others ($5). Positions have no gaps, so that all of them together need no offset, and lie before $8. The page is
# cut out before the claimed shards are joined: in the order of the index, whatever the planner thinks of them.
_PAGE = f"""
WITH held AS (SELECT unnest(ords) AS ord, dispatched_at FROM shard WHERE batch_id = $1 AND state = 'running')
SELECT page.*, held.dispatched_at FROM (
    SELECT {items.COLUMNS} FROM item
    WHERE batch_id = $1 AND ord >= $2 AND ord < $8
      AND ($3::smallint[] IS NULL OR state = ANY ($3) OR (state = 0 AND CASE WHEN ord IN (SELECT ord FROM held) THEN $4::bool ELSE $5::bool END))
    ORDER BY ord OFFSET $6 LIMIT $7) AS page
LEFT JOIN held ON held.ord = page.ord AND page.state = 0 ORDER BY page.ord
"""

# The results of the item that callers know as $2, of account $1, newest first.
_RESULTS = f"""
SELECT {", ".join("i." + name.strip() for name in items.COLUMNS.split(","))}
FROM item i JOIN batch b ON b.id = i.batch_id JOIN batch_progress p ON p.batch_id = i.batch_id
WHERE hashtextextended(i.custom_id, 0) = hashtextextended($2, 0) AND i.custom_id = $2 AND i.file_id IS NOT NULL
  AND b.account_id = $1 AND b.options ? 'parse' AND p.purged_at IS NULL AND i.state = 1
ORDER BY i.batch_id DESC LIMIT $3
"""
_BATCHES = f"{BATCH} WHERE b.id = ANY ($1)"

# What it is called, now or in the latest batch that it was in.
_NAME = """
SELECT name FROM (
    SELECT 1 AS nth, 0::bigint AS batch, display_name AS name FROM directory_file WHERE $3 AND id = $4 AND account_id = $1
    UNION ALL
    SELECT 1, 0, name FROM file WHERE NOT $3 AND id = $4 AND account_id = $1
    UNION ALL
    SELECT 2, i.batch_id, i.name FROM item i JOIN batch b ON b.id = i.batch_id JOIN batch_progress p ON p.batch_id = i.batch_id
    WHERE hashtextextended(i.custom_id, 0) = hashtextextended($2, 0) AND i.custom_id = $2 AND i.file_id IS NOT NULL
      AND b.account_id = $1 AND p.purged_at IS NULL) AS known
ORDER BY nth, batch DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """An item, and if a worker has it in hand, since when."""

    item: Item
    since: datetime | None

    @property
    def status(self) -> ItemStatus:
        return ItemStatus.PROCESSING if self.since else ItemStatus[self.item.state.name]


async def page(
    connection: Connection, batch: Batch, status: ItemStatus | None, offset: int, limit: int
) -> tuple[list[Standing], int]:
    """Items of this status in the order of their submit, and how many there are of it. Ask in one snapshot with the batch."""
    stopped = batch.state in (BatchState.STOPPING, BatchState.DONE)
    # What those are that nobody has settled or has in hand.
    idle = ItemStatus[items.left_as(batch)[0].name] if stopped else ItemStatus.PENDING
    count = _count(batch, status, idle)
    if offset >= count:
        return [], count
    first, skipped, end = (offset, 0, offset + limit) if status is None else (0, offset, batch.total)
    settled = None if status is None else [state for state in _SETTLED if state.name == status.name]
    rows = await connection.fetch(
        _PAGE, batch.id, first, settled, status is ItemStatus.PROCESSING, status is idle, skipped, limit, end
    )
    return [_standing(row, batch, stopped=stopped) for row in rows], count


def _standing(row: asyncpg.Record, batch: Batch, *, stopped: bool) -> Standing:
    since = row["dispatched_at"]
    left = stopped and row["state"] == ItemState.PENDING and since is None
    return Standing(items.read_row(row, batch, overlay=items.left_as(batch) if left else None), since)


def _count(batch: Batch, status: ItemStatus | None, idle: ItemStatus) -> int:
    settled = {
        ItemStatus.PROCESSING: batch.processing,
        ItemStatus.COMPLETED: batch.completed,
        ItemStatus.FAILED: batch.failed,
        ItemStatus.SKIPPED: batch.skipped,
        ItemStatus.CANCELLED: batch.cancelled,
    }
    return batch.total if status is None else settled.get(status, 0) + (batch.pending if status is idle else 0)


async def results(connection: Connection, account: int, item: ItemId, most: int) -> list[tuple[Batch, Item]]:
    """The completed items that were known by this id, with their batches, newest first."""
    rows = await connection.fetch(_RESULTS, account, item.text, most)
    found = await connection.fetch(_BATCHES, [row["batch_id"] for row in rows]) if rows else []
    of = {row["id"]: Batch.of(row) for row in found}
    return [(of[row["batch_id"]], items.read_row(row, of[row["batch_id"]])) for row in rows]


async def name(connection: Connection, account: int, item: ItemId) -> str | None:
    """What an item is called, None if the account never had one of this id, or nothing of it is left."""
    found: str | None = await connection.fetchval(_NAME, account, item.text, item.filed, item.key)
    return found
