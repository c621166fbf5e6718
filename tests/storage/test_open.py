"""Open batches: filled in any number of appends, started once, and stopped like any other."""

import asyncio
from datetime import timedelta
from typing import Literal

import asyncpg
import pytest
from tests.storage import kit, laws

from thresher.domain.states import BatchState, ItemState, Outcome
from thresher.storage import batches, items, submit
from thresher.storage.batches import Batch
from thresher.storage.database import Connection, Pool
from thresher.storage.reconcile import end_batches, reconcile
from thresher.storage.submit import NewItem

LIMIT = 1000

Stop = Literal[Outcome.CANCELLED, Outcome.EXPIRED]


async def _open(connection: Connection, *buckets: int, lifetime: float = 3600) -> Batch:
    return await kit.submit(connection, await kit.new_account(connection), buckets, lifetime=lifetime, stays_open=True)


def _item(ref: str, custom_id: str) -> NewItem:
    return NewItem(ref, 1, custom_id)


async def test_what_is_appended_comes_behind_what_is_there_and_is_begun_only_after_the_start(
    connection: Connection,
) -> None:
    batch = await _open(connection, 1, 2)
    assert (batch.state, batch.total, batch.pending) == (BatchState.OPEN, 2, 2)
    assert await kit.add(connection, batch, [1, 3]) == 4
    assert await kit.add(connection, batch, []) == 4
    assert await kit.add(connection, batch, [2]) == 5
    await laws.check(connection, queued=True)
    rows = await connection.fetch("SELECT ord, bucket, custom_id FROM item ORDER BY ord")
    assert [tuple(row) for row in rows] == [(n, b, f"c{n}") for n, b in enumerate([1, 2, 1, 3, 2])]
    assert await kit.serve(connection) == []
    assert await submit.start(connection, batch.id, 3)
    await laws.check(connection, queued=True)
    assert await kit.drain(connection) == 3
    now = await kit.reread(connection, batch)
    assert (now.outcome, now.completed, now.billed) == (Outcome.ALL_OK, 5, 5)
    await laws.check(connection)


async def test_an_append_with_the_wrong_offset_changes_nothing(connection: Connection) -> None:
    batch = await _open(connection, 1, 2)
    for offset in (0, 1, 3):
        with pytest.raises(submit.OffsetConflict) as told:
            await submit.append(connection, batch.id, kit.new_items([5], 2), limit=LIMIT, offset=offset)
        assert told.value.total == 2
    assert await kit.reread(connection, batch) == batch
    await laws.check(connection)


async def test_of_two_appends_at_the_same_offset_one_is_made(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        batch = await _open(one)
        both = await asyncio.gather(
            *(submit.append(c, batch.id, kit.new_items([1, 2]), limit=LIMIT, offset=0) for c in (one, two)),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in both) == ["OffsetConflict", "int"]
        assert (await kit.reread(one, batch)).total == 2
        await laws.check(one)


async def test_appends_without_an_offset_at_once_are_all_made(pool: Pool) -> None:
    async def fill(name: str, batch: Batch) -> None:
        async with pool.acquire() as connection:
            for n in range(20):
                some = [_item(f"https://a.example/{name}/{n}/{k}", f"{name}-{n}-{k}") for k in range(3)]
                await submit.append(connection, batch.id, some, limit=LIMIT)

    async with pool.acquire() as connection:
        batch = await _open(connection)
        await asyncio.gather(*(fill(name, batch) for name in "abc"))
        assert (await kit.reread(connection, batch)).total == 180
        await laws.check(connection)


async def test_a_batch_grows_to_its_limit_and_not_beyond(connection: Connection) -> None:
    batch = await _open(connection, 1, 1, 1)
    with pytest.raises(submit.TooManyItems) as told:
        await submit.append(connection, batch.id, kit.new_items([1, 1, 1], 3), limit=5)
    assert told.value.total == 3
    assert await submit.append(connection, batch.id, kit.new_items([1, 1], 3), limit=5) == 5
    await laws.check(connection)


async def test_a_failure_in_the_middle_of_an_append_leaves_nothing_of_it(connection: Connection) -> None:
    batch = await _open(connection, 1)
    some = [*kit.new_items(range(50), 1), _item("https://example.com/a\0b", "c")]
    with pytest.raises(asyncpg.CharacterNotInRepertoireError):
        await submit.append(connection, batch.id, some, limit=LIMIT)
    assert await kit.reread(connection, batch) == batch
    await laws.check(connection)


async def test_a_deadline_is_counted_again_from_the_start(connection: Connection) -> None:
    batch = await _open(connection, 1, lifetime=100)
    assert batch.deadline_at - batch.created_at == timedelta(seconds=100)
    await connection.execute(
        "UPDATE batch SET created_at = created_at - interval '1 day', deadline_at = deadline_at - interval '1 day'"
    )
    await submit.start(connection, batch.id, 3)
    now = await kit.reread(connection, batch)
    left = await connection.fetchval("SELECT deadline_at - now() FROM batch")
    assert timedelta(seconds=90) < left <= timedelta(seconds=100)
    assert now.created_at == batch.created_at - timedelta(days=1)


async def test_a_start_just_before_the_old_deadline_is_not_ended_by_it(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        batch = await _open(one, 1, 2)
        await one.execute(
            "UPDATE batch SET created_at = created_at - interval '2 hours', deadline_at = now() - interval '1 second'"
        )
        async with one.transaction():
            await submit.start(one, batch.id, 3)
            ending = asyncio.create_task(end_batches(two, kit.LIMITS))
            waits = "SELECT cardinality(pg_blocking_pids($1)) > 0"
            while not await one.fetchval(waits, two.get_server_pid()):
                assert not ending.done(), "it saw the old deadline"
        assert (await ending).expired == 0
        assert (await kit.reread(one, batch)).state is BatchState.RUNNING
        await laws.check(one, queued=True)


async def test_only_an_open_batch_is_started(connection: Connection) -> None:
    empty = await _open(connection)
    with pytest.raises(submit.NothingToStart):
        await submit.start(connection, empty.id, 3)
    await batches.stop(connection, empty.id, Outcome.CANCELLED)
    running = await kit.submit(connection, empty.account_id, [1, 1])
    await kit.claim_next(connection)
    for batch in (empty, running):
        before = await connection.fetch("SELECT * FROM shard, batch_progress, batch")
        assert not await submit.start(connection, batch.id, 3)
        with pytest.raises(submit.NotOpen):
            await submit.append(connection, batch.id, kit.new_items([1]), limit=LIMIT)
        assert await connection.fetch("SELECT * FROM shard, batch_progress, batch") == before
    assert not await submit.start(connection, 10**9, 3), "nor one that does not exist"
    await laws.check(connection)


async def test_two_starts_at_once_make_one_set_of_shards(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        batch = await _open(one, *range(50))
        assert sorted(await asyncio.gather(*(submit.start(c, batch.id, 3) for c in (one, two)))) == [False, True]
        await laws.check(one, queued=True)


async def test_an_append_that_meets_the_start_is_in_the_batch_or_refused(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        for _ in range(10):
            batch = await _open(one, 1)
            added, started = await asyncio.gather(
                submit.append(two, batch.id, kit.new_items([1, 2], 1), limit=LIMIT, offset=1),
                submit.start(one, batch.id, 3),
                return_exceptions=True,
            )
            assert started is True
            total = (await kit.reread(one, batch)).total
            assert total == 3 if added == 3 else (total == 1 and isinstance(added, submit.NotOpen))
            await laws.check(one, queued=True)


async def test_a_custom_id_with_two_urls_is_found_wherever_it_is(connection: Connection) -> None:
    batch = await _open(connection, *range(40))
    some = [_item("https://host0.example/0#", "c0"), _item("https://host7.example/7", "other")]
    await submit.append(connection, batch.id, some[1:], limit=LIMIT)
    assert (await kit.reread(connection, batch)).total == 41
    await submit.append(connection, batch.id, some[:1], limit=LIMIT)
    with pytest.raises(submit.SharedId) as told:
        await submit.start(connection, batch.id, 3)
    assert (told.value.custom_id, told.value.one, told.value.other) == ("c0", 0, 41)
    assert (await kit.reread(connection, batch)).state is BatchState.OPEN
    await laws.check(connection)


async def test_a_custom_id_with_two_spellings_of_a_url_is_no_conflict_however_many_there_are(
    connection: Connection,
) -> None:
    batch = await _open(connection)
    for spelling in ("https://a.example/{}", "HTTPS://A.EXAMPLE:443/{}"):
        some = [_item(spelling.format(n), f"c{n}") for n in range(2500)]
        await submit.append(connection, batch.id, some, limit=10_000)
    assert await submit.start(connection, batch.id, 100)
    assert await connection.fetchval("SELECT sum(cardinality(ords)) FROM shard") == 5000


@pytest.mark.parametrize("how", [Outcome.CANCELLED, Outcome.EXPIRED])
async def test_an_open_batch_is_stopped_at_once(connection: Connection, how: Stop) -> None:
    filled, empty = await _open(connection, 1, 2, 1), await _open(connection)
    for batch in (filled, empty):
        if how is Outcome.CANCELLED:
            assert await batches.stop(connection, batch.id, how)
        else:
            await connection.execute("UPDATE batch SET deadline_at = now() WHERE id = $1", batch.id)
    report = await reconcile(connection, kit.LIMITS)
    assert report is not None
    assert report.expired == (2 if how is Outcome.EXPIRED else 0)
    for batch in (filled, empty):
        now = await kit.reread(connection, batch)
        assert (now.state, now.outcome, now.finished, now.billed) == (BatchState.DONE, how, batch.total, 0)
        fate = ItemState.CANCELLED if how is Outcome.CANCELLED else ItemState.FAILED
        page = await items.page_finished(connection, now, fate, 0, 10)
        assert [item.ord for item in page.items] == list(range(batch.total))
        assert not await batches.stop(connection, batch.id, Outcome.CANCELLED)
    await laws.check(connection, queued=True)
