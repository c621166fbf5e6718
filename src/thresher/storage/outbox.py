"""Events on their way to a webhook, and the log of every attempt. Who posts them is engine/courier.py.

An event is claimed by putting off when it is due: whoever dies with it in hand leaves it to be claimed again then, under
the same number of attempt. So it is delivered at least once.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from thresher.domain import ids
from thresher.domain.webhook import EventState, EventType
from thresher.storage.database import Connection

# Asked twice a second by every worker, mostly for nothing: a look into two indexes, and no transaction.
_STIRS = """
SELECT EXISTS (SELECT FROM event WHERE due_at <= now()) OR EXISTS (SELECT FROM item_feed WHERE due_at <= now())
"""

# Those that are due, the longest first, but for receivers that have enough under way.
_CLAIM = """
WITH due AS (
    SELECT id FROM event WHERE due_at <= now() AND coalesce(receiver, 0) <> ALL ($1::bigint[])
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
UPDATE event e SET due_at = now() + $3::interval FROM due
WHERE e.id = due.id RETURNING e.id, e.account_id, e.type, e.body, e.url, coalesce(e.receiver, 0) AS receiver, e.round, e.tries, e.due_at AS lease
"""

# An event may be gone with its batch, and its log is: of a purged batch nothing more is written into it.
_LOG = """
INSERT INTO delivery (event_id, attempt, at, ms, status, head, failure, detail)
SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM event e
WHERE id = $1 AND NOT EXISTS (SELECT FROM batch_progress p WHERE p.batch_id = e.batch_id AND p.purged_at IS NOT NULL)
"""

# What was delivered is, also if somebody else is at it by now, unless it was asked for again meanwhile; otherwise only the
# holder of the lease has a say.
_MOVE = """
UPDATE event SET state = $3, tries = $4, due_at = CASE WHEN $3 = 'pending' THEN now() + $5::interval END
WHERE id = $1 AND state = 'pending' AND (due_at = $2 OR ($3 = 'delivered' AND round = $6))
RETURNING batch_id, type, state
"""

# The items of a batch go on being told of once all events of them have arrived. Two that arrive at once are one after the
# other, or each would take the other for pending.
_HOLD_FEED = "SELECT FROM item_feed WHERE batch_id = $1 FOR UPDATE"
_GO_ON = """
UPDATE item_feed SET due_at = now() WHERE batch_id = $1 AND due_at IS NULL
AND NOT EXISTS (SELECT FROM event WHERE batch_id = $1 AND type = 'batch.items' AND state <> 'delivered')
"""

_GIVE_BACK = "UPDATE event SET due_at = now() WHERE id = $1 AND due_at = $2"

_COLUMNS = "seq, id, type, url, state, tries, due_at, created_at"

_OF_BATCH = f"""
SELECT {_COLUMNS} FROM event WHERE batch_id = $1 AND url IS NOT NULL AND seq < $2 ORDER BY seq DESC LIMIT $3
"""

_ONE = f"SELECT {_COLUMNS} FROM event WHERE id = $1 AND account_id = $2 AND url IS NOT NULL"

_ATTEMPTS = """
SELECT event_id, attempt, at, ms, status, head, failure, detail FROM delivery WHERE event_id = ANY ($1) ORDER BY id
"""

_ANEW = "UPDATE event SET state = 'pending', round = round + 1, tries = 0, due_at = now()"

_RESEND = f"""
{_ANEW} WHERE id = $1 AND account_id = $2 AND batch_id = $3 AND url IS NOT NULL RETURNING true
"""

_RECOVER = f"""
WITH again AS (
    {_ANEW} WHERE account_id = $1 AND created_at >= $2 AND state IN ('gone', 'given_up') AND batch_id IS NOT NULL
    RETURNING 1)
SELECT count(*) FROM again
"""

_TEST = """
INSERT INTO event (id, account_id, type, body, url, state, due_at) VALUES ($1, $2, $3, $4, $5, 'pending', now())
"""

# Of a batch that goes, what holds URLs and answers goes, too; the record of its end stays, and may still be on its way.
_ERASE = (
    "DELETE FROM item_feed WHERE batch_id = $1",
    "DELETE FROM delivery WHERE event_id IN (SELECT id FROM event WHERE batch_id = $1)",
    "DELETE FROM event WHERE batch_id = $1 AND type = 'batch.items'",
)

_FORGET = "DELETE FROM event WHERE batch_id IS NULL AND created_at <= now() - $1::interval"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A claimed event. `tries` of this round were made before; `lease` is the moment until which it is the claimer's.

    Without a `url` it is claimed for what is to be found out before it stands.
    """

    id: str
    account_id: int
    type: EventType
    body: dict[str, Any]
    url: str | None
    receiver: int
    round: int
    tries: int
    lease: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt came to: a `status` with the `head` of the answer, or a `failure` (a code) and its `detail`."""

    attempt: str
    at: datetime
    ms: int
    status: int | None
    head: str | None
    failure: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """An event that goes somewhere, with every attempt at it, oldest first. `seq` orders the events of a batch."""

    seq: int
    id: str
    type: EventType
    url: str
    state: EventState
    tries: int
    due_at: datetime | None
    created_at: datetime
    attempts: list[Attempt] = field(default_factory=list)


async def stirs(connection: Connection) -> bool:
    """Whether an event is due, or a look at what is to be told of a batch's items."""
    return bool(await connection.fetchval(_STIRS))


async def claim(connection: Connection, busy: Collection[int], limit: int, lease: timedelta) -> list[Outgoing]:
    """Events whose next attempt is due, the caller's for as long as the lease; none of the receivers that are `busy`."""
    return [
        Outgoing(**{**dict(row), "type": EventType(row["type"])})
        for row in await connection.fetch(_CLAIM, busy, limit, lease)
    ]


async def record(connection: Connection, event: Outgoing, attempt: Attempt, state: EventState, delay: float) -> None:
    """Log an attempt, and what follows: the event's state, and the seconds to the next attempt if it is pending."""
    async with connection.transaction():
        values = (
            attempt.attempt,
            attempt.at,
            attempt.ms,
            attempt.status,
            attempt.head,
            attempt.failure,
            attempt.detail,
        )
        await connection.execute(_LOG, event.id, *values)
        moved = await connection.fetchrow(
            _MOVE, event.id, event.lease, state, event.tries + 1, timedelta(seconds=delay), event.round
        )
        if moved is not None and moved["type"] == EventType.ITEMS and moved["state"] == EventState.DELIVERED:
            await connection.execute(_HOLD_FEED, moved["batch_id"])
            await connection.execute(_GO_ON, moved["batch_id"])


async def give_back(connection: Connection, event: Outgoing) -> None:
    """Let somebody else make the attempt, at once."""
    await connection.execute(_GIVE_BACK, event.id, event.lease)


async def of_batch(connection: Connection, batch: int, before: int, limit: int) -> list[Event]:
    """The events of a batch that go somewhere, newest first, those with a `seq` below `before`."""
    return await _with_attempts(connection, await connection.fetch(_OF_BATCH, batch, before, limit))


async def get(connection: Connection, account: int, event_id: str) -> Event | None:
    """An event of this account, or None."""
    found = await _with_attempts(connection, await connection.fetch(_ONE, event_id, account))
    return found[0] if found else None


async def resend(connection: Connection, account: int, batch: int, event_id: str) -> bool:
    """Deliver an event of a batch again, from the first attempt on, whatever became of it. False if there is none."""
    return bool(await connection.fetchval(_RESEND, event_id, account, batch))


async def recover(connection: Connection, account: int, since: datetime) -> int:
    """Deliver everything of an account again that happened since and did not arrive; how many events that is."""
    found: int = await connection.fetchval(_RECOVER, account, since)
    return found


async def test(connection: Connection, account: int, url: str, body: dict[str, Any]) -> Event:
    """An event to try a receiver with; one attempt is made at it."""
    event_id = ids.event_id()
    await connection.execute(_TEST, event_id, account, EventType.TEST, body, url)
    [event] = await _with_attempts(connection, await connection.fetch(_ONE, event_id, account))
    return event


async def erase(connection: Connection, batch: int) -> None:
    """Of a batch that is purged, delete the events of its items, and what receivers answered."""
    for statement in _ERASE:
        await connection.execute(statement, batch)


async def forget(connection: Connection, retention: timedelta) -> None:
    """Delete the test events that are older than this."""
    await connection.execute(_FORGET, retention)


async def _with_attempts(connection: Connection, rows: list[asyncpg.Record]) -> list[Event]:
    events = {
        row["id"]: Event(**{**dict(row), "type": EventType(row["type"]), "state": EventState(row["state"])})
        for row in rows
    }
    if events:
        for row in await connection.fetch(_ATTEMPTS, list(events)):
            event_id, *values = row.values()
            events[event_id].attempts.append(Attempt(*values))
    return list(events.values())
