"""What the whole cluster knows of a host: until when it is left alone, how it recovers, and its robots.txt."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from thresher.storage.database import Connection

SOON = 1.0  # seconds: for a host that is free by then, a shard is claimed and kept
LONG = (
    600.0  # seconds: shards of a host that is left alone for longer are claimed all the same, so that somebody says so
)

# Every host of a bucket that is not to be asked at once, or not with all connections.
_KNOWN = """
SELECT host, extract(epoch FROM greatest(paused_until, next_at, now()) - now())::float8 AS wait, connections, strikes
FROM host WHERE bucket = $1 AND (paused_until > now() OR next_at > now() OR strikes > 0)
"""

# Only the worker that runs a shard of the bucket writes, so what it remembers of strikes is what is true.
_NOTE = """
INSERT INTO host (host, bucket, paused_until, next_at, connections, strikes)
SELECT host, $1, now() + paused * interval '1 second', now() + next * interval '1 second', connections, strikes
FROM unnest($2::text[], $3::float8[], $4::float8[], $5::smallint[], $6::smallint[])
     AS n (host, paused, next, connections, strikes)
ON CONFLICT (host) DO UPDATE SET bucket = excluded.bucket, connections = excluded.connections, strikes = excluded.strikes,
    paused_until = greatest(host.paused_until, excluded.paused_until), next_at = greatest(host.next_at, excluded.next_at)
"""

# The hosts of a bucket ($1) for which no shard is claimed now, and when that ends.
HELD = f"""
SELECT host, greatest(paused_until, next_at) AS until FROM host
WHERE bucket = $1 AND greatest(paused_until, next_at) > now() + interval '{SOON} seconds'
  AND paused_until <= now() + interval '{LONG} seconds'
"""

_ROBOTS = "SELECT origin, rules FROM robots WHERE origin = ANY ($1) AND expires_at > now()"

_REMEMBER = """
INSERT INTO robots (origin, rules, expires_at) VALUES ($1, $2, now() + $3 * interval '1 second')
ON CONFLICT (origin) DO UPDATE SET rules = excluded.rules, expires_at = excluded.expires_at
"""

# That a host has asked for a pause, and how often, is remembered for hours. SKIP LOCKED: a host that is just being paused
# again is none to forget.
_FORGET_HOSTS = """
DELETE FROM host WHERE host IN (
    SELECT host FROM host WHERE paused_until <= now() AND coalesce(next_at <= now(), true)
        AND (strikes = 0 OR paused_until <= now() - interval '6 hours')
    ORDER BY paused_until LIMIT $1 FOR UPDATE SKIP LOCKED)
"""

_FORGET_ROBOTS = """
DELETE FROM robots WHERE origin IN (
    SELECT origin FROM robots WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
"""

FORGOTTEN_TOGETHER = 10_000  # rows that one statement forgets
_MOST = 100  # statements of one round


@dataclass(frozen=True, slots=True)
class Known:
    """A host that is not as any other: seconds to `wait` before a request begins there, how many `connections` it is given

    while it recovers (None: it has), and the pauses since it last had.
    """

    wait: float
    connections: int | None
    strikes: int


@dataclass(frozen=True, slots=True)
class Note:
    """What to remember of a host. `paused` and `next` are seconds from now; earlier moments than those known are passed over."""

    host: str
    paused: float = 0.0
    next: float = 0.0
    connections: int | None = None
    strikes: int = 0


async def known(connection: Connection, bucket: int) -> dict[str, Known]:
    """The hosts of a bucket of which there is something to know."""
    rows = await connection.fetch(_KNOWN, bucket)
    return {row["host"]: Known(row["wait"], row["connections"], row["strikes"]) for row in rows}


async def note(connection: Connection, bucket: int, notes: Sequence[Note]) -> None:
    """Remember hosts of one bucket for everyone. The caller runs a shard of the bucket."""
    if notes:
        columns = zip(*((n.host, n.paused, n.next, n.connections, n.strikes) for n in notes), strict=True)
        await connection.execute(_NOTE, bucket, *columns)


async def robots(connection: Connection, origins: Collection[str]) -> dict[str, dict[str, Any]]:
    """The rules of those of these origins whose robots.txt is remembered, and not for too long."""
    return {row["origin"]: row["rules"] for row in await connection.fetch(_ROBOTS, list(origins))}


async def remember_robots(connection: Connection, origin: str, rules: dict[str, Any], seconds: float) -> None:
    """Remember an origin's rules for everyone, for so long."""
    await connection.execute(_REMEMBER, origin, rules, seconds)


async def forget(connection: Connection) -> None:
    """Delete what no longer holds: waits and pauses that are over and rules that are too old, the oldest first."""
    for statement in (_FORGET_HOSTS, _FORGET_ROBOTS):
        for _ in range(_MOST):
            if await connection.execute(statement, FORGOTTEN_TOGETHER) != f"DELETE {FORGOTTEN_TOGETHER}":
                break
