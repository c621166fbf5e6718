"""A batch with its retries, and theirs, read as one: each item of the first batch once, with its best result.

A completed result is the best, else the latest: that of the retry made last. An item that a retry has not settled yet is as
it was before. Items are in the order of the first batch; a page looks at a bounded stretch of it.
"""

from dataclasses import dataclass

from thresher.domain.states import BatchState, ItemState
from thresher.storage import items
from thresher.storage.batches import COLUMNS, Batch
from thresher.storage.database import Connection
from thresher.storage.items import Item, Page, States

_FAMILY = f"{COLUMNS} WHERE b.account_id = $1 AND (b.id = $2 OR b.root = $2) ORDER BY b.id"

# All results of the items of the first batch $1 at the positions from $2 and before $3, in the batches $4. What nothing settled there
# has the state $5 of its batch: null while that runs, and then it is no result.
_BEST = """
WITH member AS (SELECT * FROM unnest($4::bigint[], $5::smallint[]) AS m (batch_id, unsettled)),
result AS (
    SELECT i.batch_id, i.ord, i.ord AS position, coalesce(nullif(i.state, 0), m.unsettled) AS state
    FROM item i JOIN member m USING (batch_id) WHERE i.batch_id = $1 AND i.ord >= $2 AND i.ord < $3
    UNION ALL
    SELECT i.batch_id, i.ord, i.origin_ord, coalesce(nullif(i.state, 0), m.unsettled)
    FROM item i JOIN member m USING (batch_id) WHERE i.origin_batch = $1 AND i.origin_ord >= $2 AND i.origin_ord < $3
),
best AS (
    SELECT DISTINCT ON (position) * FROM result WHERE state IS NOT NULL
    ORDER BY position, state = 1 DESC, batch_id DESC
)
"""

# Some of them by their states $6; the rows are read when it is known which.
_PAGE = f"""{_BEST}, few AS (
    SELECT * FROM best WHERE $6::smallint[] IS NULL OR state = ANY ($6) ORDER BY position LIMIT $7
)
SELECT {", ".join("i." + name.strip() for name in items.COLUMNS.split(","))}
FROM few JOIN item i ON i.batch_id = few.batch_id AND i.ord = few.ord ORDER BY few.position
"""

STRETCH = 10_000  # positions that a page under a filter looks at


@dataclass(frozen=True, slots=True)
class Family:
    """The batch that a line of retries began with, and all that can be read of the line, by their keys; the first is in it."""

    first: Batch
    members: dict[int, Batch]

    @property
    def done(self) -> bool:
        """Whether nothing of it is running."""
        return all(batch.state is BatchState.DONE for batch in self.members.values())

    @property
    def _columns(self) -> tuple[list[int], list[int | None]]:
        """The keys of the batches, and the state of what is unsettled in each, None if it may be settled yet."""
        known = self.members.values()
        return list(self.members), [items.left_as(one)[0] if one.state is BatchState.DONE else None for one in known]


async def family(connection: Connection, batch: Batch) -> Family:
    """The line that a batch is of. The first may be purged; of the others those that are not are there."""
    rows = await connection.fetch(_FAMILY, batch.account_id, batch.root or batch.id)
    first, *retries = [Batch.of(row) for row in rows]
    return Family(first, {one.id: one for one in (first, *retries) if one.purged_at is None})


async def run(
    connection: Connection, family: Family, states: States, position: int, limit: int
) -> tuple[list[Item], int]:
    """Items from a position on, with the keys of their packs; and the position behind what was looked at.

    Fewer than `limit` do not mean that there are no more: there are none when that position is the first batch's total.
    """
    end = min(position + (limit if states is None else STRETCH), family.first.total)
    if position >= end:
        return [], family.first.total
    wanted = None if states is None else list(states)
    rows = await connection.fetch(_PAGE, family.first.id, position, end, *family._columns, wanted, limit)
    keys = await items.keys_of(connection, rows)
    found = [items.read_rows([row], family.members[row["batch_id"]], keys)[0] for row in rows]
    return found, found[-1].position + 1 if len(found) == limit else end


async def page(connection: Connection, family: Family, state: ItemState | None, cursor: int, limit: int) -> Page:
    """A page of items; its cursor is a position plus one. Under a filter it may have fewer than `limit`, or none, and a cursor.

    `count` is that of all items: counting under a filter would take longer the more of them were retried.
    """
    found, behind = await run(connection, family, None if state is None else [state], max(cursor - 1, 0), limit + 1)
    if len(found) > limit:
        behind = found[limit].position
    return Page(found[:limit], family.first.total, behind + 1 if behind < family.first.total else None)
