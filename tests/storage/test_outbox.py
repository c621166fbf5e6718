"""Events, their log and what signs them, when two things happen at once and when a batch goes."""

import asyncio
from datetime import timedelta

import pytest
from tests.storage import kit

from thresher.domain.webhook import EventState
from thresher.storage import feeds, outbox, purge, signing, submit
from thresher.storage.batches import Batch
from thresher.storage.database import Connection, Pool
from thresher.storage.outbox import Attempt

HOOK = "https://hooks.example/"


async def told(connection: Connection, account: int, items: int) -> Batch:
    """A batch that is done; its webhook is told of the items, of one alone that the batch is completed."""
    options = {"webhook_events": ["item.completed"] if items > 1 else ["batch.completed"]}
    new = submit.NewBatch(account, "olostep", kit.new_items([1] * items), 3600.0, items, options, {}, HOOK)
    batch = await submit.create(connection, new)
    claim = await kit.claim_next(connection)
    await kit.settle(connection, kit.work(claim), batch=batch.id)
    return await kit.reread(connection, batch)


async def arrived(connection: Connection) -> Attempt:
    return Attempt("1/5", await connection.fetchval("SELECT now()"), 1, 200, "thanks", None, None)


async def blocked_or_done(pool: Pool, task: asyncio.Task[object]) -> None:
    """Until the task is over, or its statement waits for a lock."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while not task.done() and not await pool.fetchval(waits):
            await asyncio.sleep(0.005)


async def test_a_rotation_beside_an_accounts_first_delivery_gives_out_the_secret_that_signs(
    pool: Pool, connection: Connection
) -> None:
    account = await kit.new_account(connection)
    async with pool.acquire() as delivering:
        async with delivering.transaction():
            await signing.keys(delivering, account)
            rotation = asyncio.create_task(signing.rotate(connection, account))
            await blocked_or_done(pool, rotation)
        assert await rotation in await signing.keys(delivering, account)


async def test_items_go_on_being_told_of_when_two_events_of_them_arrive_at_once(
    pool: Pool, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await kit.new_account(connection)
    batch = await told(connection, account, 2)
    monkeypatch.setattr(feeds, "MOST", 1)
    await feeds.feed(connection, "ret_{}_{}".format)
    [first] = await outbox.claim(connection, [], 9, timedelta(minutes=1))
    await outbox.record(connection, first, await arrived(connection), EventState.DELIVERED, 0.0)
    await feeds.feed(connection, "ret_{}_{}".format)
    assert await outbox.resend(connection, account, batch.id, first.id)
    one, other = await outbox.claim(connection, [], 9, timedelta(minutes=1))
    async with pool.acquire() as elsewhere:
        async with elsewhere.transaction():
            await outbox.record(elsewhere, one, await arrived(elsewhere), EventState.DELIVERED, 0.0)
            beside = outbox.record(connection, other, await arrived(connection), EventState.DELIVERED, 0.0)
            recording = asyncio.create_task(beside)
            await blocked_or_done(pool, recording)
        await recording
    assert await connection.fetchval("SELECT due_at IS NOT NULL FROM item_feed")


async def test_what_a_receiver_answers_after_the_purge_is_not_kept(connection: Connection) -> None:
    account = await kit.new_account(connection)
    batch = await told(connection, account, 1)
    [event] = await outbox.claim(connection, [], 9, timedelta(minutes=1))
    await purge.mark(connection, batch.id)
    await outbox.erase(connection, batch.id)
    await outbox.record(connection, event, await arrived(connection), EventState.DELIVERED, 0.0)
    known = await outbox.get(connection, account, event.id)
    assert known is not None
    assert (known.state, known.attempts) == ("delivered", [])
