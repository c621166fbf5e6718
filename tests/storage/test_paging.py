"""Pages of items: an integer cursor that stays put while settles go on, at the same cost anywhere."""

import json
from typing import Any

import pytest
from tests.storage import kit

from thresher.domain.states import ItemState
from thresher.storage import items
from thresher.storage.database import Connection

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
