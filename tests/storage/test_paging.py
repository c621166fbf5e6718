"""Pages of items: an integer cursor that stays put while settles go on, at the same cost anywhere."""

import json
from typing import Any, Literal

import pytest
from tests.storage import kit

from thresher.domain.states import ItemState, Outcome
from thresher.storage import batches, items, reconcile
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.shards import Rest

_FILL = """
INSERT INTO item (batch_id, ord, ref, custom_id, state, finish_seq, failure, pack_id, off, len, finished_at)
SELECT $1, n, 'https://example.com/' || n, 'c' || n, CASE WHEN n % 100 = 0 THEN 2 ELSE 1 END, n + 1,
       CASE WHEN n % 100 = 0 THEN 'http_4xx' END, 1, 0, 1, now()
FROM generate_series(2, $2 - 1) AS n
"""


async def test_the_cursor_is_stable_while_settles_go_on(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1] * 30, shard_size=30)
    claim = await kit.claim_next(connection)
    seen: list[int] = []
    cursor = 0
    for start in range(0, 30, 3):
        await kit.settle(connection, kit.work(claim, [29 - n for n in range(start, start + 3)]), batch=batch.id)
        now = await kit.reread(connection, batch)
        page = await items.page_finished(connection, now, None, cursor, 2)
        assert page.count == start + 3
        seen += [item.ord for item in page.items]
        assert page.cursor == len(seen) + 1, "the finish number of the next row"
        cursor = page.cursor
    rest = await items.page_finished(connection, await kit.reread(connection, batch), None, cursor, 100)
    assert rest.cursor is None
    assert seen + [item.ord for item in rest.items] == list(range(29, -1, -1))


async def test_a_cursor_of_nothing_or_one_is_the_start_and_one_past_the_end_is_empty(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    await kit.finish_shard(connection, await kit.claim_next(connection))
    now = await kit.reread(connection, batch)
    zero, one, past = [await items.page_finished(connection, now, None, cursor, 10) for cursor in (0, 1, 3)]
    assert zero == one
    assert [item.seq for item in zero.items] == [1, 2]
    assert (past.items, past.count, past.cursor) == ([], 2, None)


async def test_a_filter_keeps_the_finish_numbers_of_the_whole_batch(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1] * 9, shard_size=9)
    claim = await kit.claim_next(connection)
    fates = [ItemState.COMPLETED, ItemState.FAILED, ItemState.SKIPPED]
    for ord_ in range(9):
        await kit.settle(connection, kit.work(claim, [ord_], fates[ord_ % 3]), batch=batch.id)  # type: ignore[arg-type]
    now = await kit.reread(connection, batch)
    for place, state in enumerate(fates):
        page = await items.page_finished(connection, now, state, 0, 2)
        assert [item.seq for item in page.items] == [place + 1, place + 4]
        assert (page.count, page.cursor) == (3, place + 7)
        assert {item.state for item in page.items} == {state}


async def test_unsettled_items_page_in_submit_order_by_whether_they_are_in_hand(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2] * 5, shard_size=5)
    claim = await kit.claim_next(connection)
    await kit.settle(connection, kit.work(claim, [4]), batch=batch.id)
    now = await kit.reread(connection, batch)
    first = await items.page_unsettled(connection, now, processing=True, cursor=0, limit=3)
    assert ([item.ord for item in first.items], first.count, first.cursor) == ([0, 2, 6], 4, 9)
    last = await items.page_unsettled(connection, now, processing=True, cursor=first.cursor or 0, limit=3)
    assert ([item.ord for item in last.items], last.cursor) == ([8], None)
    pending = await items.page_unsettled(connection, now, processing=False, cursor=0, limit=100)
    assert ([item.ord for item in pending.items], pending.count) == ([1, 3, 5, 7, 9], 5)
    assert all(item.seq is None and item.state is ItemState.PENDING for item in pending.items)


async def _whole_run(
    connection: Connection, batch: Batch, states: items.States, limit: int, *, hint: bool
) -> list[items.Item]:
    """Every run of finished items, one after the other, with or without the hint at the last item of the run before."""
    found: list[items.Item] = []
    while True:
        now = await kit.reread(connection, batch)
        cursor = (found[-1].seq or 0) + 1 if found else 0
        run = await items.run_finished(connection, now, states, cursor, limit, found[-1] if found and hint else None)
        if not run:
            return found
        found += run


@pytest.mark.parametrize("how", [Outcome.CANCELLED, Outcome.EXPIRED])
async def test_runs_over_the_unwritten_end_of_a_stopped_batch_are_the_same_with_a_hint_and_once_it_is_written(
    connection: Connection, how: Literal[Outcome.CANCELLED, Outcome.EXPIRED], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1] * 20, shard_size=20)
    claim = await kit.claim_next(connection)
    await kit.settle(connection, kit.work(claim, [11, 3]), kit.work(claim, [7], ItemState.FAILED), batch=batch.id)
    await batches.stop(connection, batch.id, how)
    await kit.finish_shard(connection, claim, rests=[Rest([n for n in range(20) if n not in (3, 7, 11)])])
    overlay = ItemState.CANCELLED if how is Outcome.CANCELLED else ItemState.FAILED
    wanted: list[items.States] = [None, {overlay}, {ItemState.COMPLETED}, {ItemState.COMPLETED, overlay}]
    before = [await _whole_run(connection, batch, states, 4, hint=False) for states in wanted]
    assert [item.ord for item in before[0]] == [11, 3, 7, *(n for n in range(20) if n not in (3, 7, 11))]
    assert [item.seq for item in before[0]] == list(range(1, 21))
    assert [await _whole_run(connection, batch, states, 4, hint=True) for states in wanted] == before
    monkeypatch.setattr(reconcile, "SLICE", 6)
    original, rounds = items.run_finished, 0

    async def while_it_is_written(*args: Any) -> list[items.Item]:
        nonlocal rounds
        rounds += 1
        if rounds == 3:  # in the middle of the unwritten ones
            assert await reconcile.reconcile(connection, kit.LIMITS)
        return await original(*args)

    monkeypatch.setattr(items, "run_finished", while_it_is_written)
    assert await _whole_run(connection, batch, None, 4, hint=True) == before[0]
    assert [await _whole_run(connection, batch, states, 4, hint=True) for states in wanted] == before


async def test_runs_have_the_keys_of_their_packs_and_are_in_the_order_asked_for(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1] * 6, shard_size=6)
    claim = await kit.claim_next(connection)
    for ord_ in (4, 2, 0):
        await kit.settle(connection, kit.work(claim, [ord_]), batch=batch.id)
    await kit.settle(connection, kit.work(claim, [5, 3], ItemState.FAILED), batch=batch.id)
    await kit.settle(connection, kit.work(claim, [1], ItemState.SKIPPED), batch=batch.id)
    await kit.finish_shard(connection, claim)
    now = await kit.reread(connection, batch)
    finished = await items.run_finished(connection, now, None, 0, 100)
    assert [item.ord for item in finished] == [4, 2, 0, 5, 3, 1]
    keys = {item.ord: (await items.get(connection, now, item.ord) or item).pack_key for item in finished}
    assert {item.ord: item.pack_key for item in finished} == keys
    assert len({key for key in keys.values() if key}) == 3
    submitted = await items.run_submitted(connection, now, None, 0, 100)
    assert submitted == sorted(finished, key=lambda item: item.ord)
    some = {ItemState.FAILED, ItemState.SKIPPED}
    assert await items.run_submitted(connection, now, some, 2, 100) == [submitted[3], submitted[5]]
    assert await items.run_submitted(connection, now, None, 4, 1) == [submitted[4]]
    assert [item.ord for item in await items.run_finished(connection, now, some, 0, 2)] == [5, 3]


async def test_an_overlaid_item_read_alone_has_no_finish_number_yet(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    await batches.stop(connection, batch.id, Outcome.CANCELLED)
    for seq in (None, 2):
        item = await items.get(connection, await kit.reread(connection, batch), 1)
        assert item is not None
        assert (item.state, item.seq) == (ItemState.CANCELLED, seq)
        await reconcile.reconcile(connection, kit.LIMITS)


async def _explain(connection: Connection, query: str, *args: object) -> dict[str, Any]:
    """The plan as it is run, with the buffers that it touched."""
    await connection.fetch(query, *args)  # the planner's own look at the catalogue is not counted
    statement = await connection.prepare(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")
    (row,) = await statement.fetch(*args)
    plan = row[0]
    found: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return found


def _indexes(plan: dict[str, Any]) -> set[str]:
    own = {plan["Index Name"]} if "Index Name" in plan else set()
    return own.union(*(_indexes(child) for child in plan.get("Plans", [])))


def _buffers(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


@pytest.fixture
async def large(connection: Connection) -> int:
    """A batch with a hundred thousand finished items, one in a hundred failed."""
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    await connection.execute("UPDATE item SET state = 1, finish_seq = ord + 1, pack_id = 1")
    await connection.execute(_FILL, batch.id, 100_000)
    await connection.execute("VACUUM ANALYZE item")
    return batch.id


async def test_failed_items_are_found_by_their_own_index(connection: Connection, large: int) -> None:
    plan = await _explain(connection, items._FAILED, large, 50_000, 101)
    assert _indexes(plan) == {"item_failed"}
    assert plan["Actual Rows"] == 101


async def test_a_page_costs_the_same_at_the_start_and_at_ninety_thousand(connection: Connection, large: int) -> None:
    costs = []
    for cursor in (1, 90_000):
        plan = await _explain(connection, items._FINISHED, large, cursor, None, 101)
        assert _indexes(plan) == {"item_finish"}
        assert plan["Actual Rows"] == 101
        costs.append(_buffers(plan))
    start, far = costs
    assert far <= start + 3
    assert far < 20


async def test_a_run_in_submit_order_costs_the_same_at_the_start_and_at_ninety_thousand(
    connection: Connection, large: int
) -> None:
    costs = []
    for cursor in (0, 90_000):
        plan = await _explain(connection, items._SUBMITTED, large, cursor, None, 100)
        assert _indexes(plan) == {"item_pkey"}
        costs.append(_buffers(plan))
    start, far = costs
    assert far <= start + 3


async def test_with_a_hint_the_unwritten_items_that_were_read_are_not_read_again(
    connection: Connection, large: int
) -> None:
    await connection.execute(
        "UPDATE item SET state = 0, finish_seq = NULL, failure = NULL, pack_id = NULL WHERE batch_id = $1 AND ord >= 10",
        large,
    )
    await connection.execute(
        "UPDATE batch_progress SET state = 'done', outcome = 'cancelled', total = 100000, completed = 10,"
        " cancelled = 99990, finished = 100000, numbered = 10, finished_at = now() WHERE batch_id = $1",
        large,
    )
    await connection.execute("VACUUM ANALYZE item")
    plan = await _explain(connection, items._OVERLAID, large, 90_001, None, 100, 89_999)
    assert plan["Actual Rows"] == 100
    assert _buffers(plan) < 60
