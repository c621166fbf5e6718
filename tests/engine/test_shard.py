"""One shard in a process, with a real settler; how an attempt goes is the test's choice."""

import asyncio
import time
from pathlib import Path

from tests.storage import kit

from thresher.domain import url
from thresher.domain.choices import Choices
from thresher.domain.failure import Failure, FailureCode
from thresher.engine.lease import Lease
from thresher.engine.settler import Settler
from thresher.engine.shard import Engine, ShardRun
from thresher.pipeline.item import Attempt
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.database import Connection, Pool


async def test_a_pause_that_cannot_be_shared_breaks_nothing_off(
    connection: Connection, pool: Pool, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    busy = asyncio.Event()

    async def attempt(target: url.Url, timeout: float, choices: Choices) -> Attempt:
        if target.host == "host1.example":
            return Attempt({"code": "rate_limited"}, 429, Failure(FailureCode.RATE_LIMITED, "429"), retry_after=1.0)
        await busy.wait()
        return Attempt({"code": "ok"}, 200, frame=b"frame")

    async def pause(host: str, seconds: float) -> None:
        asyncio.get_running_loop().call_later(0.05, busy.set)
        raise ConnectionRefusedError("the database is away")

    batch = await kit.submit(connection, await kit.new_account(connection), [1, 2], shard_size=2)
    await connection.execute("UPDATE shard SET ords = '{0,1}' WHERE id = (SELECT min(id) FROM shard)")
    claim = await kit.claim_next(connection)
    settler = Settler(pool, Blobs(f"file://{tmp_path}/packs"), settings)
    engine = Engine(settings, settler, attempt, pause, asyncio.Semaphore(8))
    lease = Lease(claim.shard, claim.lease, 0, trust=60.0)
    lease.renew(time.monotonic())
    (rest,) = await ShardRun(claim, lease, engine, {}).run()
    lease.cancel()
    assert list(rest.ords) == [0]
    assert rest.carry == {"0": [{"code": "rate_limited"}]}
    assert (await kit.reread(connection, batch)).completed == 1
