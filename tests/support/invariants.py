"""What must be true of a batch at every instant, asked of the rows themselves."""

from thresher.storage.batches import Batch
from thresher.storage.database import Pool

_COUNTED = """
SELECT count(*) AS total, count(*) FILTER (WHERE state = 1) AS completed, count(*) FILTER (WHERE state = 2) AS failed,
       count(*) FILTER (WHERE state = 4) AS cancelled, count(finish_seq) AS numbered,
       coalesce(max(finish_seq), 0) AS highest, count(DISTINCT finish_seq) AS distinct_numbers
FROM item WHERE batch_id = $1
"""


async def check_done(pool: Pool, batch: Batch) -> None:
    """A done batch: every item settled exactly once, the counters are the rows, one event, one settlement, no work left."""
    async with pool.acquire() as connection:
        rows = await connection.fetchrow(_COUNTED, batch.id)
        events = await connection.fetchval("SELECT count(*) FROM event WHERE batch_id = $1", batch.id)
        settled = await connection.fetchval(
            "SELECT amount FROM ledger WHERE batch_id = $1 AND kind = 'settle'", batch.id
        )
    assert rows is not None
    assert batch.state == "done"
    assert batch.finished == batch.total == rows["total"]
    assert batch.processing == 0
    assert rows["numbered"] == rows["highest"] == rows["distinct_numbers"] == batch.numbered
    if batch.numbered == batch.total:  # else the janitor has yet to write the overlay
        assert (rows["completed"], rows["failed"], rows["cancelled"]) == (
            batch.completed,
            batch.failed,
            batch.cancelled,
        )
    assert events == 1
    assert settled == batch.billed
