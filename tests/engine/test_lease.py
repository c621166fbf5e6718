"""Leases are renewed whatever happens to one renewal."""

import asyncio
import time

import pytest
from tests.storage import kit

from thresher.engine.lease import LeaseKeeper
from thresher.storage.database import Connection, Pool


async def test_an_unforeseen_error_of_one_renewal_is_not_the_end_of_renewing(
    connection: Connection, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await kit.submit(connection, await kit.new_account(connection), [1])
    claim = await kit.claim_next(connection)
    keeper = LeaseKeeper(pool, 0.4)
    lease = keeper.hold(claim.shard, claim.lease, 0, time.monotonic())
    renewing = asyncio.create_task(keeper.run())
    await connection.execute("ALTER TABLE shard RENAME TO elsewhere")
    async with asyncio.timeout(10):
        while "leases not renewed" not in caplog.text:
            await asyncio.sleep(0.01)
        await connection.execute("ALTER TABLE elsewhere RENAME TO shard")
        before = await connection.fetchval("SELECT now()")
        while await connection.fetchval("SELECT renewed_at FROM shard") < before:
            assert not renewing.done()
            await asyncio.sleep(0.01)
    renewing.cancel()
    keeper.release(lease)
