"""Events about items, for the batches that want them: made of what is finished, so that settling knows nothing of it.

Finish numbers have no gap, so a position in them is all that is kept. One event of a batch is under way at a time: the next
one is made when it has arrived, and of a receiver that is away a batch of a million items makes one event, not ten thousand.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg

from thresher.domain import ids
from thresher.domain.change import NO_NEWS
from thresher.domain.failure import FailureCode, failure_view
from thresher.domain.states import BatchState, ItemState
from thresher.domain.webhook import EventType, Subject
from thresher.storage.changes import CHANGE, best
from thresher.storage.database import Connection
from thresher.storage.items import has_result

MOST = 100  # items in one event
LOOK = timedelta(seconds=2)  # between two looks at a batch of which nothing new is finished

_BEGIN = "INSERT INTO item_feed (batch_id) VALUES ($1)"

_DUE = """
SELECT f.batch_id, f.next, b.public_id, b.account_id, b.generation, b.webhook, b.options, b.compare_with, p.state, p.numbered, p.finished
FROM item_feed f JOIN batch b ON b.id = f.batch_id JOIN batch_progress p ON p.batch_id = f.batch_id
WHERE f.due_at <= now() ORDER BY f.due_at LIMIT 1 FOR UPDATE OF f SKIP LOCKED
"""

# With what became of them since the batch $5, if there is one, and it is not purged.
_FINISHED = f"""
SELECT told.*, CASE WHEN EXISTS (SELECT FROM batch_progress WHERE batch_id = $5 AND purged_at IS NULL) THEN {CHANGE} END AS change
FROM (
    SELECT ord, ref, file_id, name, custom_id, metadata, state, finish_seq, http, failure, detail, digest FROM item
    WHERE batch_id = $1 AND finish_seq >= $2 AND state = ANY ($3::smallint[]) ORDER BY finish_seq LIMIT $4
) AS told
CROSS JOIN LATERAL (SELECT {has_result("told")} AS has, told.digest) AS now
LEFT JOIN LATERAL {best("told", "ARRAY[$5]")} AS before ON true
ORDER BY finish_seq
"""

_EVENT = """
INSERT INTO event (id, account_id, batch_id, generation, type, part, body, url, state, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', now())
"""

_WAIT = "UPDATE item_feed SET next = $2, due_at = now() + $3::interval WHERE batch_id = $1"
_END = "DELETE FROM item_feed WHERE batch_id = $1"

# What was skipped has not failed: whoever waits for what is completed wants to be told of it.
STATES = {
    Subject.ITEM_COMPLETED: (ItemState.COMPLETED, ItemState.SKIPPED),
    Subject.ITEM_FAILED: (ItemState.FAILED,),
}

RetrieveId = Callable[[int, int], str]  # (batch key, position) to the public id


def wanted(options: dict[str, Any]) -> list[ItemState]:
    """The ends of items that a batch wants to be told of."""
    subjects = options.get("webhook_events", ())
    return [state for subject, states in STATES.items() if subject in subjects for state in states]


async def begin(connection: Connection, batch: int, webhook: str | None, options: dict[str, Any]) -> None:
    """Have the items of a batch told of, if its webhook is to be; in the transaction that makes the batch."""
    if webhook and wanted(options):
        await connection.execute(_BEGIN, batch)


async def feed(connection: Connection, retrieve_id: RetrieveId) -> bool:
    """Make the next event of a batch that is due, or see that there is nothing to tell. False if no batch is due."""
    async with connection.transaction():
        row = await connection.fetchrow(_DUE)
        if row is None:
            return False
        batch = row["batch_id"]
        looked = await connection.fetch(
            _FINISHED, batch, row["next"], wanted(row["options"]), MOST, row["compare_with"]
        )
        items = [item for item in looked if _is_news(row["options"], item)]
        following = row["next"]
        if looked:
            following = looked[-1]["finish_seq"] + 1
        if len(looked) < MOST:  # so nothing that is wanted is left of what was numbered before
            following = max(following, row["numbered"] + 1)
        if items:
            body = {
                "id": row["public_id"],
                "object": "batch.items",
                "items": [_view(batch, item, retrieve_id) for item in items],
            }
            values = (row["account_id"], batch, row["generation"], EventType.ITEMS, items[0]["finish_seq"], body)
            await connection.execute(_EVENT, ids.event_id(), *values, row["webhook"])
            await connection.execute(_WAIT, batch, following, None)
        elif len(looked) == MOST:
            await connection.execute(_WAIT, batch, following, timedelta(0))
        elif row["state"] == BatchState.DONE and row["numbered"] == row["finished"]:
            await connection.execute(_END, batch)
        else:
            await connection.execute(_WAIT, batch, following, LOOK)
        return True


def _is_news(options: dict[str, Any], item: asyncpg.Record) -> bool:
    """Whether a batch wants to be told of an item; of what cannot be compared it is."""
    return not options.get("webhook_only_changes") or item["change"] not in NO_NEWS


def _view(batch: int, item: asyncpg.Record, retrieve_id: RetrieveId) -> dict[str, Any]:
    """An item as in a page of items, without its contents."""
    view: dict[str, Any] = {
        "id": retrieve_id(batch, item["ord"]),
        "retrieve_id": retrieve_id(batch, item["ord"]),
        "custom_id": item["custom_id"],
        "url": item["ref"],
        **({"file_id": str(item["file_id"]), "name": item["name"]} if item["file_id"] else {}),
        "status": ItemState(item["state"]).name.lower(),
    }
    if item["change"] is not None:
        view["change"] = item["change"]
    if item["metadata"]:
        view["metadata"] = item["metadata"]
    if item["http"] is not None:
        view["http_status"] = item["http"]
    if item["failure"] is not None:
        view["error"] = failure_view(FailureCode(item["failure"]), item["detail"])
    elif item["state"] == ItemState.SKIPPED:
        view["skip_reason"] = item["detail"]
    return view
