"""Whose turn it is in a bucket when a host there is left alone: nobody claims in vain, and nobody is forgotten."""

from datetime import timedelta

import pytest
from tests.storage import kit, laws

from thresher.domain.states import ItemState, Outcome
from thresher.storage import batches, hosts, promotion, shards
from thresher.storage.database import Connection
from thresher.storage.hosts import Known, Note
from thresher.storage.reconcile import reconcile
from thresher.storage.shards import Claim, Rest


async def pause(connection: Connection, claim: Claim, seconds: float = 500) -> str:
    """The host of all items of a claim (the kit gives each bucket one) is paused."""
    host = f"host{claim.bucket}.example"
    await hosts.note(connection, claim.bucket, [Note(host, seconds, seconds, 1, 1)])
    return host


async def test_a_shard_knows_the_one_host_of_its_items(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1, 1, 2])
    rows = await connection.fetch("SELECT bucket, host FROM shard ORDER BY bucket")
    assert [tuple(row) for row in rows] == [(1, "host1.example"), (2, "host2.example")]


async def test_the_shards_of_a_paused_host_are_claimed_by_nobody_until_the_pause_ends(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [5] * 10, shard_size=1)
    claim = await kit.claim_next(connection)
    host = await pause(connection, claim)
    await kit.finish_shard(connection, claim, rests=[Rest([0], timedelta(hours=1), host=host)])
    assert await kit.serve(connection) == []
    assert (await kit.reread(connection, batch)).pending == 10
    await laws.check(connection, queued=True)
    await connection.execute("UPDATE host SET paused_until = now(), next_at = now()")
    await connection.execute("UPDATE shard SET not_before = now() WHERE state = 'queued'")
    await connection.execute("UPDATE thresher_queue.pgqueuer SET execute_after = now() - interval '1 second'")
    assert await kit.drain(connection) == 10
    assert (await kit.reread(connection, batch)).outcome is Outcome.ALL_OK


async def test_the_shards_of_a_host_that_is_paused_for_long_are_claimed_to_say_so(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [5] * 3, shard_size=1)
    for _ in range(3):
        claim = await kit.claim_next(connection)
        await pause(connection, claim, hosts.LONG + 60)
        await kit.finish_shard(connection, claim)
    await laws.check(connection)
    assert await connection.fetchval("SELECT count(*) FROM shard") == 0


async def test_the_other_hosts_of_the_bucket_go_on(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [5] * 4, shard_size=1)
    last = await connection.fetchval("SELECT max(id) FROM shard")
    await connection.execute("UPDATE shard SET host = 'other.example' WHERE id = $1", last)
    claim = await kit.claim_next(connection)
    await pause(connection, claim)
    await kit.finish_shard(connection, claim)
    assert (await kit.claim_next(connection)).shard == last
    assert (await kit.reread(connection, batch)).processing == 1
    await laws.check(connection)


async def test_a_bucket_where_all_wait_for_a_host_is_woken_when_the_first_is_free(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [5] * 4, shard_size=1)
    claim = await kit.claim_next(connection)
    await connection.execute(
        "UPDATE shard SET host = 'soon.example' WHERE id = (SELECT max(id) FROM shard WHERE state = 'waiting')"
    )
    await pause(connection, claim)
    await hosts.note(connection, 5, [Note("soon.example", 0, 60)])
    await kit.finish_shard(connection, claim)
    rows = await connection.fetch("SELECT host, not_before - now() AS wait FROM shard WHERE state = 'queued'")
    assert [row["host"] for row in rows] == ["soon.example"]
    assert timedelta(seconds=55) < rows[0]["wait"] <= timedelta(seconds=60)
    await laws.check(connection, queued=True)
    assert not await promotion.promote(connection, 5), "one is enough"


async def test_the_reconciler_wakes_a_bucket_whose_alarm_was_lost(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [5] * 3, shard_size=1)
    claim = await kit.claim_next(connection)
    await pause(connection, claim)
    other = await kit.submit(connection, await kit.new_account(connection), [6])
    await kit.finish_shard(connection, claim)
    await connection.execute("UPDATE shard SET state = 'waiting' WHERE state = 'queued' AND bucket = 5")
    await connection.execute(
        "DELETE FROM thresher_queue.pgqueuer WHERE dedupe_key <> (SELECT id::text FROM shard WHERE bucket = 6)"
    )
    report = await reconcile(connection, kit.LIMITS)
    assert report is not None
    assert report.promoted == 1
    await laws.check(connection, queued=True)
    assert (await kit.claim_next(connection)).batch == other.id


async def test_what_was_redirected_gets_in_line_in_the_bucket_of_its_new_host(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    busy = await kit.submit(connection, await kit.new_account(connection), [9])
    claim = await kit.claim_next(connection)
    there = await kit.claim_next(connection)
    assert there.batch == busy.id
    moved = {"1": [{"code": "moved"}]}
    rest = Rest([1], dispatched_at=claim.dispatched_at, carry=moved, bucket=9, host="host9.example")
    await kit.finish_shard(connection, claim, rests=[rest])
    assert await kit.serve(connection) == [], "that bucket is taken"
    await laws.check(connection, queued=True)
    await kit.finish_shard(connection, there)
    on = await kit.claim_next(connection)
    assert (on.batch, on.bucket, on.dispatched_at) == (batch.id, 9, claim.dispatched_at)
    assert [(item.ord, item.attempts) for item in on.items] == [(1, moved["1"])]
    assert await kit.finish_shard(connection, on)


async def test_what_was_redirected_to_a_free_bucket_is_served_at_once(connection: Connection) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1])
    claim = await kit.claim_next(connection)
    await kit.finish_shard(connection, claim, rests=[Rest([0], bucket=9)])
    assert (await kit.claim_next(connection)).bucket == 9


@pytest.mark.parametrize("how", ["waiting", "in hand", "forced"])
async def test_a_stop_keeps_the_attempts_that_were_made(connection: Connection, how: str) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    claim = await kit.claim_next(connection)
    carry = {"1": [{"code": "timeout"}]}
    await kit.finish_shard(connection, claim, rests=[Rest([1], timedelta(0), claim.dispatched_at, carry)])
    if how != "waiting":
        claim = await kit.claim_next(connection)
    await batches.stop(connection, batch.id, Outcome.CANCELLED)
    if how == "in hand":
        carry["1"].append({"code": "cancelled"})
        await shards.end(connection, claim.shard, claim.lease, [Rest([1], carry=carry)])
    elif how == "forced":
        await batches.force(connection, batch.id)
    assert await connection.fetchval("SELECT attempts FROM item WHERE ord = 1") == carry["1"]
    await reconcile(connection, kit.LIMITS)
    row = await connection.fetchrow("SELECT state, attempts FROM item WHERE ord = 1")
    assert row is not None
    assert tuple(row) == (ItemState.CANCELLED, carry["1"])
    await laws.check(connection)


async def test_only_what_still_matters_of_a_host_is_known(connection: Connection) -> None:
    notes = [Note("paused.example", 60, 60, 1, 2), Note("next.example", 0, 20), Note("past.example", 0, 0)]
    await hosts.note(connection, 3, [*notes, Note("recovering.example", 0, 0, 2, 1)])
    await hosts.note(connection, 4, [Note("elsewhere.example", 60, 60, 1, 1)])
    known = await hosts.known(connection, 3)
    assert set(known) == {"paused.example", "next.example", "recovering.example"}
    assert known["recovering.example"] == Known(0.0, 2, 1)
    assert 59 < known["paused.example"].wait <= 60
    await hosts.note(connection, 3, [Note("paused.example", 5, 5, 1, 2)])
    assert (await hosts.known(connection, 3))["paused.example"].wait > 50, "a longer pause that is on stays"


async def test_that_a_host_was_paused_is_remembered_for_hours(connection: Connection) -> None:
    await hosts.note(connection, 3, [Note("struck.example", 0, 0, 1, 2), Note("old.example", 0, 0, 1, 2)])
    await connection.execute("UPDATE host SET paused_until = now() - interval '7 hours' WHERE host = 'old.example'")
    await hosts.forget(connection)
    assert set(await hosts.known(connection, 3)) == {"struck.example"}
