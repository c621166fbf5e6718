"""Single parses: batches of one item that have ids of their own kind. How they are made is storage/submit.py."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from thresher.storage import items
from thresher.storage.batches import BRIEF, Batch
from thresher.storage.database import Connection
from thresher.storage.items import Item

KIND = "prs"  # how their ids begin

Status = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]

# $1 account, $2 and $3 the time of the creation, $4 keys, null for any; {status} is one of those below.
_LISTED = f"""
WHERE b.account_id = $1 AND b.face = 'llamacloud' AND left(b.public_id, 4) = '{KIND}-' AND p.purged_at IS NULL
  AND ($2::timestamptz IS NULL OR b.created_at >= $2) AND ($3::timestamptz IS NULL OR b.created_at <= $3)
  AND ($4::bigint[] IS NULL OR b.id = ANY ($4)) AND {{status}}
"""
_LIST = f"{BRIEF} {_LISTED} AND ($5::bigint IS NULL OR b.id < $5) ORDER BY b.id DESC LIMIT $6"
_COUNT = f"SELECT count(*) FROM batch b JOIN batch_progress p ON p.batch_id = b.id {_LISTED}"

_CACHED = "EXISTS (SELECT FROM item i WHERE i.batch_id = b.id AND i.state = 3 AND i.detail = 'already_processed')"

# What the counters of a batch of one say of the one.
_STATUS: dict[Status | None, str] = {
    None: "true",
    "PENDING": "p.state = 'running' AND p.finished = 0 AND p.processing = 0",
    "RUNNING": "p.state IN ('running', 'stopping') AND p.finished = 0 AND p.processing > 0",
    "COMPLETED": f"(p.completed > 0 OR p.skipped > 0 AND {_CACHED})",
    "FAILED": f"(p.failed > 0 OR p.skipped > 0 AND NOT {_CACHED})",
    "CANCELLED": "p.cancelled > 0",
}

_ITEMS = f"SELECT {items.COLUMNS} FROM item WHERE batch_id = ANY ($1) AND ord = 0"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of an account's parses are listed, None for any. `keys`: of their batches."""

    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    keys: Collection[int] | None = None


async def page(
    connection: Connection, account: int, wanted: Wanted, before: int | None, limit: int
) -> tuple[list[tuple[Batch, Item]], bool]:
    """Those whose keys are below `before`, newest first, and whether there are more. Purged ones are left out, and
    the parameters but for the tier.
    """
    query = _LIST.format(status=_STATUS[wanted.status])
    rows = await connection.fetch(query, account, *_of(wanted), before, limit + 1)
    found = {batch.id: batch for batch in map(Batch.of, rows[:limit])}
    of_one = {row["batch_id"]: row for row in await connection.fetch(_ITEMS, list(found))}
    pairs = [(batch, items.read_rows([of_one[batch.id]], batch, {})[0]) for batch in found.values()]
    return pairs, len(rows) > limit


async def count(connection: Connection, account: int, wanted: Wanted) -> int:
    """How many all pages have."""
    found: int = await connection.fetchval(_COUNT.format(status=_STATUS[wanted.status]), account, *_of(wanted))
    return found


def _of(wanted: Wanted) -> tuple[object, ...]:
    return wanted.since, wanted.until, wanted.keys if wanted.keys is None else list(wanted.keys)
