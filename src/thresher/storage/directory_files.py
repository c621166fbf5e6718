"""Files in directories: each under a name, a unique id and metadata of its own. The files are storage/files.py.

Reads take for granted that the caller has found the directory (storage/directories.py), changes look for themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import asyncpg

from thresher.storage import directories, files
from thresher.storage.contents import Received
from thresher.storage.database import Connection

PURPOSE = "user_data"  # of files that are uploaded into a directory

_PLAIN = "m.id, m.seq, m.directory_id, m.file_id, m.display_name, m.unique_id, m.metadata, m.created_at, m.updated_at"

_COLUMNS = f"""
{_PLAIN}, CASE WHEN m.deleted_at IS NULL AND f.expires_at <= now() THEN f.expires_at ELSE m.deleted_at END AS deleted_at
"""

_FROM = "FROM directory_file m LEFT JOIN file f ON f.id = m.file_id"

# One whose file is past its time is gone like one that was deleted, whether the purge has come to it or not.
_LIVE = "m.deleted_at IS NULL AND (f.expires_at IS NULL OR f.expires_at > now())"

_GET = f"SELECT {_COLUMNS} {_FROM} WHERE m.id = $2 AND m.directory_id = $1 AND {_LIVE}"

# In one order, so that two who lock the same do not wait for each other.
_LOCK = f"""
SELECT {_COLUMNS} {_FROM} WHERE m.directory_id = $1 AND m.id = ANY($2::uuid[]) AND {_LIVE} ORDER BY m.id FOR UPDATE OF m
"""

# Not to be deleted before the commit.
_FILE = """
SELECT name, external_file_id FROM file
WHERE id = $2 AND account_id = $1 AND (expires_at IS NULL OR expires_at > now()) FOR KEY SHARE
"""

# Read while the directory is held, so that nobody else takes the unique id.
_HOLDER = """
SELECT id FROM directory_file
WHERE directory_id = $1 AND md5(unique_id) = md5($2) AND unique_id = $2 AND deleted_at IS NULL AND id IS DISTINCT FROM $3
"""

_ADD = f"""
INSERT INTO directory_file AS m (account_id, directory_id, file_id, display_name, unique_id, metadata)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_PLAIN}, m.deleted_at
"""

# What is null stays. In another directory it is the last one that came.
_CHANGE = f"""
UPDATE directory_file m SET display_name = coalesce($2, m.display_name), unique_id = coalesce($3, m.unique_id),
    metadata = coalesce($4, m.metadata), updated_at = now(){{moved}}
WHERE m.id = $1 RETURNING {_PLAIN}, m.deleted_at
"""
_UPDATE = _CHANGE.format(moved="")
_MOVE = _CHANGE.format(moved=", directory_id = $5, seq = DEFAULT")

_DELETE = "UPDATE directory_file SET deleted_at = now(), updated_at = now() WHERE id = ANY($1::uuid[])"

# What each filter means; {0} is its parameter.
FILTERS = {
    "display_name": "m.display_name = {0}",
    "display_name_contains": "strpos(lower(m.display_name), lower({0})) > 0",
    "unique_id": "md5(m.unique_id) = md5({0}) AND m.unique_id = {0}",
    "file_id": "m.file_id = {0}",
    "updated_from": "m.updated_at >= {0}",
    "updated_to": "m.updated_at <= {0}",
}


@dataclass(frozen=True, slots=True)
class DirectoryFile:
    """A file in a directory. `seq` is its place in it; `file_id` is None if the file is deleted."""

    id: UUID
    seq: int
    directory_id: UUID
    file_id: UUID | None
    display_name: str
    unique_id: str
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        return cls(**row)


@dataclass(frozen=True, slots=True)
class Named:
    """What a file is called in a directory; None, in a change, for as before."""

    display_name: str | None = None
    unique_id: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be, in a directory; `lifetime` is None for one that is kept until it is deleted."""

    name: str
    external_file_id: str | None = None
    lifetime: timedelta | None = None


class NoDirectory(Exception):
    """The account has no such directory."""


class NoFile(Exception):
    """The account has no such file."""


class Taken(Exception):
    """The directory has another file of this unique id."""

    def __init__(self, holder: UUID, unique_id: str) -> None:
        super().__init__(holder, unique_id)
        self.holder, self.unique_id = holder, unique_id


async def get(connection: Connection, directory: UUID, key: UUID) -> DirectoryFile | None:
    """None if the directory has no such file."""
    row = await connection.fetchrow(_GET, directory, key)
    return DirectoryFile.of(row) if row else None


async def page(
    connection: Connection,
    directory: UUID,
    filters: Mapping[str, Any],
    after: int,
    limit: int,
    *,
    deleted: bool = False,
) -> tuple[list[DirectoryFile], bool]:
    """So many files behind a place in the directory, in the order in which they came; and whether there are more.

    `filters` are by the names in FILTERS; `deleted`: those that were deleted, too.
    """
    wanted = _wanted(filters, deleted)
    places = len(filters) + 2
    query = f"SELECT {_COLUMNS} {wanted} AND m.seq > ${places} ORDER BY m.seq LIMIT ${places + 1}"
    rows = await connection.fetch(query, directory, *filters.values(), after, limit + 1)
    return [DirectoryFile.of(row) for row in rows[:limit]], len(rows) > limit


async def count(connection: Connection, directory: UUID, filters: Mapping[str, Any], *, deleted: bool = False) -> int:
    """How many all pages have."""
    found: int = await connection.fetchval(f"SELECT count(*) {_wanted(filters, deleted)}", directory, *filters.values())
    return found


def _wanted(filters: Mapping[str, Any], deleted: bool) -> str:
    conditions = [FILTERS[name].format(f"${n}") for n, name in enumerate(filters, 2)]
    return " AND ".join([f"{_FROM} WHERE m.directory_id = $1", *([] if deleted else [_LIVE]), *conditions])


async def add(connection: Connection, account: int, directory: UUID, file: UUID, named: Named) -> DirectoryFile:
    """A file of the account in a directory of it, under its own name and id if it gets no others there.

    Raises NoDirectory, NoFile, Taken.
    """
    async with connection.transaction():
        if not await directories.hold(connection, account, directory):
            raise NoDirectory
        found = await connection.fetchrow(_FILE, account, file)
        if found is None:
            raise NoFile
        display_name = named.display_name or found["name"]
        unique_id = named.unique_id or found["external_file_id"] or found["name"]
        await _refuse_taken(connection, directory, unique_id)
        [row] = await connection.fetch(
            _ADD, account, directory, file, display_name, unique_id, dict(named.metadata or {})
        )
        return DirectoryFile.of(row)


async def upload(
    connection: Connection, account: int, directory: UUID, received: Received, asked: NewFile, named: Named
) -> DirectoryFile:
    """Make a file of bytes that were received for this account, in a directory. It ends with the directory, if not before.

    Raises NoDirectory, Taken, contents.UploadLost.
    """
    async with connection.transaction():
        held = await directories.hold(connection, account, directory)
        if not held:
            raise NoDirectory
        lifetime = min((time for time in (asked.lifetime, held[directory]) if time is not None), default=None)
        made = await files.create(connection, received, asked.name, PURPOSE, asked.external_file_id, lifetime)
        return await add(connection, account, directory, made.id, named)


async def change(
    connection: Connection, account: int, directory: UUID, key: UUID, named: Named, target: UUID | None = None
) -> DirectoryFile | None:
    """Rename a file in a directory, or bring it into another, `target`. None if the directory has no such file.

    Raises NoDirectory, if one of them is not there; Taken.
    """
    keys = {directory, target or directory}
    async with connection.transaction():
        if len(await directories.hold(connection, account, *keys)) < len(keys):
            raise NoDirectory
        found = await connection.fetchrow(_LOCK, directory, [key])
        if found is None:
            return None
        await _refuse_taken(connection, target or directory, named.unique_id or found["unique_id"], key)
        changes = (key, named.display_name, named.unique_id, named.metadata)
        moved = target is not None and target != directory
        [row] = await (connection.fetch(_MOVE, *changes, target) if moved else connection.fetch(_UPDATE, *changes))
        return DirectoryFile.of(row)


async def delete(connection: Connection, directory: UUID, keys: Sequence[UUID]) -> set[UUID]:
    """All of these, or none if one of them is not in the directory. Returns those that are not. The files themselves stay."""
    async with connection.transaction():
        found = {row["id"] for row in await connection.fetch(_LOCK, directory, keys)}
        if not (missing := set(keys) - found):
            await connection.execute(_DELETE, keys)
        return missing


async def _refuse_taken(connection: Connection, directory: UUID, unique_id: str, own: UUID | None = None) -> None:
    if holder := await connection.fetchval(_HOLDER, directory, unique_id, own):
        raise Taken(holder, unique_id)
