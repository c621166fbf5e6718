"""Each repair of the reconciler, on the very damage that it repairs."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from tests.storage import kit, laws

from thresher.domain import url
from thresher.domain.states import BatchState, ItemState, Outcome
from thresher.storage import batches, items, queue, shards
from thresher.storage.database import Connection, Pool, turn
from thresher.storage.reconcile import Limits, Report, reconcile
from thresher.storage.shards import Rest

NO_GRACE = Limits(timedelta(hours=1), timedelta(seconds=-1), 3, timedelta(seconds=-60))


async def _round(connection: Connection, limits: Limits = kit.LIMITS) -> Report:
    report = await reconcile(connection, limits)
    assert report is not None
    await laws.check(connection, queued=True)
    return report


async def test_a_healthy_cluster_is_left_alone(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1, 1, 1, 1, 2])
    await kit.claim_next(connection)
    before = await connection.fetch("SELECT * FROM shard ORDER BY id")
    assert str(await _round(connection)) == "nothing"
    assert await connection.fetch("SELECT * FROM shard ORDER BY id") == before


async def test_a_lost_queue_entry_is_queued_again(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2])
    claim = await kit.claim_next(connection)
    await connection.execute("TRUNCATE thresher_queue.pgqueuer")
    assert (await _round(connection)).requeued == 2
    assert await kit.drain(connection) == 2
    assert (await kit.reread(connection, batch)).outcome is Outcome.ALL_OK
    assert (await kit.settle(connection, kit.work(claim), batch=batch.id)).settled == 0


async def test_a_loss_is_repaired_only_when_it_is_no_longer_young(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1])
    await connection.execute("TRUNCATE thresher_queue.pgqueuer")
    young = Limits(timedelta(hours=1), timedelta(hours=1), 3, quiet=timedelta(seconds=30))
    assert str(await reconcile(connection, young)) == "nothing"


async def test_a_lost_entry_with_a_delay_keeps_what_is_left_of_it(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1])
    claim = await kit.claim_next(connection)
    await shards.end(connection, claim.shard, claim.lease, [Rest([0], timedelta(hours=1))])
    await connection.execute("TRUNCATE thresher_queue.pgqueuer")
    assert (await _round(connection)).requeued == 1
    assert await kit.serve(connection) == []
    delay = await connection.fetchval("SELECT execute_after - now() FROM thresher_queue.pgqueuer")
    assert timedelta(minutes=59) < delay <= timedelta(hours=1)


async def test_an_idle_bucket_is_promoted(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1, 1, 1], shard_size=1)
    first = await connection.fetchval("DELETE FROM shard WHERE state = 'queued' RETURNING ords")
    await connection.execute("TRUNCATE thresher_queue.pgqueuer")
    report = await reconcile(connection, kit.LIMITS)
    assert report is not None
    assert report.promoted == 1
    claim = await kit.claim_next(connection)
    assert [item.ord for item in claim.items] == [1]
    assert first == [0]


async def test_a_batch_that_nobody_works_at_is_recovered(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 2, 2, 3])
    claim = await kit.claim_next(connection)
    await kit.finish_shard(connection, claim)
    await connection.execute("DELETE FROM shard")
    await connection.execute("TRUNCATE thresher_queue.pgqueuer")
    assert (await _round(connection)).recovered == 3
    await kit.drain(connection)
    assert (await kit.reread(connection, batch)).outcome is Outcome.ALL_OK
    await laws.check(connection)


async def test_a_large_batch_is_recovered_whole(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [n % 1024 for n in range(25_000)])
    await connection.execute("DELETE FROM shard")
    await connection.execute("TRUNCATE thresher_queue.pgqueuer")
    limits = Limits(kit.LIMITS.item_timeout, kit.LIMITS.stop_grace, 100, kit.LIMITS.quiet)
    assert (await _round(connection, limits)).recovered == batch.total
    assert (await _round(connection, limits)).recovered == 0


async def test_a_batch_of_nothing_is_ended(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [])
    await reconcile(connection, kit.LIMITS)
    assert (await kit.reread(connection, batch)).state is BatchState.DONE


async def test_items_past_their_deadline_fail_with_the_attempts_that_were_made(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 1, 1], shard_size=3)
    claim = await kit.claim_next(connection)
    tried = {"1": [{"code": "timeout"}, {"code": "http_5xx"}]}
    rest = Rest([1, 2], timedelta(minutes=1), claim.dispatched_at, tried)
    await kit.finish_shard(connection, claim, rests=[rest])
    await connection.execute(
        "UPDATE shard SET dispatched_at = now() - interval '2 hours' WHERE dispatched_at IS NOT NULL"
    )
    assert (await _round(connection)).items_failed == 2
    now = await kit.reread(connection, batch)
    assert (now.state, now.completed, now.failed, now.numbered) == (BatchState.RUNNING, 1, 2, 3)
    late, untried = [await items.get(connection, now, ord_) for ord_ in (1, 2)]
    assert late is not None
    assert (late.state, late.failure, late.seq, late.attempts) == (ItemState.FAILED, "deadline", 2, tried["1"])
    assert untried is not None
    assert (untried.failure, untried.attempts) == ("deadline", [])
    await kit.drain(connection)
    assert (await kit.reread(connection, batch)).outcome is Outcome.PARTIAL


async def test_what_is_converted_has_the_time_of_its_conversions_besides(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1, url.BUCKETS], shard_size=1)
    for _ in range(2):
        await kit.claim_next(connection)
    limits = replace(kit.LIMITS, converting=timedelta(hours=2))
    for hours, failed in ((2, 1), (4, 1)):
        await connection.execute("UPDATE shard SET dispatched_at = now() - $1::interval", timedelta(hours=hours))
        report = await reconcile(connection, limits)
        assert report is not None
        assert report.items_failed == failed


async def test_a_claimed_shard_past_its_deadline_is_taken_from_its_worker(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    other = await kit.submit(connection, await kit.new_account(connection), [1])
    claim = await kit.claim_next(connection)
    await connection.execute("UPDATE shard SET dispatched_at = now() - interval '2 hours' WHERE state = 'running'")
    assert (await _round(connection)).items_failed == 2
    assert (await kit.reread(connection, batch)).outcome is Outcome.ALL_FAILED
    late = await kit.settle(connection, kit.work(claim), batch=batch.id)
    assert (late.settled, late.lost) == (0, frozenset({claim.shard}))
    assert (await kit.claim_next(connection)).batch == other.id, "the bucket is free again"


async def test_an_expired_batch_ends_without_any_worker(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2], lifetime=-1)
    assert (await _round(connection)).expired == 1
    now = await kit.reread(connection, batch)
    assert (now.state, now.outcome, now.failed) == (BatchState.DONE, Outcome.EXPIRED, 2)
    assert await connection.fetchval("SELECT count(*) FROM item WHERE failure = 'deadline'") == 2
    assert str(await _round(connection)) == "nothing"


async def test_a_stop_that_is_overdue_is_forced(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2], shard_size=1)
    await kit.claim_next(connection)
    await batches.stop(connection, batch.id, Outcome.CANCELLED)
    assert (await _round(connection)).forced == 0
    assert (await kit.reread(connection, batch)).state is BatchState.STOPPING
    assert (await _round(connection, NO_GRACE)).forced == 1
    assert (await kit.reread(connection, batch)).cancelled == 2


async def test_two_reconcilers_at_once_take_turns(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        await one.execute("SELECT pg_advisory_lock(2, 0)")
        assert await reconcile(two, kit.LIMITS) is None
        await one.execute("SELECT pg_advisory_unlock(2, 0)")
        assert await reconcile(two, kit.LIMITS) is not None
        assert await reconcile(one, kit.LIMITS) is not None, "the lock was given back"


async def test_a_turn_whose_connection_cannot_give_it_back_is_free_all_the_same(pool: Pool) -> None:
    busy: list[asyncio.Task[str]] = []

    async def leave_it_busy() -> None:
        async with pool.acquire() as one, turn(one, 7) as mine:
            assert mine
            busy.append(asyncio.create_task(one.execute("SELECT pg_sleep(1)")))
            await asyncio.sleep(0)

    with pytest.raises(asyncpg.InterfaceError):
        await leave_it_busy()
    assert isinstance((await asyncio.gather(*busy, return_exceptions=True))[0], Exception)
    async with pool.acquire() as two:
        while not await two.fetchval("SELECT pg_try_advisory_lock(2, 7)"):  # the server notices when it looks
            await asyncio.sleep(0.05)


async def test_reconciling_while_workers_work_loses_nothing(pool: Pool) -> None:
    async with pool.acquire() as connection:
        account = await kit.new_account(connection)
        ids = [(await kit.submit(connection, account, [n % 5 for n in range(40)], shard_size=4)).id for _ in range(3)]

    async def work() -> None:
        async with pool.acquire() as connection:
            while await connection.fetchval("SELECT EXISTS (SELECT FROM batch_progress WHERE state <> 'done')"):
                await kit.drain(connection)

    async def repair() -> None:
        async with pool.acquire() as connection:
            while await connection.fetchval("SELECT EXISTS (SELECT FROM batch_progress WHERE state <> 'done')"):
                await reconcile(connection, Limits(timedelta(hours=1), timedelta(0), 3))

    async def cancel() -> None:
        async with pool.acquire() as connection:
            await batches.stop(connection, ids[1], Outcome.CANCELLED)

    await asyncio.gather(work(), work(), work(), repair(), cancel())
    async with pool.acquire() as connection:
        await reconcile(connection, NO_GRACE)
        await laws.check(connection)
        assert await connection.fetchval("SELECT count(*) FROM batch_progress WHERE outcome = 'all_ok'") == 2


async def test_the_librarys_log_is_pruned(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1, 2])
    await kit.drain(connection)
    count = "SELECT count(*) FROM thresher_queue.pgqueuer_log"
    assert await connection.fetchval(count) > 0
    await queue.prune(connection, timedelta(hours=1))
    assert await connection.fetchval(count) > 0
    await queue.prune(connection, timedelta(seconds=-1))
    assert await connection.fetchval(count) == 0
