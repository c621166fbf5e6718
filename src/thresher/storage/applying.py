"""A batch made of the stored pages of another, to read them in another way: made by the database, in one transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from thresher.domain import ids, url
from thresher.storage import ledger
from thresher.storage.batches import Batch
from thresher.storage.copies import PATIENCE, begin
from thresher.storage.database import Connection

# No request is made for it, so it needs no headers. It has as long as the original had once it was started, and $7 at most.
_INSERT = """
INSERT INTO batch (public_id, account_id, face, applied_to, options, metadata, webhook, source, price, directory_id, deadline_at)
SELECT $2, b.account_id, b.face, b.id, $3, $4, $5, b.source, coalesce($6, b.price), b.directory_id,
       now() + least(b.deadline_at - coalesce(p.started_at, b.created_at), $7 * interval '1 second')
FROM batch b JOIN batch_progress p ON p.batch_id = b.id WHERE b.id = $1
RETURNING id, price
"""

# The items of $1 whose page is stored: with the item itself, be it completed or not, or else with the one that it was to be
# made of; and the files that are still there, for these are read again. Of the choices that are made anew, $2, an item keeps none of its own. None of a purged batch: its rows are going, and
# this statement sees all of them or the mark.
_STORED = """
FROM (
    SELECT i.*, i.options - $2::text[] AS kept, CASE WHEN NOT 'parser' = ANY ($2) THEN i.price END AS cost,
           CASE WHEN i.len IS NOT NULL THEN i.batch_id ELSE i.body_batch END AS page_batch,
           CASE WHEN i.len IS NOT NULL THEN i.ord ELSE i.body_ord END AS page_ord
    FROM item i JOIN batch_progress p ON p.batch_id = i.batch_id
    WHERE i.batch_id = $1 AND p.state = 'done' AND p.purged_at IS NULL) i
WHERE CASE WHEN file_id IS NOT NULL
    THEN EXISTS (SELECT FROM file f WHERE f.id = i.file_id AND (f.expires_at IS NULL OR f.expires_at > now()))
    ELSE len IS NOT NULL OR EXISTS (
        SELECT FROM item o JOIN batch_progress p ON p.batch_id = o.batch_id
        WHERE o.batch_id = i.page_batch AND o.ord = i.page_ord AND o.len IS NOT NULL AND p.purged_at IS NULL) END
"""

_COST = f"SELECT coalesce(sum(coalesce(cost, $3)), 0)::bigint {_STORED}"

# To the batch $4, in their order; $3 is the price of those without their own. No host is asked, so no host's bucket is taken:
# as many shards as there are buckets for this run at a time, $5 items in each.
_TAKE = f"""
WITH taken AS (
    INSERT INTO item (batch_id, ord, ref, bucket, custom_id, metadata, options, price, body_batch, body_ord, file_id, content_id, name)
    SELECT $4, nth, ref, {url.BUCKETS} + nth / $5 % {url.STORE_BUCKETS}, custom_id, metadata, nullif(kept, '{{}}'), cost, page_batch, page_ord,
           file_id, content_id, name
    FROM (SELECT *, row_number() OVER (ORDER BY ord) - 1 AS nth {_STORED}) AS found
    RETURNING price
)
SELECT count(*) AS items, coalesce(sum(coalesce(price, $3)), 0)::bigint AS cost FROM taken
"""


class NothingStored(Exception):
    """Of no item of the batch there is a stored page."""


@dataclass(frozen=True, slots=True)
class Anew:
    """How the pages of a batch are to be read. `options` are all those of the new batch, `chosen` the names of those that are

    chosen anew, for all its items; `price` in credits, None for the one of the original. `lifetime` is the most that it gets, in seconds.
    """

    options: dict[str, Any]
    chosen: Collection[str]
    price: int | None
    metadata: dict[str, str]
    webhook: str | None
    lifetime: float
    shard_size: int


async def apply(connection: Connection, batch: Batch, anew: Anew) -> Batch:
    """A new batch of the items of one that is done whose pages are stored; it runs when this returns.

    Raises NothingStored, also if the batch was purged since it was read; Problem(credits_exhausted).
    """
    wanted = [batch.id, list(anew.chosen)]
    made = [anew.options, anew.metadata, anew.webhook, anew.price, anew.lifetime]
    async with connection.transaction():
        limited = await ledger.hold(connection, batch.account_id)
        row = await connection.fetchrow(_INSERT, batch.id, ids.batch_id_like(batch.public_id), *made)
        if row is None:
            raise NothingStored
        if limited:
            await ledger.afford(connection, batch.account_id, await connection.fetchval(_COST, *wanted, row["price"]))
        [taken] = await connection.fetch(_TAKE, *wanted, row["price"], row["id"], anew.shard_size, timeout=PATIENCE)
        if not taken["items"]:
            raise NothingStored
        return await begin(connection, row["id"], taken["items"], taken["cost"], anew.shard_size)
