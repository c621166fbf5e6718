"""The settle: the one write in an item's life after its submit, and all that moves with it.

It is guarded by the item's state and by the shard's lease, so doing it twice, or late, changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from thresher.domain import speed
from thresher.domain.failure import FailureCode
from thresher.domain.states import BatchState, ItemState
from thresher.storage import progress
from thresher.storage.database import Connection

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
                $11::bigint[], $12::int[], $13::bytea[], $14::bigint[], $15::int[], $16::bigint[]) WITH ORDINALITY
         AS u (ord, state, failure, detail, http, billed, attempts, off, len, digest, body_batch, body_ord, shard, n)
    CROSS JOIN LATERAL (SELECT ctid AS at FROM item WHERE batch_id = $1 AND ord = u.ord AND state = 0 OFFSET 0) i
    WHERE u.shard IN (SELECT id FROM held)
),
new_pack AS (
    INSERT INTO pack (batch_id, key, bytes) SELECT $1, $17, $18 FROM done WHERE len IS NOT NULL LIMIT 1 RETURNING id
),
written AS (
    UPDATE item SET state = done.state, finish_seq = $19 + done.rn, failure = done.failure, detail = done.detail,
           http = done.http, billed = done.billed, attempts = done.attempts::jsonb, finished_at = now(),
           pack_id = CASE WHEN done.len IS NOT NULL THEN new_pack.id END, off = done.off, len = done.len, digest = done.digest,
           body_batch = coalesce(done.body_batch, item.body_batch), body_ord = coalesce(done.body_ord, item.body_ord)
    FROM done LEFT JOIN new_pack ON true
    WHERE item.ctid = done.at AND item.state = 0
    RETURNING done.state, done.billed, done.shard, done.failure,
              CASE WHEN item.options ? 'parser' THEN item.options->>'parser'
                   ELSE (SELECT options->>'parser' FROM batch WHERE id = $1) END AS parser
),
counted AS (
    UPDATE batch_progress p
    SET completed = p.completed + w.completed, failed = p.failed + w.failed, skipped = p.skipped + w.skipped,
        cancelled = p.cancelled + w.cancelled, finished = p.finished + w.all, numbered = p.numbered + w.all,
        parsed = p.parsed + w.parsed, unmatched = p.unmatched + w.unmatched, unparsed = p.unparsed + w.unparsed,
        billed = p.billed + w.billed, processing = p.processing - w.all,
        rate = p.rate * $20::float8 + w.all * $21::float8, moved_at = greatest(p.moved_at, now())
    FROM (SELECT count(*) FILTER (WHERE state = 1) AS completed, count(*) FILTER (WHERE state = 2) AS failed,
                 count(*) FILTER (WHERE state = 3) AS skipped, count(*) FILTER (WHERE state = 4) AS cancelled,
                 count(*) FILTER (WHERE state = 1 AND parser IS NOT NULL) AS parsed,
                 count(*) FILTER (WHERE failure = 'parser_no_match') AS unmatched,
                 count(*) FILTER (WHERE failure = 'parser_failed') AS unparsed,
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


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of one item, by a worker. If it has a result, `span` is its (offset, length) in the pack, and `digest` what is compared of it.

    `twin`: of one that was skipped, the batch and the place of the item that has its result.
    """

    ord: int
    state: ItemState
    attempts: list[dict[str, Any]]
    failure: FailureCode | None = None
    detail: str | None = None
    http: int | None = None
    billed: int = 0
    span: tuple[int, int] | None = None
    digest: bytes | None = None
    twin: tuple[int, int] | None = None


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
        [row] = await connection.fetch(
            _SETTLE, batch, *_arguments(work, pack), counters["finished"], *speed.weights(counters["quiet"])
        )
        over = bool(row["perhaps_over"]) and await progress.finish_if_over(connection, batch)
        return Result(row["settled"], over, everyone - frozenset(row["held"]))


def _arguments(work: Sequence[Work], pack: Pack | None) -> tuple[Any, ...]:
    """$2 to $18 of the settle: leases, items, pack."""
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
        [item.digest for _, item in mine],
        [item.twin[0] if item.twin else None for _, item in mine],
        [item.twin[1] if item.twin else None for _, item in mine],
        [shard for shard, _ in mine],
        pack.key if pack else None,
        pack.bytes if pack else None,
    )
