"""Items: settled by workers, read in finish order or in submit order.

The settle is the only write in an item's life after its submit. It is guarded by the item's state and by the shard's
lease, so doing it twice, or late, changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import asyncpg
import orjson

from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.states import BatchState, ItemState, overlay_of
from thresher.storage import progress
from thresher.storage.batches import Batch
from thresher.storage.database import Connection

States: TypeAlias = Collection[ItemState] | None  # some of the finished states; None for all of them

# All of a settle but its lock, in one statement: the lock is every other worker's too, and each further statement would
# hold it for as long as this process's loop takes to come round.
#
# held: the leases that still hold, locked so that no takeover comes between this and the commit. done: each item once, and
# only if it is pending; the finish order is the order of the arguments. Item by item, and then by row address, so that no
# plan looks at more of the batch than these items: of a batch that was just copied in the planner knows nothing, takes it
# for a handful of rows, and would go through all of it for each item. new_pack: only if something refers to it; else the
# object is an orphan (docs/adr/0005).
_SETTLE = """
WITH held AS MATERIALIZED (
    SELECT s.id FROM shard s JOIN unnest($2::bigint[], $3::int[]) AS l (id, lease) ON s.id = l.id AND s.starts = l.lease
    WHERE s.state = 'running' ORDER BY s.id FOR UPDATE OF s
),
done AS MATERIALIZED (
    SELECT u.*, i.at, row_number() OVER (ORDER BY u.n) AS rn
    FROM unnest($4::int[], $5::smallint[], $6::text[], $7::text[], $8::smallint[], $9::int[], $10::text[],
                $11::bigint[], $12::int[], $13::bigint[]) WITH ORDINALITY
         AS u (ord, state, failure, detail, http, billed, attempts, off, len, shard, n)
    CROSS JOIN LATERAL (SELECT ctid AS at FROM item WHERE batch_id = $1 AND ord = u.ord AND state = 0 OFFSET 0) i
    WHERE u.shard IN (SELECT id FROM held)
),
new_pack AS (
    INSERT INTO pack (batch_id, key, bytes) SELECT $1, $14, $15 FROM done WHERE len IS NOT NULL LIMIT 1 RETURNING id
),
written AS (
    UPDATE item SET state = done.state, finish_seq = $16 + done.rn, failure = done.failure, detail = done.detail,
           http = done.http, billed = done.billed, attempts = done.attempts::jsonb, finished_at = now(),
           pack_id = CASE WHEN done.len IS NOT NULL THEN new_pack.id END, off = done.off, len = done.len
    FROM done LEFT JOIN new_pack ON true
    WHERE item.ctid = done.at AND item.state = 0
    RETURNING done.state, done.billed, done.shard
),
counted AS (
    UPDATE batch_progress p
    SET completed = p.completed + w.completed, failed = p.failed + w.failed, skipped = p.skipped + w.skipped,
        cancelled = p.cancelled + w.cancelled, finished = p.finished + w.all, numbered = p.numbered + w.all,
        billed = p.billed + w.billed, processing = p.processing - w.all
    FROM (SELECT count(*) FILTER (WHERE state = 1) AS completed, count(*) FILTER (WHERE state = 2) AS failed,
                 count(*) FILTER (WHERE state = 3) AS skipped, count(*) FILTER (WHERE state = 4) AS cancelled,
                 count(*) AS all, sum(billed) AS billed
          FROM written) AS w
    WHERE p.batch_id = $1 AND w.all > 0
    RETURNING p.finished = p.total OR p.processing = 0 AS perhaps_over
),
released AS (
    UPDATE shard SET held = shard.held - w.n
    FROM (SELECT shard, count(*) AS n FROM written GROUP BY shard) AS w WHERE shard.id = w.shard
)
SELECT (SELECT count(*) FROM written) AS settled, ARRAY(SELECT id FROM held) AS held,
       (SELECT perhaps_over FROM counted) AS perhaps_over
"""

_COLUMNS = "ord, ref, custom_id, metadata, state, finish_seq, failure, detail, http, attempts, pack_id, off, len"

# Finished items from a finish number on; $3 narrows to some states, or to all when null.
_FINISHED = f"""
SELECT {_COLUMNS} FROM item
WHERE batch_id = $1 AND finish_seq >= $2 AND ($3::smallint[] IS NULL OR state = ANY($3))
ORDER BY finish_seq LIMIT $4
"""

# Failed items have an index of their own, which only a constant finds.
_FAILED = f"""
SELECT {_COLUMNS} FROM item WHERE batch_id = $1 AND finish_seq >= $2 AND state = 2 ORDER BY finish_seq LIMIT $3
"""

# The same of a stopped batch whose last rows the reconciler has not written yet: those follow in submit order, their finish
# numbers after `numbered`. One statement, so one snapshot: the reconciler may be writing them at this moment. Who has
# read up to here knows the position $5 of the last one, so that those before it need not be counted again; -1 for none.
_OVERLAID = f"""
WITH written AS (
    SELECT {_COLUMNS} FROM item
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
SELECT {_COLUMNS.replace("finish_seq", "base.numbered + base.skip + row_number() OVER (ORDER BY ord)")}
FROM unwritten, base
ORDER BY finish_seq LIMIT $4
"""

# Items of a batch that is done, by their positions.
_SUBMITTED = f"""
SELECT {_COLUMNS} FROM item
WHERE batch_id = $1 AND ord >= $2 AND ($3::smallint[] IS NULL OR state = ANY($3))
ORDER BY ord LIMIT $4
"""

_PACKS = "SELECT id, key FROM pack WHERE id = ANY($1::bigint[])"

# Unsettled items, by their positions: in a claimed shard (processing) or not (pending).
_UNSETTLED = f"""
WITH held AS (SELECT unnest(ords) AS ord FROM shard WHERE batch_id = $1 AND state = 'running')
SELECT {_COLUMNS} FROM item
WHERE batch_id = $1 AND state = 0 AND ord >= $2 AND (ord IN (SELECT ord FROM held)) = $3
ORDER BY ord LIMIT $4
"""

_ONE = f"""
SELECT {", ".join("i." + c.strip() for c in _COLUMNS.split(","))}, k.key
FROM item i LEFT JOIN pack k ON k.id = i.pack_id
WHERE i.batch_id = $1 AND i.ord = $2
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of one item, by a worker. `span` is its (offset, length) in the pack, if it has a result."""

    ord: int
    state: ItemState
    attempts: list[dict[str, Any]]
    failure: FailureCode | None = None
    detail: str | None = None
    http: int | None = None
    billed: int = 0
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """Finished items of one shard, with the lease that proves the right to settle them."""

    shard: int
    lease: int
    items: Sequence[Settled]


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that is durable already: its key in the blob store, and its size in bytes."""

    key: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Item:
    """An item as a reader sees it. `seq` is its finish number, None while its row has none: it is unsettled, or of a
    stopped batch whose last rows are still to be written, and was not read in finish order.
    """

    ord: int
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


@dataclass(frozen=True, slots=True)
class Page:
    """Items and the cursor of the next page, None on the last one. `count` is the total under the filter."""

    items: list[Item]
    count: int
    cursor: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a settle did. `lost` are the shards whose lease had gone; their items were left alone."""

    settled: int
    over: bool
    lost: frozenset[int]


async def settle(connection: Connection, batch: int, work: Sequence[Work], pack: Pack | None) -> Result:
    """Settle finished items of one batch in one transaction. Their pack, if any, is durable already.

    Idempotent: items that are settled already, shards that were lost and batches that are done are passed over.
    """
    async with connection.transaction():
        counters = await connection.fetchrow(progress.LOCK, batch)
        everyone = frozenset(w.shard for w in work)
        if counters is None or counters["state"] not in (BatchState.RUNNING, BatchState.STOPPING):
            return Result(0, over=False, lost=everyone)
        [row] = await connection.fetch(_SETTLE, batch, *_arguments(work, pack), counters["finished"])
        over = bool(row["perhaps_over"]) and await progress.finish_if_over(connection, batch)
        return Result(row["settled"], over, everyone - frozenset(row["held"]))


def _arguments(work: Sequence[Work], pack: Pack | None) -> tuple[Any, ...]:
    """$2 to $15 of the settle: leases, items, pack."""
    mine = [(w.shard, item) for w in work for item in w.items]
    return (
        [w.shard for w in work],
        [w.lease for w in work],
        [item.ord for _, item in mine],
        [int(item.state) for _, item in mine],
        [item.failure for _, item in mine],
        [item.detail for _, item in mine],
        [item.http for _, item in mine],
        [item.billed for _, item in mine],
        [orjson.dumps(item.attempts).decode() for _, item in mine],  # as text: nested lists would read as one array
        [item.span[0] if item.span else None for _, item in mine],
        [item.span[1] if item.span else None for _, item in mine],
        [shard for shard, _ in mine],
        pack.key if pack else None,
        pack.bytes if pack else None,
    )


async def page_finished(connection: Connection, batch: Batch, state: ItemState | None, cursor: int, limit: int) -> Page:
    """Finished items in finish order, from the finish number `cursor` on (0 or 1: from the start).

    Stable while the batch runs: a finish number is given once, and later ones come after it.
    """
    rows = await _finished(connection, batch, None if state is None else [state], max(cursor, 1), limit + 1)
    found = _read(rows, batch)
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
    return _read(rows, batch, await _keys(connection, rows))


async def run_submitted(connection: Connection, batch: Batch, states: States, cursor: int, limit: int) -> list[Item]:
    """Items of a batch that is done in submit order, from the position `cursor` on, with the keys of their packs."""
    wanted = list(states) if states is not None else None
    if wanted is not None and _overlay(batch)[0] in wanted:
        wanted.append(ItemState.PENDING)
    rows = await connection.fetch(_SUBMITTED, batch.id, cursor, wanted, limit)
    return _read(rows, batch, await _keys(connection, rows))


async def _finished(
    connection: Connection, batch: Batch, states: States, start: int, limit: int, last: int = -1
) -> list[asyncpg.Record]:
    if batch.numbered < batch.finished and (states is None or _overlay(batch)[0] in states):
        return await connection.fetch(_OVERLAID, batch.id, start, states, limit, last)
    if states is not None and set(states) == {ItemState.FAILED}:
        return await connection.fetch(_FAILED, batch.id, start, limit)
    return await connection.fetch(_FINISHED, batch.id, start, states, limit)


async def _keys(connection: Connection, rows: Sequence[asyncpg.Record]) -> dict[int, str]:
    packs = {row["pack_id"] for row in rows if row["pack_id"] is not None}
    return {row["id"]: row["key"] for row in await connection.fetch(_PACKS, packs)} if packs else {}


def _read(rows: Sequence[asyncpg.Record], batch: Batch, keys: Mapping[int, str] = MappingProxyType({})) -> list[Item]:
    """Rows as items. What nothing settled is what the end of its batch makes of it."""
    overlay = _overlay(batch)
    return [
        _item(row, overlay=overlay if row["state"] == ItemState.PENDING else None, key=keys.get(row["pack_id"]))
        for row in rows
    ]


async def page_unsettled(connection: Connection, batch: Batch, *, processing: bool, cursor: int, limit: int) -> Page:
    """Items that are in hand (`processing`) or not yet begun, in submit order; the cursor is a position plus one."""
    count = batch.processing if processing else batch.pending
    if batch.state is BatchState.DONE:
        return Page([], count, None)
    rows = await connection.fetch(_UNSETTLED, batch.id, max(cursor - 1, 0), processing, limit + 1)
    found = [_item(row) for row in rows]
    return Page(found[:limit], count, found[limit].ord + 1 if len(found) > limit else None)


async def get(connection: Connection, batch: Batch, ord_: int) -> Item | None:
    """One item with the key of its pack, or None."""
    row = await connection.fetchrow(_ONE, batch.id, ord_)
    if row is None:
        return None
    if row["state"] == ItemState.PENDING and batch.state is BatchState.DONE:
        return _item(row, overlay=_overlay(batch))
    return _item(row, key=row["key"])


def _overlay(batch: Batch) -> tuple[ItemState, FailureCode]:
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


def _item(
    row: asyncpg.Record,
    *,
    overlay: tuple[ItemState, FailureCode] | None = None,
    key: str | None = None,
) -> Item:
    state, failure = ItemState(row["state"]), FailureCode(row["failure"]) if row["failure"] else None
    detail = row["detail"]
    if overlay is not None:
        state, failure = overlay
        detail = FAILURES[failure].meaning
    return Item(
        row["ord"],
        row["ref"],
        row["custom_id"],
        row["metadata"],
        state,
        row["finish_seq"],
        failure,
        detail,
        row["http"],
        row["attempts"] or [],
        None if row["len"] is None else (row["off"], row["len"]),
        key,
    )
