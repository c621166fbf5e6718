"""What became of the items of a batch since an earlier one: joined on custom_id, page by page, and counted.

A custom_id counts once, by the best of the items that have it: one with a result, else any. Results are compared by their
digests (convert/digest.py), so no pack is read. Both batches are done, and all of their items written.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import asyncpg

from thresher.domain.change import Change, is_news
from thresher.storage import items
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.items import Item
from thresher.storage.outbox import Outgoing

# Results of the same parser are compared by what it made, all others by their markdown, if it is of the same content.
_PARSED = "length(now.digest) > 17 AND substr(now.digest, 18, 4) = substr(before.digest, 18, 4)"
_CONTENT = "substr(now.digest, 1, 1) = substr(before.digest, 1, 1)"

# What became of an item `now` since `before`: rows of (has, digest), whose `has` is null if there is no such item.
CHANGE = f"""
CASE WHEN now.has IS NULL THEN 'gone' WHEN before.has IS NULL THEN 'new'
     WHEN NOT now.has AND NOT before.has THEN 'failed' WHEN NOT before.has THEN 'recovered' WHEN NOT now.has THEN 'lost'
     WHEN {_PARSED} THEN CASE WHEN substr(now.digest, 22) = substr(before.digest, 22) THEN 'same' ELSE 'changed' END
     WHEN {_CONTENT} THEN CASE WHEN substr(now.digest, 1, 17) = substr(before.digest, 1, 17) THEN 'same' ELSE 'changed' END
     ELSE 'unknown' END
"""


def best(of: str, batches: str) -> str:
    """SQL: the item with the custom_id of the row `of` in some batches, which are done and written.

    It is found by its hash alone: batch_id + 0 is in no index.
    """
    return f"""
    (SELECT i.batch_id, i.ord, {items.has_result("i")} AS has, i.digest
     FROM unnest({batches}::bigint[]) AS b (id)
     JOIN item i ON hashtextextended(i.custom_id, i.batch_id) = hashtextextended({of}.custom_id, b.id) AND i.state <> 0
     WHERE i.custom_id = {of}.custom_id AND i.batch_id + 0 = b.id
     ORDER BY i.state = 1 DESC, i.batch_id DESC, i.ord LIMIT 1)
    """


# The items of the batch $1 at the positions from $2 and before $3, each custom_id once: where it is first, so none is before it.
# As a value and not as an anti-join, which might read all of the batch at once; and not as a minimum, which would read all
# of a custom_id that is everywhere again for each.
FIRSTS = """
SELECT f.ord AS place, f.custom_id FROM item f
WHERE f.batch_id = $1 AND f.ord >= $2 AND f.ord < $3 AND (
    SELECT d.ord FROM item d WHERE hashtextextended(d.custom_id, d.batch_id) = hashtextextended(f.custom_id, f.batch_id)
    AND d.state <> 0 AND d.custom_id = f.custom_id AND d.batch_id + 0 = f.batch_id AND d.ord < f.ord LIMIT 1) IS NULL
"""

_ENTRY = f"""
first.place, {CHANGE} AS change, CASE WHEN {_PARSED} THEN 'json' ELSE 'markdown' END AS compared,
now.batch_id AS now_batch, now.ord AS now_ord, before.batch_id AS before_batch, before.ord AS before_ord
"""

# What became of these of the batches $4, compared with the batches $5; some changes $6 of it, or all when null.
_STRETCH = f"""
SELECT * FROM (
    SELECT {_ENTRY} FROM ({FIRSTS}) AS first
    LEFT JOIN LATERAL {best("first", "$4")} AS now ON true
    LEFT JOIN LATERAL {best("first", "$5")} AS before ON true
) AS entry
WHERE $6::text[] IS NULL OR change = ANY ($6) ORDER BY place LIMIT $7
"""

# The same from the other side: $1 is of the earlier batches $5, and of interest is what is not in the later ones $4.
_GONE = f"""
SELECT {_ENTRY} FROM ({FIRSTS}) AS first
LEFT JOIN LATERAL {best("first", "$4")} AS now ON true
LEFT JOIN LATERAL {best("first", "$5")} AS before ON true
WHERE now.has IS NULL ORDER BY place LIMIT $6
"""

_ROWS = f"""
SELECT {", ".join("i." + name.strip() for name in items.COLUMNS.split(","))}
FROM unnest($1::bigint[], $2::int[]) AS u (batch_id, ord) JOIN item i USING (batch_id, ord)
"""


def _side(batches: str) -> str:
    """SQL: the best item of each custom_id in some batches. In the order of the hashes, which sort faster than texts."""
    return f"""
    SELECT DISTINCT ON (hashtextextended(custom_id, 0), custom_id)
           hashtextextended(custom_id, 0) AS hash, custom_id, {items.has_result("item")} AS has, digest
    FROM item WHERE batch_id = ANY ({batches}::bigint[])
    ORDER BY hashtextextended(custom_id, 0), custom_id, state = 1 DESC, batch_id DESC, ord
    """


# How many custom_ids of the batches $1 and $2 became what.
_COUNT = f"""
SELECT {CHANGE} AS change, count(*) AS count
FROM ({_side("$1")}) AS now FULL JOIN ({_side("$2")}) AS before USING (hash, custom_id) GROUP BY 1
"""

# Whether the two batches of an event that nobody has counted yet are still there; in one snapshot with what is counted of them.
_KEYS = """
SELECT b.id AS later, b.compare_with AS earlier, b.options,
       EXISTS (SELECT FROM batch_progress p WHERE p.batch_id IN (b.id, b.compare_with) AND p.purged_at IS NOT NULL) AS purged
FROM event e JOIN batch b ON b.id = e.batch_id WHERE e.id = $1 AND NOT e.body ? 'changes'
"""

# Whoever has counted first has counted; the event is due from then on, but for those that nobody is told of.
_COUNTED = """
UPDATE event SET body = body || jsonb_build_object('changes', $2::jsonb),
       state = CASE WHEN url IS NULL THEN NULL WHEN $3 THEN 'pending' ELSE 'unsent' END,
       due_at = CASE WHEN url IS NOT NULL AND $3 THEN now() END
WHERE id = $1 AND NOT body ? 'changes' RETURNING batch_id
"""

_SHOW = "UPDATE batch SET changes = $2 WHERE id = $1"

STRETCH = 10_000  # positions that a page looks at, at most
PATIENCE = 300.0  # seconds for a count: of two batches of a million it takes some, and more on a busy machine


@dataclass(frozen=True, slots=True)
class Side:
    """The batches whose items are one side of a comparison, by their keys; `first` says which items there are."""

    first: Batch
    members: dict[int, Batch]


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of a custom_id. `place` orders the entries of a comparison; `compared` is the name of a format.

    An item is None where its batch has none of that custom_id.
    """

    place: int
    change: Change
    compared: str
    now: Item | None
    before: Item | None


@dataclass(frozen=True, slots=True)
class Entries:
    """A page of a comparison. `following` is the place where the next one begins, None on the last one."""

    entries: list[Entry]
    following: int | None


async def page(
    connection: Connection, now: Side, before: Side, wanted: Collection[Change] | None, place: int, limit: int
) -> Entries:
    """Entries from a place on: those of the later batch in submit order, then what is gone, in that of the earlier one.

    It may have fewer than `limit`, or none, and another after it: a page looks at a bounded stretch.
    """
    total, end = now.first.total, now.first.total + before.first.total
    if wanted is not None and set(wanted) == {Change.GONE}:
        place = max(place, total)
    if wanted is not None and Change.GONE not in wanted:
        end = total
    words, members = None if wanted is None else list(wanted), [[*now.members], [*before.members]]
    rows: list[tuple[int, asyncpg.Record]] = []
    stop = place + STRETCH
    while place < min(stop, end) and len(rows) <= limit:
        room = limit + 1 - len(rows)
        if place < total:
            behind = min(place + room if wanted is None else stop, stop, total)
            found = await connection.fetch(_STRETCH, now.first.id, place, behind, *members, words, room)
            rows += [(row["place"], row) for row in found]
        else:
            behind = min(stop, end)
            found = await connection.fetch(_GONE, before.first.id, place - total, behind - total, *members, room)
            rows += [(row["place"] + total, row) for row in found]
        place = behind
    following = rows[limit][0] if len(rows) > limit else place if place < end else None
    return Entries(await _entries(connection, rows[:limit], now.members | before.members), following)


async def count(
    connection: Connection, now: Sequence[int], before: Sequence[int], timeout: float | None = None
) -> dict[str, int]:
    """How many custom_ids became what between these batches; every change is there."""
    rows = await connection.fetch(_COUNT, now, before, timeout=timeout)
    return dict.fromkeys(map(str, Change), 0) | {row["change"]: row["count"] for row in rows}


async def conclude(connection: Connection, event: Outgoing) -> None:
    """Count what an event of a batch's end is to say of changes, and let it go on its way, or say that it is not sent.

    It says null, and is sent, if one of the batches was purged meanwhile, or if they cannot be counted in time.
    """
    counts, only_changes = await _counts_of(connection, event)
    wanted = counts is None or not only_changes or is_news(counts)
    async with connection.transaction():
        batch = await connection.fetchval(_COUNTED, event.id, counts, wanted)
        if batch is not None and counts is not None:
            await connection.execute(_SHOW, batch, counts)


async def _counts_of(connection: Connection, event: Outgoing) -> tuple[dict[str, int] | None, bool]:
    """What the two batches of an event come to, and whether its receiver is to be told of changes only."""
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            row = await connection.fetchrow(_KEYS, event.id)
            if row is None or row["purged"]:
                return None, False
            counts = await count(connection, [row["later"]], [row["earlier"]], PATIENCE)
            return counts, row["options"].get("webhook_only_changes", False)
    except TimeoutError:
        return None, False


async def _entries(
    connection: Connection, rows: Sequence[tuple[int, asyncpg.Record]], members: dict[int, Batch]
) -> list[Entry]:
    """The rows, each with its place, as entries."""
    found: dict[tuple[int, int], Item] = {}
    named = [(row[f"{side}_batch"], row[f"{side}_ord"]) for _, row in rows for side in ("now", "before")]
    some = [pair for pair in named if pair[0] is not None]
    if some:
        read = await connection.fetch(_ROWS, [batch for batch, _ in some], [ord_ for _, ord_ in some])
        keys = await items.keys_of(connection, read)
        found = {
            (row["batch_id"], row["ord"]): items.read_rows([row], members[row["batch_id"]], keys)[0] for row in read
        }
    return [
        Entry(place, Change(row["change"]), row["compared"], found.get(now), found.get(before))
        for (place, row), now, before in zip(rows, named[::2], named[1::2], strict=True)
    ]
