"""The settler on a real database: one item cannot sink its neighbours, and a slow database is not made up for in memory."""

import asyncio
from pathlib import Path

import pytest
from tests.storage import kit, laws

from thresher.domain.states import ItemState
from thresher.engine import settler as module
from thresher.engine.settler import Settler
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.database import Connection, Pool
from thresher.storage.settling import Settled


@pytest.fixture
def settler(pool: Pool, tmp_path: Path) -> Settler:
    return Settler(pool, Blobs(f"file://{tmp_path}/packs"), Settings(data_dir=tmp_path, settle_seconds=0.01))


@pytest.mark.parametrize("detail", ["\ud800", "\0"])
async def test_an_attempt_that_cannot_be_written_fails_its_item_alone(
    settler: Settler, connection: Connection, detail: str
) -> None:
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1, 1])
    claim = await kit.claim_next(connection)
    done = []
    for item in claim.items:
        settler.begin(claim.batch)
        attempts = [{"detail": detail if item.ord == 1 else "fine"}]
        done.append(settler.add(claim, Settled(item.ord, ItemState.COMPLETED, attempts, billed=1), b"frame"))
    for _ in claim.items:
        settler.end(claim.batch)
    assert await asyncio.gather(*done) == [True] * 3
    rows = await connection.fetch("SELECT state, failure FROM item WHERE batch_id = $1 ORDER BY ord", batch.id)
    assert [tuple(row) for row in rows] == [(1, None), (2, "internal"), (1, None)]
    await laws.check(connection)


async def test_nothing_new_is_begun_while_too_much_waits_to_be_written(
    settler: Settler, connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_HELD", 1000)
    batch = await kit.submit(connection, await kit.new_account(connection), [1, 1])
    claim = await kit.claim_next(connection)
    await settler.room()
    async with connection.transaction():
        await connection.execute("SELECT FROM batch_progress WHERE batch_id = $1 FOR UPDATE", batch.id)
        settler.begin(claim.batch)
        done = settler.add(claim, Settled(0, ItemState.COMPLETED, [], billed=1), bytes(1000))
        settler.end(claim.batch)
        room = asyncio.create_task(settler.room())
        await connection.execute("SELECT pg_sleep(0.05)")
        assert not room.done()
    assert await done
    await asyncio.wait_for(room, 5)
