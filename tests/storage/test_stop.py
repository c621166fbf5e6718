"""Cancel and expiry: what is pending never starts, what is in hand winds down, and pages do not move meanwhile."""

from datetime import timedelta
from typing import Literal

import pytest
from tests.storage import kit, laws

from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.states import BatchState, ItemState, Outcome
from thresher.storage import batches, items, reconcile, shards
from thresher.storage.batches import Batch
from thresher.storage.database import Connection, Pool
from thresher.storage.items import Item
from thresher.storage.shards import LeaseLost, Rest

Stop = Literal[Outcome.CANCELLED, Outcome.EXPIRED]
STOPS: list[Stop] = [Outcome.CANCELLED, Outcome.EXPIRED]


@pytest.mark.parametrize("how", STOPS)
async def test_a_batch_of_which_nothing_is_in_hand_is_done_at_once(connection: Connection, how: Stop) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2, 2, 2, 2])
    assert await batches.stop(connection, batch.id, how)
    now = await kit.reread(connection, batch)
    assert (now.state, now.outcome, now.finished, now.numbered) == (BatchState.DONE, how, 5, 0)
    assert (now.cancelled, now.failed) == ((5, 0) if how is Outcome.CANCELLED else (0, 5))
    assert await kit.serve(connection) == []
    assert await connection.fetchval("SELECT count(*) FROM shard") == 0
    assert not await batches.stop(connection, batch.id, how), "it is stopped once"
    await laws.check(connection)


@pytest.mark.parametrize("how", STOPS)
async def test_what_is_in_hand_may_still_be_settled_while_the_batch_winds_down(
    connection: Connection, how: Stop
) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 2, 2], shard_size=2)
    claim = await kit.claim_next(connection)
    assert await batches.stop(connection, batch.id, how)
    now = await kit.reread(connection, batch)
    assert (now.state, now.processing, now.finished) == (BatchState.STOPPING, 2, 0)
    assert (await kit.settle(connection, kit.work(claim, [0]), batch=batch.id)).settled == 1
    await laws.check(connection)
    assert await shards.end(connection, claim.shard, claim.lease, [Rest([1])]), (
        "its end ends the batch; no rest is kept"
    )
    now = await kit.reread(connection, batch)
    assert (now.state, now.outcome, now.completed, now.finished) == (BatchState.DONE, how, 1, 4)
    await laws.check(connection)
    assert await connection.fetchval("SELECT count(*) FROM shard") == 0


async def test_a_bucket_that_a_stopped_batch_leaves_goes_to_the_next(connection: Connection) -> None:
    stopped = await kit.submit(connection, await kit.new_account(connection), [4, 4], shard_size=1)
    other = await kit.submit(connection, await kit.new_account(connection), [9, 4], shard_size=1)
    jobs = await kit.serve(connection, 3)
    claims = [await kit.claim(connection, job.shard) for job in jobs]
    assert claims[2] is None, "the other's shard waits for bucket 4"
    assert await batches.stop(connection, stopped.id, Outcome.CANCELLED)
    assert claims[0] is not None
    await shards.end(connection, claims[0].shard, claims[0].lease)
    assert (await kit.claim_next(connection)).batch == other.id
    await laws.check(connection)


async def test_a_dead_workers_shard_of_a_stopping_batch_is_dropped_by_who_takes_it_over(
    connection: Connection,
) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    claim = await kit.claim_next(connection)
    await batches.stop(connection, batch.id, Outcome.CANCELLED)
    assert await kit.claim(connection, claim.shard) is None
    assert (await kit.reread(connection, batch)).state is BatchState.DONE
    await laws.check(connection)


async def test_force_takes_the_leases_of_those_who_do_not_wind_down(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 2], shard_size=2)
    waiting = await kit.submit(connection, await kit.new_account(connection), [1])
    claim = await kit.claim_next(connection)
    assert not await batches.force(connection, batch.id), "a running batch is not forced"
    await batches.stop(connection, batch.id, Outcome.EXPIRED)
    await kit.drain(connection)  # parks or claims the other batch
    assert await batches.force(connection, batch.id)
    assert not await batches.force(connection, batch.id)
    now = await kit.reread(connection, batch)
    assert (now.state, now.outcome, now.failed) == (BatchState.DONE, Outcome.EXPIRED, 3)
    late = await kit.settle(connection, kit.work(claim), batch=batch.id)
    assert (late.settled, late.lost) == (0, frozenset({claim.shard}))
    with pytest.raises(LeaseLost):
        await shards.end(connection, claim.shard, claim.lease)
    await laws.check(connection)
    await kit.drain(connection)
    assert (await kit.reread(connection, waiting)).state is BatchState.DONE


async def _stopped(connection: Connection, how: Stop) -> Batch:
    """Twenty items, of which three completed and one failed; then the batch was stopped."""
    batch = await kit.submit(connection, await kit.new_account(connection), [1] * 20, shard_size=20)
    claim = await kit.claim_next(connection)
    await kit.settle(connection, kit.work(claim, [17, 3, 9]), batch=batch.id)
    await kit.settle(connection, kit.work(claim, [5], ItemState.FAILED), batch=batch.id)
    await batches.stop(connection, batch.id, how)
    await shards.end(connection, claim.shard, claim.lease)
    return await kit.reread(connection, batch)


def _seen(found: list[Item]) -> list[tuple[int, int | None, ItemState, str | None]]:
    return [(item.ord, item.seq, item.state, item.failure) for item in found]


async def _views(connection: Connection, batch: Batch) -> dict[object, object]:
    """Every page of every filter, for several sizes of a page."""
    now = await kit.reread(connection, batch)
    views: dict[object, object] = {}
    for state in (None, ItemState.COMPLETED, ItemState.FAILED, ItemState.CANCELLED):
        for limit in (1, 3, 7, 100):
            views[state, limit] = _seen(await kit.all_finished(connection, now, state, limit))
        views[state] = (await items.page_finished(connection, now, state, 0, 1)).count
    return views


@pytest.mark.parametrize("how", STOPS)
async def test_pages_are_the_same_before_during_and_after_the_janitor_writes_the_overlay(
    connection: Connection, how: Stop, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = await _stopped(connection, how)
    assert (batch.numbered, batch.finished) == (4, 20)
    before = await _views(connection, batch)
    everything = before[None, 7]
    assert isinstance(everything, list)
    assert [seq for _, seq, _, _ in everything] == list(range(1, 21)), "gapless"
    assert [ord_ for ord_, *_ in everything[:4]] == [17, 3, 9, 5]
    assert {item[2] for item in everything[4:]} == {
        ItemState.CANCELLED if how is Outcome.CANCELLED else ItemState.FAILED
    }
    monkeypatch.setattr(reconcile, "SLICE", 5)
    during: list[dict[object, object]] = []
    stale: list[list[object]] = []
    await _each_slice(connection, batch, during, stale)
    assert len(during) >= 3
    assert all(views == before for views in during)
    assert all(view == everything for view in stale), "a batch that was read before the janitor wrote pages alike"
    assert await _views(connection, batch) == before
    now = await kit.reread(connection, batch)
    assert now.numbered == now.finished == 20
    await laws.check(connection)


async def _each_slice(
    connection: Connection,
    batch: Batch,
    during: list[dict[object, object]],
    stale: list[list[object]],
) -> None:
    """Reconcile, looking at the pages before each slice that the janitor writes."""

    class Looking:
        def __init__(self, outer: Connection) -> None:
            self._outer = outer

        def __getattr__(self, name: str) -> object:
            return getattr(self._outer, name)

        async def fetchval(self, query: str, *args: object) -> object:
            found = await self._outer.fetchval(query, *args)
            if query == reconcile._WRITE_OVERLAY:
                during.append(await _views(self._outer, batch))
                stale.append(list(_seen(await kit.all_finished(self._outer, batch, None, 7))))
            return found

    await reconcile.reconcile(Looking(connection), kit.LIMITS)  # type: ignore[arg-type]


async def test_an_item_of_a_stopped_batch_reads_as_the_overlay_by_itself_too(connection: Connection) -> None:
    batch = await _stopped(connection, Outcome.EXPIRED)
    item = await items.get(connection, batch, 0)
    assert item is not None
    assert (item.state, item.failure, item.detail) == (
        ItemState.FAILED,
        FailureCode.DEADLINE,
        FAILURES[FailureCode.DEADLINE].meaning,
    )


async def test_a_stopping_batch_is_not_taken_from_the_workers_that_wind_it_down(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    claim = await kit.claim_next(connection)
    await batches.stop(connection, batch.id, Outcome.CANCELLED)
    report = await reconcile.reconcile(connection, kit.LIMITS)
    assert report is not None
    assert report.requeued == 0
    assert await kit.serve(connection) == []
    assert (await kit.settle(connection, kit.work(claim), batch=batch.id)).over


async def test_two_stops_at_once_end_the_batch_once(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        batch = await kit.submit(one, await kit.new_account(one), [1, 2])
        await one.execute("UPDATE batch SET deadline_at = now() - interval '1 second'")
        limits = reconcile.Limits(timedelta(hours=1), timedelta(0), 3)
        stopped = await batches.stop(two, batch.id, Outcome.CANCELLED)
        report = await reconcile.reconcile(one, limits)
        assert report is not None
        assert (stopped, report.expired) == (True, 0)
        await laws.check(one)
