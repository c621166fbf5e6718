"""How a batch is cut into shards by the database, for any buckets and any size."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.storage import kit
from tests.support.postgres import fresh

from thresher.domain import fairness
from thresher.storage import database, shards
from thresher.storage.database import Connection
from thresher.storage.shards import Rest

BUCKETS = st.lists(st.integers(0, 9), min_size=1, max_size=120)
SIZES = st.integers(1, 20)

Cut = Callable[[list[int], int], list[tuple[int, list[int], str]]]

_SHARDS = "SELECT bucket, ords, state FROM shard WHERE batch_id = $1 ORDER BY id"

any_cut = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def cut(database_server: tuple[str, str]) -> Iterator[Cut]:
    """Submits a batch and tells its shards in the order in which they were made."""
    with asyncio.Runner() as runner:
        copy = fresh(*database_server)
        url = runner.run(copy.__aenter__())
        connection = runner.run(database.connect(url, "cutting"))
        account = runner.run(kit.new_account(connection))

        async def shards_of(buckets: list[int], size: int) -> list[tuple[int, list[int], str]]:
            batch = await kit.submit(connection, account, buckets, shard_size=size)
            rows = await connection.fetch(_SHARDS, batch.id)
            return [(row["bucket"], row["ords"], row["state"]) for row in rows]

        yield lambda buckets, size: runner.run(shards_of(buckets, size))
        runner.run(connection.close())
        runner.run(copy.__aexit__(None, None, None))


@any_cut
@given(BUCKETS, SIZES)
def test_every_item_is_in_exactly_one_shard_of_its_bucket(cut: Cut, buckets: list[int], size: int) -> None:
    made = cut(buckets, size)
    assert sorted(ord_ for _, ords, _ in made for ord_ in ords) == list(range(len(buckets)))
    assert all(buckets[ord_] == bucket for bucket, ords, _ in made for ord_ in ords)


@any_cut
@given(BUCKETS, SIZES)
def test_shards_are_full_but_for_the_last_of_a_bucket(cut: Cut, buckets: list[int], size: int) -> None:
    made = cut(buckets, size)
    last = {bucket: ords for bucket, ords, _ in made}
    assert all(1 <= len(ords) <= size for _, ords, _ in made)
    assert all(len(ords) == size for bucket, ords, _ in made if ords is not last[bucket])


@any_cut
@given(BUCKETS, SIZES)
def test_one_shard_of_each_bucket_is_queued_and_has_its_first_item(cut: Cut, buckets: list[int], size: int) -> None:
    queued = [(bucket, ords[0]) for bucket, ords, state in cut(buckets, size) if state == "queued"]
    assert sorted(queued) == sorted((bucket, buckets.index(bucket)) for bucket in set(buckets))


@any_cut
@given(BUCKETS, SIZES)
def test_shards_and_their_items_keep_the_order_of_the_submit(cut: Cut, buckets: list[int], size: int) -> None:
    made = [ords for _, ords, _ in cut(buckets, size)]
    assert [ords[0] for ords in made] == sorted(ords[0] for ords in made)
    assert all(ords == sorted(ords) for ords in made)


async def _tags(connection: Connection, batch: int) -> list[int]:
    rows = await connection.fetch("SELECT tag FROM shard WHERE batch_id = $1 ORDER BY ords[1]", batch)
    return [row["tag"] for row in rows]


async def test_a_batch_starts_at_the_clock_and_its_shards_follow_at_its_weight(connection: Connection) -> None:
    await connection.execute("UPDATE fair_clock SET tag = 7")
    account = await kit.new_account(connection)
    for weight in (1, 2, 3):
        batch = await kit.submit(connection, account, range(4), shard_size=1)
        assert await _tags(connection, batch.id) == [7, 7 + weight, 7 + 2 * weight, 7 + 3 * weight]
    other = await kit.submit(connection, await kit.new_account(connection), range(3))
    assert await _tags(connection, other.id) == [7, 8, 9]


async def test_a_batch_that_is_not_running_has_no_weight(connection: Connection) -> None:
    account = await kit.new_account(connection)
    await kit.submit(connection, account, [1], stays_open=True)
    await kit.submit(connection, account, [1])
    await kit.drain(connection)
    batch = await kit.submit(connection, account, range(3))
    assert await _tags(connection, batch.id) == [0, 1, 2]


async def test_tags_end_where_32_bits_do(connection: Connection) -> None:
    await connection.execute("UPDATE fair_clock SET tag = $1", fairness.MAX_TAG - 1)
    batch = await kit.submit(connection, await kit.new_account(connection), range(4), shard_size=1)
    assert await _tags(connection, batch.id) == [fairness.MAX_TAG - 1, *[fairness.MAX_TAG] * 3]
    assert fairness.priority(fairness.MAX_TAG) > -(2**31)


async def test_what_is_settled_is_in_no_new_shard(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2, 1, 2, 1], shard_size=2)
    claim = await kit.claim_next(connection)
    await kit.finish_shard(connection, claim, rests=[Rest([2])])
    await connection.execute("DELETE FROM shard")
    async with connection.transaction():
        await shards.create(connection, batch.id, batch.account_id, 2)
    rows = await connection.fetch(_SHARDS, batch.id)
    assert [(row["bucket"], row["ords"], row["state"]) for row in rows] == [
        (2, [1, 3], "queued"),
        (1, [2, 4], "queued"),
    ]
