"""Retention: what goes, what stays, and that a purge may be broken off anywhere and is finished by the next."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.storage import kit, laws
from tests.support.s3 import S3

from thresher.domain.states import BatchState, Outcome
from thresher.storage import batches, blobs, hosts, reconcile, settling, shards
from thresher.storage import purge as purging
from thresher.storage.batches import Batch
from thresher.storage.blobs import Blobs
from thresher.storage.database import Connection, Pool
from thresher.storage.hosts import Note
from thresher.storage.purge import Report, mark, purge
from thresher.storage.settling import Pack

DAY = timedelta(days=1)
NOTHING_LATE = timedelta(0)

_AGE = "UPDATE batch_progress SET finished_at = finished_at - $2::interval WHERE batch_id = $1"


@pytest.fixture
def store(tmp_path: Path) -> Blobs:
    return Blobs((tmp_path / "blobs").as_uri())


async def done(connection: Connection, store: Blobs, account: int, *, age: timedelta = DAY, size: int = 3) -> Batch:
    """A batch that was done so long ago, with a pack for each thousand items."""
    batch = await kit.submit(connection, account, [1] * size, shard_size=size)
    claim = await kit.claim_next(connection)
    for start in range(0, size, 1000):
        pack = Pack(blobs.pack_key(batch.public_id), 1000)
        await store.put(pack.key, bytes(1000))
        chunk = kit.work(claim, range(start, min(start + 1000, size)))
        await settling.settle(connection, batch.id, [chunk], pack)
    await shards.end(connection, claim.shard, claim.lease)
    await connection.execute(_AGE, batch.id, age)
    return await kit.reread(connection, batch)


async def many(connection: Connection, store: Blobs) -> Batch:
    """A batch of 25,000 items, done a day ago."""
    return await done(connection, store, await kit.new_account(connection), size=25_000)


async def a_round(
    connection: Connection, store: Blobs, retention: timedelta = DAY, late: timedelta = NOTHING_LATE
) -> Report:
    report = await purge(connection, store, retention, late)
    assert report is not None
    await laws.check(connection)
    return report


async def left(connection: Connection, batch: Batch) -> tuple[int, int]:
    """The rows of its items and of its packs."""
    return (
        await connection.fetchval("SELECT count(*) FROM item WHERE batch_id = $1", batch.id),
        await connection.fetchval("SELECT count(*) FROM pack WHERE batch_id = $1", batch.id),
    )


async def tombstone(connection: Connection, batch: Batch) -> dict[str, Any]:
    """All that stays of a batch, but for the marks of its purge. Its headers do not, as the laws see to."""
    query = """
        SELECT to_jsonb(b) - 'headers' AS batch, to_jsonb(p) - '{purged_at, erased_at}'::text[] AS progress,
               (SELECT jsonb_agg(to_jsonb(e)) FROM event e WHERE e.batch_id = b.id) AS events,
               (SELECT jsonb_agg(to_jsonb(l)) FROM ledger l WHERE l.batch_id = b.id) AS ledger
        FROM batch b JOIN batch_progress p ON p.batch_id = b.id WHERE b.id = $1"""
    return dict(await connection.fetchrow(query, batch.id) or {})


def files(tmp_path: Path) -> Iterator[str]:
    return (str(path.relative_to(tmp_path / "blobs")) for path in (tmp_path / "blobs" / "packs").rglob("*/*"))


async def test_a_batch_past_its_retention_goes_and_its_tombstone_stays(
    connection: Connection, store: Blobs, tmp_path: Path
) -> None:
    account = await kit.new_account(connection)
    old = await done(connection, store, account)
    young = await done(connection, store, account, age=DAY - timedelta(minutes=1))
    await store.put(f"packs/{old.public_id}/orphan", b"a pack that no row knows")
    before = await tombstone(connection, old)
    report = await a_round(connection, store)
    assert (report.batches, report.items, report.objects) == (1, 3, 2)
    assert await left(connection, old) == (0, 0)
    assert await left(connection, young) == (3, 1)
    assert [name.split("/")[1] for name in files(tmp_path)] == [young.public_id]
    assert await tombstone(connection, old) == before
    now = await kit.reread(connection, old)
    assert now.purged_at is not None
    assert (now.completed, now.total, now.outcome) == (3, 3, Outcome.ALL_OK)
    assert str(await a_round(connection, store)) == "nothing"


async def test_the_retention_is_counted_from_the_end_and_can_be_changed_for_all(
    connection: Connection, store: Blobs
) -> None:
    account = await kit.new_account(connection)
    ended = await done(connection, store, account, age=timedelta(hours=1))
    running = await kit.submit(connection, account, [2, 2])
    await connection.execute("UPDATE batch SET created_at = now() - interval '1 year'")
    assert str(await a_round(connection, store, timedelta(hours=2))) == "nothing"
    assert (await a_round(connection, store, timedelta(minutes=30))).batches == 1
    assert (await kit.reread(connection, ended)).purged_at is not None
    assert (await kit.reread(connection, running)).state is BatchState.RUNNING
    assert await left(connection, running) == (2, 0)


async def test_a_batch_that_is_marked_goes_before_its_time_and_one_that_runs_cannot_be_marked(
    connection: Connection, store: Blobs
) -> None:
    account = await kit.new_account(connection)
    batch = await done(connection, store, account, age=timedelta(0))
    running = await kit.submit(connection, account, [2])
    await mark(connection, batch.id)
    first = (await kit.reread(connection, batch)).purged_at
    await mark(connection, batch.id)
    await mark(connection, running.id)
    assert first is not None
    assert (await kit.reread(connection, batch)).purged_at == first
    assert (await kit.reread(connection, running)).purged_at is None
    assert (await a_round(connection, store)).batches == 1
    assert await left(connection, batch) == (0, 0)


async def test_rows_go_in_slices_each_of_its_own_transaction(connection: Connection, store: Blobs) -> None:
    batch = await many(connection, store)
    await refuse(connection, "DELETE ON item", "WHEN (OLD.ord = 20000)")
    with pytest.raises(asyncpg.RaiseError):
        await purge(connection, store, DAY, NOTHING_LATE)
    assert await left(connection, batch) == (5000, 25)
    await allow(connection, "item")
    assert (await a_round(connection, store)).items == 5000
    assert await left(connection, batch) == (0, 0)


async def refuse(connection: Connection, what: str, when: str = "") -> None:
    """Let the database break off what is to be done, at this point."""
    await connection.execute(f"""
        CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''broken off''; END';
        CREATE TRIGGER refused BEFORE {what} FOR EACH ROW {when} EXECUTE FUNCTION refuse()""")


async def allow(connection: Connection, table: str) -> None:
    await connection.execute(f"DROP TRIGGER refused ON {table}")


@pytest.mark.parametrize(
    ("table", "what", "remains"),
    [
        ("item", "DELETE ON item", (3, 1)),  # the objects are gone
        ("pack", "DELETE ON pack", (0, 1)),  # the items too
        ("batch_progress", "UPDATE OF erased_at ON batch_progress", (0, 0)),  # everything is
    ],
)
async def test_a_purge_that_is_broken_off_between_two_steps_is_finished_by_the_next(
    connection: Connection, store: Blobs, tmp_path: Path, table: str, what: str, remains: tuple[int, int]
) -> None:
    batch = await done(connection, store, await kit.new_account(connection))
    await refuse(connection, what)
    with pytest.raises(asyncpg.RaiseError):
        await purge(connection, store, DAY, NOTHING_LATE)
    assert (await kit.reread(connection, batch)).purged_at is not None, "readers are refused before anything goes"
    assert list(files(tmp_path)) == []
    assert await left(connection, batch) == remains
    await laws.check(connection)
    await allow(connection, table)
    assert (await a_round(connection, store)).batches == 1
    assert await left(connection, batch) == (0, 0)


_PURGER = """
import asyncio, sys
from datetime import timedelta
from thresher.storage import database
from thresher.storage.blobs import Blobs
from thresher.storage.purge import purge

async def main(url, store):
    connection = await database.connect(url, "purger")
    print(await purge(connection, Blobs(store), timedelta(days=1), timedelta(0)), flush=True)

asyncio.run(main(*sys.argv[1:]))
"""
_STUCK = """
SELECT pid FROM pg_stat_activity WHERE application_name = 'purger' AND wait_event_type = 'Lock'
"""


async def test_a_purge_whose_process_is_killed_is_finished_by_another(
    pool: Pool, store: Blobs, tmp_path: Path, database_url: str
) -> None:
    async with pool.acquire() as connection, pool.acquire() as holder:
        batch = await many(connection, store)
        # It waits for this row, in its second slice, and is killed there.
        held = holder.transaction()
        await held.start()
        await holder.execute("SELECT FROM item WHERE batch_id = $1 AND ord = 15000 FOR UPDATE", batch.id)
        url = (tmp_path / "blobs").as_uri()
        purger = await asyncio.create_subprocess_exec(sys.executable, "-c", _PURGER, database_url, url)
        while (stuck := await connection.fetchval(_STUCK)) is None:
            assert purger.returncode is None
            await asyncio.sleep(0.02)
        assert await purge(connection, store, DAY) is None, "one at a time"
        purger.kill()
        await purger.wait()
        await held.rollback()
        while await connection.fetchval(
            "SELECT pg_terminate_backend($1) AND pid = $1 FROM pg_stat_activity WHERE pid = $1", stuck
        ):
            await asyncio.sleep(0.02)
        rows, _ = await left(connection, batch)
        assert rows in (5000, 15000), "whole slices: what the server was told before the kill, it may still do"
        assert (await a_round(connection, store)).items == rows
        assert await left(connection, batch) == (0, 0)


async def test_the_counters_are_right_when_the_rows_had_still_to_be_written(
    connection: Connection, store: Blobs
) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1] * 9)
    await kit.finish_shard(connection, await kit.claim_next(connection))
    await batches.stop(connection, batch.id, Outcome.CANCELLED)
    before = await tombstone(connection, batch)
    await mark(connection, batch.id)
    assert str(await reconcile.reconcile(connection, kit.LIMITS)) == "nothing", "the overlay of a purged batch stays"
    await a_round(connection, store)
    assert str(await reconcile.reconcile(connection, kit.LIMITS)) == "nothing"
    now = await kit.reread(connection, batch)
    assert (now.completed, now.cancelled, now.finished, now.total, now.numbered) == (3, 6, 9, 9, 3)
    assert await tombstone(connection, batch) == before


async def test_a_purge_while_the_overlay_is_being_written_ends_both(
    pool: Pool, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "SLICE", 1)
    async with pool.acquire() as one, pool.acquire() as two:
        batch = await kit.submit(one, await kit.new_account(one), [1] * 200)
        await batches.stop(one, batch.id, Outcome.EXPIRED)
        writing = asyncio.create_task(reconcile.reconcile(one, kit.LIMITS))
        while (await kit.reread(two, batch)).numbered < 5:
            assert not writing.done()
        await mark(two, batch.id)
        await purge(two, store, DAY, NOTHING_LATE)
        await writing
        now = await kit.reread(two, batch)
        assert (now.failed, now.finished) == (200, 200)
        assert 5 <= now.numbered < 200
        assert await left(two, batch) == (0, 0)
        await laws.check(two)


async def test_a_worker_that_comes_late_changes_nothing_of_a_purged_batch(connection: Connection, store: Blobs) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1] * 6)
    claim = await kit.claim_next(connection)
    await batches.stop(connection, batch.id, Outcome.CANCELLED)
    await batches.force(connection, batch.id)
    await mark(connection, batch.id)
    await a_round(connection, store)
    result = await kit.settle(connection, kit.work(claim), batch=batch.id)
    assert (result.settled, result.lost) == (0, {claim.shard})
    assert await left(connection, batch) == (0, 0)


async def test_what_a_worker_writes_late_is_found_until_nobody_can_write_any_more(
    connection: Connection, store: Blobs, tmp_path: Path
) -> None:
    batch = await done(connection, store, await kit.new_account(connection), age=timedelta(0))
    await mark(connection, batch.id)
    first = await a_round(connection, store, late=timedelta(minutes=5))
    assert (first.batches, first.items, first.objects) == (0, 3, 1)
    await store.put(blobs.pack_key(batch.public_id), b"late")
    await connection.execute(_AGE, batch.id, timedelta(minutes=6))
    second = await a_round(connection, store, late=timedelta(minutes=5))
    assert (second.batches, second.items, second.objects) == (1, 0, 1)
    assert list(files(tmp_path)) == []


async def test_a_store_that_keeps_one_batch_does_not_keep_the_others(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with S3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        store = Blobs("s3://bucket/prefix")
        account = await kit.new_account(connection)
        kept, gone = [await done(connection, store, account, age=age) for age in (2 * DAY, DAY)]
        s3.denied = kept.public_id
        assert (await a_round(connection, store)).batches == 1
        assert await left(connection, gone) == (0, 0)
        assert await left(connection, kept) == (3, 1), "rows go after their objects, or nobody would know of these"
        s3.denied = ""
        assert (await a_round(connection, store)).batches == 1
        assert s3.objects == {}


async def test_two_purgers_at_once_take_turns(pool: Pool, store: Blobs) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        await one.execute("SELECT pg_advisory_lock(2, 1)")
        assert await purge(two, store, DAY) is None
        assert await reconcile.reconcile(two, kit.LIMITS) is not None, "deadlines do not wait for a purge"
        await one.execute("SELECT pg_advisory_unlock(2, 1)")
        assert await purge(two, store, DAY) is not None
        assert await purge(one, store, DAY) is not None, "the lock was given back"


async def test_pauses_that_are_over_and_old_rules_are_forgotten(connection: Connection, store: Blobs) -> None:
    for host, seconds in (("over.example", -1), ("paused.example", 3600)):
        await hosts.note(connection, 1, [Note(host, seconds, seconds)])
        await hosts.remember_robots(connection, f"https://{host}", {"rules": []}, seconds)
    await a_round(connection, store)
    assert [row["host"] for row in await connection.fetch("SELECT host FROM host")] == ["paused.example"]
    assert [row["origin"] for row in await connection.fetch("SELECT origin FROM robots")] == ["https://paused.example"]


async def test_a_round_looks_only_at_what_is_due(connection: Connection) -> None:
    await connection.execute("SET enable_seqscan = off")
    for query, arguments, index in [
        (purging._MARK_OLD, (DAY, 1000), "batch_progress_kept"),
        (purging._MARKED, (), "batch_progress_purged"),
        (hosts._FORGET_HOSTS, (1000,), "host_paused"),
        (hosts._FORGET_ROBOTS, (1000,), "robots_expires"),
    ]:
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}", *arguments))
        assert f"using {index}" in plan or f"Bitmap Index Scan on {index}" in plan, plan
