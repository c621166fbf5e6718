"""Requests that can be repeated: what the first one under a key was answered is kept, and given again.

The answer is written in the transaction of what it tells of, so there are both or neither, whoever dies in between.
Knows nothing of what the requests do.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from thresher.storage.database import Connection

KEPT = timedelta(hours=24)  # then the key is free again

_FIND = """
SELECT fingerprint, status, media_type, body FROM idempotency
WHERE account_id = $1 AND key = $2 AND expires_at > now()
"""

# Held until the commit, and never waited for. The number is a hash: two keys that share it exclude each other for as long.
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(3, hashtext($1::bigint || ' ' || $2::text))"

# An answer that has expired, and that the purge has not come to yet, makes room.
_KEEP = """
INSERT INTO idempotency (account_id, key, fingerprint, status, media_type, body, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval)
ON CONFLICT (account_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, status = excluded.status, media_type = excluded.media_type, body = excluded.body,
    created_at = excluded.created_at, expires_at = excluded.expires_at
"""

_FORGET = "DELETE FROM idempotency WHERE expires_at <= now()"


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request under a key, which is its account's. `fingerprint` is the same for the same request, and for no other."""

    account: int
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered; `repeated` if it was by an earlier one."""

    status: int
    media_type: str
    body: bytes
    repeated: bool = False


class Refusal(Exception):
    """Raised by the work: it is undone, and this answer is kept in its place."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Reused(Exception):
    """The key was used for another request."""


class InProgress(Exception):
    """A request under the key is at its work."""


async def find(connection: Connection, keyed: Keyed) -> Answer | None:
    """What the request was answered before, None if it is the first. Raises Reused."""
    row = await connection.fetchrow(_FIND, keyed.account, keyed.key)
    if row is None:
        return None
    if row["fingerprint"] != keyed.fingerprint:
        raise Reused
    return Answer(row["status"], row["media_type"], row["body"], repeated=True)


async def once(connection: Connection, keyed: Keyed, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """What the request was answered before; else do the work, on this connection, and keep its answer with it.

    What else the work raises undoes everything and leaves the key free. Raises Reused, InProgress.
    """
    async with connection.transaction():
        if not await connection.fetchval(_TRY_LOCK, keyed.account, keyed.key):
            raise InProgress
        if known := await find(connection, keyed):  # answered since the caller looked
            return known
        try:
            async with connection.transaction():
                answer = await work()
        except Refusal as refusal:
            answer = refusal.answer
        values = (answer.status, answer.media_type, answer.body)
        await connection.execute(_KEEP, keyed.account, keyed.key, keyed.fingerprint, *values, KEPT)
        return answer


async def forget(connection: Connection) -> None:
    """Delete the answers that have expired."""
    await connection.execute(_FORGET)
