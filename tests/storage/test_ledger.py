"""Credits: reserved by what is submitted, settled by what was billed, never overspent."""

import asyncio

import pytest
from tests.storage import kit, laws

from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import ItemState, Outcome
from thresher.storage import batches, ledger, retries, submit
from thresher.storage.database import Connection, Pool
from thresher.storage.retries import Again


async def left(connection: Connection, account: int) -> tuple[int | None, int, int]:
    """What an account has available, reserves and has consumed."""
    now = await ledger.statement(connection, account)
    return now.available, now.reserved, now.consumed


async def test_a_batch_reserves_the_price_of_its_items_and_gives_back_what_was_not_billed(
    connection: Connection,
) -> None:
    account = await kit.new_account(connection, grant=20)
    batch = await kit.submit(connection, account, [1, 2], stays_open=True, price=3)
    assert await left(connection, account) == (14, 6, 0)
    await kit.add(connection, batch, [3, 4])
    assert await left(connection, account) == (8, 12, 0)
    await submit.start(connection, batch.id, 1)
    for state in (ItemState.COMPLETED, ItemState.COMPLETED, ItemState.FAILED):
        await kit.finish_shard(connection, await kit.claim_next(connection), state)
    assert await left(connection, account) == (8, 12, 0), "until the end all of it is reserved"
    await batches.stop(connection, batch.id, Outcome.CANCELLED)
    assert await left(connection, account) == (14, 0, 6)
    assert (await kit.reread(connection, batch)).billed == 6
    await laws.check(connection)


async def test_an_item_with_a_price_of_its_own_is_reserved_billed_and_retried_at_that(connection: Connection) -> None:
    account = await kit.new_account(connection, grant=20)
    batch = await kit.submit(connection, account, [1, 2, 3], stays_open=True, price=3, prices=[None, 0, 2])
    assert await left(connection, account) == (15, 5, 0)
    with pytest.raises(Problem, match="needs 16 credits, and the account has 15 available"):
        await submit.append(connection, batch.id, kit.new_items([4, 5], 3, [16, 0]), limit=10)
    await submit.append(connection, batch.id, kit.new_items([4, 5], 3, [7, None]), limit=10)
    assert await left(connection, account) == (5, 15, 0)
    await submit.start(connection, batch.id, 1)
    fates = {3: ItemState.COMPLETED, 2: ItemState.COMPLETED}
    for _ in range(5):
        claim = await kit.claim_next(connection)
        await kit.finish_shard(connection, claim, fates.get(claim.items[0].ord, ItemState.FAILED))
    assert await left(connection, account) == (11, 0, 9)
    await ledger.grant(connection, account, -6)
    ended, everything = await kit.reread(connection, batch), Again(None, None, 600, 1)
    with pytest.raises(Problem, match="needs 6 credits, and the account has 5 available"):
        await retries.retry(connection, ended, everything)
    await ledger.grant(connection, account, 6)
    again = await retries.retry(connection, ended, everything)
    assert await left(connection, account) == (5, 6, 9), "3 for each of two, nothing for the other"
    await laws.check(connection)
    assert again.total == 3


async def test_what_cannot_be_paid_for_is_refused_with_the_numbers_and_leaves_nothing(connection: Connection) -> None:
    account = await kit.new_account(connection, grant=5)
    batch = await kit.submit(connection, account, [1, 2], stays_open=True, price=2)
    before = await connection.fetch("SELECT * FROM batch_progress, item, ledger")
    with pytest.raises(Problem, match="needs 2 credits, and the account has 1 available") as refused:
        await kit.add(connection, batch, [3])
    assert refused.value.code is ProblemCode.CREDITS_EXHAUSTED
    with pytest.raises(Problem, match="needs 2 credits, and the account has 1 available"):
        await kit.submit(connection, account, [1, 2])
    assert await connection.fetch("SELECT * FROM batch_progress, item, ledger") == before
    # Who repeats an append whose answer was lost is told of that, not of credits.
    with pytest.raises(submit.OffsetConflict):
        await submit.append(connection, batch.id, kit.new_items([1, 2, 3]), limit=100, offset=0)
    await kit.submit(connection, account, [1])
    await kit.submit(connection, account, [], stays_open=True)
    assert await left(connection, account) == (0, 5, 0)
    await laws.check(connection)


async def test_parallel_submits_and_appends_never_overspend_while_batches_end_and_credits_are_given(pool: Pool) -> None:
    async with pool.acquire() as connection:
        account = await kit.new_account(connection, grant=10)
        opened = await kit.submit(connection, account, [1], stays_open=True)
        ending = await kit.submit(connection, account, [1, 2], stays_open=True)

    async def buy(number: int) -> int:
        async with pool.acquire() as one:
            try:
                if number % 3:
                    await kit.submit(one, account, [1, 2])
                else:
                    await submit.append(one, opened.id, kit.new_items([1, 2]), limit=100)
            except Problem as problem:
                return 0 if problem.code is ProblemCode.CREDITS_EXHAUSTED else -1000
            return 2

    async def give() -> None:
        async with pool.acquire() as one:
            await ledger.grant(one, account, 4)
            await batches.stop(one, ending.id, Outcome.CANCELLED)

    *bought, _ = await asyncio.gather(*(buy(number) for number in range(24)), give())
    async with pool.acquire() as connection:
        available, reserved, consumed = await left(connection, account)
        assert (reserved, consumed) == (1 + sum(bought), 0)
        assert available == 14 - reserved >= 0
        while await buy(1):  # what was given too late for them can be spent now
            pass
        assert (await left(connection, account))[0] == 1
        await laws.check(connection)


async def test_a_limit_that_comes_late_counts_from_then_and_counts_what_is_just_being_submitted(pool: Pool) -> None:
    async with pool.acquire() as connection, pool.acquire() as operator:
        account = await kit.new_account(connection)
        await kit.submit(connection, account, [1, 2, 3])
        assert await left(connection, account) == (None, 3, 0)
        transaction = connection.transaction()
        await transaction.start()
        await kit.submit(connection, account, [1, 2])
        granting = asyncio.create_task(ledger.grant(operator, account, 4, "May"))
        async with asyncio.timeout(20):
            while not await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.005)
        await transaction.commit()
        await granting
        assert await left(connection, account) == (4, 5, 0)
        assert [
            (row["amount"], row["note"])
            for row in await connection.fetch(
                "SELECT amount, note FROM ledger WHERE kind = 'grant' ORDER BY created_at, amount DESC"
            )
        ] == [(5, ledger.USED_BEFORE), (4, "May")]
        await laws.check(connection)


async def test_credits_are_taken_back_as_far_as_they_are_available(connection: Connection) -> None:
    account = await kit.new_account(connection, grant=10)
    await kit.submit(connection, account, [1, 2, 3])
    with pytest.raises(ledger.TooFew, match="8 credits cannot be taken back: 7 are available"):
        await ledger.grant(connection, account, -8)
    await ledger.grant(connection, account, -7)
    assert await left(connection, account) == (0, 3, 0)
    await ledger.lift(connection, account)
    await kit.submit(connection, account, [1] * 20)
    with pytest.raises(ledger.TooFew, match="0 are available"):
        await ledger.grant(connection, account, -1)
    assert await left(connection, account) == (None, 23, 0), "what was refused has set no limit"
    await ledger.grant(connection, account, 0)
    assert await left(connection, account) == (0, 23, 0)
    assert [s.name for s in await ledger.statements(connection)] == [(await ledger.statement(connection, account)).name]
    await laws.check(connection)


async def test_a_submit_to_an_account_without_a_limit_waits_for_no_other(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as other:
        account = await kit.new_account(one)
        async with one.transaction():
            await kit.submit(one, account, [1, 2])
            await other.execute("SET lock_timeout = '5s'")
            await kit.submit(other, account, [3, 4])
