"""How fast API keys ask, exactly, in the whole cluster: one row a key, moved by one statement for each request.

The generic cell rate algorithm: each request moves the moment at which all of the key's requests so far would have come
in at a steady pace, and none may move it further ahead of now than a whole allowance takes.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from thresher.storage.database import Connection

_MINUTE = 60_000_000  # microseconds, in which PostgreSQL counts

# $2: the time that one request takes of the pace; $3: of an allowance. The clock is read once, and under the row's lock: by
# the time of its own beginning, a request that had to wait for others would be judged as if it came before them.
_COUNT = """
INSERT INTO request_pace AS p (key_hash, due, allowed) VALUES ($1, clock_timestamp() + $2, true)
ON CONFLICT (key_hash) DO UPDATE SET (due, allowed) = (
    SELECT CASE WHEN fits THEN greatest(p.due, clock) + $2 ELSE p.due END, fits
    FROM (SELECT clock_timestamp() AS clock OFFSET 0) c, LATERAL (SELECT p.due + $2 <= clock + $3 AS fits) f)
RETURNING allowed, due - clock_timestamp() AS ahead
"""

_FORGET = "DELETE FROM request_pace WHERE due <= now()"


@dataclass(frozen=True, slots=True)
class Pace:
    """A request of a key, counted. `remaining`: how many more may come at once; `reset`: seconds until all may;
    `wait`: seconds until the next one may, 0 when `allowed`.
    """

    allowed: bool
    remaining: int
    reset: float
    wait: float


async def count(connection: Connection, key_hash: bytes, per_minute: int) -> Pace:
    """Count a request, of which a minute's allowance may come at once. One that is not allowed uses up nothing."""
    step = timedelta(microseconds=math.ceil(_MINUTE / per_minute))
    whole = step * per_minute
    [row] = await connection.fetch(_COUNT, key_hash, step, whole)
    free = whole - row["ahead"]
    wait = 0.0 if row["allowed"] else (step - free).total_seconds()
    return Pace(row["allowed"], max(0, free // step), row["ahead"].total_seconds(), wait)


async def forget(connection: Connection) -> None:
    """Drop what says nothing any more: of keys that have their whole allowance."""
    await connection.execute(_FORGET)
