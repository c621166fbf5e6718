"""Where one item is: when it ended, or in whose line it waits and what for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from thresher.storage.database import Connection

# An unsettled item is in one shard at most; it is in none between two, and in a batch that is not running.
_ITEM = """
SELECT i.finished_at, now() AS now, s.state, s.starts, s.not_before, s.dispatched_at, s.carry -> i.ord::text AS attempts
FROM item i LEFT JOIN shard s ON i.state = 0 AND s.batch_id = i.batch_id AND i.ord = ANY (s.ords)
WHERE i.batch_id = $1 AND i.ord = $2
"""

_HOST = """
SELECT paused_until, next_at, strikes FROM host
WHERE host = $1 AND (paused_until > now() OR next_at > now())
"""


@dataclass(frozen=True, slots=True)
class Shard:
    """The shard that an item is in. `starts`: how often it was claimed; `dispatched_at`: since when its items' deadline runs."""

    state: Literal["waiting", "queued", "running"]
    starts: int
    not_before: datetime
    dispatched_at: datetime | None


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Of a settled item `finished_at`, of another one its `shard`, if it is in one, and the attempts that were made so far."""

    now: datetime
    finished_at: datetime | None
    shard: Shard | None
    attempts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Rest:
    """A host that is left alone. `strikes`: how often it has asked for that in a row."""

    until: datetime
    strikes: int


async def of_item(connection: Connection, batch: int, ord_: int) -> Whereabouts:
    """Where an item is that the caller has read in this transaction."""
    [row] = await connection.fetch(_ITEM, batch, ord_)
    shard = None
    if row["state"] is not None:
        shard = Shard(row["state"], row["starts"], row["not_before"], row["dispatched_at"])
    return Whereabouts(row["now"], row["finished_at"], shard, row["attempts"] or [])


async def rest_of_host(connection: Connection, host: str) -> Rest | None:
    """Until when a host is left alone, None if it may be asked now."""
    row = await connection.fetchrow(_HOST, host)
    if row is None:
        return None
    return Rest(max(filter(None, (row["paused_until"], row["next_at"]))), row["strikes"])
