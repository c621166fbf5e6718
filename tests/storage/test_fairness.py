"""Whose shard is served next, counted in claims: the order is the queue's own."""

from collections import Counter

from tests.storage import kit, laws

from thresher.domain import fairness
from thresher.storage import queue
from thresher.storage.database import Connection
from thresher.storage.reconcile import reconcile
from thresher.storage.shards import Rest


async def test_a_batch_of_one_shard_behind_a_batch_of_a_hundred_is_served_next(connection: Connection) -> None:
    big = await kit.submit(connection, await kit.new_account(connection), range(100), shard_size=1)
    first = [await kit.claim_next(connection) for _ in range(10)]
    assert {claim.batch for claim in first} == {big.id}
    small = await kit.submit(connection, await kit.new_account(connection), [500], shard_size=1)
    claim = await kit.claim_next(connection)
    assert claim.batch == small.id
    assert (await kit.claim_next(connection)).batch == big.id


async def test_two_batches_of_two_accounts_are_served_in_turn(connection: Connection) -> None:
    one = await kit.submit(connection, await kit.new_account(connection), range(30), shard_size=1)
    two = await kit.submit(connection, await kit.new_account(connection), range(100, 130), shard_size=1)
    served = [(await kit.claim_next(connection)).batch for _ in range(40)]
    assert Counter(served) == {one.id: 20, two.id: 20}


async def test_ten_batches_of_one_account_do_not_crowd_out_the_batch_of_another(connection: Connection) -> None:
    crowd, single = await kit.new_account(connection), await kit.new_account(connection)
    for n in range(10):
        await kit.submit(connection, crowd, range(n * 30, n * 30 + 30), shard_size=1)
    one = await kit.submit(connection, single, range(500, 530), shard_size=1)
    served = [(await kit.claim_next(connection)).batch for _ in range(80)]
    # Batch j of the crowd was tagged with the weight j: together 1 + 1/2 + ... + 1/10 = 2.93 shares against one.
    # Unweighted it would be one share in eleven: 7 of 80.
    assert served.count(one.id) >= 16


async def test_what_is_left_of_a_shard_does_not_overtake_what_came_since(connection: Connection) -> None:
    old = await kit.submit(connection, await kit.new_account(connection), [1] * 3, shard_size=3)
    claim = await kit.claim_next(connection)
    assert claim.batch == old.id
    busy = await kit.submit(connection, await kit.new_account(connection), range(100, 120), shard_size=1)
    for _ in range(5):
        await kit.claim_next(connection)
    await kit.finish_shard(connection, claim, rests=[Rest([1, 2])])
    clock = await connection.fetchval("SELECT tag FROM fair_clock")
    tag = await connection.fetchval("SELECT tag FROM shard WHERE batch_id = $1", old.id)
    assert tag == clock == 4
    served = [(await kit.claim_next(connection)).batch for _ in range(15)]
    assert served[0] in (old.id, busy.id)
    assert served.index(old.id) <= 1, "it is not put behind the whole of the other batch either"


async def test_a_promoted_shard_takes_its_place_at_the_clock(connection: Connection) -> None:
    first = await kit.submit(connection, await kit.new_account(connection), [1, 1], shard_size=1)
    claim = await kit.claim_next(connection)
    other = await kit.submit(connection, await kit.new_account(connection), range(50, 60), shard_size=1)
    for _ in range(8):
        assert (await kit.claim_next(connection)).batch == other.id
    await kit.finish_shard(connection, claim)
    waiting = await connection.fetchrow("SELECT tag, state FROM shard WHERE batch_id = $1", first.id)
    assert waiting is not None
    assert tuple(waiting) == (await connection.fetchval("SELECT tag FROM fair_clock"), "queued")


async def test_a_shard_far_back_in_the_queue_keeps_nobody_of_its_bucket_waiting(connection: Connection) -> None:
    big = await kit.submit(connection, await kit.new_account(connection), [7, *range(100, 200), 7], shard_size=1)
    await kit.finish_shard(connection, await kit.claim_next(connection))  # the last one of its bucket 7 is queued now
    small = await kit.submit(connection, await kit.new_account(connection), [7, 7, 7], shard_size=1)
    served = []
    for _ in range(6):
        claim = await kit.claim_next(connection)
        served.append(claim.batch)
        await kit.finish_shard(connection, claim)
    assert served.count(small.id) == 3
    await laws.check(connection)
    await kit.drain(connection)
    assert (await kit.reread(connection, big)).state == "done"


async def test_setting_the_clock_back_keeps_the_order(connection: Connection) -> None:
    far = fairness.REBASE_AT + 1000
    await connection.execute("UPDATE fair_clock SET tag = $1", far)
    account = await kit.new_account(connection)
    await kit.submit(connection, account, [*range(20), *range(20)], shard_size=1)
    await kit.submit(connection, account, range(100, 110), shard_size=1)
    order = "SELECT dedupe_key FROM thresher_queue.pgqueuer ORDER BY priority DESC, id"
    before = [row["dedupe_key"] for row in await connection.fetch(order)]
    await reconcile(connection, kit.LIMITS)
    assert await connection.fetchval("SELECT tag FROM fair_clock") == 0
    assert [row["dedupe_key"] for row in await connection.fetch(order)] == before
    mismatched = await connection.fetch(
        "SELECT s.id FROM shard s JOIN thresher_queue.pgqueuer q ON q.dedupe_key = s.id::text WHERE q.priority <> -s.tag"
    )
    assert not mismatched
    await laws.check(connection, queued=True)
    fresh = await kit.submit(connection, await kit.new_account(connection), [300], shard_size=1)
    assert await connection.fetchval("SELECT max(tag) FROM shard WHERE batch_id = $1", fresh.id) == 0


async def test_the_clock_is_left_alone_while_it_is_small(connection: Connection) -> None:
    await connection.execute("UPDATE fair_clock SET tag = 12345")
    await reconcile(connection, kit.LIMITS)
    assert await connection.fetchval("SELECT tag FROM fair_clock") == 12345


async def test_an_entry_that_is_queued_already_is_left_as_it_is(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1])
    shard = await connection.fetchval("SELECT id FROM shard")
    await queue.enqueue(connection, [queue.Entry(shard, 99)])
    rows = await connection.fetch("SELECT priority FROM thresher_queue.pgqueuer")
    assert [row["priority"] for row in rows] == [0]
