"""Which stored pages an item may be given: of its own batch, of its account's, and of nobody else's."""

from collections.abc import Sequence
from typing import Any

import orjson
from tests.storage import kit

from thresher.domain.states import ItemState
from thresher.storage import pages, purge
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.submit import NewBatch, NewItem, create

URLS = ["https://a.example/x", "https://a.example/y"]


async def submit(connection: Connection, account: int, refs: Sequence[str] = URLS, **options: Any) -> Batch:
    items = [NewItem(ref, 1, f"c{n}") for n, ref in enumerate(refs)]
    return await create(connection, NewBatch(account, "olostep", items, 3600, 2, options, {}))


async def found(connection: Connection, account: int, **options: Any) -> dict[int, tuple[int, int]]:
    """What a batch that is just claimed is given, as (batch, position) by position; it is done afterwards."""
    await submit(connection, account, **options)
    claim = await kit.claim_next(connection)
    given = await pages.find(connection, claim)
    await kit.finish_shard(connection, claim, ItemState.FAILED)
    return {ord_: (page.batch, page.ord) for ord_, page in given.items()}


async def test_a_page_is_given_to_its_account_for_the_same_url_country_and_no_headers_until_it_is_purged(
    connection: Connection,
) -> None:
    mine, theirs = await kit.new_account(connection), await kit.new_account(connection)
    old, new = [await submit(connection, mine) for _ in range(2)]
    await submit(connection, theirs)
    await submit(connection, mine, country="CH")
    await kit.drain(connection)
    assert await found(connection, mine) == {}, "nobody looks without a max_age"
    assert await found(connection, mine, max_age=0) == {0: (new.id, 0), 1: (new.id, 1)}
    assert await found(connection, await kit.new_account(connection), max_age=60) == {}
    assert {key for key, _ in (await found(connection, mine, max_age=60, country="CH")).values()}.isdisjoint(
        {old.id, new.id}
    )
    assert await found(connection, mine, max_age=60, country="FR") == {}

    await connection.execute("""UPDATE item SET headers = '{"Cookie": "x"}' WHERE batch_id = $1 AND ord = 0""", new.id)
    assert await found(connection, mine, max_age=60) == {0: (old.id, 0), 1: (new.id, 1)}
    await connection.execute("""UPDATE batch SET headers = '{"Cookie": "x"}' WHERE id = $1""", new.id)
    assert await found(connection, mine, max_age=60) == {0: (old.id, 0), 1: (old.id, 1)}
    await connection.execute("UPDATE batch SET applied_to = id WHERE id = $1", old.id)
    assert await found(connection, mine, max_age=60) == {}, "of whose page an applied one is made is not known"
    await connection.execute("UPDATE batch SET applied_to = NULL, headers = NULL")
    await purge.mark(connection, new.id)
    assert await found(connection, mine, max_age=60) == {0: (old.id, 0), 1: (old.id, 1)}
    await connection.execute("DELETE FROM item WHERE batch_id = $1", old.id)
    assert await found(connection, mine, max_age=60) == {}


async def test_equal_urls_are_neighbours_and_a_shard_that_begins_among_them_finds_their_page(
    connection: Connection,
) -> None:
    account = await kit.new_account(connection)
    x, y, z = "https://a.example/x", "https://a.example/y", "https://b.example/z"
    batch = await submit(connection, account, [x, z, y, x, y, x, z])
    rows = await connection.fetch("SELECT ords, seen, host FROM shard WHERE batch_id = $1 ORDER BY id", batch.id)
    assert [(row["ords"], row["seen"], row["host"]) for row in rows] == [
        ([0, 3], False, "a.example"),
        ([5, 1], True, None),
        ([6, 2], True, None),
        ([4], True, "a.example"),
    ]
    taken: list[int] = []
    for expected in ({}, {5: 0}, {6: 1}, {4: 2}):
        claim = await kit.claim_next(connection)
        given = await pages.find(connection, claim)
        assert {ord_: page.ord for ord_, page in given.items()} == expected
        assert {page.batch for page in given.values()} <= {batch.id}
        taken += [item.ord for item in claim.items]
        await kit.finish_shard(connection, claim)
    assert sorted(taken) == list(range(7))


async def test_the_page_of_each_item_is_looked_up_whatever_the_planner_thinks_of_the_batch(
    connection: Connection,
) -> None:
    account = await kit.new_account(connection)
    for n in range(10):
        await submit(connection, account, [f"https://a.example/{n}"])
    await connection.execute("ANALYZE")  # so batches are small, as far as anyone knows
    urls = [f"https://a.example/{n % 1000}" for n in range(2000)]
    batch = await submit(connection, account, urls)
    for query, more in ((pages._OF_ACCOUNT, [None]), (pages._OF_BATCH, []), (pages._APPLIED, [])):
        prepared = await connection.prepare(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
        [shown] = orjson.loads(await prepared.fetchval(batch.id, [1000, 1001], *more))
        assert 0 < max(rows_of(shown["Plan"])) <= 200


def rows_of(plan: dict[str, Any]) -> list[float]:
    """The rows of each step, over all the times that it was gone through."""
    passed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Join Filter", 0)
    mine = (plan["Actual Rows"] + passed) * plan["Actual Loops"]
    return [mine, *(rows for part in plan.get("Plans", []) for rows in rows_of(part))]
