"""One shard in a process, with a real settler; how an attempt goes is the test's choice."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.storage import kit

from thresher.domain.choices import Choices
from thresher.domain.failure import Failure, FailureCode
from thresher.domain.way import Way
from thresher.engine.lease import Lease
from thresher.engine.settler import Settler
from thresher.engine.shard import Engine, ShardRun
from thresher.pipeline.gate import MayBegin
from thresher.pipeline.item import Attempt
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.database import Connection, Pool
from thresher.storage.hosts import Note


async def test_a_pause_that_cannot_be_shared_breaks_nothing_off(
    connection: Connection, pool: Pool, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    busy = asyncio.Event()
    tried: list[str] = []

    async def attempt(target: Way, timeout: float, choices: Choices, may_begin: MayBegin) -> Attempt:
        await may_begin(None)
        if target.url.host == "host1.example":
            return Attempt({"code": "rate_limited"}, 429, Failure(FailureCode.RATE_LIMITED, "429"), retry_after=1.0)
        await busy.wait()
        return Attempt({"code": "ok"}, 200, frame=b"frame")

    async def note(bucket: int, notes: Sequence[Note]) -> None:
        tried.extend(note.host for note in notes)
        asyncio.get_running_loop().call_later(0.05, busy.set)
        raise ConnectionRefusedError("the database is away")

    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2], shard_size=2)
    await connection.execute("UPDATE shard SET ords = '{0,1}' WHERE id = (SELECT min(id) FROM shard)")
    claim = await kit.claim_next(connection)
    settler = Settler(pool, Blobs(f"file://{tmp_path}/packs"), settings)
    engine = Engine(settings, settler, attempt, note, asyncio.Semaphore(8))
    lease = Lease(claim.shard, claim.lease, 0, trust=60.0)
    lease.renew(time.monotonic())
    (rest,) = await ShardRun(claim, lease, engine, {}).run()
    lease.cancel()
    assert tried == ["host1.example"] * 2, "at once, and again when the shard ends"
    assert list(rest.ords) == [0]
    assert rest.carry == {"0": [{"code": "rate_limited"}]}
    assert (await kit.reread(connection, batch)).completed == 1


async def test_deadlines_are_those_of_the_databases_clock(connection: Connection, pool: Pool, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)

    async def attempt(target: Way, timeout: float, choices: Choices, may_begin: MayBegin) -> Attempt:
        await may_begin(None)
        return Attempt({"code": "ok"}, 200, frame=b"frame")

    async def note(bucket: int, notes: Sequence[Note]) -> None: ...

    batch = await kit.submit(connection, await kit.new_account(connection), [1])
    claim = await kit.claim_next(connection)
    assert abs(claim.skew) < timedelta(seconds=30), "both clocks are this machine's"
    hour = timedelta(hours=1)  # that this machine's clock is ahead: more than any deadline of this batch
    ahead = replace(claim, dispatched_at=claim.dispatched_at - hour, deadline_at=claim.deadline_at - hour, skew=hour)
    engine = Engine(
        settings, Settler(pool, Blobs(f"file://{tmp_path}/packs"), settings), attempt, note, asyncio.Semaphore(8)
    )
    lease = Lease(claim.shard, claim.lease, 0, trust=60.0)
    lease.renew(time.monotonic())
    assert await ShardRun(ahead, lease, engine, {}).run() == []
    lease.cancel()
    assert (await kit.reread(connection, batch)).completed == 1
