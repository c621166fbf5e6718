"""What the whole cluster knows of a host: until when it is paused, and its robots.txt."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from thresher.storage.database import Connection

_PAUSE = """
INSERT INTO host (host, paused_until) VALUES ($1, now() + $2 * interval '1 second')
ON CONFLICT (host) DO UPDATE SET paused_until = greatest(host.paused_until, excluded.paused_until)
RETURNING paused_until
"""

_PAUSED = "SELECT host, extract(epoch FROM paused_until - now())::float8 AS seconds FROM host WHERE host = ANY ($1) AND paused_until > now()"

_ROBOTS = "SELECT rules FROM robots WHERE origin = $1 AND expires_at > now()"

_REMEMBER = """
INSERT INTO robots (origin, rules, expires_at) VALUES ($1, $2, now() + $3 * interval '1 second')
ON CONFLICT (origin) DO UPDATE SET rules = excluded.rules, expires_at = excluded.expires_at
"""

# SKIP LOCKED: a host that is just being paused again is none to forget.
_FORGET_PAUSES = """
DELETE FROM host WHERE host IN (
    SELECT host FROM host WHERE paused_until <= now() ORDER BY paused_until LIMIT $1 FOR UPDATE SKIP LOCKED)
"""

_FORGET_ROBOTS = """
DELETE FROM robots WHERE origin IN (
    SELECT origin FROM robots WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
"""

FORGOTTEN_TOGETHER = 10_000  # rows of each table that one call forgets


async def pause(connection: Connection, host: str, seconds: float) -> datetime:
    """Pause a host for everyone; a longer pause that is on already stays. Returns its end."""
    until: datetime = await connection.fetchval(_PAUSE, host, seconds)
    return until


async def paused(connection: Connection, hosts: Collection[str]) -> dict[str, float]:
    """Those of these hosts that are paused, with the seconds that remain."""
    return {row["host"]: row["seconds"] for row in await connection.fetch(_PAUSED, list(hosts))}


async def robots(connection: Connection, origin: str) -> dict[str, Any] | None:
    """The rules of an origin's robots.txt, as remembered, or None if they are unknown or too old."""
    rules: dict[str, Any] | None = await connection.fetchval(_ROBOTS, origin)
    return rules


async def remember_robots(connection: Connection, origin: str, rules: dict[str, Any], seconds: float) -> None:
    """Remember an origin's rules for everyone, for so long."""
    await connection.execute(_REMEMBER, origin, rules, seconds)


async def forget(connection: Connection) -> None:
    """Delete what no longer holds: pauses that are over and rules that are too old, the oldest first."""
    await connection.execute(_FORGET_PAUSES, FORGOTTEN_TOGETHER)
    await connection.execute(_FORGET_ROBOTS, FORGOTTEN_TOGETHER)
