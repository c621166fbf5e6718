"""Claims: one running shard in a bucket, leases that rise, and no shard that is forgotten."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from tests.storage import kit, laws

from thresher.storage import queue, shards
from thresher.storage.database import Connection, Pool
from thresher.storage.shards import LeaseLost, Rest


async def test_a_claim_brings_the_items_and_what_is_asked_of_them(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    claim = await kit.claim_next(connection)
    assert (claim.batch, claim.batch_public_id, claim.options) == (batch.id, batch.public_id, batch.options)
    assert claim.deadline_at == batch.deadline_at
    assert claim.lease == 1
    assert [(item.ord, item.custom_id, item.attempts) for item in claim.items] == [(0, "c0", []), (1, "c1", [])]
    now = await kit.reread(connection, batch)
    assert (now.processing, now.pending) == (2, 0)


async def test_a_shard_whose_bucket_is_taken_waits_and_is_promoted_at_the_end(connection: Connection) -> None:
    one = await kit.submit(connection, await kit.new_account(connection), [5])
    two = await kit.submit(connection, await kit.new_account(connection), [5])
    jobs = await kit.serve(connection, 2)
    first = await kit.claim(connection, jobs[0].shard)
    assert first is not None
    assert first.batch == one.id
    assert await kit.claim(connection, jobs[1].shard) is None
    await kit.spend(connection, jobs[1])
    assert await connection.fetchval("SELECT state FROM shard WHERE batch_id = $1", two.id) == "waiting"
    assert await kit.serve(connection) == []
    await laws.check(connection)
    assert await kit.finish_shard(connection, first)
    assert (await kit.claim_next(connection)).batch == two.id
    await laws.check(connection)


async def test_the_database_itself_refuses_a_second_running_shard_in_a_bucket(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [5, 5], shard_size=1)
    with pytest.raises(Exception, match="shard_running"):
        await connection.execute("UPDATE shard SET state = 'running', renewed_at = now()")


async def test_an_unknown_shard_is_nothing_to_do(connection: Connection) -> None:
    assert await kit.claim(connection, 12345) is None
    with pytest.raises(LeaseLost):
        await shards.end(connection, 12345, 1)


async def test_a_takeover_raises_the_lease_and_the_old_holder_is_refused(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 1])
    old = await kit.claim_next(connection)
    await kit.settle(connection, kit.work(old, [0]), batch=batch.id)
    new = await kit.claim(connection, old.shard)
    assert new is not None
    assert new.lease == old.lease + 1
    assert [item.ord for item in new.items] == [1, 2], "what was settled stays settled"
    assert new.dispatched_at == old.dispatched_at, "the deadline of its items goes on"
    late = await kit.settle(connection, kit.work(old, [1]), batch=batch.id)
    assert (late.settled, late.lost) == (0, frozenset({old.shard}))
    with pytest.raises(LeaseLost):
        await shards.end(connection, old.shard, old.lease, [Rest([1, 2])])
    assert len(await connection.fetch("SELECT * FROM shard")) == 1
    await laws.check(connection, queued=True)
    assert await kit.finish_shard(connection, new)
    await laws.check(connection)


async def test_renewing_tells_which_leases_still_hold(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1, 2], shard_size=1)
    jobs = await kit.serve(connection, 2)
    claims = [await kit.claim(connection, job.shard) for job in jobs]
    assert await kit.claim(connection, jobs[0].shard) is not None  # taken over
    leases = [(c.shard, c.lease, job.id) for c, job in zip(claims, jobs, strict=True) if c is not None]
    assert await shards.renew(connection, leases) == {jobs[1].shard}


async def test_a_rest_with_a_delay_is_served_when_it_is_due_and_not_before(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 1])
    claim = await kit.claim_next(connection)
    carry = {"2": [{"code": "timeout"}]}
    rests = [Rest([1]), Rest([2], timedelta(hours=1), claim.dispatched_at, carry)]
    assert not await kit.finish_shard(connection, claim, rests=rests)
    ready = await kit.claim_next(connection)
    assert [item.ord for item in ready.items] == [1]
    assert ready.dispatched_at >= claim.dispatched_at
    await kit.finish_shard(connection, ready)
    assert await kit.serve(connection) == []
    await laws.check(connection)
    await connection.execute("UPDATE thresher_queue.pgqueuer SET execute_after = now() - interval '1 second'")
    late = await kit.claim_next(connection)
    assert [(item.ord, item.attempts) for item in late.items] == [(2, carry["2"])]
    assert late.dispatched_at == claim.dispatched_at
    assert await kit.finish_shard(connection, late)
    assert (await kit.reread(connection, batch)).completed == 3


async def test_a_delayed_shard_does_not_keep_its_bucket(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1])
    claim = await kit.claim_next(connection)
    other = await kit.submit(connection, await kit.new_account(connection), [1])
    await kit.finish_shard(connection, claim, rests=[Rest([0], timedelta(hours=1))])
    assert (await kit.claim_next(connection)).batch == other.id


async def _hammer(pool: Pool, hands: Counter[int], most: Counter[int], done: asyncio.Event) -> int:
    """A worker that claims what it is served and ends it, until the batches are done. Returns its claims."""
    claims = 0
    async with pool.acquire() as connection:
        while not done.is_set():
            jobs = await kit.serve(connection, 2)
            if not jobs and not await connection.fetchval("SELECT EXISTS (SELECT FROM shard)"):
                done.set()
            for job in jobs:
                bucket = await connection.fetchval("SELECT bucket FROM shard WHERE id = $1", job.shard)
                claim = await kit.claim(connection, job.shard)
                if claim is not None:
                    claims += 1
                    hands[bucket] += 1
                    most[bucket] = max(most[bucket], hands[bucket])
                    ords = [item.ord for item in claim.items]
                    await kit.settle(connection, kit.work(claim, ords[:1]), batch=claim.batch)
                    hands[bucket] -= 1
                    rests = [Rest(ords[1:])] if ords[1:] else []
                    await shards.end(connection, claim.shard, claim.lease, rests)
                await kit.spend(connection, job)
    return claims


async def test_eight_connections_that_hammer_claims_never_run_two_shards_of_a_bucket(pool: Pool) -> None:
    async with pool.acquire() as connection:
        for name in ("one", "two", "three"):
            account = await kit.new_account(connection, name)
            await kit.submit(connection, account, [n % 3 for n in range(24)], shard_size=2)
    hands: Counter[int] = Counter()
    most: Counter[int] = Counter()
    done = asyncio.Event()
    claims = await asyncio.gather(*(_hammer(pool, hands, most, done) for _ in range(8)))
    assert most == {0: 1, 1: 1, 2: 1}
    assert sum(claims) >= 72
    assert sum(1 for count in claims if count) >= 2, "more than one worker had a turn"
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM item WHERE state = 1") == 72
        assert await connection.fetchval("SELECT count(*) FROM batch_progress WHERE state = 'done'") == 3
        assert await connection.fetchval("SELECT count(*) FROM shard") == 0
        await laws.check(connection)


@pytest.mark.parametrize("how", ["cancel", "beat"])
async def test_a_cancel_and_a_heartbeat_lock_entries_in_one_order(connection: Connection, pool: Pool, how: str) -> None:
    # Twelve, of which the first is left alone: as texts, their keys have another order than as numbers.
    await kit.submit(connection, await kit.new_account(connection), range(12), shard_size=1)
    jobs = sorted(await kit.serve(connection, 12), key=lambda job: job.id)[1:]
    lock = "SELECT FROM thresher_queue.pgqueuer WHERE id = ANY ($1) FOR UPDATE"
    # The first row is written anew, so that it lies behind the others.
    await connection.execute("UPDATE thresher_queue.pgqueuer SET priority = priority - 1 WHERE id = $1", jobs[0].id)
    async with pool.acquire() as other:
        async with connection.transaction():
            await connection.execute(lock, [jobs[0].id])
            if how == "cancel":
                second = asyncio.create_task(queue.cancel(other, [job.shard for job in reversed(jobs)]))
            else:
                second = asyncio.create_task(queue.beat(other, [job.id for job in reversed(jobs)]))
            pid, waits = other.get_server_pid(), "SELECT cardinality(pg_blocking_pids($1)) > 0"
            while not await connection.fetchval(waits, pid):
                await asyncio.sleep(0.01)
            # It waits for the first one, and holds none of the others.
            await connection.execute(f"{lock} NOWAIT", [job.id for job in jobs[1:]])
        await second


async def test_a_renewal_locks_shards_in_the_order_in_which_a_settle_does(connection: Connection, pool: Pool) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1, 2, 3], shard_size=1)
    claims = sorted([await kit.claim_next(connection) for _ in range(3)], key=lambda claim: claim.shard)
    async with pool.acquire() as other:
        async with connection.transaction():
            await connection.execute("SELECT FROM shard WHERE id = $1 FOR UPDATE", claims[0].shard)
            leases = [(claim.shard, claim.lease, 0) for claim in reversed(claims)]
            renewal = asyncio.create_task(shards.renew(other, leases))
            pid, waits = other.get_server_pid(), "SELECT cardinality(pg_blocking_pids($1)) > 0"
            while not await connection.fetchval(waits, pid):
                await asyncio.sleep(0.01)
            # It waits for the first one, and holds none of the others.
            await connection.execute("SELECT FROM shard WHERE id = $1 FOR UPDATE NOWAIT", claims[2].shard)
        assert await renewal == {claim.shard for claim in claims}
