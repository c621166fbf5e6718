"""Batches of the parse API: made by the database of the files of a directory, or of items by their ids; listed; cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from thresher.domain import credit, ids, url
from thresher.domain.states import BatchState, JobStatus, Outcome
from thresher.storage import batches, copies, directories, ledger, progress
from thresher.storage.batches import BRIEF, Batch
from thresher.storage.database import Connection
from thresher.storage.directories import MEMBERS

Kind = Literal["bjb-", "bat-"]  # how the ids begin of a batch job, and of a batch of the second version

_INSERT = """
INSERT INTO batch (public_id, account_id, face, directory_id, options, webhook, price, deadline_at)
VALUES ($1, $2, 'llamacloud', $3, $4, $5, $6, now() + $7 * interval '1 second') RETURNING id
"""

_IN_DIRECTORY = (
    f"SELECT item_id, file_id, content_id, name, seq FROM {MEMBERS} m WHERE account_id = $1 AND directory_id = $2"
)

# The files $1 of the account that are named by their places in directories, or by themselves.
_BY_ID = f"""
SELECT w.item_id, f.file_id, f.content_id, f.name, w.seq
FROM unnest($2::text[], $3::uuid[], $4::bool[]) WITH ORDINALITY AS w (item_id, key, filed, seq)
CROSS JOIN LATERAL (
    SELECT file_id, content_id, name FROM {MEMBERS} m WHERE w.filed AND m.id = w.key AND m.account_id = $1
    UNION ALL
    SELECT id, content_id, name FROM file
    WHERE NOT w.filed AND id = w.key AND account_id = $1 AND (expires_at IS NULL OR expires_at > now())) AS f
"""

# To the batch, in their order. No host is asked: the files are spread over all the buckets that there are for this, so that
# also a few of them are read side by side.
_TAKE = """
WITH taken AS (
    INSERT INTO item (batch_id, ord, ref, bucket, custom_id, file_id, content_id, name)
    SELECT ${batch}, nth, 'file:' || file_id, {first} + nth % {buckets}, item_id, file_id, content_id, name
    FROM (SELECT *, row_number() OVER (ORDER BY seq) - 1 AS nth FROM ({source}) AS found) AS placed RETURNING 1)
SELECT count(*) FROM taken
"""

# $1 account, $2 how the ids begin, $3 directory, $4 and $5 the time of the creation; {status} is one of those below.
_LISTED = """
WHERE b.account_id = $1 AND b.face = 'llamacloud' AND left(b.public_id, 4) = $2 AND p.purged_at IS NULL
  AND ($3::uuid IS NULL OR b.directory_id = $3) AND ($4::timestamptz IS NULL OR b.created_at >= $4)
  AND ($5::timestamptz IS NULL OR b.created_at <= $5) AND {status}
"""
_LIST = f"{BRIEF} {_LISTED} AND ($6::bigint IS NULL OR b.id < $6) ORDER BY b.id DESC OFFSET $7 LIMIT $8"
_COUNT = f"SELECT count(*) FROM batch b JOIN batch_progress p ON p.batch_id = b.id {_LISTED}"

# As `JobStatus.of`.
_STATUS = {
    None: "true",
    JobStatus.PENDING: "p.state IN ('open', 'running') AND p.begun_at IS NULL",
    JobStatus.RUNNING: "p.state IN ('open', 'running') AND p.begun_at IS NOT NULL",
    JobStatus.COMPLETED: "p.state = 'done' AND p.outcome NOT IN ('cancelled', 'expired')",
    JobStatus.FAILED: "p.state IN ('stopping', 'done') AND p.outcome = 'expired'",
    JobStatus.CANCELLED: "p.state IN ('stopping', 'done') AND p.outcome = 'cancelled'",
}

_SAY_WHY = """
UPDATE batch SET options = options - 'cancel_reason' || CASE WHEN $2::text IS NULL THEN '{}' ELSE jsonb_build_object('cancel_reason', $2) END
WHERE id = $1
"""


class NoDirectory(Exception):
    """The account has no such directory."""


class UnknownItems(Exception):
    """The account has no such files, or they were deleted."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names)
        self.names = names


class TooManyFiles(Exception):
    """There are `count` of them, more than the batch may have."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


@dataclass(frozen=True, slots=True)
class ItemId:
    """What an item is asked for by: its place in a directory (`dfl-` and a UUID) or a file's own id."""

    text: str
    key: UUID
    filed: bool

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None for what cannot be one."""
        filed, name = text.startswith("dfl-"), text.removeprefix("dfl-")
        key = ids.unprefixed("dfl", f"dfl-{name.lower()}")
        return cls(f"dfl-{key}" if filed else str(key), key, filed) if key else None


@dataclass(frozen=True, slots=True)
class NewJob:
    """A batch to be: of a `directory`, or of `items`, each once. `limit`: the most files that it may have; `lifetime` in seconds."""

    account: int
    kind: Kind
    options: dict[str, Any]
    directory: UUID | None
    items: Sequence[ItemId]
    webhook: str | None
    limit: int
    lifetime: float
    shard_size: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of an account's batches are listed; None for any. `before`: the key that theirs are below."""

    kind: Kind
    directory: UUID | None = None
    status: JobStatus | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = field(default=None, kw_only=True)


async def create(connection: Connection, new: NewJob) -> Batch:
    """A batch of all the files that are meant; it runs when this returns, or is done if there are none.

    Raises, before anything is written, NoDirectory, UnknownItems, TooManyFiles, Problem(credits_exhausted).
    """
    source, wanted = _source(new)
    async with connection.transaction():
        limited = await ledger.hold(connection, new.account)
        if new.directory and not await directories.hold(connection, new.account, new.directory):
            raise NoDirectory
        await _check(connection, new, source, wanted, limited=limited)
        price = credit.PAGE
        key: int = await connection.fetchval(
            _INSERT,
            ids.prefixed(new.kind.removesuffix("-")),
            new.account,
            new.directory,
            new.options,
            new.webhook,
            price,
            new.lifetime,
        )
        take = _TAKE.format(batch=len(wanted) + 1, first=url.BUCKETS, buckets=url.STORE_BUCKETS, source=source)
        count = await connection.fetchval(take, *wanted, key, timeout=copies.PATIENCE)
        made = await copies.begin(connection, key, count, count * price, new.shard_size)
        if count == 0 and await progress.finish_if_over(connection, key):
            return await batches.get_by_key(connection, new.account, key) or made
        return made


def _source(new: NewJob) -> tuple[str, list[Any]]:
    """The query of the files that are meant, and what it is asked with."""
    if new.directory:
        return _IN_DIRECTORY, [new.account, new.directory]
    items = new.items
    return _BY_ID, [new.account, [i.text for i in items], [i.key for i in items], [i.filed for i in items]]


async def _check(connection: Connection, new: NewJob, source: str, wanted: list[Any], *, limited: bool) -> None:
    count: int = await connection.fetchval(f"SELECT count(*) FROM ({source}) AS found", *wanted)
    if count < len(new.items):
        found = {row["item_id"] for row in await connection.fetch(source, *wanted)}
        raise UnknownItems([item.text for item in new.items if item.text not in found])
    if count > new.limit:
        raise TooManyFiles(count)
    if limited:
        await ledger.afford(connection, new.account, count * credit.PAGE)


async def page(connection: Connection, account: int, wanted: Wanted, offset: int, limit: int) -> list[Batch]:
    """Batches that were not purged, newest first, without their parameters."""
    query = _LIST.format(status=_STATUS[wanted.status])
    return [Batch.of(row) for row in await connection.fetch(query, account, *_of(wanted), wanted.before, offset, limit)]


async def count(connection: Connection, account: int, wanted: Wanted) -> int:
    """How many all pages have."""
    found: int = await connection.fetchval(_COUNT.format(status=_STATUS[wanted.status]), account, *_of(wanted))
    return found


def _of(wanted: Wanted) -> tuple[Any, ...]:
    return wanted.kind, wanted.directory, wanted.since, wanted.until


async def cancel(connection: Connection, batch: Batch, reason: str | None) -> bool:
    """Nothing that is pending is begun after this. False if it has ended already."""
    if batch.state not in (BatchState.OPEN, BatchState.RUNNING):
        return False
    if not await batches.stop(connection, batch.id, Outcome.CANCELLED):
        return False
    await connection.execute(_SAY_WHY, batch.id, reason)
    return True
