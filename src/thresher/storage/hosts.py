"""What the whole cluster knows of a host: until when it is paused. (And, in time, its robots.txt.)"""

from collections.abc import Collection
from datetime import datetime

from thresher.storage.database import Connection

_PAUSE = """
INSERT INTO host (host, paused_until) VALUES ($1, now() + $2 * interval '1 second')
ON CONFLICT (host) DO UPDATE SET paused_until = greatest(host.paused_until, excluded.paused_until)
RETURNING paused_until
"""

_PAUSED = "SELECT host, extract(epoch FROM paused_until - now())::float8 AS seconds FROM host WHERE host = ANY ($1) AND paused_until > now()"


async def pause(connection: Connection, host: str, seconds: float) -> datetime:
    """Pause a host for everyone; a longer pause that is on already stays. Returns its end."""
    until: datetime = await connection.fetchval(_PAUSE, host, seconds)
    return until


async def paused(connection: Connection, hosts: Collection[str]) -> dict[str, float]:
    """Those of these hosts that are paused, with the seconds that remain."""
    return {row["host"]: row["seconds"] for row in await connection.fetch(_PAUSED, list(hosts))}
