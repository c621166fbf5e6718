"""Pages of items in random lives of a batch: whatever settles in between, every page is what a list would say.

The list is the test's own: what it settled, in the order in which it did, and behind that what the end of the batch makes
of the rest. `THRESHER_TEST_PROFILE=deep` runs many more lives.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.storage import kit
from tests.support.lives import DEEP, live
from tests.support.postgres import fresh

from thresher.domain.states import BatchState, ItemState, Outcome
from thresher.storage import batches, database, items, reconcile, shards
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.items import Page
from thresher.storage.shards import Claim, Rest

T = TypeVar("T")

EXAMPLES, STEPS = (100, 60) if DEEP else (16, 25)
ITEMS = 24

PICK = st.integers(0, 1000)
FATES: tuple[kit.Fate, ...] = (ItemState.COMPLETED, ItemState.FAILED, ItemState.SKIPPED)
STOPS: tuple[Literal[Outcome.CANCELLED, Outcome.EXPIRED] | None, ...] = (Outcome.CANCELLED, Outcome.EXPIRED, None)
FILTERS = (None, ItemState.COMPLETED, ItemState.FAILED, ItemState.SKIPPED, ItemState.CANCELLED)

_WIPE = (
    "TRUNCATE host, account, item, shard, batch_progress, event, ledger, pack, batch, thresher_queue.pgqueuer CASCADE"
)


@dataclass(slots=True)
class Held:
    """A claim in a worker's hands, and what of it is not settled yet."""

    job: kit.Job
    claim: Claim
    left: list[int]


@dataclass(slots=True)
class Follower:
    """A client that follows `cursor`; at the end of what there is, it asks for the same page again."""

    limit: int
    cursor: int = 0
    seen: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)  # of the page that had no cursor

    def take(self, page: Page) -> None:
        ords = [item.ord for item in page.items]
        assert ords[: len(self.last)] == self.last, "what was on the page is on it still"
        if page.cursor is None:
            self.last = ords
        else:
            assert ords, "no page with a cursor is empty"
            self.seen, self.last, self.cursor = self.seen + ords, [], page.cursor


class Paging(RuleBasedStateMachine):
    """One batch, some workers, a follower under every filter."""

    runner: asyncio.Runner
    connection: Connection
    met: set[object]  # ends of batches, and "unwritten" if a page was looked at whose rows said otherwise

    def __init__(self) -> None:
        super().__init__()
        self.how: Literal[Outcome.CANCELLED, Outcome.EXPIRED] | None = None
        self.held: list[Held] = []
        self.ended: list[tuple[int, ItemState]] = []  # positions and states, in finish order
        self.batch: Batch = self._do(self._begin())
        self.followers = {state: Follower(limit) for limit, state in enumerate(FILTERS, 1)}

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    async def _begin(self) -> Batch:
        await self.connection.execute(_WIPE)
        account = await kit.new_account(self.connection)
        return await kit.submit(self.connection, account, [n % 4 for n in range(ITEMS)], shard_size=4)

    @initialize(how=st.sampled_from(STOPS))
    def choose(self, how: Literal[Outcome.CANCELLED, Outcome.EXPIRED] | None) -> None:
        """What ends this life, if it is not over before."""
        self.how = how

    @rule(many=st.integers(1, 3))
    def claim(self, many: int) -> None:
        self._do(self._claim(many))

    async def _claim(self, many: int) -> None:
        for job in await kit.serve(self.connection, many):
            if claim := await kit.claim(self.connection, job.shard):
                self.held = [held for held in self.held if held.claim.shard != job.shard]  # a lost entry was made again
                self.held.append(Held(job, claim, [item.ord for item in claim.items]))
            else:
                await kit.spend(self.connection, job)

    @precondition(lambda self: self.held)
    @rule(which=PICK, some=st.integers(1, 3), backwards=st.booleans(), together=st.booleans(), luck=st.integers(0, 8))
    def settle(self, which: int, some: int, backwards: bool, together: bool, luck: int) -> None:
        """Some items of a claim, or of all claims in one transaction."""
        works = []
        for held in self.held if together else [self.held[which % len(self.held)]]:
            ords = held.left[-some:][::-1] if backwards else held.left[:some]
            held.left = [ord_ for ord_ in held.left if ord_ not in ords]
            for ord_ in ords:
                fate = FATES[(ord_ * ord_ + luck * (ord_ % 4)) % 3]
                works.append(kit.work(held.claim, [ord_], fate))
                self.ended.append((ord_, fate))
        self._do(kit.settle(self.connection, *works, batch=self.batch.id))
        self._do(self._reread())  # the last item in hand ends a batch that is being stopped

    @precondition(lambda self: self.held)
    @rule(which=PICK)
    def end(self, which: int) -> None:
        """What is not settled goes on in line, unless the batch is being stopped."""
        self._do(self._end(self.held.pop(which % len(self.held))))

    async def _end(self, held: Held) -> None:
        rests = [Rest(held.left)] if held.left else []
        try:
            await shards.end(self.connection, held.claim.shard, held.claim.lease, rests)
        except shards.LeaseLost:
            assert self.batch.state is BatchState.DONE, "it is taken from a worker only when the batch is over"
        await kit.spend(self.connection, held.job)
        await self._reread()

    @precondition(lambda self: self.how)
    @rule(rarely=st.integers(0, 3))
    def stop(self, rarely: int) -> None:
        if not rarely:
            self._do(self._stop())

    async def _stop(self) -> None:
        if self.how:
            await batches.stop(self.connection, self.batch.id, self.how)
            await self._reread()

    @rule()
    def some_of_the_rest_is_written(self) -> None:
        self._do(reconcile.reconcile(self.connection, kit.LIMITS))

    async def _reread(self) -> None:
        self.batch = await kit.reread(self.connection, self.batch)
        if self.batch.state is BatchState.DONE:
            end = ItemState.CANCELLED if self.batch.outcome is Outcome.CANCELLED else ItemState.FAILED
            known = {ord_ for ord_, _ in self.ended}
            self.ended += [(ord_, end) for ord_ in range(ITEMS) if ord_ not in known]

    @rule(state=st.sampled_from(FILTERS), cursor=st.integers(0, ITEMS + 2), limit=st.integers(1, ITEMS + 1))
    def look_anywhere(self, state: ItemState | None, cursor: int, limit: int) -> None:
        self._do(self._look(state, cursor, limit))

    @rule()
    def follow(self) -> None:
        for state, follower in self.followers.items():
            follower.take(self._do(self._look(state, follower.cursor, follower.limit)))

    async def _look(self, state: ItemState | None, cursor: int, limit: int) -> Page:
        now = await kit.reread(self.connection, self.batch)
        page = await items.page_finished(self.connection, now, state, cursor, limit)
        self.met.update({now.outcome} | ({"unwritten"} if now.numbered < now.finished else set()))
        all_of_it = [(n, *end) for n, end in enumerate(self.ended, 1) if state in (None, end[1])]
        wanted = [one for one in all_of_it if one[0] >= cursor]
        assert [(item.seq, item.ord, item.state) for item in page.items] == wanted[:limit]
        assert page.count == len(all_of_it)
        assert page.cursor == (wanted[limit][0] if len(wanted) > limit else None)
        return page

    def teardown(self) -> None:
        self._do(self._stop())
        self._do(self._finish())
        for state, follower in self.followers.items():
            wanted = [ord_ for ord_, end in self.ended if state in (None, end)]
            page = None
            while page is None or page.cursor is not None:
                page = self._do(self._look(state, follower.cursor, follower.limit))
                follower.take(page)
            assert follower.seen + follower.last == wanted
        assert sorted(ord_ for ord_, _ in self.ended) == list(range(ITEMS))

    async def _finish(self) -> None:
        while self.held or self.batch.state is not BatchState.DONE:
            await self._claim(4)
            for held in self.held:
                await kit.settle(self.connection, kit.work(held.claim, held.left), batch=self.batch.id)
                self.ended += [(ord_, ItemState.COMPLETED) for ord_ in held.left]
                held.left = []
                await self._end(held)
            self.held = []


@pytest.fixture
def lives(database_server: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Paging]]:
    """The machine on a database of its own, which all its lives share."""
    monkeypatch.setattr(reconcile, "SLICE", 3)
    with asyncio.Runner() as runner:
        copy = fresh(*database_server)
        url = runner.run(copy.__aenter__())
        Paging.runner, Paging.connection = runner, runner.run(database.connect(url, "paging"))
        Paging.met = set()
        yield Paging
        runner.run(Paging.connection.close())
        runner.run(copy.__aexit__(None, None, None))


def test_every_page_at_any_moment_is_what_was_finished_and_following_the_cursor_is_all_of_it_once(
    lives: type[Paging],
) -> None:
    live(lives, EXAMPLES, STEPS)
    assert {Outcome.CANCELLED, Outcome.EXPIRED, "unwritten"} <= lives.met


async def test_a_reader_misses_nothing_while_four_workers_settle_at_once(pool: database.Pool) -> None:
    async with pool.acquire() as connection:
        batch = await kit.submit(
            connection, await kit.new_account(connection), [n % 4 for n in range(80)], shard_size=20
        )
        claims = [await kit.claim_next(connection) for _ in range(4)]

    async def work(claim: Claim) -> None:
        ords = [item.ord for item in claim.items]
        while ords:
            async with pool.acquire() as connection:
                await kit.settle(connection, kit.work(claim, ords[:3]), batch=batch.id)
            ords = ords[3:]

    seen: list[int] = []
    async with asyncio.timeout(60), asyncio.TaskGroup() as workers:
        for claim in claims:
            workers.create_task(work(claim))
        while len(seen) < 80:
            async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
                now = await kit.reread(connection, batch)
                page = await items.page_finished(connection, now, None, len(seen) + 1, 5)
            assert page.count == now.finished
            assert [item.seq for item in page.items] == list(range(len(seen) + 1, len(seen) + 1 + len(page.items)))
            assert len(page.items) == min(5, page.count - len(seen))
            seen += [item.ord for item in page.items]
    assert sorted(seen) == list(range(80))
