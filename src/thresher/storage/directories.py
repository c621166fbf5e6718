"""Directories, by which an account calls a number of files. What is in them is storage/directory_files.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import asyncpg

from thresher.storage.database import Connection

# Of a row `d` of a table with these columns: not deleted, and its time is not over, whether the purge has come to it or not.
LIVE = "(d.deleted_at IS NULL AND (d.expires_at IS NULL OR d.expires_at > now()))"

_COLUMNS = """
d.id, d.seq, d.name, d.type, d.description, d.system_metadata, d.connector_subscription_id, d.created_at, d.updated_at, d.expires_at,
CASE WHEN d.deleted_at IS NULL AND d.expires_at <= now() THEN d.expires_at ELSE d.deleted_at END AS deleted_at
"""

_CREATE = f"""
INSERT INTO directory AS d (account_id, name, type, description, system_metadata, connector_subscription_id, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, now() + $8::interval)) RETURNING {_COLUMNS}
"""

_GET = f"SELECT {_COLUMNS} FROM directory d WHERE d.id = $2 AND d.account_id = $1 AND {LIVE}"

# Whoever brings something into a directory holds it, one at a time: nothing comes into one that is being deleted, and what
# is in it is numbered in the order of the commits.
_HOLD = f"""
SELECT d.id, d.expires_at - now() AS left FROM directory d WHERE d.account_id = $1 AND d.id = ANY($2::uuid[]) AND {LIVE}
ORDER BY d.id FOR NO KEY UPDATE
"""

# What is null stays.
_UPDATE = f"""
UPDATE directory d SET name = coalesce($3, d.name), description = coalesce($4, d.description), updated_at = now()
WHERE d.id = $2 AND d.account_id = $1 AND {LIVE} RETURNING {_COLUMNS}
"""

_DELETE = f"""
UPDATE directory d SET deleted_at = now(), updated_at = now() WHERE d.id = $2 AND d.account_id = $1 AND {LIVE} RETURNING true
"""

_WANTED = f"""
FROM directory d
WHERE d.account_id = $1 AND ($2::text IS NULL OR d.name = $2) AND ($3::text[] IS NULL OR d.type = ANY($3)) AND ($4 OR {LIVE})
"""

_LIST = f"SELECT {_COLUMNS} {_WANTED} AND d.seq > $5 ORDER BY d.seq LIMIT $6"

_COUNT = f"SELECT count(*) {_WANTED}"

_END = "UPDATE directory SET deleted_at = expires_at WHERE expires_at <= now() AND deleted_at IS NULL"

# What was deleted long enough ago, in slices; a directory goes when nothing is in it any more.
_FORGET_FILES = """
WITH few AS (SELECT id FROM directory_file WHERE deleted_at <= now() - $1::interval LIMIT $2),
gone AS (DELETE FROM directory_file USING few WHERE directory_file.id = few.id RETURNING 1)
SELECT count(*) FROM gone
"""
_FORGET_MEMBERS = """
WITH few AS (
    SELECT m.id FROM directory d JOIN directory_file m ON m.directory_id = d.id WHERE d.deleted_at <= now() - $1::interval LIMIT $2),
gone AS (DELETE FROM directory_file USING few WHERE directory_file.id = few.id RETURNING 1)
SELECT count(*) FROM gone
"""
_FORGET = """
WITH few AS (SELECT id FROM directory WHERE deleted_at <= now() - $1::interval LIMIT $2),
gone AS (DELETE FROM directory USING few WHERE directory.id = few.id RETURNING 1)
SELECT count(*) FROM gone
"""

SLICE = 10_000  # rows that are deleted in one transaction

# The live files of live directories, for a batch to be made of: a table with the directory and the account of each, what the
# caller calls it, the file with its content, its name, and `seq`, the order in which they came into their directory.
MEMBERS = f"""
(SELECT m.directory_id, m.account_id, m.id, 'dfl-' || m.id AS item_id, m.file_id, f.content_id, m.display_name AS name, m.seq
 FROM directory_file m
 JOIN directory d ON d.id = m.directory_id AND {LIVE}
 JOIN file f ON f.id = m.file_id AND (f.expires_at IS NULL OR f.expires_at > now())
 WHERE m.deleted_at IS NULL)
"""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of an account. `seq` is its place among all of them; past `expires_at` it is deleted."""

    id: UUID
    seq: int
    name: str
    type: str
    description: str | None
    system_metadata: dict[str, Any] | None
    connector_subscription_id: str | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    deleted_at: datetime | None

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        return cls(**row)


@dataclass(frozen=True, slots=True)
class NewDirectory:
    """A directory to be. Without `expires_at` it is there for `lifetime`, None for ever."""

    account: int
    name: str
    type: str = "user"
    description: str | None = None
    system_metadata: dict[str, Any] | None = None
    connector_subscription_id: str | None = None
    expires_at: datetime | None = None
    lifetime: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which directories: None for any name and any type."""

    name: str | None = None
    types: Sequence[str] | None = None
    deleted: bool = False


async def create(connection: Connection, new: NewDirectory) -> Directory:
    [row] = await connection.fetch(
        _CREATE,
        new.account,
        new.name,
        new.type,
        new.description,
        new.system_metadata,
        new.connector_subscription_id,
        new.expires_at,
        new.lifetime,
    )
    return Directory.of(row)


async def get(connection: Connection, account: int, key: UUID) -> Directory | None:
    """None if the account has no such directory, or it is deleted or past its time."""
    row = await connection.fetchrow(_GET, account, key)
    return Directory.of(row) if row else None


async def hold(connection: Connection, account: int, *keys: UUID) -> dict[UUID, timedelta | None]:
    """Until the end of the transaction nobody else changes what is in these directories.

    Returns how much time each has left, None for any; without those that are not there.
    """
    return {row["id"]: row["left"] for row in await connection.fetch(_HOLD, account, keys)}


async def page(
    connection: Connection, account: int, wanted: Wanted, after: int, limit: int
) -> tuple[list[Directory], bool]:
    """So many directories behind a place among all, in the order in which they were made; and whether there are more."""
    rows = await connection.fetch(_LIST, account, wanted.name, wanted.types, wanted.deleted, after, limit + 1)
    return [Directory.of(row) for row in rows[:limit]], len(rows) > limit


async def count(connection: Connection, account: int, wanted: Wanted) -> int:
    found: int = await connection.fetchval(_COUNT, account, wanted.name, wanted.types, wanted.deleted)
    return found


async def update(
    connection: Connection, account: int, key: UUID, name: str | None, description: str | None
) -> Directory | None:
    """Change what is not None. None if there is no such directory."""
    row = await connection.fetchrow(_UPDATE, account, key, name, description)
    return Directory.of(row) if row else None


async def delete(connection: Connection, account: int, key: UUID) -> bool:
    """Whether there was such a directory. What is in it is gone with it; the files themselves stay."""
    return bool(await connection.fetchval(_DELETE, account, key))


async def forget(connection: Connection, retention: timedelta) -> None:
    """Delete those whose time is over; of what was deleted `retention` ago, also the rows. May be repeated."""
    await connection.execute(_END)
    for statement in (_FORGET_FILES, _FORGET_MEMBERS, _FORGET):
        while await connection.fetchval(statement, retention, SLICE):
            pass
