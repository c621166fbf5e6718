"""Shards: created with a batch, claimed by one worker at a time, ended into what is left of them.

One running shard in a bucket, in the whole cluster: a unique index refuses a second one, so the in-shard limit on a
host is the cluster's limit, exactly. Of a batch's shards in one bucket the first is in the queue and the others
wait; the one that ends promotes the next of its bucket (storage/promotion.py).
`starts` is the lease: it rises with every claim, and whoever holds an older number has lost the shard.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from thresher.domain import credit, fairness, parser_name, url
from thresher.domain.parser_name import Reference
from thresher.domain.states import BatchState
from thresher.storage import parsers, progress, queue
from thresher.storage.database import Connection
from thresher.storage.promotion import promote, promote_all
from thresher.storage.queue import Entry

_INSERT = """
INSERT INTO shard (batch_id, bucket, ords, tag, state, starts, carry, dispatched_at, not_before, host)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9, $10)
RETURNING id
"""

# The unsettled items of a batch to shards: each bucket in submit order, but equal URLs next to each other, $2 items at most in
# one, the shards in the order of their first items, which is the order of service. `first` is where a URL was first. Sorted by
# bucket before all else, so that the second window finds half of its order made. Tags are those of domain/fairness.py; $4 is
# the largest. One that is still being filled is no running batch of its account. The host is taken from the text of the URL: where
# it is spelled in another way than the parser would, the shard is one of which nothing is known. A bucket beyond those of hosts has none.
_CUT = f"""
WITH first_seen AS (
    SELECT ord, bucket, min(ord) OVER (PARTITION BY bucket, hashtextextended(ref, 0)) AS first,
           CASE WHEN bucket < {url.BUCKETS} THEN split_part(split_part(ref, '/', 3), ':', 1) COLLATE "C" END AS host
    FROM item WHERE batch_id = $1 AND state = 0
),
placed AS (
    SELECT *, (row_number() OVER (PARTITION BY bucket ORDER BY first, ord) - 1) / $2 AS nth FROM first_seen
),
cut AS (
    SELECT bucket, nth, min(first) AS first, array_agg(ord ORDER BY first, ord) AS ords,
           CASE WHEN min(host) = max(host) THEN min(host) END AS host
    FROM placed GROUP BY bucket, nth
),
fair AS (
    SELECT (SELECT tag FROM fair_clock) AS clock,
           (SELECT greatest(count(*), 1) FROM batch_progress
            WHERE account_id = $3 AND state <> 'done' AND state <> 'open') AS weight
)
INSERT INTO shard (batch_id, bucket, ords, tag, state, host, seen)
SELECT $1, bucket, ords, least(clock + weight * (row_number() OVER (ORDER BY first, nth) - 1), $4),
       CASE WHEN nth = 0 THEN 'queued' ELSE 'waiting' END, host, ords[1] <> first
FROM cut, fair ORDER BY first, nth
RETURNING id, tag, state
"""

# The bucket of a shard, locked; and its batch, whose lock comes next.
_LOCK_BUCKET_OF = "SELECT bucket, batch_id, pg_advisory_xact_lock(1, bucket) FROM shard WHERE id = $1"

# With what is left of the lease of the worker that holds it, null if nobody does. Whether the bucket is taken by another
# shard cannot change under the bucket's lock.
_LOCK_SHARD = """
SELECT state, held, renewed_at + $2 - now() AS left,
       EXISTS (SELECT FROM shard o WHERE o.bucket = s.bucket AND o.state = 'running' AND o.id <> s.id) AS taken
FROM shard s WHERE id = $1 FOR UPDATE OF s
"""

# Its queue entry is spent, so the shard goes on waiting under a new id.
_PARK = """
WITH gone AS (DELETE FROM shard WHERE id = $1 AND state = 'queued' RETURNING *)
INSERT INTO shard (batch_id, bucket, ords, tag, state, starts, carry, dispatched_at, not_before, created_at, host, seen)
SELECT batch_id, bucket, ords, tag, 'waiting', starts, carry, dispatched_at, not_before, created_at, host, seen FROM gone
"""

# All of a claim but its locks, in one statement, as in a settle (storage/settling.py): its pending items, the lease, the
# counters, the fair clock. $3: what a worker that has lost the shard held of it.
_RUN = """
WITH mine AS MATERIALIZED (
    SELECT i.ord, i.ref, i.custom_id, i.options, i.headers, i.price, i.file_id, i.content_id, i.name FROM item i
    WHERE i.batch_id = $2 AND i.ord = ANY ((SELECT ords FROM shard WHERE id = $1)::int[]) AND i.state = 0
    ORDER BY i.ord
),
run AS (
    UPDATE shard SET state = 'running', starts = starts + 1, dispatched_at = coalesce(dispatched_at, now()),
           renewed_at = now(), held = (SELECT count(*) FROM mine)
    WHERE id = $1
    RETURNING starts, dispatched_at, tag, held, carry, bucket, seen
),
counted AS (
    UPDATE batch_progress p SET processing = p.processing + run.held - $3, begun_at = coalesce(p.begun_at, now())
    FROM run WHERE p.batch_id = $2
),
ticked AS (UPDATE fair_clock c SET tag = run.tag FROM run WHERE c.tag < run.tag)
SELECT run.starts, run.dispatched_at, run.carry, run.bucket, run.seen, b.applied_to, b.public_id, b.options, b.headers, b.price, b.deadline_at,
       clock_timestamp() AS now,
       ARRAY(SELECT ord FROM mine) AS ords, ARRAY(SELECT ref FROM mine) AS refs,
       ARRAY(SELECT custom_id FROM mine) AS custom_ids,
       (SELECT jsonb_object_agg(ord, jsonb_build_array(options, headers, price, file_id, content_id, name)) FROM mine
        WHERE options IS NOT NULL OR headers IS NOT NULL OR price IS NOT NULL OR file_id IS NOT NULL) AS own
FROM run, batch b WHERE b.id = $2
"""

_STARTS = "SELECT starts FROM shard WHERE id = $1"

_PROCESSING = "UPDATE batch_progress SET processing = processing + $2 WHERE batch_id = $1"

_END = """
WITH gone AS (
    DELETE FROM shard WHERE id = $1 AND starts = $2 AND state = 'running' RETURNING batch_id, bucket, held, tag
),
counted AS (
    UPDATE batch_progress p SET processing = p.processing - gone.held FROM gone WHERE p.batch_id = gone.batch_id
)
SELECT batch_id, bucket, tag FROM gone
"""

# The tag of a shard that would come next after all of its batch, in the fair order.
_LAST_TAG = """
SELECT least($2, greatest((SELECT tag FROM fair_clock), (SELECT max(tag) FROM shard WHERE batch_id = $1))
       + (SELECT count(*) FROM batch_progress WHERE account_id = p.account_id AND state <> 'done' AND state <> 'open'))
FROM batch_progress p WHERE p.batch_id = $1
"""

_DROP = "DELETE FROM shard WHERE id = $1"

# Of a batch that is stopping: the attempts that were made stay with the items.
_KEEP_THESE = """
UPDATE item SET attempts = kept.value FROM jsonb_each($2) kept
WHERE item.batch_id = $1 AND item.ord = kept.key::int AND item.state = 0
"""

# The leases that still hold; those that were taken over or settled by a deadline are absent, and so are those of batches
# that are being stopped, for a worker that missed the notification. Locked by id, as a settle locks them: else the two
# could wait for each other.
_RENEW = """
WITH mine AS (
    SELECT s.id FROM shard s JOIN unnest($1::bigint[], $2::int[]) AS l (id, lease) ON s.id = l.id AND s.starts = l.lease
    WHERE s.state = 'running' ORDER BY s.id FOR UPDATE OF s
)
UPDATE shard SET renewed_at = now() FROM mine, batch_progress p
WHERE shard.id = mine.id AND p.batch_id = shard.batch_id AND p.state = 'running'
RETURNING shard.id
"""


class LeaseLost(Exception):
    """The shard was taken over, or its items were settled by a deadline: what this worker holds is void."""


class Held(Exception):
    """Another worker holds the shard and has renewed its lease lately. `wait`: until the lease could have run out."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"held for another {wait.total_seconds():.1f} s")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class ItemFile:
    """Which file an item is: its id, the key of its bytes' row, and the name that it has in its batch."""

    id: UUID
    content: int
    name: str


@dataclass(frozen=True, slots=True)
class ShardItem:
    """An item in a claimed shard, with the attempts made so far in earlier shards, and what it chose for itself.

    `price`: what it is billed when it is completed, in credits. `file`: None if it is a URL.
    """

    ord: int
    ref: str
    custom_id: str
    attempts: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] | None = None
    headers: dict[str, str] | None = field(default=None, repr=False)
    price: int = credit.PAGE
    file: ItemFile | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A shard in hand. `lease` proves it; it counts how often the shard was claimed (more than once: workers died).

    Moments are those of the database's clock; this machine's is ahead of it by `skew`. `headers`: what its batch sends with
    every request. `applied`: its pages are stored, and no request is made for them. `seen`: one of its URLs may have been
    asked for by an earlier shard. `definitions`: the declared parsers that its items are read by, by their ids.
    """

    shard: int
    lease: int
    bucket: int
    batch: int
    batch_public_id: str
    options: dict[str, Any]
    deadline_at: datetime
    dispatched_at: datetime
    items: list[ShardItem]
    skew: timedelta = timedelta(0)
    headers: dict[str, str] | None = field(default=None, repr=False)
    applied: bool = False
    seen: bool = True
    definitions: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of an ended shard: some of its items, to be claimed again, not before `delay`.

    `dispatched_at` is kept for items that were begun (their deadline counts from there) and None for the others.
    `bucket` is where they go on, None for that of the shard; `host` theirs, if they have one in common. `behind`: nothing could
    be done for them now, so that it is the turn of others.
    """

    ords: Sequence[int]
    delay: timedelta = timedelta(0)
    dispatched_at: datetime | None = None
    carry: dict[str, list[dict[str, Any]]] | None = None
    starts: int = 0
    bucket: int | None = None
    host: str | None = None
    behind: bool = False


async def create(connection: Connection, batch: int, account: int, size: int) -> None:
    """Cut a batch's unsettled items into shards of at most `size`, and queue the first of each bucket."""
    # Before the clock is read: else it could be set back before the tags that follow from it are written.
    await connection.execute("LOCK TABLE shard IN ROW EXCLUSIVE MODE")
    rows = await connection.fetch(_CUT, batch, size, account, fairness.MAX_TAG)
    await queue.enqueue(connection, [Entry(row["id"], row["tag"]) for row in rows if row["state"] == "queued"])


async def starts(connection: Connection, shard: int) -> int:
    """How often a shard was claimed; 0 if there is none."""
    return await connection.fetchval(_STARTS, shard) or 0


async def claim(connection: Connection, shard: int, lease_time: timedelta) -> Claim | None:
    """Take a shard that the queue served. None: there is nothing to do (it ended, waits for its bucket, or was stopped).

    A shard that is running is taken over once its lease was not renewed for `lease_time`, whatever the queue thinks of
    its worker: its entry may be gone, or have been served too soon. Raises Held before that.
    """
    async with connection.transaction():
        about = await connection.fetchrow(_LOCK_BUCKET_OF, shard)
        if about is None:
            return None
        bucket, batch = about["bucket"], about["batch_id"]
        counters = await connection.fetchrow(progress.LOCK, batch)
        row = await connection.fetchrow(_LOCK_SHARD, shard, lease_time)
        if row is None or counters is None:
            return None
        if row["left"] is not None and row["left"] > timedelta(0):
            raise Held(row["left"])
        if counters["state"] != BatchState.RUNNING:
            await _drop_stopped(connection, shard, batch, row["held"], bucket)
            return None
        if row["state"] != "running" and row["taken"]:
            await connection.execute(_PARK, shard)
            return None
        return await _run(connection, shard, batch, row["held"])


async def _run(connection: Connection, shard: int, batch: int, held: int) -> Claim:
    row = await connection.fetchrow(_RUN, shard, batch, held)
    if row is None:  # both are there: the shard is locked, and it references its batch
        raise LeaseLost
    carry, own = row["carry"] or {}, row["own"] or {}
    found = zip(row["ords"], row["refs"], row["custom_ids"], strict=True)
    usual = (None,) * 6
    return Claim(
        shard,
        row["starts"],
        row["bucket"],
        batch,
        row["public_id"],
        row["options"],
        row["deadline_at"],
        row["dispatched_at"],
        [
            _item(ord_, ref, custom_id, carry.get(str(ord_), []), own.get(str(ord_), usual), row["price"])
            for ord_, ref, custom_id in found
        ],
        datetime.now(UTC) - row["now"],
        row["headers"],
        row["applied_to"] is not None,
        row["seen"],
        await parsers.definitions(connection, batch, _declared([row["options"], *(one[0] for one in own.values())])),
    )


def _declared(options: Sequence[dict[str, Any] | None]) -> set[Reference]:
    """The declared parsers that are chosen: those with a version."""
    names = {one["parser"] for one in options if one and one.get("parser")}
    return {reference for name in names if (reference := parser_name.read(name)) and reference.version}


def _item(
    ord_: int, ref: str, custom_id: str, attempts: list[dict[str, Any]], own: Sequence[Any], price: int
) -> ShardItem:
    """`price` is that of the batch, which holds where the item has none of its own."""
    options, headers, its_price, file, content, name = own
    price = price if its_price is None else its_price
    which = ItemFile(UUID(file), content, name) if file else None
    return ShardItem(ord_, ref, custom_id, attempts, options, headers, price, which)


async def _drop_stopped(connection: Connection, shard: int, batch: int, held: int, bucket: int) -> None:
    """A shard of a batch that is being stopped, taken over from a dead worker: its items end with the batch."""
    await connection.execute(_DROP, shard)
    await connection.execute(_PROCESSING, batch, -held)
    await progress.finish_if_over(connection, batch)
    await promote(connection, bucket)


async def end(connection: Connection, shard: int, lease: int, rests: Sequence[Rest] = ()) -> bool:
    """End a claimed shard; what is left of it becomes new shards. True if this ended the batch too.

    Raises LeaseLost if the shard is no longer this worker's: then nothing was written.
    """
    async with connection.transaction():
        about = await connection.fetchrow(_LOCK_BUCKET_OF, shard)
        if about is None:
            raise LeaseLost
        bucket, batch = about["bucket"], about["batch_id"]
        counters = await connection.fetchrow(progress.LOCK, batch)
        row = await connection.fetchrow(_END, shard, lease)
        if row is None or counters is None:
            raise LeaseLost
        running = counters["state"] == BatchState.RUNNING
        if rests and running:
            if any(rest.behind for rest in rests):
                tag = await connection.fetchval(_LAST_TAG, batch, fairness.MAX_TAG)
            else:
                tag = max(await connection.fetchval("SELECT tag FROM fair_clock"), row["tag"])
            await _add(connection, batch, bucket, tag, rests)
        elif counters["state"] == BatchState.STOPPING:
            for rest in rests:
                await connection.execute(_KEEP_THESE, batch, rest.carry or {})
        # An end settles nothing: it can only be what a batch that is being stopped waited for.
        stopping = counters["state"] == BatchState.STOPPING
        over = stopping and await progress.finish_if_over(connection, batch)
        await promote(connection, bucket)
    if running:  # elsewhere after the commit, for bucket locks come first
        await promote_all(connection, {rest.bucket for rest in rests if rest.bucket not in (None, bucket)})
    return over


async def _add(connection: Connection, batch: int, bucket: int, tag: int, rests: Sequence[Rest]) -> None:
    """Shards for what is left. A delayed one goes into the queue with its delay, one that is ready gets in line."""
    rows = await connection.fetchmany(
        _INSERT,
        [
            (
                batch,
                bucket if rest.bucket is None else rest.bucket,
                list(rest.ords),
                tag,
                "queued" if rest.delay else "waiting",
                rest.starts,
                rest.carry,
                rest.dispatched_at,
                rest.delay,
                rest.host,
            )
            for rest in rests
        ],
    )
    added = zip(rows, rests, strict=True)
    await queue.enqueue(connection, [Entry(row["id"], tag, rest.delay) for row, rest in added if rest.delay])


async def renew(connection: Connection, leases: Sequence[tuple[int, int, int]]) -> set[int]:
    """Renew leases, given as (shard, lease, queue entry): nobody takes these shards over for another heartbeat.

    Returns the shards whose lease still holds.
    """
    await queue.beat(connection, [job for _, _, job in leases])
    rows = await connection.fetch(_RENEW, [shard for shard, _, _ in leases], [lease for _, lease, _ in leases])
    return {row["id"] for row in rows}
