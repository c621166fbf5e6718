"""Items as they are read: in finish order, in submit order, or one. How they are settled is storage/settling.py."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.states import BatchState, ItemState, SkipReason, overlay_of
from thresher.storage.batches import Batch
from thresher.storage.database import Connection

States: TypeAlias = Collection[ItemState] | None  # some of the finished states; None for all of them

COLUMNS = "batch_id, ord, origin_ord, ref, custom_id, metadata, options, state, finish_seq, finished_at, failure, detail, http, attempts, pack_id, off, len"
COLUMNS += ", file_id, content_id, name, body_batch, body_ord"

# Finished items from a finish number on; $3 narrows to some states, or to all when null.
_FINISHED = f"""
SELECT {COLUMNS} FROM item
WHERE batch_id = $1 AND finish_seq >= $2 AND ($3::smallint[] IS NULL OR state = ANY($3))
ORDER BY finish_seq LIMIT $4
"""

# Failed items have an index of their own, which only a constant finds.
_FAILED = f"""
SELECT {COLUMNS} FROM item WHERE batch_id = $1 AND finish_seq >= $2 AND state = 2 ORDER BY finish_seq LIMIT $3
"""

# The same of a stopped batch whose last rows the reconciler has not written yet: those follow in submit order, their finish
# numbers after `numbered`. One statement, so one snapshot: the reconciler may be writing them at this moment. Who has
# read up to here knows the position $5 of the last one, so that those before it need not be counted again; -1 for none.
_OVERLAID = f"""
WITH written AS (
    SELECT {COLUMNS} FROM item
    WHERE batch_id = $1 AND finish_seq >= $2 AND ($3::smallint[] IS NULL OR state = ANY($3))
    ORDER BY finish_seq LIMIT $4
),
base AS (SELECT numbered, greatest($2 - numbered - 1, 0) AS skip FROM batch_progress WHERE batch_id = $1),
unwritten AS (
    SELECT * FROM item WHERE batch_id = $1 AND state = 0 AND ord > $5
    ORDER BY ord LIMIT $4 OFFSET (SELECT CASE WHEN $5 < 0 THEN skip ELSE 0 END FROM base)
)
SELECT * FROM written
UNION ALL
SELECT {COLUMNS.replace("finish_seq", "base.numbered + base.skip + row_number() OVER (ORDER BY ord)")}
FROM unwritten, base
ORDER BY finish_seq LIMIT $4
"""

# Items of a batch that is done, by their positions.
_SUBMITTED = f"""
SELECT {COLUMNS} FROM item
WHERE batch_id = $1 AND ord >= $2 AND ($3::smallint[] IS NULL OR state = ANY($3))
ORDER BY ord LIMIT $4
"""

_PACKS = "SELECT id, key FROM pack WHERE id = ANY($1::bigint[])"

# Unsettled items, by their positions: in a claimed shard (processing) or not (pending).
_UNSETTLED = f"""
WITH held AS (SELECT unnest(ords) AS ord FROM shard WHERE batch_id = $1 AND state = 'running')
SELECT {COLUMNS} FROM item
WHERE batch_id = $1 AND state = 0 AND ord >= $2 AND (ord IN (SELECT ord FROM held)) = $3
ORDER BY ord LIMIT $4
"""

_ONE = f"""
SELECT {", ".join("i." + c.strip() for c in COLUMNS.split(","))}, k.key
FROM item i LEFT JOIN pack k ON k.id = i.pack_id
WHERE i.batch_id = $1 AND i.ord = $2
"""


def has_result(of: str) -> str:
    """SQL: whether the row `of` has a result: its own, or that of another item of the same bytes, for which it was skipped."""
    skipped = f"{of}.state = 3 AND {of}.detail IS NOT DISTINCT FROM '{SkipReason.ALREADY_PROCESSED}'"
    return f"({of}.state = 1 OR ({skipped}))"


@dataclass(frozen=True, slots=True)
class Item:
    """An item as a reader sees it: `batch` is the key of its batch, `ord` its place there, `origin` that in the first batch if it
    is a retry's. `own` is what it chooses for itself (but its headers, which nobody reads), `options` what holds for it: its
    batch's choices, and over them its own. `span` is where its result lies; the page that a failed one may have is not for
    readers. `seq` is its finish number, None while its row has none: it is unsettled, or of a
    stopped batch whose last rows are still to be written, and was not read in finish order.

    Of an item that is a file: `file`, its id, `name`, and `content`, the key of its bytes; they may be gone. `body`: the batch and
    the place of the item whose page this one is made of, or whose result is this one's, too, if it was skipped.
    """

    batch: int
    ord: int
    origin: int | None
    ref: str
    custom_id: str
    metadata: dict[str, str] | None
    state: ItemState
    seq: int | None
    failure: FailureCode | None
    detail: str | None
    http: int | None
    attempts: list[dict[str, Any]]
    span: tuple[int, int] | None
    pack_key: str | None = None
    own: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    finished_at: datetime | None = None
    file: UUID | None = None
    name: str | None = None
    content: int | None = None
    body: tuple[int, int] | None = None

    @property
    def position(self) -> int:
        """Its place in the batch that its line began with."""
        return self.ord if self.origin is None else self.origin


@dataclass(frozen=True, slots=True)
class Page:
    """Items and the cursor of the next page, None on the last one. `count` is the total under the filter."""

    items: list[Item]
    count: int
    cursor: int | None


async def page_finished(
    connection: Connection, batch: Batch, state: ItemState | None, cursor: int, limit: int, *, keys: bool = False
) -> Page:
    """Finished items in finish order, from the finish number `cursor` on (0 or 1: from the start).

    Stable while the batch runs: a finish number is given once, and later ones come after it. With the keys of their packs
    if their results are to be read: all with `keys`, else if some choose for themselves what of theirs is shown.
    """
    rows = await _finished(connection, batch, None if state is None else [state], max(cursor, 1), limit + 1)
    keys = keys or any(row["options"] for row in rows)
    found = read_rows(rows, batch, await keys_of(connection, rows) if keys else {})
    count = batch.finished if state is None else _counts(batch)[state]
    following = found[limit].seq if len(found) > limit else None
    return Page(found[:limit], count, following)


async def run_finished(
    connection: Connection, batch: Batch, states: States, cursor: int, limit: int, after: Item | None = None
) -> list[Item]:
    """The same items with the keys of their packs; empty at the end. `states` are finished ones, None for all of them.

    `after` is the last item of the run that ended before `cursor`, if there was one: it saves a count.
    """
    overlaid = after is not None and after.seq is not None and after.seq > batch.numbered
    last = after.ord if overlaid and after is not None else -1
    rows = await _finished(connection, batch, states, max(cursor, 1), limit, last)
    return read_rows(rows, batch, await keys_of(connection, rows))


async def run_submitted(connection: Connection, batch: Batch, states: States, cursor: int, limit: int) -> list[Item]:
    """Items of a batch that is done in submit order, from the position `cursor` on, with the keys of their packs."""
    wanted = list(states) if states is not None else None
    if wanted is not None and left_as(batch)[0] in wanted:
        wanted.append(ItemState.PENDING)
    rows = await connection.fetch(_SUBMITTED, batch.id, cursor, wanted, limit)
    return read_rows(rows, batch, await keys_of(connection, rows))


async def _finished(
    connection: Connection, batch: Batch, states: States, start: int, limit: int, last: int = -1
) -> list[asyncpg.Record]:
    if batch.numbered < batch.finished and (states is None or left_as(batch)[0] in states):
        return await connection.fetch(_OVERLAID, batch.id, start, states, limit, last)
    if states is not None and set(states) == {ItemState.FAILED}:
        return await connection.fetch(_FAILED, batch.id, start, limit)
    return await connection.fetch(_FINISHED, batch.id, start, states, limit)


async def keys_of(connection: Connection, rows: Sequence[asyncpg.Record]) -> dict[int, str]:
    """The keys of the packs that the rows refer to."""
    packs = {row["pack_id"] for row in rows if row["pack_id"] is not None}
    return {row["id"]: row["key"] for row in await connection.fetch(_PACKS, packs)} if packs else {}


def read_rows(rows: Sequence[asyncpg.Record], batch: Batch, keys: Mapping[int, str]) -> list[Item]:
    """Rows as items. What nothing settled is what the end of its batch makes of it."""
    overlay = left_as(batch)
    return [
        read_row(
            row, batch, overlay=overlay if row["state"] == ItemState.PENDING else None, key=keys.get(row["pack_id"])
        )
        for row in rows
    ]


async def page_unsettled(connection: Connection, batch: Batch, *, processing: bool, cursor: int, limit: int) -> Page:
    """Items that are in hand (`processing`) or not yet begun, in submit order; the cursor is a position plus one."""
    count = batch.processing if processing else batch.pending
    if batch.state is BatchState.DONE:
        return Page([], count, None)
    rows = await connection.fetch(_UNSETTLED, batch.id, max(cursor - 1, 0), processing, limit + 1)
    found = [read_row(row, batch) for row in rows]
    return Page(found[:limit], count, found[limit].ord + 1 if len(found) > limit else None)


async def get(connection: Connection, batch: Batch, ord_: int) -> Item | None:
    """One item with the key of its pack, or None."""
    row = await connection.fetchrow(_ONE, batch.id, ord_)
    if row is None:
        return None
    if row["state"] == ItemState.PENDING and batch.state is BatchState.DONE:
        return read_row(row, batch, overlay=left_as(batch))
    return read_row(row, batch, key=row["key"])


def left_as(batch: Batch) -> tuple[ItemState, FailureCode]:
    """What the end of a batch makes of the items that nothing has settled."""
    cancelled = batch.outcome is not None and overlay_of(batch.outcome) is ItemState.CANCELLED
    return (ItemState.CANCELLED, FailureCode.CANCELLED) if cancelled else (ItemState.FAILED, FailureCode.DEADLINE)


def _counts(batch: Batch) -> dict[ItemState, int]:
    return {
        ItemState.PENDING: batch.pending,
        ItemState.COMPLETED: batch.completed,
        ItemState.FAILED: batch.failed,
        ItemState.SKIPPED: batch.skipped,
        ItemState.CANCELLED: batch.cancelled,
    }


def read_row(
    row: asyncpg.Record,
    batch: Batch,
    *,
    overlay: tuple[ItemState, FailureCode] | None = None,
    key: str | None = None,
) -> Item:
    """A row as an item; `overlay` is what the end of its batch makes of one that nothing settled."""
    state, failure = ItemState(row["state"]), FailureCode(row["failure"]) if row["failure"] else None
    detail = row["detail"]
    if overlay is not None:
        state, failure = overlay
        detail = FAILURES[failure].meaning
    return Item(
        batch.id,
        row["ord"],
        row["origin_ord"],
        row["ref"],
        row["custom_id"],
        row["metadata"],
        state,
        row["finish_seq"],
        failure,
        detail,
        row["http"],
        row["attempts"] or [],
        None if row["len"] is None or state is not ItemState.COMPLETED else (row["off"], row["len"]),
        key,
        own := row["options"],
        batch.options | own if own else batch.options,
        (batch.finished_at or batch.stopped_at) if overlay is not None else row["finished_at"],
        row["file_id"],
        row["name"],
        row["content_id"],
        None if row["body_batch"] is None else (row["body_batch"], row["body_ord"]),
    )
