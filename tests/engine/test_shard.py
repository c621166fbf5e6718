"""One shard in a process, with a real settler; how an attempt goes is the test's choice."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.storage import kit
from tests.support.files import submit_files, upload

from thresher.domain.choices import Choices
from thresher.domain.failure import Failure, FailureCode
from thresher.domain.way import Way
from thresher.engine import shard
from thresher.engine.lease import Lease
from thresher.engine.settler import Settler
from thresher.engine.shard import ShardRun
from thresher.engine.shared import Engine
from thresher.engine.turn import Places
from thresher.pipeline.attempt import Attempt
from thresher.pipeline.file import File
from thresher.pipeline.gate import MayBegin
from thresher.settings import Settings
from thresher.storage import inputs
from thresher.storage.blobs import Blobs
from thresher.storage.database import Connection, Pool
from thresher.storage.hosts import Known, Note
from thresher.storage.pages import Page


async def unused(page: Page, max_age: float | None, wants: Sequence[Choices]) -> list[Attempt] | None:
    raise AssertionError("nothing is stored")


async def never(
    target: Way, timeout: float, wants: Sequence[Choices], may_begin: MayBegin, page: Page | None
) -> list[Attempt]:
    raise AssertionError("nothing is a page")


async def no_file(file: File, wants: Sequence[Choices]) -> list[Attempt]:
    raise AssertionError("nothing is a file")


async def test_a_pause_that_cannot_be_shared_breaks_nothing_off(
    connection: Connection, pool: Pool, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    busy = asyncio.Event()
    tried: list[str] = []

    async def attempt(
        target: Way, timeout: float, wants: Sequence[Choices], may_begin: MayBegin, page: Page | None
    ) -> list[Attempt]:
        await may_begin(None)
        if target.url.host == "host1.example":
            return [Attempt({"code": "rate_limited"}, 429, Failure(FailureCode.RATE_LIMITED, "429"), retry_after=1.0)]
        await busy.wait()
        return [Attempt({"code": "ok"}, 200, frame=b"frame")]

    async def note(bucket: int, notes: Sequence[Note]) -> None:
        tried.extend(note.host for note in notes)
        asyncio.get_running_loop().call_later(0.05, busy.set)
        raise ConnectionRefusedError("the database is away")

    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2], shard_size=2, price=3)
    await connection.execute("UPDATE shard SET ords = '{0,1}' WHERE id = (SELECT min(id) FROM shard)")
    claim = await kit.claim_next(connection)
    settler = Settler(pool, Blobs(f"file://{tmp_path}/packs"), settings)
    engine = Engine(settings, settler, attempt, unused, no_file, note, asyncio.Semaphore(8), Places(2))
    lease = Lease(claim.shard, claim.lease, 0, trust=60.0)
    lease.renew(time.monotonic())
    (rest,) = await ShardRun(claim, lease, engine, {}, {}, {}).run()
    lease.cancel()
    assert tried == ["host1.example"] * 2, "at once, and again when the shard ends"
    assert list(rest.ords) == [0]
    assert rest.carry == {"0": [{"code": "rate_limited"}]}
    now = await kit.reread(connection, batch)
    assert (now.completed, now.billed) == (1, 3)


async def test_deadlines_are_those_of_the_databases_clock(connection: Connection, pool: Pool, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)

    async def attempt(
        target: Way, timeout: float, wants: Sequence[Choices], may_begin: MayBegin, page: Page | None
    ) -> list[Attempt]:
        await may_begin(None)
        return [Attempt({"code": "ok"}, 200, frame=b"frame")]

    async def note(bucket: int, notes: Sequence[Note]) -> None: ...

    batch = await kit.submit(connection, await kit.new_account(connection), [1])
    claim = await kit.claim_next(connection)
    assert abs(claim.skew) < timedelta(seconds=30), "both clocks are this machine's"
    hour = timedelta(hours=1)  # that this machine's clock is ahead: more than any deadline of this batch
    ahead = replace(claim, dispatched_at=claim.dispatched_at - hour, deadline_at=claim.deadline_at - hour, skew=hour)
    engine = Engine(
        settings,
        Settler(pool, Blobs(f"file://{tmp_path}/packs"), settings),
        attempt,
        unused,
        no_file,
        note,
        asyncio.Semaphore(8),
        Places(2),
    )
    lease = Lease(claim.shard, claim.lease, 0, trust=60.0)
    lease.renew(time.monotonic())
    assert await ShardRun(ahead, lease, engine, {}, {}, {}).run() == []
    lease.cancel()
    assert (await kit.reread(connection, batch)).completed == 1


async def test_what_a_host_would_keep_waiting_for_too_long_fails_now_and_says_until_when(
    connection: Connection, pool: Pool, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, item_timeout=600)
    asked: list[str] = []

    async def attempt(
        target: Way, timeout: float, wants: Sequence[Choices], may_begin: MayBegin, page: Page | None
    ) -> list[Attempt]:
        await may_begin(None)
        asked.append(target.url.host)
        if target.url.host == "host2.example":
            record = {"code": "rate_limited"}
            return [Attempt(record, 429, Failure(FailureCode.RATE_LIMITED, "429"), retry_after=3600.0)]
        return [Attempt({"code": "ok"}, 200, frame=b"frame")]

    async def note(bucket: int, notes: Sequence[Note]) -> None: ...

    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 2, 2, 3, 4], shard_size=6)
    await connection.execute("UPDATE shard SET ords = '{0,1,2,3,4,5}' WHERE id = (SELECT min(id) FROM shard)")
    claim = await kit.claim_next(connection)
    engine = Engine(
        settings,
        Settler(pool, Blobs(f"file://{tmp_path}/packs"), settings),
        attempt,
        unused,
        no_file,
        note,
        asyncio.Semaphore(8),
        Places(2),
    )
    lease = Lease(claim.shard, claim.lease, 0, trust=60.0)
    lease.renew(time.monotonic())
    known = {"host1.example": Known(960.0, 1, 6), "host3.example": Known(300.0, 1, 4)}
    (rest,) = await ShardRun(claim, lease, engine, known, {}, {}).run()
    lease.cancel()
    assert list(rest.ords) == [4], "a pause that is short enough is waited for"
    assert sorted(asked) == ["host2.example", "host4.example"]
    rows = await connection.fetch("SELECT ord, failure, detail FROM item WHERE state = 2 ORDER BY ord")
    assert [(row["ord"], row["failure"]) for row in rows] == [(n, "rate_limited") for n in range(4)]
    assert rows[0]["detail"].startswith(
        "The host has asked for fewer requests 6 times in a row, and is left alone until "
    )
    assert rows[3]["detail"].startswith("The host has asked for fewer requests once, and is left alone until ")
    assert (await kit.reread(connection, batch)).failed == 4


async def test_files_that_wait_for_their_turn_are_given_back_at_the_end_of_the_slice_with_all_their_time(
    connection: Connection, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path, slice_seconds=0.2)
    store = Blobs(settings.packs_url)
    begun: list[str] = []
    over = asyncio.Event()

    async def read(file: File, wants: Sequence[Choices]) -> list[Attempt]:
        begun.append(file.name)
        await over.wait()
        return [Attempt({"code": "ok"}, None, frame=b"frame")]

    async def note(bucket: int, notes: Sequence[Note]) -> None: ...

    found = [await upload(connection, store, f"{n}.txt", b"%d" % n) for n in range(40)]
    batch = await submit_files(pool, found)
    await connection.execute("DELETE FROM shard WHERE ords <> '{0}'")
    await connection.execute("UPDATE shard SET ords = (SELECT array_agg(ord ORDER BY ord) FROM item)")
    claim = await kit.claim_next(connection)
    places = Places(1)
    engine = Engine(settings, Settler(pool, store, settings), never, unused, read, note, asyncio.Semaphore(8), places)
    lease = Lease(claim.shard, claim.lease, 0, trust=60.0)
    lease.renew(time.monotonic())
    run = asyncio.create_task(
        ShardRun(claim, lease, engine, {}, {}, await inputs.find(connection, claim, timedelta(days=30))).run()
    )
    asyncio.get_running_loop().call_later(2 * settings.slice_seconds, over.set)
    [rest] = await run
    lease.cancel()
    assert begun == ["0.txt"], "none is begun after the slice"
    assert (list(rest.ords), rest.dispatched_at, rest.delay) == ([*range(1, 40)], None, timedelta(0))
    assert (places.free, (await kit.reread(connection, batch)).completed) == (1, 1)

    # One that has no place at all lets others go before.
    monkeypatch.setattr(shard, "_PATIENCE", 0.01)
    settings = Settings(data_dir=tmp_path, slice_seconds=60)
    engine = replace(engine, settings=settings)
    await kit.finish_shard(connection, claim, rests=[rest])
    claim = await kit.claim_next(connection)
    lease = Lease(claim.shard, claim.lease, 0, trust=60.0)
    lease.renew(time.monotonic())
    async with places.turn(replace(claim, shard=0, batch=0), asyncio.Event(), 60):
        [rest] = await ShardRun(
            claim, lease, engine, {}, {}, await inputs.find(connection, claim, timedelta(days=30))
        ).run()
    lease.cancel()
    assert (begun, len(rest.ords), rest.dispatched_at, rest.behind) == (["0.txt"], 39, None, True)
    await connection.execute("UPDATE fair_clock SET tag = 7")
    await kit.finish_shard(connection, claim, rests=[rest])
    assert await connection.fetchval("SELECT tag FROM shard") == 8
