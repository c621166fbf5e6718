"""Files and their bytes: stored once for each account, whoever uploads and deletes at the same time, and gone with the last file."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.storage import kit
from tests.support.s3 import S3

from thresher.storage import contents, files
from thresher.storage.blobs import Blobs
from thresher.storage.contents import Received, Upload, UploadLost
from thresher.storage.database import Connection, Pool
from thresher.storage.files import File
from thresher.storage.purge import purge

DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Blobs:
    return Blobs((tmp_path / "blobs").as_uri())


async def receive(connection: Connection, store: Blobs, account: int, data: bytes) -> Received:
    """An upload whose bytes are all there."""

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    upload = await contents.begin(connection, account)
    await store.put_stream(upload.key, chunks())
    return Received(upload, sha256(data).digest(), len(data))


async def upload(
    connection: Connection, store: Blobs, account: int, data: bytes = b"x", expires: timedelta | None = None
) -> File:
    return await files.create(
        connection, await receive(connection, store, account, data), "a.txt", "parse", expires=expires
    )


async def stored(connection: Connection, store: Blobs) -> tuple[int, int, int]:
    """The rows of contents, those of them that are live, and the objects."""
    rows = await connection.fetch("SELECT sha256, key, dropped_at FROM content")
    live = sum(row["sha256"] is not None and row["dropped_at"] is None for row in rows)
    return len(rows), live, sum([await store.exists(row["key"]) for row in rows])


async def sweep(connection: Connection, store: Blobs) -> str:
    return str(await purge(connection, store, DAY))


async def test_the_same_bytes_are_one_object_in_an_account_and_two_in_two(connection: Connection, store: Blobs) -> None:
    one, two = [await kit.new_account(connection) for _ in range(2)]
    first, again, other = [await upload(connection, store, account) for account in (one, one, two)]
    assert (first.content, first.key) == (again.content, again.key)
    assert first.id != again.id
    assert other.content != first.content
    assert await stored(connection, store) == (3, 2, 3)
    assert await sweep(connection, store) == "0 files past their time, and the bytes of 1"
    assert await stored(connection, store) == (2, 2, 2)
    assert await files.get_many(connection, one, [first.id, again.id, other.id]) == {first.id: first, again.id: again}
    assert not await files.delete(connection, one, other.id)


async def test_bytes_go_with_the_last_file_of_them(connection: Connection, store: Blobs) -> None:
    account = await kit.new_account(connection)
    first, again = [await upload(connection, store, account) for _ in range(2)]
    assert await files.delete(connection, account, first.id)
    assert not await files.delete(connection, account, first.id)
    await sweep(connection, store)
    assert await stored(connection, store) == (1, 1, 1)
    assert await files.delete(connection, account, again.id)
    later = await upload(connection, store, account)  # those that were dropped are not used again
    assert later.content != first.content
    await sweep(connection, store)
    assert await stored(connection, store) == (1, 1, 1)


async def test_a_file_past_its_time_is_not_there_and_goes_and_its_place_in_a_directory_too(
    connection: Connection, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SLICE", 2)
    account = await kit.new_account(connection)
    old = [await upload(connection, store, account, bytes([n]), timedelta(0)) for n in range(5)]
    kept = await upload(connection, store, account, b"\0", DAY)
    placed = [await place(connection, account, file.id) for file in (old[0], kept)]
    assert await files.get(connection, account, old[0].id) is None
    assert await files.get(connection, account, kept.id) == kept
    assert not await files.delete(connection, account, old[0].id)
    assert await sweep(connection, store) == "5 files past their time, and the bytes of 5"
    assert await stored(connection, store) == (1, 1, 1)
    seen = await connection.fetch("SELECT id, file_id FROM directory_file WHERE deleted_at IS NULL")
    assert seen == [(placed[1], kept.id)]
    assert await files.delete(connection, account, kept.id)
    assert await connection.fetchval("SELECT count(*) FROM directory_file WHERE deleted_at IS NULL") == 0


async def place(connection: Connection, account: int, file: UUID) -> UUID:
    directory = await connection.fetchval(
        "INSERT INTO directory (account_id, name, type) VALUES ($1, 'd', 'user') RETURNING id", account
    )
    insert = "INSERT INTO directory_file (account_id, directory_id, file_id, display_name, unique_id)"
    found: UUID = await connection.fetchval(
        f"{insert} VALUES ($1, $2, $3, 'n', 'n') RETURNING id", account, directory, file
    )
    return found


async def test_an_upload_that_is_given_up_or_takes_a_day_leaves_nothing(connection: Connection, store: Blobs) -> None:
    account = await kit.new_account(connection)
    given_up, slow, young = [await receive(connection, store, account, b"x") for _ in range(3)]
    await contents.abandon(connection, given_up.upload)
    await connection.execute(
        "UPDATE content SET created_at = created_at - $2::interval WHERE id = $1", slow.upload.id, DAY
    )
    await sweep(connection, store)
    assert await stored(connection, store) == (1, 0, 1)
    for lost in (given_up, slow):
        with pytest.raises(UploadLost):
            await files.create(connection, lost, "a.txt", "parse")
    file = await files.create(connection, young, "a.txt", "parse")
    await contents.abandon(connection, young.upload)
    await sweep(connection, store)
    assert await store.read(file.key, 0, 1) == b"x"


async def test_equal_uploads_deletions_and_the_janitor_at_once_leave_each_file_its_bytes_and_no_object_too_many(
    pool: Pool, store: Blobs
) -> None:
    async with pool.acquire() as connection:
        account = await kit.new_account(connection)
    left: list[File] = []

    async def client(number: int) -> None:
        async with pool.acquire() as connection:
            for turn in range(12):
                file = await upload(connection, store, account, b"ab"[turn % 2 :][:1])
                if number == 0 and turn > 9:
                    left.append(file)
                else:
                    await files.delete(connection, account, file.id)

    async def janitor() -> None:
        async with pool.acquire() as connection:
            while True:
                await sweep(connection, store)

    sweeping = asyncio.create_task(janitor())
    await asyncio.gather(*map(client, range(5)))
    sweeping.cancel()
    await asyncio.wait([sweeping])
    async with pool.acquire() as connection:
        await sweep(connection, store)
        assert await stored(connection, store) == (2, 2, 2)
        assert [await store.read(file.key, 0, 1) for file in left] == [b"a", b"b"]


async def test_a_file_in_the_making_and_the_last_deletion_of_the_same_bytes_wait_for_each_other(
    pool: Pool, store: Blobs
) -> None:
    async with pool.acquire() as making, pool.acquire() as deleting:
        account = await kit.new_account(making)
        old = await upload(making, store, account)
        received = await receive(making, store, account, b"x")
        async with making.transaction():
            new = await files.create(making, received, "b.txt", "parse")
            gone = asyncio.create_task(files.delete(deleting, account, old.id))
            await blocked(making)
        assert await gone
        assert new.content == old.content
        await sweep(making, store)
        assert await store.read(new.key, 0, 1) == b"x"

        received = await receive(making, store, account, b"x")
        async with deleting.transaction():
            await files.delete(deleting, account, new.id)
            made = asyncio.create_task(files.create(making, received, "c.txt", "parse"))
            await blocked(deleting)
        await sweep(deleting, store)
        assert await store.read((await made).key, 0, 1) == b"x"


async def blocked(connection: Connection) -> None:
    """Wait until another connection waits for what this one holds."""
    async with asyncio.timeout(10):
        while not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        ):
            await asyncio.sleep(0.005)


async def test_a_sweep_that_is_broken_off_anywhere_is_finished_by_the_next(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_TOGETHER", 1)
    async with S3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        store, account = Blobs("s3://bucket"), await kit.new_account(connection)
        made = [await upload(connection, store, account, bytes([n]), timedelta(0)) for n in range(3)]
        s3.denied = made[1].key  # the store keeps one: the others go
        assert await sweep(connection, store) == "3 files past their time, and the bytes of 2"
        assert [*s3.objects] == [made[1].key]
        s3.denied = ""
        await connection.execute("ALTER TABLE content ADD CONSTRAINT broken CHECK (dropped_at IS NULL) NOT VALID")
        last = await upload(connection, store, account, b"x", timedelta(0))
        with pytest.raises(asyncpg.CheckViolationError):  # before anything of the file is deleted
            await purge(connection, store, DAY)
        assert last.key in s3.objects
        await connection.execute("ALTER TABLE content DROP CONSTRAINT broken")
        await connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;"
            "CREATE TRIGGER refuse BEFORE DELETE ON content FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        with pytest.raises(asyncpg.RaiseError):  # the object is gone, and its row not yet
            await purge(connection, store, DAY)
        await connection.execute("DROP TRIGGER refuse ON content")
        assert await sweep(connection, store) == "0 files past their time, and the bytes of 2"
        assert (s3.objects, await connection.fetchval("SELECT count(*) FROM content")) == ({}, 0)


async def test_an_upload_of_nobody_is_not_taken_for_another(connection: Connection) -> None:
    account = await kit.new_account(connection)
    upload = await contents.begin(connection, account)
    with pytest.raises(UploadLost):
        await files.create(connection, Received(Upload(10**6, account, upload.key), b"-", 1), "a", "parse")
    assert await files.get(connection, account, uuid4()) is None
