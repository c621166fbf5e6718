"""Random lives of batches: whatever comes in whatever order, the laws hold after every transaction, and all ends.

A state machine drives creates, appends, starts, claims, settles (partial, double, late), ends with rests, worker deaths and
takeovers, stops, expiries, purges, repairs. `THRESHER_TEST_PROFILE=deep` runs many more and longer lives.
"""

import asyncio
import os
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.storage import kit, laws
from tests.storage.kit import LIMITS, Job
from tests.support.lives import DEEP, live
from tests.support.postgres import execute, fresh

from thresher.domain.problem import Problem
from thresher.domain.states import BATCH_MOVES, ITEM_MOVES, SHARD_MOVES, ItemState, Outcome
from thresher.storage import applying, batches, database, hosts, ledger, purge, shards, submit
from thresher.storage.applying import Anew
from thresher.storage.batches import Batch
from thresher.storage.blobs import Blobs
from thresher.storage.database import Connection
from thresher.storage.hosts import Note
from thresher.storage.reconcile import Limits, reconcile
from thresher.storage.shards import Claim, LeaseLost, Rest

T = TypeVar("T")

EXAMPLES, STEPS = (int(os.environ.get("THRESHER_TEST_EXAMPLES", "400")), 80) if DEEP else (40, 40)

BUCKETS = st.lists(st.integers(0, 3), min_size=1, max_size=9)
FATES = st.sampled_from([ItemState.COMPLETED, ItemState.FAILED, ItemState.SKIPPED])
PICK = st.integers(0, 1000)
PRICES = st.lists(st.sampled_from([None, 0, 2]), max_size=3)  # of items, where they have their own

# Every move of a stored state, written down by the database itself.
_RECORDER = """
CREATE TABLE move (machine text, was text, is_now text, UNIQUE (machine, was, is_now));
CREATE FUNCTION record_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO thresher.move VALUES (TG_TABLE_NAME, OLD.state::text, NEW.state::text) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER moved AFTER UPDATE OF state ON item FOR EACH ROW EXECUTE FUNCTION record_move();
CREATE TRIGGER moved AFTER UPDATE OF state ON shard FOR EACH ROW EXECUTE FUNCTION record_move();
CREATE TRIGGER moved AFTER UPDATE OF state ON batch_progress FOR EACH ROW EXECUTE FUNCTION record_move();
"""

_WIPE = (
    "TRUNCATE host, account, item, shard, batch_progress, event, ledger, pack, batch, thresher_queue.pgqueuer CASCADE"
)

# What a test may do to time: nothing sleeps, the clock in the rows is moved instead.
_DUE = """
WITH due AS (UPDATE shard SET not_before = now() - interval '1 second' WHERE not_before > now() RETURNING id)
UPDATE thresher_queue.pgqueuer SET execute_after = now() - interval '1 second'
WHERE dedupe_key IN (SELECT id::text FROM due)
"""
_FREE = "UPDATE host SET paused_until = now() - interval '1 second', next_at = NULL"
_EXPIRE = "UPDATE batch SET deadline_at = now() - interval '1 second' WHERE id = $1"
_EXPIRE_OPEN = """
UPDATE batch SET deadline_at = now() - interval '1 second'
FROM batch_progress p WHERE p.batch_id = batch.id AND p.state = 'open'
"""
# The items of a batch with a page, of their own or of the item that they were to be made of.
_STORED = """
SELECT count(*) FROM item i WHERE batch_id = $1 AND EXISTS (
    SELECT FROM item o JOIN batch_progress p ON p.batch_id = o.batch_id AND p.purged_at IS NULL
    WHERE o.pack_id IS NOT NULL AND ((o.batch_id, o.ord) = (i.batch_id, i.ord) OR (
        (o.batch_id, o.ord) = (i.body_batch, i.body_ord)
        AND NOT EXISTS (SELECT FROM batch_progress q WHERE q.batch_id = $1 AND q.purged_at IS NOT NULL))))
"""
_LATE = "UPDATE shard SET dispatched_at = now() - interval '2 hours' WHERE id = $1"
_SILENT = "UPDATE thresher_queue.pgqueuer SET heartbeat = now() - interval '2 hours' WHERE status = 'picked'"
_LOSE = "DELETE FROM thresher_queue.pgqueuer WHERE dedupe_key = $1"

NO_GRACE = Limits(LIMITS.item_timeout, timedelta(seconds=-60), LIMITS.shard_size, LIMITS.quiet)


class Lives(RuleBasedStateMachine):
    """Batches of a small cluster. Workers are pretended: a claim in hand is all that a worker is to storage."""

    runner: asyncio.Runner
    connection: Connection
    blobs: Blobs

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.open_ones: list[Batch] = []  # and those of them that were stopped
        self.held: list[tuple[Job, Claim]] = []  # claims whose workers live
        self.zombies: list[Claim] = []  # claims that others took over, or whose shard was ended
        self.memory = laws.Memory()
        self.accounts = self._do(self._begin())

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    async def _begin(self) -> list[int]:
        await self.connection.execute(_WIPE)
        return [await kit.new_account(self.connection, name, grant) for name, grant in (("free", None), ("paying", 12))]

    @rule(
        buckets=BUCKETS,
        account=st.integers(0, 1),
        size=st.integers(1, 4),
        price=st.sampled_from([1, 1, 3]),
        parser=st.sampled_from([None, "@thresher/product"]),
        prices=PRICES,
    )
    def submit(
        self, buckets: list[int], account: int, size: int, price: int, parser: str | None, prices: list[int | None]
    ) -> None:
        self._do(self._submit(account, price, buckets, shard_size=size, parser=parser, prices=prices))

    @rule(buckets=st.lists(st.integers(0, 3), max_size=4), account=st.integers(0, 1))
    def open(self, buckets: list[int], account: int) -> None:
        batch = self._do(self._submit(account, 1, buckets, stays_open=True))
        if batch is not None:
            self.open_ones.append(batch)

    async def _submit(self, account: int, price: int, buckets: list[int], **how: Any) -> Batch | None:
        """None if it cannot be paid for, which the laws see to."""
        payer = self.accounts[account]
        if not await self._can_pay(payer, kit.cost(kit.new_items(buckets, prices=how.get("prices", ())), price)):
            with pytest.raises(Problem, match="credits"):
                await kit.submit(self.connection, payer, buckets, price=price, **how)
            return None
        batch = await kit.submit(self.connection, payer, buckets, price=price, **how)
        self.batches.append(batch.id)
        return batch

    async def _can_pay(self, account: int, needed: int) -> bool:
        available = (await ledger.statement(self.connection, account)).available
        return available is None or needed <= available

    @precondition(lambda self: self.batches)
    @rule(which=PICK, size=st.integers(1, 4), price=st.sampled_from([None, 2]))
    def apply(self, which: int, size: int, price: int | None) -> None:
        self._do(self._apply(self.batches[which % len(self.batches)], size, price))

    async def _apply(self, key: int, size: int, price: int | None) -> None:
        """What is stored of a batch that is done is read anew, be it an applied one itself."""
        batch = await batches.get_signed(self.connection, key)
        if batch is None or batch.state != "done":
            return
        anew = Anew(batch.options, ["parser"] if price else [], price, {}, None, 3600.0, size)
        stored = await self.connection.fetchval(_STORED, key)
        cost = stored * (price or await self.connection.fetchval("SELECT price FROM batch WHERE id = $1", key))
        if not stored:
            with pytest.raises(applying.NothingStored):
                await applying.apply(self.connection, batch, anew)
        elif not await self._can_pay(batch.account_id, cost):
            with pytest.raises(Problem, match="credits"):
                await applying.apply(self.connection, batch, anew)
        else:
            made = await applying.apply(self.connection, batch, anew)
            assert (made.total, made.applied_to) == (stored, batch.public_id)
            self.batches.append(made.id)

    @rule(account=st.integers(0, 1), amount=st.sampled_from([12, 24, 0, -2]), lift=st.booleans())
    def give_credits(self, account: int, amount: int, lift: bool) -> None:
        """Or take some back. With a limit or without: an account may change from one to the other at any time."""
        self._do(self._give_credits(self.accounts[account], amount, lift))

    async def _give_credits(self, account: int, amount: int, lift: bool) -> None:
        now = await ledger.statement(self.connection, account)
        left = now.left if now.limited else max(0, now.left)
        if lift:
            await ledger.lift(self.connection, account)
        elif amount < 0 and left + amount < 0:
            with pytest.raises(ledger.TooFew):
                await ledger.grant(self.connection, account, amount)
        else:
            await ledger.grant(self.connection, account, amount)

    @precondition(lambda self: self.open_ones)
    @rule(which=PICK, buckets=BUCKETS, lost=st.booleans(), prices=PRICES)
    def append(self, which: int, buckets: list[int], lost: bool, prices: list[int | None]) -> None:
        """A caller that did not hear the answer sends the same again; one that comes too late is told."""
        batch = self.open_ones[which % len(self.open_ones)]
        self._do(self._append(batch, buckets, lost, prices))

    async def _append(self, batch: Batch, buckets: list[int], lost: bool, prices: list[int | None]) -> None:
        now = await kit.reread(self.connection, batch)
        items = kit.new_items(buckets, now.total, prices)
        if now.state != "open":
            with pytest.raises(submit.NotOpen):
                await submit.append(self.connection, batch.id, items, limit=100, offset=now.total)
            return
        if not await self._can_pay(batch.account_id, kit.cost(items, 1)):
            with pytest.raises(Problem, match="credits"):
                await submit.append(self.connection, batch.id, items, limit=100, offset=now.total)
            return
        assert await submit.append(self.connection, batch.id, items, limit=100, offset=now.total) == now.total + len(
            items
        )
        if lost:
            with pytest.raises(submit.OffsetConflict):
                await submit.append(self.connection, batch.id, items, limit=100, offset=now.total)

    @precondition(lambda self: self.open_ones)
    @rule(which=PICK, size=st.integers(1, 4))
    def start(self, which: int, size: int) -> None:
        batch = self.open_ones.pop(which % len(self.open_ones))
        self._do(self._start(batch, size))

    async def _start(self, batch: Batch, size: int) -> None:
        now = await kit.reread(self.connection, batch)
        if now.state == "open" and not now.total:
            with pytest.raises(submit.NothingToStart):
                await submit.start(self.connection, batch.id, size)
        else:
            assert await submit.start(self.connection, batch.id, size) == (now.state == "open")
            assert not await submit.start(self.connection, batch.id, size), "it is started once"

    @rule(many=st.integers(1, 4))
    def serve(self, many: int) -> None:
        self._do(self._serve(many))

    async def _serve(self, many: int) -> None:
        for job in await kit.serve(self.connection, many):
            claim = await kit.claim(self.connection, job.shard)
            if claim is None:
                await kit.spend(self.connection, job)
            else:
                self.held.append((job, claim))

    @precondition(lambda self: self.held)
    @rule(which=PICK, some=st.integers(0, 4), state=FATES, twice=st.booleans())
    def settle_some(self, which: int, some: int, state: kit.Fate, twice: bool) -> None:
        _, claim = self.held[which % len(self.held)]
        chosen = kit.work(claim, [item.ord for item in claim.items][:some], state)
        self._do(kit.settle(self.connection, chosen, batch=claim.batch))
        if twice:
            again = self._do(kit.settle(self.connection, chosen, batch=claim.batch))
            assert again.settled == 0
            assert not again.over

    @precondition(lambda self: self.held)
    @rule(
        which=PICK,
        delay=st.sampled_from([0, 0, 3600]),
        cut=st.integers(0, 3),
        begun=st.booleans(),
        spent=st.booleans(),
        bucket=st.sampled_from([None, None, 0, 1, 2, 3]),
        pause=st.booleans(),
    )
    def end_with_rests(
        self, which: int, delay: int, cut: int, begun: bool, spent: bool, bucket: int | None, pause: bool
    ) -> None:
        """Some items are to be tried later, the others go on in line, or were redirected to where `bucket` is."""
        job, claim = self.held.pop(which % len(self.held))
        self._do(self._end(job, claim, (delay, cut, begun, bucket, pause), spent))

    async def _end(
        self, job: Job, claim: Claim, left_how: tuple[int, int, bool, int | None, bool], spent: bool
    ) -> None:
        delay, cut, begun, bucket, pause = left_how
        bucket = None if claim.applied else bucket  # who asks nobody is redirected by nobody
        left = await self._unsettled(claim)
        at = claim.dispatched_at if begun else None
        host = f"host{claim.bucket}.example" if pause else None
        if host is not None and await self._holds(claim):
            await hosts.note(self.connection, claim.bucket, [Note(host, 3600, 3600)])
        rests = [
            Rest(
                part,
                timedelta(seconds=wait),
                at,
                {str(part[0]): [{"attempt": 1}]} if begun else None,
                bucket=where,
                host=host if where in (None, claim.bucket) else None,
            )
            for part, wait, where in ((left[:cut], delay, None), (left[cut:], 0, bucket))
            if part
        ]
        try:
            await shards.end(self.connection, claim.shard, claim.lease, rests)
        except LeaseLost:
            assert not await self._holds(claim)
        if spent:  # else the worker died between its commit and the library's
            await kit.spend(self.connection, job)
        self.zombies.append(claim)

    async def _unsettled(self, claim: Claim) -> list[int]:
        query = "SELECT ord FROM item WHERE batch_id = $1 AND ord = ANY ($2) AND state = 0 ORDER BY ord"
        ords = [item.ord for item in claim.items]
        return [row["ord"] for row in await self.connection.fetch(query, claim.batch, ords)]

    async def _holds(self, claim: Claim) -> bool:
        query = "SELECT EXISTS (SELECT FROM shard WHERE id = $1 AND starts = $2 AND state = 'running')"
        return bool(await self.connection.fetchval(query, claim.shard, claim.lease))

    @precondition(lambda self: self.held)
    @rule(which=PICK)
    def die_and_be_taken_over(self, which: int) -> None:
        job, claim = self.held.pop(which % len(self.held))
        taken = self._do(kit.claim(self.connection, claim.shard))
        if taken is None:
            self._do(kit.spend(self.connection, job))
        else:
            assert taken.lease > claim.lease  # by more than one if its entry was lost and queued again
            self.held.append((job, taken))
        self.zombies.append(claim)
        late = self._do(kit.settle(self.connection, kit.work(claim), batch=claim.batch))
        assert (late.settled, late.lost) == (0, frozenset({claim.shard})), "the dead one was only slow"

    @precondition(lambda self: self.zombies)
    @rule(which=PICK, state=FATES, settles=st.booleans())
    def a_zombie_wakes(self, which: int, state: kit.Fate, settles: bool) -> None:
        claim = self.zombies[which % len(self.zombies)]
        if settles:
            result = self._do(kit.settle(self.connection, kit.work(claim, None, state), batch=claim.batch))
            assert result.settled == 0
            assert result.lost == {claim.shard}
        else:
            with pytest.raises(LeaseLost):
                self._do(shards.end(self.connection, claim.shard, claim.lease, [Rest([0])]))

    @precondition(lambda self: self.batches)
    @rule(which=PICK, how=st.sampled_from(["cancel", "force", "expire", "purge"]))
    def stop(self, which: int, how: str) -> None:
        """One rule for four, so that most steps of a life are work."""
        batch = self.batches[which % len(self.batches)]
        if how == "cancel":
            self._do(batches.stop(self.connection, batch, Outcome.CANCELLED))
        elif how == "force":
            self._do(batches.force(self.connection, batch))
        elif how == "purge":
            self._do(purge.mark(self.connection, batch))
            self._do(purge.purge(self.connection, self.blobs, LIMITS.item_timeout, timedelta(0)))
        else:
            self._do(self.connection.execute(_EXPIRE, batch))
            self._do(reconcile(self.connection, LIMITS))

    @precondition(lambda self: self.held)
    @rule(which=PICK)
    def items_pass_their_deadline(self, which: int) -> None:
        self._do(self.connection.execute(_LATE, self.held[which % len(self.held)][1].shard))
        self._do(reconcile(self.connection, LIMITS))

    @precondition(lambda self: self.held)
    @rule(which=PICK)
    def an_entry_is_lost(self, which: int) -> None:
        self._do(self.connection.execute(_LOSE, str(self.held[which % len(self.held)][1].shard)))

    @rule(grace=st.booleans())
    def reconcile(self, grace: bool) -> None:
        self._do(reconcile(self.connection, LIMITS if grace else NO_GRACE))

    @rule()
    def time_passes(self) -> None:
        self._do(self._pass_time())

    async def _pass_time(self) -> None:
        await self.connection.execute(_DUE)
        await self.connection.execute(_FREE)

    @invariant()
    def the_laws_hold(self) -> None:
        self._do(laws.check(self.connection))
        self._do(self.memory.check(self.connection))

    def teardown(self) -> None:
        self._do(self._drain())

    async def _drain(self) -> None:
        """All workers die; new ones come; who filled a batch is gone for good. Everything must end."""
        await self.connection.execute(_EXPIRE_OPEN)
        for _ in range(50):
            await self._pass_time()
            await self.connection.execute(_SILENT)
            await kit.drain(self.connection)
            if not await self.connection.fetchval("SELECT EXISTS (SELECT FROM shard)"):
                break
            await reconcile(self.connection, NO_GRACE)
        await reconcile(self.connection, NO_GRACE)
        await laws.check(self.connection, queued=True)
        await self.memory.check(self.connection)
        assert not await self.connection.fetch("SELECT * FROM batch_progress WHERE state <> 'done'")
        assert not await self.connection.fetch("SELECT * FROM item WHERE state = 0")
        assert not await self.connection.fetch("SELECT * FROM shard")
        assert not await self.connection.fetch("SELECT * FROM thresher_queue.pgqueuer")


@pytest.fixture(scope="module")
def lives(database_server: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Lives]]:
    """The machine on a database of its own, which all its lives share."""
    with asyncio.Runner() as runner:
        copy = fresh(*database_server)
        url = runner.run(copy.__aenter__())
        runner.run(execute(url, f"SET search_path TO thresher; {_RECORDER}"))
        Lives.blobs = Blobs(tmp_path_factory.mktemp("blobs").as_uri())
        Lives.runner, Lives.connection = runner, runner.run(database.connect(url, "lives"))
        yield Lives
        runner.run(Lives.connection.close())
        runner.run(copy.__aexit__(None, None, None))


def _table(moves: Mapping[Any, Iterable[Any]]) -> dict[str, set[str]]:
    return {str(was.value): {str(now.value) for now in to} for was, to in moves.items()}


_MOVES = {"batch_progress": _table(BATCH_MOVES), "item": _table(ITEM_MOVES), "shard": _table(SHARD_MOVES)}


@pytest.mark.timeout(3600 if DEEP else 120)
def test_the_laws_hold_in_random_lives_and_every_batch_ends(lives: type[Lives]) -> None:
    live(lives, EXAMPLES, STEPS)
    moves = lives.runner.run(lives.connection.fetch("SELECT * FROM move"))
    assert {row["machine"] for row in moves} == set(_MOVES)
    for row in moves:
        table = _MOVES[row["machine"]]
        assert row["is_now"] == row["was"] or row["is_now"] in table[row["was"]], f"not in the table: {dict(row)}"
