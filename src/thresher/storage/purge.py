"""Retention: a batch that was done long enough ago, or that its owner deletes, goes, and leaves a tombstone.

First it is marked, and no reader gets at it any more; then its objects go, then its rows, in slices. Each step may be
repeated, so a crash between two leaves the rest to the next round. The batch with its counters, the event of its end
and its ledger stay. Files whose time is over go, too, and the bytes of which no file is left. storage/upkeep.py runs `purge` in
every process; an advisory lock lets one at a time through.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from thresher.storage import contents, directories, files, hosts, idempotency, outbox, pace
from thresher.storage.blobs import Blobs, StoreUnusable, pack_folder
from thresher.storage.database import Connection, turn

log = logging.getLogger("thresher.purge")

_MARK = "UPDATE batch_progress SET purged_at = now() WHERE batch_id = $1 AND state = 'done' AND purged_at IS NULL"

# Those past the retention, the oldest first. One that is locked at the moment is for the next round.
_MARK_OLD = """
UPDATE batch_progress SET purged_at = now() WHERE batch_id IN (
    SELECT batch_id FROM batch_progress
    WHERE state = 'done' AND purged_at IS NULL AND finished_at <= now() - $1::interval
    ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""

_MARKED = """
SELECT p.batch_id, b.public_id FROM batch_progress p JOIN batch b ON b.id = p.batch_id
WHERE p.purged_at IS NOT NULL AND p.erased_at IS NULL ORDER BY p.purged_at, p.batch_id
"""

_SPAN = "SELECT min(ord) AS first, max(ord) AS last FROM item WHERE batch_id = $1"

# By position, not by LIMIT: a slice does not walk over the dead rows of those before it.
_DELETE_ITEMS = """
WITH gone AS (DELETE FROM item WHERE batch_id = $1 AND ord >= $2 AND ord < $3 RETURNING 1) SELECT count(*) FROM gone
"""

_DELETE_PACKS = """
WITH few AS (SELECT id FROM pack WHERE batch_id = $1 ORDER BY id LIMIT $2),
gone AS (DELETE FROM pack USING few WHERE pack.id = few.id RETURNING 1)
SELECT count(*) FROM gone
"""

# The tombstone keeps what was chosen, but no secrets.
_FORGET_HEADERS = "UPDATE batch SET headers = NULL WHERE id = $1 AND headers IS NOT NULL"

_ERASED = """
UPDATE batch_progress SET erased_at = now() WHERE batch_id = $1 AND finished_at <= now() - $2::interval RETURNING true
"""

SLICE = 10_000  # rows that are deleted in one transaction
MOST = 1000  # batches whose retention ends in one round

# A worker that was cut off may still write a pack for a batch that has ended. So the folder is looked through until this
# long after the end, several times what a worker keeps trying for.
LATE = timedelta(minutes=5)


@dataclass(slots=True)
class Report:
    """What one round did: batches of which nothing is left, and the items and objects that went; files whose time was over, and
    contents that went.
    """

    batches: int = 0
    items: int = 0
    objects: int = 0
    files: int = 0
    contents: int = 0

    def __str__(self) -> str:
        parts = []
        if self.batches or self.items or self.objects:
            parts.append(f"{self.items} items and {self.objects} objects; batches erased: {self.batches}")
        if self.files or self.contents:
            parts.append(f"{self.files} files past their time, and the bytes of {self.contents}")
        return "; ".join(parts) or "nothing"


async def mark(connection: Connection, key: int) -> None:
    """Purge a batch that is done: from now on it is not read any more; what it holds goes in the next round."""
    await connection.execute(_MARK, key)


async def purge(connection: Connection, blobs: Blobs, retention: timedelta, late: timedelta = LATE) -> Report | None:
    """One round. None if another process is at it."""
    async with turn(connection, 1) as mine:
        if not mine:
            return None
        report = Report()
        await hosts.forget(connection)
        await idempotency.forget(connection)
        await pace.forget(connection)
        await outbox.forget(connection, retention)
        await directories.forget(connection, retention)
        report.files = await files.expire(connection)
        report.contents = await contents.sweep(connection, blobs)
        await connection.execute(_MARK_OLD, retention, MOST)
        for row in await connection.fetch(_MARKED):
            try:
                await _erase(connection, blobs, row["batch_id"], row["public_id"], late, report)
            except StoreUnusable as error:  # it must not keep the batches behind it
                log.warning("%s is not purged yet: %s", row["public_id"], error)
        return report


async def _erase(
    connection: Connection, blobs: Blobs, key: int, public_id: str, late: timedelta, report: Report
) -> None:
    report.objects += await blobs.delete_all(pack_folder(public_id))
    await outbox.erase(connection, key)
    span = await connection.fetchrow(_SPAN, key)
    if span is not None and span["first"] is not None:
        for start in range(span["first"], span["last"] + 1, SLICE):
            report.items += await connection.fetchval(_DELETE_ITEMS, key, start, start + SLICE)
    while await connection.fetchval(_DELETE_PACKS, key, SLICE):
        pass
    await connection.execute(_FORGET_HEADERS, key)
    report.batches += bool(await connection.fetchval(_ERASED, key, late))
