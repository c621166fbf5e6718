"""The settle: gapless, idempotent, whole or not at all; and the one end of a batch."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest
from tests.storage import kit, laws

from thresher.domain.failure import FailureCode
from thresher.domain.states import BatchState, ItemState, Outcome
from thresher.storage import items, settling, shards
from thresher.storage.database import Connection, Pool
from thresher.storage.settling import Pack, Work


async def test_settling_twice_changes_nothing(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 1])
    claim = await kit.claim_next(connection)
    first = await kit.settle(connection, kit.work(claim, [2, 0]), batch=batch.id)
    assert (first.settled, first.over, first.lost) == (2, False, frozenset())
    memory = laws.Memory()
    await memory.check(connection)
    again = await kit.settle(connection, kit.work(claim, [2, 0], ItemState.FAILED), batch=batch.id)
    assert (again.settled, again.over, again.lost) == (0, False, frozenset())
    await memory.check(connection)
    order = await connection.fetch("SELECT ord, finish_seq FROM item WHERE finish_seq IS NOT NULL ORDER BY finish_seq")
    assert [tuple(row) for row in order] == [(2, 1), (0, 2)], "the finish order is the order of the arguments"
    assert await connection.fetchval("SELECT count(*) FROM pack") == 1, "no row for a pack that nothing refers to"
    await laws.check(connection, queued=True)


async def test_the_same_item_twice_in_one_settle_moves_once(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    claim = await kit.claim_next(connection)
    result = await kit.settle(connection, kit.work(claim, [0]), batch=batch.id)
    assert result.settled == 1
    result = await kit.settle(connection, kit.work(claim, [0, 1]), batch=batch.id)
    assert (result.settled, result.over) == (1, True)
    await laws.check(connection)


async def test_numbers_have_no_gap_under_overlapping_connections(pool: Pool) -> None:
    async with pool.acquire() as connection:
        batch = await kit.submit(
            connection, await kit.new_account(connection), [n % 8 for n in range(240)], shard_size=30
        )
        claims = [await kit.claim_next(connection) for _ in range(8)]

    async def work(claim: shards.Claim) -> None:
        async with pool.acquire() as connection:
            ords = [item.ord for item in claim.items]
            for start in range(0, len(ords), 5):
                await kit.settle(connection, kit.work(claim, ords[start : start + 5]), batch=batch.id)
            await shards.end(connection, claim.shard, claim.lease)

    await asyncio.gather(*(work(claim) for claim in claims))
    async with pool.acquire() as connection:
        numbers = await connection.fetch("SELECT finish_seq FROM item ORDER BY finish_seq")
        assert [row["finish_seq"] for row in numbers] == list(range(1, 241))
        owners = await connection.fetch("SELECT ord % 8 AS o FROM item ORDER BY finish_seq")
        assert len({row["o"] for row in owners[:120]}) > 1, "the connections did overlap"
        await laws.check(connection)


@pytest.mark.parametrize("where", ["detail", "attempts"])
async def test_a_nul_that_postgresql_refuses_rolls_the_whole_settle_back(connection: Connection, where: str) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 1])
    claim = await kit.claim_next(connection)
    bad = kit.fate(2, ItemState.FAILED)
    bad = replace(bad, detail="a\0b") if where == "detail" else replace(bad, attempts=[{"detail": "a\0b"}])
    work = Work(claim.shard, claim.lease, [kit.fate(0), kit.fate(1), bad])
    with pytest.raises((asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)):
        await settling.settle(connection, batch.id, [work], Pack("packs/x", 10))
    assert await connection.fetchval("SELECT count(*) FROM item WHERE state <> 0") == 0
    assert await connection.fetchval("SELECT count(*) FROM pack") == 0
    assert (await kit.reread(connection, batch)).processing == 3
    await laws.check(connection, queued=True)
    assert await kit.finish_shard(connection, claim), "its neighbours can be settled without it"


async def test_one_settle_may_carry_items_of_several_shards(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2, 3], shard_size=1)
    one, two, three = [await kit.claim_next(connection) for _ in range(3)]
    assert await kit.claim(connection, two.shard) is not None
    works = (kit.work(one), kit.work(two), kit.work(three, None, ItemState.FAILED))
    result = await kit.settle(connection, *works, batch=batch.id)
    assert (result.settled, result.lost) == (2, frozenset({two.shard}))
    await laws.check(connection, queued=True)


async def test_the_last_item_ends_the_batch_in_the_same_transaction(pool: Pool) -> None:
    async with pool.acquire() as writer, pool.acquire() as reader:
        batch = await kit.submit(writer, await kit.new_account(writer), [1, 1])
        claim = await kit.claim_next(writer)
        await kit.settle(writer, kit.work(claim, [0]), batch=batch.id)
        async with writer.transaction():
            result = await kit.settle(writer, kit.work(claim, [1], ItemState.FAILED), batch=batch.id)
            assert result.over
            assert (await kit.reread(reader, batch)).state is BatchState.RUNNING
            assert await reader.fetchval("SELECT count(*) FROM event") == 0
        ended = await kit.reread(reader, batch)
        assert (ended.state, ended.outcome, ended.completed, ended.failed) == (BatchState.DONE, Outcome.PARTIAL, 1, 1)
        event = await reader.fetchrow("SELECT type, generation, body FROM event")
        assert event is not None
        assert (event["type"], event["body"]["id"], event["body"]["outcome"]) == (
            "batch.completed",
            batch.public_id,
            "partial",
        )
        assert await reader.fetchval("SELECT amount FROM ledger WHERE kind = 'settle'") == 1
        await laws.check(reader)
        await shards.end(writer, claim.shard, claim.lease)
        await laws.check(reader)


@pytest.mark.parametrize(
    ("fates", "outcome"),
    [
        ([ItemState.COMPLETED, ItemState.COMPLETED], Outcome.ALL_OK),
        ([ItemState.COMPLETED, ItemState.SKIPPED], Outcome.ALL_OK),
        ([ItemState.SKIPPED, ItemState.FAILED], Outcome.PARTIAL),
        ([ItemState.FAILED, ItemState.FAILED], Outcome.ALL_FAILED),
    ],
)
async def test_the_outcome_says_what_the_batch_came_to(
    connection: Connection, fates: list[kit.Fate], outcome: Outcome
) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    claim = await kit.claim_next(connection)
    for ord_, state in enumerate(fates):
        await kit.settle(connection, kit.work(claim, [ord_], state), batch=batch.id)
    assert (await kit.reread(connection, batch)).outcome is outcome


async def test_a_settled_item_reads_back_as_it_was_settled(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 1])
    claim = await kit.claim_next(connection)
    await settling.settle(connection, batch.id, [kit.work(claim, [1])], Pack("packs/b/1", 99))
    await kit.settle(connection, kit.work(claim, [2], ItemState.FAILED), batch=batch.id)
    now = await kit.reread(connection, batch)
    good, bad, open_ = [await items.get(connection, now, ord_) for ord_ in (1, 2, 0)]
    assert good is not None
    assert (good.state, good.seq, good.span, good.pack_key, good.http) == (
        ItemState.COMPLETED,
        1,
        (10, 10),
        "packs/b/1",
        200,
    )
    assert good.attempts == kit.fate(1).attempts, "nested lists come back as they went in"
    assert bad is not None
    assert (bad.state, bad.failure, bad.detail, bad.span, bad.pack_key) == (
        ItemState.FAILED,
        "http_4xx",
        "404 Not Found",
        None,
        None,
    )
    assert open_ is not None
    assert (open_.state, open_.seq) == (ItemState.PENDING, None)
    assert await items.get(connection, now, 3) is None


async def test_what_parsers_made_of_their_pages_is_counted_whoever_chose_them(connection: Connection) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [0] * 6, shard_size=6)
    own = {0: {"parser": "@acme/shop"}, 1: {"parser": "@acme/shop"}, 2: {"parser": None}, 3: {"content": "main"}}
    for ord_, options in own.items():
        await connection.execute(
            "UPDATE item SET options = $3 WHERE batch_id = $1 AND ord = $2", batch.id, ord_, options
        )
    claim = await kit.claim_next(connection)
    failed = [(1, FailureCode.PARSER_NO_MATCH), (4, FailureCode.PARSER_FAILED), (5, FailureCode.HTTP_4XX)]
    ends = [
        kit.fate(0),
        kit.fate(2),
        kit.fate(3),
        *(kit.fate(at, ItemState.FAILED, failure=code) for at, code in failed),
    ]
    for _ in range(2):
        await kit.settle(connection, Work(claim.shard, claim.lease, ends), batch=batch.id)
        now = await kit.reread(connection, batch)
        assert (now.completed, now.failed) == (3, 3)
        assert (now.parsed, now.unmatched, now.unparsed) == (1, 1, 1), "a page that never came was not read"
    await laws.check(connection)
