"""Directories on PostgreSQL: what a batch is made of, what expires, and what happens at the same time."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from thresher.storage import accounts, directories, directory_files
from thresher.storage.database import Connection, Pool
from thresher.storage.directories import Directory, NewDirectory
from thresher.storage.directory_files import Named, NoDirectory, NoFile, Taken

_FILE = """
WITH bytes AS (INSERT INTO content (account_id, key, sha256, size) VALUES ($1, gen_random_uuid(), sha256($2::bytea), 1) RETURNING id)
INSERT INTO file (account_id, content_id, name, purpose, expires_at) SELECT $1, id, $3, 'parse', now() + $4::interval FROM bytes
RETURNING id
"""


async def file(connection: Connection, account: int, name: str, lifetime: timedelta | None = None) -> UUID:
    made: UUID = await connection.fetchval(_FILE, account, name.encode(), name, lifetime)
    return made


async def account_of(connection: Connection) -> int:
    made = await accounts.create(connection, "files")
    assert made is not None
    return made


async def members(connection: Connection, directory: Directory) -> list[str]:
    query = f"SELECT name FROM {directories.MEMBERS} m WHERE directory_id = $1 ORDER BY seq"
    return [row["name"] for row in await connection.fetch(query, directory.id)]


async def test_what_a_batch_is_made_of_is_what_is_listed_in_the_order_in_which_it_came(connection: Connection) -> None:
    account = await account_of(connection)
    one, other = [await directories.create(connection, NewDirectory(account, name)) for name in ("one", "other")]
    moved, deleted, gone, last = [
        await directory_files.add(connection, account, one.id, await file(connection, account, name), Named())
        for name in ("moved", "deleted", "gone", "last")
    ]
    await directory_files.add(connection, account, other.id, await file(connection, account, "first"), Named())
    assert await members(connection, one) == ["moved", "deleted", "gone", "last"]
    await directory_files.change(connection, account, one.id, moved.id, Named("came"), other.id)
    assert await directory_files.delete(connection, one.id, [deleted.id]) == set()
    await connection.execute("UPDATE file SET expires_at = now() WHERE id = $1", gone.file_id)
    for directory, names in ((one, ["last"]), (other, ["first", "came"])):
        assert await members(connection, directory) == names
        listed, more = await directory_files.page(connection, directory.id, {}, 0, 10)
        assert ([entry.display_name for entry in listed], more) == (names, False)
        assert await directory_files.count(connection, directory.id, {}) == len(names)
    everything, _ = await directory_files.page(connection, one.id, {}, 0, 10, deleted=True)
    assert {entry.display_name for entry in everything if entry.deleted_at} == {"deleted", "gone"}
    assert await directory_files.delete(connection, one.id, [last.id, gone.id]) == {gone.id}
    assert await members(connection, one) == ["last"], "all or none"
    await directories.delete(connection, account, one.id)
    assert await members(connection, one) == []
    with pytest.raises(NoFile):
        await directory_files.add(connection, account, other.id, gone.file_id or UUID(int=0), Named())
    with pytest.raises(NoDirectory):
        await directory_files.change(connection, account, other.id, moved.id, Named(), one.id)


async def test_a_directory_past_its_time_is_gone_at_once_and_its_rows_when_the_retention_is_over(
    connection: Connection,
) -> None:
    account = await account_of(connection)
    [kept, over] = [
        await directories.create(connection, NewDirectory(account, "d", lifetime=lifetime))
        for lifetime in (None, timedelta(seconds=-1))
    ]
    for directory in (kept, over):
        await connection.execute(
            "INSERT INTO directory_file (account_id, directory_id, file_id, display_name, unique_id) VALUES ($1, $2, $3, 'f', 'f')",
            account,
            directory.id,
            await file(connection, account, f"{directory.id}"),
        )
    assert over.deleted_at == over.expires_at
    assert await directories.get(connection, account, over.id) is None
    assert await members(connection, over) == []
    await directories.forget(connection, timedelta(days=1))
    found, _ = await directories.page(connection, account, directories.Wanted(deleted=True), 0, 10)
    assert [directory.deleted_at for directory in found] == [None, over.expires_at]
    await directories.forget(connection, timedelta())
    rows = await connection.fetch("SELECT d.id FROM directory d JOIN directory_file m ON m.directory_id = d.id")
    assert [row["id"] for row in rows] == [kept.id] == [*await connection.fetchrow("SELECT id FROM directory")]
    assert await connection.fetchval("SELECT count(*) FROM file") == 2, "the files themselves stay"


async def test_of_many_who_take_one_unique_id_at_the_same_time_one_gets_it(pool: Pool) -> None:
    async with pool.acquire() as connection:
        account = await account_of(connection)
        one, other = [await directories.create(connection, NewDirectory(account, name)) for name in ("a", "b")]
        files = [await file(connection, account, f"{n}") for n in range(8)]
        entries = [await directory_files.add(connection, account, other.id, key, Named()) for key in files]

    async def take(n: int) -> bool:
        async with pool.acquire() as connection:
            try:
                if n % 2:
                    await directory_files.add(connection, account, one.id, files[n], Named(unique_id="same"))
                else:
                    named = Named(unique_id="same")
                    await directory_files.change(connection, account, other.id, entries[n].id, named, one.id)
            except Taken:
                return False
            return True

    assert sum(await asyncio.gather(*map(take, range(8)))) == 1
