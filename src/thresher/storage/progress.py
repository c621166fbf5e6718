"""The counters of a batch and its one end.

Locks are taken in one order everywhere: bucket (advisory), batch_progress, shard, item. The counters live in
batch_progress; whoever holds its row lock may move them.
"""

from thresher.domain import ids
from thresher.domain.states import BatchState, ItemState, Outcome, outcome_of, overlay_of
from thresher.storage.database import Connection

# The counters, locked: alone in its statement, because numbering in the same one left gaps under overlap.
LOCK = """
SELECT state, outcome, total, processing, completed, skipped, finished,
       extract(epoch FROM now() - coalesce(moved_at, started_at, now()))::float8 AS quiet
FROM batch_progress WHERE batch_id = $1 FOR UPDATE
"""

# What nothing settled is counted as the overlay's state; the reconciler writes it into the rows later.
_FINISH = """
UPDATE batch_progress SET state = 'done', outcome = $2, processing = 0, finished = total, finished_at = now(),
       cancelled = cancelled + CASE WHEN $3 THEN total - finished ELSE 0 END,
       failed = failed + CASE WHEN $3 THEN 0 ELSE total - finished END
WHERE batch_id = $1
"""

# It is the record of the end, and if the batch has a webhook that wants it, due to be delivered from this commit on. One
# that is to tell of changes is due in any case: whoever claims it counts them.
_EVENT = """
INSERT INTO event (id, url, state, due_at, account_id, batch_id, generation, type, body)
SELECT $2, w.url, CASE WHEN w.due THEN 'pending' END, CASE WHEN w.due THEN now() END, b.account_id, b.id, b.generation, 'batch.completed',
       jsonb_build_object('id', b.public_id, 'outcome', p.outcome, 'total', p.total, 'completed', p.completed,
                          'failed', p.failed, 'skipped', p.skipped, 'cancelled', p.cancelled,
                          'created_at', b.created_at, 'finished_at', p.finished_at)
           || CASE WHEN o.id IS NULL THEN '{}' ELSE jsonb_build_object('compare_with', o.public_id) END
FROM batch b JOIN batch_progress p ON p.batch_id = b.id
LEFT JOIN batch o ON o.id = b.compare_with
CROSS JOIN LATERAL (
    SELECT CASE WHEN coalesce(b.options->'webhook_events' ? 'batch.completed', true) THEN b.webhook END AS url) AS u
CROSS JOIN LATERAL (SELECT u.url, u.url IS NOT NULL OR o.id IS NOT NULL AS due) AS w
WHERE b.id = $1
"""

_SETTLE_CREDITS = """
INSERT INTO ledger (account_id, batch_id, kind, amount)
SELECT account_id, batch_id, 'settle', billed FROM batch_progress WHERE batch_id = $1
"""


async def finish(connection: Connection, key: int, outcome: Outcome) -> None:
    """The one end of every batch, under its progress lock: counters, credits and event, in this transaction."""
    await connection.execute(_FINISH, key, outcome, overlay_of(outcome) is ItemState.CANCELLED)
    await connection.execute(_SETTLE_CREDITS, key)
    await connection.execute(_EVENT, key, ids.event_id())


async def finish_if_over(connection: Connection, key: int) -> bool:
    """End the batch if nothing of it is left to do. The caller holds its progress lock."""
    row = await connection.fetchrow(LOCK, key)
    if row is None or row["state"] not in (BatchState.RUNNING, BatchState.STOPPING):
        return False
    wound_down = row["state"] == BatchState.STOPPING and row["processing"] == 0
    if row["finished"] < row["total"] and not wound_down:
        return False
    outcome = row["outcome"] or outcome_of(row["total"], row["completed"], row["skipped"])
    await finish(connection, key, Outcome(outcome))
    return True
