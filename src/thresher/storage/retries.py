"""A batch again, but only what of it has no result: made by the database, in one transaction, however large it is."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from thresher.domain import ids
from thresher.domain.failure import FailureCode
from thresher.storage import items, ledger
from thresher.storage.batches import Batch
from thresher.storage.copies import PATIENCE, begin
from thresher.storage.database import Connection

# What $2 does not name is as in the original. It has as long as the original had once it was started, and $5 at most.
_INSERT = """
INSERT INTO batch (public_id, account_id, face, retry_of, root, generation, applied_to, options, headers, metadata, webhook, source, price, directory_id, deadline_at)
SELECT $2, b.account_id, b.face, b.id, $3, b.generation + 1, b.applied_to, b.options, b.headers, coalesce($4, b.metadata), b.webhook, b.source, b.price, b.directory_id,
       now() + least(b.deadline_at - coalesce(p.started_at, b.created_at), $5 * interval '1 second')
FROM batch b JOIN batch_progress p ON p.batch_id = b.id WHERE b.id = $1
RETURNING id, price
"""

# Retries of one line are made one after the other, so that each sees what those before it took.
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(4, hashtext($1::bigint::text))"

# The items of $1 without a result, of a few codes $2 or of all if that is null; $3 is the code of those that nothing had
# settled when the batch was stopped, whether it is written already or not. None of a purged batch: its rows are going, and
# this statement sees all of them or the mark. None that another retry of the line has completed, or has still to finish; and none that
# was skipped because there is a result, as long as that is there.
_WANTED = f"""
FROM item i JOIN batch_progress p ON p.batch_id = i.batch_id
LEFT JOIN batch_progress t ON t.batch_id = i.body_batch AND i.state = 3
WHERE i.batch_id = $1 AND (NOT {items.has_result("i")} OR t.purged_at IS NOT NULL) AND p.state = 'done' AND p.purged_at IS NULL
  AND ($2::text[] IS NULL OR CASE i.state WHEN 0 THEN $3 ELSE i.failure END = ANY ($2))
  AND NOT EXISTS (
    SELECT FROM item r JOIN batch_progress q ON q.batch_id = r.batch_id
    WHERE r.origin_batch = coalesce(i.origin_batch, i.batch_id) AND r.origin_ord = coalesce(i.origin_ord, i.ord)
      AND q.purged_at IS NULL AND ({items.has_result("r")} OR (r.state = 0 AND q.state <> 'done')))
"""

# What they cost; $4 is the price of those without their own.
_COST = f"SELECT coalesce(sum(coalesce(i.price, $4)), 0)::bigint {_WANTED}"

# To the batch $4, in their order, each with its place in the batch $5 that the line began with; $6 is the price of those
# without their own.
_TAKE = f"""
WITH taken AS (
    INSERT INTO item (batch_id, ord, ref, bucket, custom_id, metadata, options, headers, price, body_batch, body_ord, file_id, content_id, name, origin_batch, origin_ord)
    SELECT $4, row_number() OVER (ORDER BY i.ord) - 1, i.ref, i.bucket, i.custom_id, i.metadata, i.options, i.headers, i.price, i.body_batch, i.body_ord,
           i.file_id, i.content_id, i.name, $5, coalesce(i.origin_ord, i.ord)
    {_WANTED}
    RETURNING price
)
SELECT count(*) AS items, sum(coalesce(price, $6))::bigint AS cost FROM taken
"""

# The latest retry of the line $1 but for the batches $2: the one that is retried, and the one that is being made.
_LATEST = "SELECT public_id FROM batch WHERE root = $1 AND id <> ALL ($2) ORDER BY id DESC LIMIT 1"


class NothingToRetry(Exception):
    """Every item of the batch has a result, or none has failed with one of the codes, or other retries of its line are at them.

    `latest`: the id of the latest of those, None if there are none.
    """

    def __init__(self, latest: str | None) -> None:
        super().__init__(latest)
        self.latest = latest


@dataclass(frozen=True, slots=True)
class Again:
    """What to retry of a batch: items that failed with one of `codes`, None for all without a result.

    `metadata` of the new batch, None for the same. `lifetime` is the most that it gets, in seconds.
    """

    codes: Collection[FailureCode] | None
    metadata: dict[str, str] | None
    lifetime: float
    shard_size: int


async def retry(connection: Connection, batch: Batch, again: Again) -> Batch:
    """A new batch of what a batch that is done has left without a result; it runs when this returns.

    Raises NothingToRetry, also if the batch was purged since it was read; Problem(credits_exhausted).
    """
    codes = None if again.codes is None else list(again.codes)
    wanted: list[Any] = [batch.id, codes, items.left_as(batch)[1]]
    root = batch.root or batch.id
    async with connection.transaction():
        await connection.execute(_ONE_BY_ONE, root, timeout=PATIENCE)
        limited = await ledger.hold(connection, batch.account_id)
        [row] = await connection.fetch(
            _INSERT, batch.id, ids.batch_id_like(batch.public_id), root, again.metadata, again.lifetime
        )
        key, price = row["id"], row["price"]
        if limited:
            await ledger.afford(connection, batch.account_id, await connection.fetchval(_COST, *wanted, price))
        [taken] = await connection.fetch(_TAKE, *wanted, key, root, price, timeout=PATIENCE)
        if not taken["items"]:
            raise NothingToRetry(await connection.fetchval(_LATEST, root, [batch.id, key]))
        return await begin(connection, key, taken["items"], taken["cost"], again.shard_size)
