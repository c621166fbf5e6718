"""The bytes of files: stored once for each account, found by their SHA-256, gone when no file is made of them any more.

An upload begins with a row, so that its object is known to somebody whatever happens; `keep` makes it the content of a file,
in the transaction that makes the file. What was dropped goes in two steps that may be repeated: the object, then the row.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from thresher.storage.blobs import Blobs, StoreUnusable, file_key
from thresher.storage.database import Connection

log = logging.getLogger("thresher.purge")

_BEGIN = "INSERT INTO content (account_id, key) VALUES ($1, $2) RETURNING id"

# The same bytes, held: whoever would drop them waits for the file that is made of them now.
_SAME = """
SELECT id FROM content WHERE account_id = $1 AND sha256 = $2 AND dropped_at IS NULL FOR SHARE
"""

_FINISH = """
UPDATE content SET sha256 = $2, size = $3 WHERE id = $1 AND sha256 IS NULL AND dropped_at IS NULL RETURNING id
"""

_DROP = "UPDATE content SET dropped_at = now() WHERE id = $1 AND dropped_at IS NULL"

_DROP_UNFINISHED = """
UPDATE content SET dropped_at = now()
WHERE sha256 IS NULL AND dropped_at IS NULL AND created_at <= now() - $1::interval
"""

# In a statement before the one that looks: what was made of them until then is seen, and nothing more can be. In order, so that
# two that delete do not wait for each other.
_LOCK = "SELECT id FROM content WHERE id = ANY ($1) AND dropped_at IS NULL ORDER BY id FOR UPDATE"

_DROP_UNUSED = """
UPDATE content SET dropped_at = now()
WHERE id = ANY ($1) AND NOT EXISTS (SELECT FROM file f WHERE f.content_id = content.id)
"""

_DROPPED = "SELECT id, key FROM content WHERE dropped_at IS NOT NULL AND id > $1 ORDER BY id LIMIT $2"

_FORGET = "DELETE FROM content WHERE id = ANY ($1)"

UNFINISHED = timedelta(days=1)  # how long an upload may take

_TOGETHER = 1000  # objects: what a store deletes in one request


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that has begun: its row, the account's, and the key of the object that its bytes go to."""

    id: int
    account: int
    key: str


@dataclass(frozen=True, slots=True)
class Received:
    """One whose bytes are all in the store, durably."""

    upload: Upload
    sha256: bytes
    size: int


class UploadLost(StoreUnusable):
    """The upload took longer than a day, so that it was taken for one that was broken off, and its object deleted."""


async def begin(connection: Connection, account: int) -> Upload:
    """A row for the bytes that come, and a new key for them."""
    key = file_key(account)
    return Upload(await connection.fetchval(_BEGIN, account, key), account, key)


async def abandon(connection: Connection, upload: Upload) -> None:
    """Give an upload up: its object goes in the next round. Once more does no harm; one that was kept stays."""
    await connection.execute(_DROP + " AND sha256 IS NULL", upload.id)


async def keep(connection: Connection, received: Received) -> int:
    """The content with these bytes: the upload's own, or the one that the account has already, and then the upload is dropped.

    Part of the caller's transaction, which makes a file of it: else nobody would ever drop it. Raises UploadLost.
    """
    upload = received.upload
    while True:
        same: int | None = await connection.fetchval(_SAME, upload.account, received.sha256)
        if same is not None:
            if same != upload.id:
                await connection.execute(_DROP, upload.id)
            return same
        try:
            async with connection.transaction():
                mine: int | None = await connection.fetchval(_FINISH, upload.id, received.sha256, received.size)
        except asyncpg.UniqueViolationError:  # another upload of the same bytes was quicker
            continue
        if mine is None:
            raise UploadLost("an upload took longer than a day")
        return mine


async def drop_unused(connection: Connection, contents: Sequence[int]) -> None:
    """Drop those of which there is no file any more. Part of the transaction that deletes files."""
    found = [row["id"] for row in await connection.fetch(_LOCK, contents)]
    await connection.execute(_DROP_UNUSED, found)


async def sweep(connection: Connection, blobs: Blobs, unfinished: timedelta = UNFINISHED) -> int:
    """One round of the janitor's: objects that were dropped go, and uploads that never ended. Returns how many went."""
    await connection.execute(_DROP_UNFINISHED, unfinished)
    gone, last = 0, 0
    while found := await connection.fetch(_DROPPED, last, _TOGETHER):
        last = found[-1]["id"]
        try:
            await blobs.delete([row["key"] for row in found])
        except StoreUnusable as error:  # it must not keep those behind it
            log.warning("contents of files are not deleted yet: %s", error)
            continue
        await connection.execute(_FORGET, [row["id"] for row in found])
        gone += len(found)
    return gone
