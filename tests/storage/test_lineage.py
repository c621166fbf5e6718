"""A batch with its retries, read as one, in random lives of the line: held against a list at every moment.

The list is the test's own: of every batch, what became of which item of the first. `THRESHER_TEST_PROFILE=deep` runs many
more lives.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from tests.storage import kit
from tests.support.lives import DEEP, live
from tests.support.postgres import fresh

from thresher.domain.failure import FailureCode
from thresher.domain.states import BatchState, ItemState, Outcome
from thresher.storage import batches, database, lineage, purge, reconcile, retries, shards
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.retries import Again
from thresher.storage.shards import Rest

T = TypeVar("T")

EXAMPLES, STEPS = (100, 60) if DEEP else (8, 30)
ITEMS, STRETCH = 12, 7

PICK = st.integers(0, 1000)
FILTERS = (None, ItemState.COMPLETED, ItemState.FAILED, ItemState.SKIPPED, ItemState.CANCELLED)
FATES: tuple[kit.Fate, ...] = (ItemState.FAILED, ItemState.COMPLETED, ItemState.SKIPPED)

_WIPE = (
    "TRUNCATE host, account, item, shard, batch_progress, event, ledger, pack, batch, thresher_queue.pgqueuer CASCADE"
)


@dataclass(slots=True)
class Life:
    """A batch of the line: by its positions, the place of each item in the first batch, and its state and code if it has an end."""

    batch: Batch
    places: list[int]
    ends: dict[int, tuple[ItemState, FailureCode | None]] = field(default_factory=dict)
    purged: bool = False


class Line(RuleBasedStateMachine):
    """A first batch that is done, and whatever is retried of it and of its retries."""

    runner: asyncio.Runner
    connection: Connection
    met: set[str]

    def __init__(self) -> None:
        super().__init__()
        self.lives: list[Life] = []
        self._do(self._begin())

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    async def _begin(self) -> None:
        await self.connection.execute(_WIPE)
        account = await kit.new_account(self.connection)
        other = await kit.submit(self.connection, account, [0] * 3)  # whose items are nobody's business
        batch = await kit.submit(self.connection, account, [n % 4 for n in range(ITEMS)])
        self.lives.append(Life(batch, list(range(ITEMS))))
        await batches.stop(self.connection, other.id, Outcome.CANCELLED)
        for luck in range(3):
            await self._work(luck, 2, half=luck % 2 == 0)
        await self._stop(self.lives[0], Outcome.CANCELLED)

    @property
    def done(self) -> list[Life]:
        return [life for life in self.lives if life.batch.state is BatchState.DONE and not life.purged]

    @precondition(lambda self: len(self.lives) < 6)
    @rule(which=PICK, narrow=st.sampled_from([None, None, FailureCode.HTTP_4XX, FailureCode.CANCELLED]))
    def retry(self, which: int, narrow: FailureCode | None) -> None:
        life = self.done[which % len(self.done)] if which % 3 == 0 else self.done[-1]
        held = self._held()
        again = Again(None if narrow is None else [narrow], None, 3600.0, 3)
        taken = [
            place
            for ord_, place in enumerate(life.places)
            if life.ends[ord_][0] is not ItemState.COMPLETED
            and narrow in (None, life.ends[ord_][1])
            and place not in held
        ]
        if not taken:
            with pytest.raises(retries.NothingToRetry):
                self._do(retries.retry(self.connection, life.batch, again))
            return
        made = self._do(retries.retry(self.connection, life.batch, again))
        assert (made.total, made.retry_of, made.generation) == (
            len(taken),
            life.batch.public_id,
            life.batch.generation + 1,
        )
        self.met |= {f"generation {made.generation}"}
        self.lives.append(Life(made, taken))

    def _held(self) -> set[int]:
        """The places of items that a retry has completed, or has still to finish."""
        held = set()
        for life in (life for life in self.lives[1:] if not life.purged):
            for ord_, place in enumerate(life.places):
                ended = life.ends.get(ord_)
                if ended[0] is ItemState.COMPLETED if ended else life.batch.state is not BatchState.DONE:
                    held.add(place)
        return held

    @rule(luck=st.integers(0, 8), many=st.integers(1, 3), half=st.booleans())
    def work(self, luck: int, many: int, half: bool) -> None:
        self._do(self._work(luck, many, half=half))

    async def _work(self, luck: int, many: int, *, half: bool) -> None:
        """Some shards, whole or by half; what is left goes on in line."""
        for job in await kit.serve(self.connection, many):
            if claim := await kit.claim(self.connection, job.shard):
                ords = [item.ord for item in claim.items]
                ords = ords[: (len(ords) + 1) // 2] if half else ords
                life = next(life for life in self.lives if life.batch.id == claim.batch)
                for ord_ in ords:
                    fate = FATES[(life.places[ord_] + luck) % 3]
                    await kit.settle(self.connection, kit.work(claim, [ord_], fate), batch=claim.batch)
                    life.ends[ord_] = (fate, FailureCode.HTTP_4XX if fate is ItemState.FAILED else None)
                rest = [item.ord for item in claim.items if item.ord not in ords]
                await shards.end(self.connection, claim.shard, claim.lease, [Rest(rest)] if rest else [])
                await self._reread(life)
            await kit.spend(self.connection, job)

    @rule(which=PICK, outcome=st.sampled_from([Outcome.CANCELLED, Outcome.EXPIRED]), rarely=st.integers(0, 2))
    def stop(self, which: int, outcome: Literal[Outcome.CANCELLED, Outcome.EXPIRED], rarely: int) -> None:
        if not rarely:
            self._do(self._stop(self.lives[which % len(self.lives)], outcome))

    async def _stop(self, life: Life, outcome: Literal[Outcome.CANCELLED, Outcome.EXPIRED]) -> None:
        await batches.stop(self.connection, life.batch.id, outcome)
        await self._reread(life)

    async def _reread(self, life: Life) -> None:
        life.batch = await kit.reread(self.connection, life.batch)
        if life.batch.state is BatchState.DONE:
            cancelled = life.batch.outcome is Outcome.CANCELLED
            end = (
                (ItemState.CANCELLED, FailureCode.CANCELLED) if cancelled else (ItemState.FAILED, FailureCode.DEADLINE)
            )
            for ord_ in range(len(life.places)):
                life.ends.setdefault(ord_, end)

    @rule()
    def rows_of_stopped_batches_are_written(self) -> None:
        self._do(reconcile.reconcile(self.connection, kit.LIMITS))

    @precondition(lambda self: len(self.done) > 1)
    @rule(which=PICK, rarely=st.integers(0, 2))
    def purge(self, which: int, rarely: int) -> None:
        """A retry is forgotten; the first batch stays."""
        if not rarely:
            gone = self.done[1:]
            life = gone[which % len(gone)]
            self._do(purge.mark(self.connection, life.batch.id))
            life.purged = True
            self.met |= {"purged"}

    def _best(self) -> list[tuple[int, int, ItemState]]:
        """Of each item of the first batch the batch of the best result, its position there and its state."""
        best: dict[int, tuple[bool, int, int, ItemState]] = {}
        for number, life in enumerate(self.lives):
            for ord_, (state, _) in life.ends.items():
                if not life.purged:
                    found = (state is ItemState.COMPLETED, number, ord_, state)
                    best[life.places[ord_]] = max(found, best.get(life.places[ord_], found))
        return [(self.lives[n].batch.id, ord_, state) for _, (_, n, ord_, state) in sorted(best.items())]

    @rule(which=PICK, state=st.sampled_from(FILTERS), cursor=st.integers(0, ITEMS + 2), limit=st.integers(1, ITEMS + 1))
    def look(self, which: int, state: ItemState | None, cursor: int, limit: int) -> None:
        self._do(self._look(which, state, cursor, limit))

    async def _look(self, which: int, state: ItemState | None, cursor: int, limit: int) -> lineage.Page:
        """A page, asked for of any batch of the line, is what the list says."""
        readable = [life for life in self.lives if not life.purged]
        family = await lineage.family(self.connection, readable[which % len(readable)].batch)
        assert family.done == all(life.batch.state is BatchState.DONE for life in readable)
        page = await lineage.page(self.connection, family, state, cursor, limit)
        best, start = self._best(), max(cursor - 1, 0)
        end = ITEMS if state is None else min(start + STRETCH, ITEMS)
        wanted = [n for n in range(start, end) if state in (None, best[n][2])]
        assert [(item.position, item.batch, item.ord, item.state) for item in page.items] == [
            (n, *best[n]) for n in wanted[:limit]
        ]
        assert page.count == ITEMS
        following = wanted[limit] if len(wanted) > limit else end
        assert page.cursor == (following + 1 if following < ITEMS else None)
        if not family.done and any(batch != self.lives[0].batch.id for batch, *_ in best):
            self.met |= {"running"}
        if any(one.numbered < one.finished for one in family.members.values()):
            self.met |= {"unwritten"}
        return page

    def teardown(self) -> None:
        """Who follows the cursor gets each item once, under every filter."""
        for state in FILTERS:
            seen, cursor = [], 0
            while True:
                page = self._do(self._look(0, state, cursor, 4))
                seen += [item.position for item in page.items]
                if page.cursor is None:
                    break
                assert page.cursor > cursor
                cursor = page.cursor
            assert seen == [n for n, one in enumerate(self._best()) if state in (None, one[2])]


@pytest.fixture
def lines(database_server: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Line]]:
    """The machine on a database of its own, which all its lives share."""
    monkeypatch.setattr(reconcile, "SLICE", 3)
    monkeypatch.setattr(lineage, "STRETCH", STRETCH)
    with asyncio.Runner() as runner:
        copy = fresh(*database_server)
        url = runner.run(copy.__aenter__())
        Line.runner, Line.connection = runner, runner.run(database.connect(url, "lineage"))
        Line.met = set()
        yield Line
        runner.run(Line.connection.close())
        runner.run(copy.__aexit__(None, None, None))


def test_a_line_of_retries_is_each_item_once_with_its_best_result_at_any_moment(lines: type[Line]) -> None:
    live(lines, EXAMPLES, STEPS)
    assert {"running", "unwritten", "purged", "generation 2"} <= lines.met
