"""A batch is created whole or not at all, and can be read at once."""

import asyncpg
import pytest
from tests.storage import kit, laws

from thresher.domain.states import BatchState
from thresher.storage import batches
from thresher.storage.database import Connection, Pool
from thresher.storage.submit import NewBatch, NewItem, create

TABLES = ("batch", "batch_progress", "item", "shard", "ledger", "event")


async def _counts(connection: Connection) -> dict[str, int]:
    counts = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}
    return counts | {"queue": await connection.fetchval("SELECT count(*) FROM thresher_queue.pgqueuer")}


async def test_a_batch_can_be_read_by_another_connection_as_soon_as_it_is_created(pool: Pool) -> None:
    async with pool.acquire() as writer, pool.acquire() as reader:
        account = await kit.new_account(writer)
        made = await kit.submit(writer, account, [1, 2, 1])
        read = await batches.get(reader, account, made.public_id)
        assert read == made
        assert (made.total, made.pending, made.processing, made.finished) == (3, 3, 0, 0)
        assert (made.state, made.outcome, made.options, made.metadata) == (
            BatchState.RUNNING,
            None,
            {"formats": ["markdown"]},
            {"k": "v"},
        )
        assert await batches.get_by_key(reader, account, made.id) == made
        await laws.check(writer, queued=True)


async def test_a_batch_of_another_account_does_not_exist(connection: Connection) -> None:
    mine, theirs = await kit.new_account(connection), await kit.new_account(connection)
    made = await kit.submit(connection, mine, [1])
    assert await batches.get(connection, theirs, made.public_id) is None
    assert await batches.get_by_key(connection, theirs, made.id) is None


async def test_a_failure_in_the_middle_of_a_create_leaves_nothing(connection: Connection) -> None:
    account = await kit.new_account(connection)
    good = kit.new_items(range(50))
    bad = NewItem("https://example.com/a\0b", 7, "c")  # PostgreSQL refuses a NUL, late in the COPY
    new = NewBatch(account, "olostep", [*good, bad], 3600, 10, {}, {})
    with pytest.raises(asyncpg.CharacterNotInRepertoireError):
        await create(connection, new)
    assert set((await _counts(connection)).values()) == {0}


async def test_shards_are_cut_by_bucket_and_one_of_each_bucket_is_queued(connection: Connection) -> None:
    account = await kit.new_account(connection)
    batch = await kit.submit(connection, account, [n % 7 for n in range(100)], shard_size=4)
    rows = await connection.fetch("SELECT * FROM shard ORDER BY id")
    assert sorted(ord_ for row in rows for ord_ in row["ords"]) == list(range(100))
    for row in rows:
        assert {ord_ % 7 for ord_ in row["ords"]} == {row["bucket"]}
        assert 1 <= len(row["ords"]) <= 4
        assert row["batch_id"] == batch.id
    queued = [row for row in rows if row["state"] == "queued"]
    assert sorted(row["bucket"] for row in queued) == list(range(7))
    assert all(min(row["ords"]) < 7 for row in queued), "the first items of a bucket come first"
    entries = await connection.fetch("SELECT dedupe_key, priority FROM thresher_queue.pgqueuer")
    assert {(int(e["dedupe_key"]), -e["priority"]) for e in entries} == {(row["id"], row["tag"]) for row in queued}
    assert {row["state"] for row in rows} == {"queued", "waiting"}


async def test_the_reservation_is_written_with_the_batch(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2, 3])
    rows = await connection.fetch("SELECT kind, amount FROM ledger WHERE batch_id = $1", batch.id)
    assert [tuple(row) for row in rows] == [("reserve", 3)]


@pytest.mark.parametrize("size", [10_000, 100_000])
async def test_a_large_batch_has_every_item_in_exactly_one_shard(connection: Connection, size: int) -> None:
    account = await kit.new_account(connection)
    batch = await kit.submit(connection, account, [n * 31 % 1024 for n in range(size)], shard_size=100)
    assert batch.total == size
    counts = await _counts(connection)
    assert counts["item"] == size
    assert counts["queue"] == 1024
    row = await connection.fetchrow(
        "SELECT count(*) AS all, count(DISTINCT o) AS once, max(array_length(ords, 1)) AS longest FROM shard, unnest(ords) AS o"
    )
    assert row is not None
    assert (row["all"], row["once"]) == (size, size)
    assert row["longest"] <= 100


async def test_two_batches_get_different_ids_and_keep_their_items_apart(connection: Connection) -> None:
    account = await kit.new_account(connection)
    one, two = await kit.submit(connection, account, [1, 1]), await kit.submit(connection, account, [1])
    assert one.public_id != two.public_id
    owners = await connection.fetch("SELECT batch_id, count(*) AS n FROM item GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in owners] == [(one.id, 2), (two.id, 1)]
