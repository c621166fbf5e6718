"""Files that accounts have uploaded: a name for bytes that storage/contents.py keeps, until it is deleted or its time is over.

A file past its time is not there for any reader; its row goes with the next round of the janitor.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from thresher.storage import contents
from thresher.storage.contents import Received
from thresher.storage.database import Connection

COLUMNS = """
f.id, f.seq, f.content_id AS content, f.name, f.purpose, f.external_file_id, c.size, c.key, f.created_at, f.expires_at
"""

THERE = "(f.expires_at IS NULL OR f.expires_at > now())"

_INSERT = f"""
WITH f AS (
    INSERT INTO file (account_id, content_id, name, purpose, external_file_id, expires_at)
    VALUES ($1, $2, $3, $4, $5, now() + $6::interval) RETURNING *
)
SELECT {COLUMNS} FROM f JOIN content c ON c.id = f.content_id
"""

_BY_ID = f"""
SELECT {COLUMNS} FROM file f JOIN content c ON c.id = f.content_id
WHERE f.id = ANY ($2) AND ($1::bigint IS NULL OR f.account_id = $1) AND {THERE}
"""

# Held, so that no directory takes it in while it goes.
_LOCK = f"SELECT f.id FROM file f WHERE f.id = $2 AND f.account_id = $1 AND {THERE} FOR UPDATE"

_LOCK_EXPIRED = """
SELECT id FROM file WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""

_LEAVE_DIRECTORIES = """
UPDATE directory_file SET deleted_at = now(), updated_at = now() WHERE file_id = ANY ($1) AND deleted_at IS NULL
"""

_DELETE = "DELETE FROM file WHERE id = ANY ($1) RETURNING content_id"

SLICE = 1000  # files that are deleted in one transaction


@dataclass(frozen=True, slots=True)
class File:
    """A file of an account. `content` is the id of its bytes, `key` the object that they are, `size` how many; `seq` its place
    among all files.
    """

    id: UUID
    seq: int
    content: int
    name: str
    purpose: str
    external_file_id: str | None
    size: int
    key: str
    created_at: datetime
    expires_at: datetime | None


async def create(
    connection: Connection,
    received: Received,
    name: str,
    purpose: str,
    external_file_id: str | None = None,
    expires: timedelta | None = None,
) -> File:
    """A file of bytes that were received, there for so long, or until it is deleted. The account is the upload's.

    Raises contents.UploadLost.
    """
    async with connection.transaction():
        content = await contents.keep(connection, received)
        values = (received.upload.account, content, name, purpose, external_file_id, expires)
        [row] = await connection.fetch(_INSERT, *values)
        return _file(row)


async def get(connection: Connection, account: int | None, file: UUID) -> File | None:
    """A file of the account, or of any if that is None. None if there is none."""
    return (await get_many(connection, account, [file])).get(file)


async def get_many(connection: Connection, account: int | None, ids: Iterable[UUID]) -> dict[UUID, File]:
    """Those of the account's files that there are, by their ids."""
    rows = await connection.fetch(_BY_ID, account, list(ids))
    return {row["id"]: _file(row) for row in rows}


async def delete(connection: Connection, account: int, file: UUID) -> bool:
    """Delete a file, also from its directories. Its results stay. Returns whether there was one."""
    async with connection.transaction():
        found = await connection.fetch(_LOCK, account, file)
        await _remove(connection, found)
        return bool(found)


async def expire(connection: Connection) -> int:
    """Delete the files whose time is over, in slices. Returns how many."""
    gone = 0
    while True:
        async with connection.transaction():
            found = await connection.fetch(_LOCK_EXPIRED, SLICE)
            await _remove(connection, found)
        gone += len(found)
        if len(found) < SLICE:
            return gone


async def _remove(connection: Connection, locked: Sequence[asyncpg.Record]) -> None:
    ids = [row["id"] for row in locked]
    await connection.execute(_LEAVE_DIRECTORIES, ids)
    bytes_of = await connection.fetch(_DELETE, ids)
    await contents.drop_unused(connection, [row["content_id"] for row in bytes_of])


def _file(row: asyncpg.Record) -> File:
    return File(**row)
